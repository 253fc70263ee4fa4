"""Configurations of networks, told from the shapes of their tensors, for checkpoints in a single file.

Such files hold tensors alone. What shapes cannot tell is what all checkpoints of an architecture share: the numbers of
CompVis' ``v1-inference.yaml`` and Stability's ``sd_xl_base.yaml``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from restyle.engines.diffusion.architecture import Architecture

Shapes = Mapping[str, torch.Size]

LAYERS = 2
"""Residual blocks per level, of UNet and VAE, in both architectures."""
SD15_HEADS = 8
HEAD_WIDTH = 64
"""Channels of an attention head of SDXL's UNet and of CLIP."""
TIME_EMBEDDING = 256
UNION_HEADS = 8
"""Of the attention in which a ControlNet Union weighs what it is shown."""
SCALING = {Architecture.SD15: 0.18215, Architecture.SDXL: 0.13025}
EDM_SCALING = 0.5
"""Of Playground 2.5's latents, beside the means and deviations that its files bring."""
NATIVE_SIDE = {Architecture.SD15: 512, Architecture.SDXL: 1024}
"""Side in pixels of the pictures that an architecture was trained with."""

SCHEDULER: Mapping[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "clip_sample": False,
}


def native_side(sample_size: object, architecture: Architecture) -> int:
    """The side in pixels that the ``sample_size`` of a UNet's configuration says: a number, or the longer of a pair."""
    sides = sample_size if isinstance(sample_size, list | tuple) else [sample_size]
    whole = [side for side in sides if isinstance(side, int) and side > 0]
    return max(whole) * 8 if whole else NATIVE_SIDE[architecture]


def shapes(tensors: Mapping[str, torch.Tensor]) -> Shapes:
    """The shape of each."""
    return {name: tensor.shape for name, tensor in tensors.items()}


def _count(found: Shapes, stem: str) -> int:
    """How many ``stem``0, ``stem``1 ... there are names beginning with."""
    index = 0
    while any(name.startswith(f"{stem}{index}.") for name in found):
        index += 1
    return index


@dataclass(frozen=True, slots=True)
class Names:
    """How a layout names what is measured: ``{0}`` is a level's number, or that of its first block."""

    levels: str
    step: int
    first: int
    width: str
    attention: str
    conv_in: str
    size_embedding: str


LDM = Names(
    "input_blocks.",
    LAYERS + 1,
    1,
    "input_blocks.{0}.0.out_layers.3.weight",
    "input_blocks.{0}.1.",
    "input_blocks.0.0.weight",
    "label_emb.0.0.weight",
)
DIFFUSERS = Names(
    "down_blocks.",
    1,
    0,
    "down_blocks.{0}.resnets.0.conv2.weight",
    "down_blocks.{0}.attentions.0.",
    "conv_in.weight",
    "add_embedding.linear_1.weight",
)


def unet(found: Shapes, architecture: Architecture) -> dict[str, Any]:
    """Arguments of ``UNet2DConditionModel`` for tensors named as under ``model.diffusion_model.`` or by diffusers."""
    names, last = (LDM, "out.2.weight") if LDM.conv_in in found else (DIFFUSERS, "conv_out.weight")
    down = _down_path(found, architecture, names)
    kinds = down["down_block_types"]
    return {
        **down,
        "out_channels": found[last][0],
        "sample_size": NATIVE_SIDE[architecture] // 8,
        "up_block_types": tuple(kind.replace("Down", "Up") for kind in reversed(kinds)),
    }


def controlnet(found: Shapes, architecture: Architecture) -> dict[str, Any]:
    """Arguments of ``ControlNetModel``, for tensors named as under ``control_model.`` or as diffusers names them."""
    if "input_hint_block.0.weight" in found:
        names, hints = LDM, [f"input_hint_block.{index}.weight" for index in (0, 4, 8, 12)]
    else:
        names, stem = DIFFUSERS, "controlnet_cond_embedding."
        hints = [f"{stem}{place}.weight" for place in ("conv_in", "blocks.1", "blocks.3", "blocks.5")]
    return {
        **_down_path(found, architecture, names),
        "conditioning_embedding_out_channels": tuple(found[hint][0] for hint in hints),
    }


def union(found: Shapes, architecture: Architecture) -> dict[str, Any]:
    """Arguments of ``ControlNetUnionModel``, for tensors as diffusers names them."""
    tasks, width = found["task_embedding"]
    return {
        **controlnet(found, architecture),
        "num_control_type": tasks,
        "num_trans_channel": width,
        "num_trans_head": UNION_HEADS,
        "num_trans_layer": _count(found, "transformer_layes."),
        "num_proj_channel": found["spatial_ch_projs.weight"][0],
    }


def _down_path(found: Shapes, architecture: Architecture, names: Names) -> dict[str, Any]:
    """What UNet and ControlNet have in common: the arguments that describe the way down."""
    levels = range(_count(found, names.levels) // names.step)
    blocks = [names.first + level * names.step for level in levels]
    widths = tuple(found[names.width.format(block)][0] for block in blocks)
    attentions = [names.attention.format(block) for block in blocks]
    depths = [_count(found, f"{attention}transformer_blocks.") for attention in attentions]
    place = next(attention for attention, depth in zip(attentions, depths, strict=True) if depth)
    heads = SD15_HEADS if architecture is Architecture.SD15 else tuple(max(1, w // HEAD_WIDTH) for w in widths)
    config: dict[str, Any] = {
        "in_channels": found[names.conv_in][1],
        "layers_per_block": LAYERS,
        "block_out_channels": widths,
        "down_block_types": tuple("CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in depths),
        "transformer_layers_per_block": tuple(max(1, depth) for depth in depths),
        "cross_attention_dim": found[f"{place}transformer_blocks.0.attn2.to_k.weight"][1],
        "attention_head_dim": heads,
        "use_linear_projection": len(found[f"{place}proj_in.weight"]) == 2,
    }
    if architecture is Architecture.SDXL:
        config |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": TIME_EMBEDDING,
            "projection_class_embeddings_input_dim": found[names.size_embedding][1],
        }
    return config


def vae(found: Shapes, architecture: Architecture) -> dict[str, Any]:
    """Arguments of ``AutoencoderKL`` for tensors named as under ``first_stage_model.`` or as diffusers names them."""
    stem, first = (
        ("encoder.down_blocks.", "resnets.0")
        if "encoder.down_blocks.0.resnets.0.conv2.weight" in found
        else (
            "encoder.down.",
            "block.0",
        )
    )
    levels = _count(found, stem)
    return {
        "block_out_channels": tuple(found[f"{stem}{level}.{first}.conv2.weight"][0] for level in range(levels)),
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "layers_per_block": LAYERS,
        "latent_channels": found["post_quant_conv.weight"][0],
        "scaling_factor": SCALING[architecture],
        "sample_size": NATIVE_SIDE[architecture],
    }


def clip(found: Shapes) -> dict[str, Any]:
    """Arguments of ``CLIPTextConfig`` for the tensors of a text encoder, named as transformers names them."""
    vocabulary, hidden = found["embeddings.token_embedding.weight"]
    projection = found.get("text_projection.weight")
    return {
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "intermediate_size": found["encoder.layers.0.mlp.fc1.weight"][0],
        "num_hidden_layers": _count(found, "encoder.layers."),
        "num_attention_heads": max(1, hidden // HEAD_WIDTH),
        "max_position_embeddings": found["embeddings.position_embedding.weight"][0],
        # OpenAI's CLIP approximates GELU, OpenCLIP's encoder, known by its projection, does not
        "hidden_act": "quick_gelu" if projection is None else "gelu",
        "projection_dim": hidden if projection is None else projection[0],
        "bos_token_id": 49406,
        "eos_token_id": 49407,
    }
