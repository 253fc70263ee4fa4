"""From diffusers' names of tensors to those of single-file checkpoints (CompVis' and Stability's LDM)."""

import re
from collections.abc import Mapping
from typing import Any

import torch

Tensors = dict[str, torch.Tensor]

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
UNET_ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def unet(state: Mapping[str, torch.Tensor], layers: int = 2) -> Tensors:
    """A UNet's tensors under ``model.diffusion_model``."""
    attended = {key[:11] for key in state if re.match(r"up_blocks\.\d\.attentions", key)}
    return {f"model.diffusion_model.{_unet_name(key, layers, attended)}": value for key, value in state.items()}


def _unet_name(key: str, layers: int, attended: set[str]) -> str:
    stem, kind = key.rsplit(".", 1)
    if stem in UNET_ENDS:
        return f"{UNET_ENDS[stem]}.{kind}"
    if match := re.match(r"(down|up)_blocks\.(\d)\.(resnets|attentions)\.(\d)\.(.*)", key):
        side, block, part, layer, rest = match.groups()
        index = int(block) * (layers + 1) + int(layer) + (1 if side == "down" else 0)
        place = f"{'input' if side == 'down' else 'output'}_blocks.{index}"
        return f"{place}.0.{_resnet(rest)}" if part == "resnets" else f"{place}.1.{rest}"
    if match := re.match(r"down_blocks\.(\d)\.downsamplers\.0\.conv\.(.*)", key):
        return f"input_blocks.{(int(match[1]) + 1) * (layers + 1)}.0.op.{match[2]}"
    if match := re.match(r"up_blocks\.(\d)\.upsamplers\.0\.conv\.(.*)", key):
        after = 2 if f"up_blocks.{match[1]}" in attended else 1
        return f"output_blocks.{int(match[1]) * (layers + 1) + layers}.{after}.conv.{match[2]}"
    match = re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", key)
    assert match, key
    if match[1] == "attentions":
        return f"middle_block.1.{match[3]}"
    return f"middle_block.{2 * int(match[2])}.{_resnet(match[3])}"


def _resnet(rest: str) -> str:
    name, kind = rest.rsplit(".", 1)
    return f"{RESNET[name]}.{kind}"


def vae(state: Mapping[str, torch.Tensor], blocks: int = 4, prefix: str = "first_stage_model.") -> Tensors:
    """An autoencoder's tensors; its attention's linear layers become convolutions of size 1."""
    found = {}
    for key, value in state.items():
        name = key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        name = re.sub(r"encoder\.down_blocks\.(\d)\.resnets\.(\d)", r"encoder.down.\1.block.\2", name)
        name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0\.conv", r"down.\1.downsample.conv", name)
        name = re.sub(
            r"decoder\.up_blocks\.(\d)\.(resnets\.|upsamplers\.0\.conv)",
            lambda m: f"decoder.up.{blocks - 1 - int(m[1])}.{'block.' if m[2] == 'resnets.' else 'upsample.conv'}",
            name,
        )
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
        if match := re.match(r"(.*)mid_block\.attentions\.0\.(.*)\.(weight|bias)", name):
            name = f"{match[1]}mid.attn_1.{VAE_ATTENTION[match[2]]}.{match[3]}"
            value = value[:, :, None, None] if value.ndim == 2 else value
        found[prefix + name] = value.contiguous()
    return found


def clip(state: Mapping[str, torch.Tensor], prefix: str) -> Tensors:
    """A CLIP text encoder's tensors, by the names of the versions that were current when the format was made."""
    return {f"{prefix}transformer.text_model.{key.removeprefix('text_model.')}": value for key, value in state.items()}


def open_clip(state: Mapping[str, torch.Tensor], prefix: str) -> Tensors:
    """A CLIP text encoder with projection, as OpenCLIP names its tensors."""
    state = {key.removeprefix("text_model."): value for key, value in state.items()}
    names: Mapping[str, Any] = {
        "embeddings.token_embedding.weight": "token_embedding.weight",
        "embeddings.position_embedding.weight": "positional_embedding",
        "final_layer_norm.weight": "ln_final.weight",
        "final_layer_norm.bias": "ln_final.bias",
    }
    found = {new: state[old] for old, new in names.items()}
    found["text_projection"] = state["text_projection.weight"].T.contiguous()
    found["logit_scale"] = torch.tensor(4.6)
    parts = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    parts["self_attn.out_proj"] = "attn.out_proj"
    layers = 1 + max(int(key.split(".")[2]) for key in state if key.startswith("encoder.layers."))
    for layer in range(layers):
        old, new = f"encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for kind in ("weight", "bias"):
            for before, after in parts.items():
                found[f"{new}.{after}.{kind}"] = state[f"{old}.{before}.{kind}"]
            stacked = [state[f"{old}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
            found[f"{new}.attn.in_proj_{kind}"] = torch.cat(stacked)
    return {prefix + "model." + key: value for key, value in found.items()}
