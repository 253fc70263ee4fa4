"""Whether a file would draw, found out on networks without numbers: all that loading it for a task would refuse.

A sub-model must fit a main model: one that is registered, or the networks as Stability trained them.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from restyle.engines.base import File, Role
from restyle.engines.diffusion import blueprint, components, controlnet, embeddings, hypernetwork, vae
from restyle.engines.diffusion.architecture import Architecture
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.files import architecture_of, broken
from restyle.engines.diffusion.ipadapter import ImageEncoder, IPAdapter
from restyle.engines.diffusion.lora.rack import LoraRack
from restyle.engines.diffusion.networks import unfilled
from restyle.engines.diffusion.quiet import quiet
from restyle.engines.diffusion.samplers import SAMPLERS, Schedule
from restyle.wire.errors import RestyleError

NOWHERE = Device("meta", torch.float32, torch.float32)
WIDTHS = {Architecture.SD15: (320, 640, 1280, 1280), Architecture.SDXL: (320, 640, 1280)}
DEPTHS = {Architecture.SD15: (1, 1, 1, 0), Architecture.SDXL: (0, 2, 10)}
"""Channels of the UNet's levels, and the transformer blocks of each: 0 for a level without attention."""
CLIPS = {Architecture.SD15: ((768, 12),), Architecture.SDXL: ((768, 12), (1280, 32))}
"""Width and layers of the text encoders."""


def rehearse(file: File, mains: Sequence[File]) -> tuple[str, ...]:
    """Names of what ``file`` holds and drawing leaves out. ``mains`` are registered main models of its architecture.

    Raises RestyleError (5101) for what drawing would refuse.
    """
    with quiet(), torch.inference_mode(False), torch.no_grad():
        if file.role in ALONE:
            ALONE[file.role](file)
            return ()
        return _fitting(file, mains)


def _main(file: File) -> None:
    checkpoint = components.load(file, NOWHERE)
    _check_levels(file, checkpoint)
    try:
        with warnings.catch_warnings():
            # the samplers' library hands tensors to NumPy in ways that NumPy will not take for ever
            warnings.simplefilter("ignore", DeprecationWarning)
            for name in ("Euler", "DDIM"):
                Schedule(SAMPLERS[name], checkpoint.scheduler, steps=6, denoise=0.5, seed=0, device="cpu")
    except (ValueError, TypeError, NotImplementedError, IndexError) as error:
        raise broken(file, f"no sampler follows its scheduler's configuration: {str(error)[:200]}") from error


def _check_levels(file: File, checkpoint: Checkpoint) -> None:
    """A distilled UNet, with blocks or layers left out, fits no LoRA, IP-Adapter or ControlNet, and no injection."""
    config = checkpoint.unet.config
    wanted = len(WIDTHS[checkpoint.architecture])
    layers = config.layers_per_block
    whole = layers == blueprint.LAYERS or list(layers) == [blueprint.LAYERS] * wanted if layers else False
    depths = config.transformer_layers_per_block
    standard = config.cross_attention_dim == 2048 and tuple(config.block_out_channels) == WIDTHS[Architecture.SDXL]
    shallow = standard and (not isinstance(depths, list | tuple) or tuple(depths)[1:] != DEPTHS[Architecture.SDXL][1:])
    if len(config.block_out_channels) != wanted or not whole or checkpoint.unet.mid_block is None or shallow:
        raise broken(file, "its UNet lacks blocks or layers: a distilled model; take the whole one")


ALONE: dict[Role, Callable[[File], Any]] = {
    Role.MAIN: _main,
    Role.VAE: lambda file: vae.load(file, NOWHERE),
    Role.IMAGE_ENCODER: lambda file: ImageEncoder(file, NOWHERE),
    Role.HYPERNETWORK: hypernetwork.load,
}
"""Roles of files that need no main model to be told right or wrong."""


def _fitting(file: File, mains: Sequence[File]) -> tuple[str, ...]:
    """The file with the first main model that it fits. Raises the first refusal where it fits none."""
    refusals: list[RestyleError] = []
    for checkpoint in _candidates(file, mains):
        try:
            return FITTED[file.role](file, checkpoint)
        except RestyleError as error:
            refusals.append(error)
    raise refusals[0]


def _candidates(file: File, mains: Sequence[File]) -> Iterator[Checkpoint]:
    for main in mains:
        if not main.path.exists():
            continue
        try:
            yield components.load(main, NOWHERE)
        except RestyleError:  # what is wrong with it is told where it is looked at itself
            continue
    yield standard(architecture_of(file))


def _lora(file: File, checkpoint: Checkpoint) -> tuple[str, ...]:
    return LoraRack(checkpoint).loaded(file).left_out


def _embedding(file: File, checkpoint: Checkpoint) -> tuple[str, ...]:
    embeddings.load(file, tuple(int(encoder.config.hidden_size) for encoder in checkpoint.encoders))
    return ()


def _adapter(file: File, checkpoint: Checkpoint) -> tuple[str, ...]:
    with torch.device("meta"):
        IPAdapter(file, checkpoint.unet, NOWHERE)
    return ()


def _control(file: File, checkpoint: Checkpoint) -> tuple[str, ...]:
    own, theirs = controlnet.load(file, NOWHERE).config, checkpoint.unet.config
    for name in ("block_out_channels", "cross_attention_dim"):
        found, wanted = own[name], theirs[name]
        if (tuple(found) if isinstance(found, list) else found) != (
            tuple(wanted) if isinstance(wanted, list) else wanted
        ):
            raise broken(file, f"it does not fit the UNet: its {name} is {found}, the UNet's {wanted}")
    return ()


FITTED: dict[Role, Callable[[File, Checkpoint], tuple[str, ...]]] = {
    Role.LORA: _lora,
    Role.EMBEDDING: _embedding,
    Role.IP_ADAPTER: _adapter,
    Role.CONTROLNET: _control,
}


@cache
def standard(architecture: Architecture) -> Checkpoint:
    """The networks of an architecture as they were trained first, without numbers."""
    widths, depths = WIDTHS[architecture], DEPTHS[architecture]
    kinds = tuple("CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in depths)
    sdxl = architecture is Architecture.SDXL
    clips = CLIPS[architecture]
    config: dict[str, Any] = {
        "block_out_channels": widths,
        "down_block_types": kinds,
        "up_block_types": tuple(kind.replace("Down", "Up") for kind in reversed(kinds)),
        "transformer_layers_per_block": tuple(max(1, depth) for depth in depths),
        "cross_attention_dim": sum(width for width, _ in clips),
        "attention_head_dim": tuple(width // blueprint.HEAD_WIDTH for width in widths)
        if sdxl
        else blueprint.SD15_HEADS,
        "use_linear_projection": sdxl,
    }
    if sdxl:
        config |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": blueprint.TIME_EMBEDDING,
            "projection_class_embeddings_input_dim": clips[1][0] + 6 * blueprint.TIME_EMBEDDING,
        }
    with unfilled():
        encoders = tuple(
            kind(
                CLIPTextConfig(
                    hidden_size=width,
                    num_hidden_layers=layers,
                    intermediate_size=4 * width,
                    num_attention_heads=width // blueprint.HEAD_WIDTH,
                    projection_dim=width,
                )
            )
            for kind, (width, layers) in zip((CLIPTextModel, CLIPTextModelWithProjection), clips, strict=False)
        )
        unet = UNet2DConditionModel(**config)
    return Checkpoint(architecture, unet, encoders, None, blueprint.SCHEDULER, blueprint.NATIVE_SIDE[architecture])
