"""A checkpoint's networks, loaded from its registered file or folder and checked to be whole."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKL, ModelMixin, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection
from transformers.initialization import no_init_weights

from restyle.engines.base import File
from restyle.engines.diffusion import blueprint, edm
from restyle.engines.diffusion.architecture import Architecture
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.edm import Edm
from restyle.engines.diffusion.files import Tensors, architecture_of, broken, tensors, under, unscaled, weights_in
from restyle.engines.diffusion.tokens import SIZE

UNET, VAE = "model.diffusion_model.", "first_stage_model."
SD15_TEXT = "cond_stage_model.transformer."
SDXL_TEXT = ("conditioner.embedders.0.transformer.", "conditioner.embedders.1.model.")
ALIGNMENT = 64
"""Bytes at whose multiples PyTorch lets its own tensors begin."""
OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
OPEN_CLIP = {
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}
OPEN_CLIP_LAYER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}


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


def size(network: torch.nn.Module) -> int:
    """Bytes of a network's weights."""
    return sum(weight.numel() * weight.element_size() for weight in network.parameters())


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


def prepared(network: torch.nn.Module, file: File, device: Device) -> None:
    """Check that a network is whole, and put it where it waits. Raises RestyleError (5101)."""
    missing = [name for name, weight in network.named_parameters() if weight.device.type == "meta"]
    if missing and device.name != "meta":
        raise broken(file, f"tensors are missing, {missing[0]} among them")
    network.requires_grad_(False)
    network.eval()
    device.place(network)
    align(network)


def align(network: torch.nn.Module) -> None:
    """Copy weights that do not begin at a multiple of ALIGNMENT bytes to where they do; those on a GPU always do.

    A file's own are mapped into memory where they lie in it, and processors' fastest arithmetic rounds by where numbers
    begin: one checkpoint as a file and as a folder drew a level apart, and on some processors only.
    """
    for weight in (*network.parameters(), *network.buffers()):
        if weight.device.type == "cpu" and (weight.data_ptr() % ALIGNMENT or not weight.is_contiguous()):
            weight.data = torch.empty_like(weight, memory_format=torch.contiguous_format).copy_(weight)


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


def from_folder(kind: type[Any], file: File, part: str, *, dtype: torch.dtype, source: str) -> Any:
    """A network out of a folder in diffusers' form. Raises RestyleError (5101) where it is not whole."""
    folder = file.path / part
    try:
        with unfilled():
            if issubclass(kind, ModelMixin):
                network = kind.from_config(kind.load_config(folder, local_files_only=True))
            else:
                network = kind(kind.config_class.from_pretrained(folder, local_files_only=True))
        state = {_renamed(name): value for name, value in weights_in(file, part, source).items()}
        fill(network, state if issubclass(kind, ModelMixin) else _own(network, state), dtype)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise broken(file, f"{part or 'the folder'} does not load: {error}") from error
    return network


def _own(network: torch.nn.Module, state: Tensors) -> Tensors:
    """A CLIP's tensors by the names that ``network`` has for them; what means nothing to it is left out."""
    inner = "text_model." if any(name.startswith("text_model.") for name, _ in network.named_parameters()) else ""
    wanted = {name for name, _ in network.named_parameters()}
    named = {
        (
            name
            if "projection" in name or name.startswith("vision_model.")
            else inner + name.removeprefix("text_model.")
        ): value
        for name, value in state.items()
    }
    return {name: value for name, value in named.items() if name in wanted}


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
    encoders = _encoders(found, file, architecture, device.text)
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
        return {_renamed(name): value for name, value in found.items()}

    return built(
        AutoencoderKL, lambda: blueprint.vae(blueprint.shapes(found), architecture), convert, file, torch.float32
    )


def _renamed(name: str) -> str:
    """Diffusers' names of a VAE's attention as they are since its version 0.15."""
    for old, new in OLD_ATTENTION.items():
        name = name.replace(f"attentions.0.{old}.", f"attentions.0.{new}.")
    return name


def built(
    kind: type[Any],
    configure: Callable[[], dict[str, Any]],
    convert: Callable[[Mapping[str, Any]], Tensors],
    file: File,
    dtype: torch.dtype,
) -> Any:
    """A network of diffusers, its configuration and its tensors made from those of a single file.

    Raises RestyleError (5101) where either does not come out.
    """
    try:
        config = configure()
        with unfilled():
            network = kind(**config)
        fill(network, convert(network.config), dtype)
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        raise broken(file, f"its {kind.__name__} has another form: {error}") from error
    return network


@contextmanager
def unfilled() -> Iterator[None]:
    """Networks that are made inside have weights without numbers: none are drawn only to be loaded over.

    Drawing them takes no memory, but on a device without numbers it is done in Python: most of the time that a text
    encoder took to be made, and half of a UNet's.
    """
    with no_init_weights(), init_empty_weights(include_buffers=False):
        yield


def fill(network: torch.nn.Module, state: Tensors, dtype: torch.dtype) -> None:
    """Give a network without weights its tensors; raises RuntimeError unless they are exactly those it has."""
    network.load_state_dict(
        {name: torch.nn.Parameter(value.to(dtype), requires_grad=False) for name, value in state.items()},
        strict=True,
        assign=True,
    )


def _encoders(found: Tensors, file: File, architecture: Architecture, dtype: torch.dtype) -> tuple[Any, ...]:
    try:
        if architecture is Architecture.SD15:
            return (_encoder(CLIPTextModel, _named(under(SD15_TEXT, found)), dtype),)
        first, second = (under(prefix, found) for prefix in SDXL_TEXT)
        return (
            _encoder(CLIPTextModel, _named(first), dtype),
            _encoder(CLIPTextModelWithProjection, _from_open_clip(second), dtype),
        )
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        raise broken(file, f"its text encoder has another form: {error}") from error


def _encoder(kind: type[Any], state: Tensors, dtype: torch.dtype) -> Any:
    config = CLIPTextConfig(**blueprint.clip(blueprint.shapes(state)))
    with unfilled():
        network = kind(config)
    fill(network, _own(network, state), dtype)
    return network


def _named(state: Tensors) -> Tensors:
    """The tensors of OpenAI's text encoder, by the names that transformers 5 has for them.

    Some programs save its projection, too, which nothing of Stable Diffusion reads.
    """
    return {
        name.removeprefix("text_model."): value
        for name, value in state.items()
        if not name.startswith("text_projection")
    }


def _from_open_clip(state: Tensors) -> Tensors:
    """OpenCLIP's names and shapes to those of transformers; queries, keys and values are stacked there."""
    result: Tensors = {"text_projection.weight": state["text_projection"].T.contiguous()}
    result |= {new: state[old] for old, new in OPEN_CLIP.items()}
    for name, value in under("transformer.resblocks.", state).items():
        layer, rest = name.split(".", 1)
        place = f"encoder.layers.{layer}"
        part, kind = rest.rsplit("_" if rest.startswith("attn.in_proj_") else ".", 1)
        if part == "attn.in_proj":
            for which, piece in zip("qkv", value.chunk(3), strict=True):
                result[f"{place}.self_attn.{which}_proj.{kind}"] = piece
        else:
            result[f"{place}.{OPEN_CLIP_LAYER[part]}.{kind}"] = value
    return result
