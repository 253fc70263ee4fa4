"""What a shell may complete: names of models, samplers and ways to resize. Nothing where they cannot be told."""

from collections.abc import Iterable


def models(incomplete: str) -> list[str]:
    """Main models of the data folder."""
    return _beginning(incomplete, _registered("mains"))


def sub_models(incomplete: str) -> list[str]:
    """LoRAs, embeddings and hypernetworks of the data folder."""
    return _beginning(incomplete, _registered("subs"))


def samplers(incomplete: str) -> list[str]:
    """Of all engines that have any."""
    from restyle.engines.families import FAMILIES

    return _beginning(incomplete, (name for family in FAMILIES for name in family.samplers))


def resize_modes(incomplete: str) -> list[str]:
    from restyle.images.fit import ResizeMode

    return _beginning(incomplete, ResizeMode)


def _registered(group: str) -> Iterable[str]:
    from restyle.conversion.draw import open_registry
    from restyle.settings import Settings

    try:
        found: Iterable[str] = getattr(open_registry(Settings()), group)
    except Exception:  # noqa: BLE001 - a shell that asks cannot be told what is wrong; the command will say it
        return []
    return found


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted({str(name) for name in names if str(name).lower().startswith(incomplete.lower())})
