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
class Companions:
    """Files by role, and the sentences that say why these."""

    files: tuple[tuple[Role, Entry], ...]
    notices: tuple[str, ...]


def companions(main: Entry, catalogue: Catalogue, *, own_vae: bool, named: Named) -> Companions:
    """Those of the checkpoint ``main``; ``own_vae`` asks for the VAE that came with it.

    An IP-Adapter comes with the image encoder it reads, or not at all. Raises RestyleError (230) where there is no VAE.
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
    control = catalogue.default(Kind.CONTROLNET, main.architecture)
    if control:
        files.append((Role.CONTROLNET, control))
    vae, told = _vae(main, catalogue, own_vae, named)
    if vae:
        files.append((Role.VAE, vae))
    return Companions(tuple(files), (*notices, *told))


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
