"""Text encoders of a checkpoint in a single file."""

from typing import Any

import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from restyle.engines.base import File
from restyle.engines.diffusion import blueprint
from restyle.engines.diffusion.architecture import Architecture
from restyle.engines.diffusion.files import Tensors, broken, under
from restyle.engines.diffusion.networks import fill, own_names, unfilled

SD15_TEXT = "cond_stage_model.transformer."
SDXL_TEXT = ("conditioner.embedders.0.transformer.", "conditioner.embedders.1.model.")
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


def text_encoders(found: Tensors, file: File, architecture: Architecture, dtype: torch.dtype) -> tuple[Any, ...]:
    """OpenAI's, and for SDXL OpenCLIP's after it. Raises RestyleError (5101) where one has another form."""
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
    fill(network, own_names(network, state), dtype)
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
