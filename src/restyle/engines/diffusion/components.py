"""A checkpoint's networks, loaded from its registered file or folder and checked to be whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from restyle.engines.base import File
from restyle.engines.diffusion import blueprint, edm
from restyle.engines.diffusion.architecture import Architecture
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.edm import Edm
from restyle.engines.diffusion.encoders import SD15_TEXT, SDXL_TEXT, text_encoders
from restyle.engines.diffusion.files import Tensors, architecture_of, broken, tensors, under, unscaled
from restyle.engines.diffusion.networks import built, from_folder, prepared, renamed, size
from restyle.engines.diffusion.tokens import SIZE

UNET, VAE = "model.diffusion_model.", "first_stage_model."


@dataclass(frozen=True, slots=True)
class Latents:
    """What a UNet makes of a VAE's latents (1, C, H, W): less ``mean``, by ``deviation``, times ``scale``, each channel
    for itself.
    """

    scale: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Latents | None":
        """Those of a VAE's configuration; None where it knows a scale alone."""
        mean, deviation = config.get("latents_mean"), config.get("latents_std")
        if mean is None or deviation is None:
            return None
        return cls(float(config["scaling_factor"]), tuple(map(float, mean)), tuple(map(float, deviation)))


@dataclass(eq=False, slots=True)
class Checkpoint:
    """The networks of one main model.

    ``encoders`` are CLIP's (SDXL: the one of OpenAI, then OpenCLIP's with projection). ``vae`` is None where the
    checkpoint brings none. ``scheduler`` configures samplers. ``native`` is the side in pixels it was trained at.
    ``latents`` is the form in which the UNet wants latents, where it is not that of whatever VAE makes them;
    ``schedule`` its noise schedule, where it is not that of Stable Diffusion.
    """

    architecture: Architecture
    unet: Any
    encoders: tuple[Any, ...]
    vae: Any | None
    scheduler: Mapping[str, Any]
    native: int
    latents: Latents | None = None
    schedule: Edm | None = None

    def networks(self) -> tuple[torch.nn.Module, ...]:
        """All of them."""
        return (self.unet, *self.encoders, *([self.vae] if self.vae is not None else []))

    def moment(self, timestep: torch.Tensor) -> torch.Tensor:
        """The timestep of Stable Diffusion's own schedule that has as much noise, for networks trained on that."""
        return timestep if self.schedule is None else self.schedule.elsewhere(timestep)

    def size(self) -> int:
        """Bytes of all weights."""
        return sum(size(network) for network in self.networks())


def load(file: File, device: Device) -> Checkpoint:
    """The checkpoint of ``file``, whose role is MAIN. Raises RestyleError (5101) for files that do not fit."""
    architecture, rest = architecture_of(file), file.base or file
    unet = _unet_of(file, architecture, device) if file.base else None
    read = _from_folder if rest.format == "folder" else _from_file
    checkpoint = read(rest, architecture, device, unet)
    if unet is not None:
        native = blueprint.NATIVE_SIDE[architecture]
        checkpoint = replace(
            checkpoint, scheduler=_scheduler_of_file(file), native=native, latents=_latents_of_file(file)
        )
    for network in checkpoint.networks():
        prepared(network, file, device)
    for encoder in checkpoint.encoders:
        if encoder.config.vocab_size != SIZE:
            raise broken(file, f"its text encoder knows {encoder.config.vocab_size} tokens; CLIP's knows {SIZE}")
    if (schedule := _edm(file)) is not None:
        checkpoint = replace(checkpoint, scheduler=schedule.scheduler(checkpoint.scheduler), schedule=schedule)
        schedule.turn(checkpoint.unet)
    return checkpoint


def _edm(file: File) -> Edm | None:
    """The schedule of a checkpoint that has one of its own. Raises RestyleError (5101)."""
    if file.format != "folder":
        return edm.of_file(file) if file.facts.get("schedule") == "edm" else None
    try:
        return edm.of_config(_config_of_scheduler(file.path))
    except ValueError as error:
        raise broken(file, str(error)) from error


def _from_folder(file: File, architecture: Architecture, device: Device, unet: Any | None) -> Checkpoint:
    """The checkpoint of a folder, with ``unet`` instead of its own if there is one."""
    kinds = [CLIPTextModel, CLIPTextModelWithProjection][: 2 if architecture is Architecture.SDXL else 1]
    names = ["text_encoder", "text_encoder_2"]
    source = device.source
    if unet is None:
        unet = from_folder(UNet2DConditionModel, file, "unet", dtype=device.unet, source=source)
    own = (file.path / "vae").is_dir()
    vae = from_folder(AutoencoderKL, file, "vae", dtype=torch.float32, source=source) if own else None
    return Checkpoint(
        architecture,
        unet,
        tuple(
            from_folder(kind, file, name, dtype=device.text, source=source)
            for kind, name in zip(kinds, names, strict=False)
        ),
        vae,
        {**blueprint.SCHEDULER, **_scheduler_of(file.path)},
        blueprint.native_side(unet.config.sample_size, architecture),
        None if vae is None else Latents.of(vae.config),
    )


def _config_of_scheduler(folder: Path) -> dict[str, Any]:
    file = folder / "scheduler" / "scheduler_config.json"
    return dict(json.loads(file.read_text())) if file.is_file() else {}


def _scheduler_of(folder: Path) -> Mapping[str, Any]:
    config = _config_of_scheduler(folder)
    wanted = (*blueprint.SCHEDULER, "trained_betas", "rescale_betas_zero_snr")
    return {name: config[name] for name in wanted if name in config}


def _from_file(file: File, architecture: Architecture, device: Device, unet: Any | None) -> Checkpoint:
    """The checkpoint of a single file, with ``unet`` instead of its own if there is one."""
    read = (VAE, SD15_TEXT, *SDXL_TEXT, *((UNET,) if unet is None else ()))
    found = unscaled(tensors(file, lambda name: name.startswith(read), device.source))
    if unet is None:
        unet = _unet(_only(UNET, found), file, architecture, device)
    vae = vae_of(under(VAE, found), file, architecture) if any(name.startswith(VAE) for name in found) else None
    encoders = text_encoders(found, file, architecture, device.text)
    native = blueprint.NATIVE_SIDE[architecture]
    return Checkpoint(architecture, unet, encoders, vae, _scheduler_of_file(file), native, _latents_of_file(file))


def _latents_of_file(file: File) -> Latents | None:
    """What Playground's files say of their latents. Raises RestyleError (5101)."""
    if file.facts.get("schedule") != "edm":
        return None
    found = tensors(file, lambda name: name in edm.MARKS[2:])
    if not found:
        return None
    mean, deviation = (tuple(found[name].flatten().tolist()) if name in found else () for name in edm.MARKS[2:])
    if len(mean) != edm.LATENTS or len(deviation) != edm.LATENTS:
        raise broken(file, "edm_mean and edm_std have not a number for each channel of the latents")
    return Latents(blueprint.EDM_SCALING, mean, deviation)


def _scheduler_of_file(file: File) -> Mapping[str, Any]:
    config = {**blueprint.SCHEDULER, "prediction_type": file.facts.get("prediction_type", "epsilon")}
    return {**config, "rescale_betas_zero_snr": True} if file.facts.get("zero_snr") else config


def _unet_of(file: File, architecture: Architecture, device: Device) -> Any:
    """The UNet of a file that holds nothing else of use, under LDM's names, with their beginning or not, or others."""
    found = unscaled(tensors(file, source=device.source))
    if not any(name.startswith(UNET) for name in found):
        found = {UNET + name: value for name, value in found.items()}
    return _unet(_only(UNET, found), file, architecture, device)


def _unet(found: Tensors, file: File, architecture: Architecture, device: Device) -> Any:
    bare = under(UNET, found)

    def convert(config: Mapping[str, Any]) -> Tensors:
        if "input_blocks.0.0.weight" not in bare:
            return bare
        return cast(Tensors, convert_ldm_unet_checkpoint(found, config))

    shapes = blueprint.shapes(bare)
    return built(UNet2DConditionModel, lambda: blueprint.unet(shapes, architecture), convert, file, device.unet)


def _only(prefix: str, found: Tensors) -> Tensors:
    return {name: value for name, value in found.items() if name.startswith(prefix)}


def vae_of(found: Tensors, file: File, architecture: Architecture) -> Any:
    """The VAE of tensors named as in LDM, without prefix, or as in diffusers. Raises RestyleError (5101)."""

    def convert(config: Mapping[str, Any]) -> Tensors:
        if "encoder.mid.block_1.conv1.weight" in found:
            return cast(Tensors, convert_ldm_vae_checkpoint({VAE + name: found[name] for name in found}, config))
        return {renamed(name): value for name, value in found.items()}

    return built(
        AutoencoderKL, lambda: blueprint.vae(blueprint.shapes(found), architecture), convert, file, torch.float32
    )
