"""What a checkpoint draws with that no request names: its way of the style, its ControlNet and its VAE.

An operator registers them; which is used is decided here, once, and said.
"""

from dataclasses import dataclass

from restyle.engines.base import Role
from restyle.models.catalogue import Catalogue, Entry
from restyle.models.kinds import Kind
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.fields import Named


@dataclass(frozen=True, slots=True)
class Control:
    """What is asked of a ControlNet: to be shown ``kind`` (None leaves that open), of which a map is given or not.
    ``found`` are the kinds that the engine finds in a raw image by itself.
    """

    kind: str | None = None
    mapped: bool = False
    found: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Companions:
    """Files by role, ControlNets with what each is shown, and the sentences that say why these."""

    files: tuple[tuple[Role, Entry], ...]
    controls: tuple[tuple[Entry, str], ...]
    notices: tuple[str, ...]


def companions(main: Entry, catalogue: Catalogue, control: Control, *, own_vae: bool, named: Named) -> Companions:
    """Those of the checkpoint ``main``; ``own_vae`` asks for the VAE that came with it.

    An IP-Adapter comes with the image encoder it reads, or not at all. Raises RestyleError: 230 where there is no VAE,
    or no ControlNet for what is asked; 220 where a map is missing.
    """
    files: list[tuple[Role, Entry]] = []
    notices: list[str] = []
    adapter = catalogue.default(Kind.IP_ADAPTER, main.architecture)
    encoder = catalogue.image_encoder(adapter) if adapter else None
    if adapter and encoder:
        files += [(Role.IP_ADAPTER, adapter), (Role.IMAGE_ENCODER, encoder)]
        notices.append(f"Style route: IP-Adapter {adapter.name}")
    else:
        if adapter:
            notices.append(f"{adapter.name} is not used: no image encoder that it reads is registered")
        notices.append("Style route: style injection, from the model alone")
    controls, said = _controls(main, catalogue, control, named)
    notices += said
    vae, told = _vae(main, catalogue, own_vae, named)
    if vae:
        files.append((Role.VAE, vae))
    return Companions(tuple(files), controls, (*notices, *told))


def shown_to(entry: Entry) -> tuple[str, ...]:
    """What a ControlNet can be shown, the one it was registered for first."""
    own = str(entry.facts.get("control", "tile"))
    return (own, *(kind for kind in entry.facts.get("controls", ()) if kind != own))


def _controls(
    main: Entry, catalogue: Catalogue, asked: Control, named: Named
) -> tuple[tuple[tuple[Entry, str], ...], tuple[str, ...]]:
    """The ControlNet, if there is one to draw with, and what it is shown; and what is to be said of it."""
    assert main.architecture is not None
    registered = catalogue.of(Kind.CONTROLNET, main.architecture)
    registered.sort(key=lambda entry: not entry.is_default)
    field, picture = named(("control_type",)), named(("control_image",))
    if asked.kind is None:
        if asked.mapped:
            raise RestyleError(
                Code.MISSING_PARAMETER, f"missing parameter {field}: say what the map of {picture} shows", field=field
            )
        chosen = next((entry for entry in registered if shown_to(entry)[0] in asked.found), None)
        if chosen is not None:
            return ((chosen, shown_to(chosen)[0]),), ()
        return (), tuple(
            f"{entry.name} is not used: it is shown {shown_to(entry)[0]}, which {field} and {picture} would give"
            for entry in registered[:1]
        )
    fitting = [entry for entry in registered if asked.kind in shown_to(entry)]
    if not fitting:
        there = sorted({kind for entry in registered for kind in shown_to(entry)})
        known = f"there are those for {', '.join(there)}" if there else "none is registered at all"
        reason = f"no ControlNet for {asked.kind} is registered for {main.architecture.label}; {known}"
        raise RestyleError(Code.PARAMETER_NOT_AVAILABLE, f"parameter {field} not available: {reason}", field=field)
    if not asked.mapped and asked.kind not in asked.found:
        raise RestyleError(
            Code.MISSING_PARAMETER,
            f"missing parameter {picture}: {asked.kind} is not found in the raw image here; give its map",
            field=picture,
        )
    # one that was made for this alone, before one that serves several
    chosen = min(fitting, key=lambda entry: (not entry.is_default, len(shown_to(entry))))
    return ((chosen, asked.kind),), ()


def _vae(main: Entry, catalogue: Catalogue, own_vae: bool, named: Named) -> tuple[Entry | None, tuple[str, ...]]:
    """The VAE to load beside the checkpoint, None where it is the checkpoint's own, and what is to be said of it."""
    assert main.architecture is not None
    label = main.architecture.label
    registered = catalogue.default(Kind.VAE, main.architecture)
    brings = bool(main.facts.get("has_vae", True))
    if not brings and registered is None:
        raise RestyleError(
            Code.PARAMETER_NOT_AVAILABLE,
            f"{main.code} brings no VAE, and none is registered for {label}; register one",
            field=named(("model", "code")),
        )
    if own_vae:
        if brings:
            return None, ()
        assert registered is not None
        asked = named(("use_main_model_vae",))
        return registered, (f"{asked}: {main.name} brings no VAE; {registered.name} is used",)
    if registered is None:
        return None, (f"No VAE is registered for {label}; the one of {main.name} is used",)
    return registered, ()
