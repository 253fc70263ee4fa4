"""Which part of a network a name in a LoRA's file means.

Trainers name parts after the network's modules, as diffusers and transformers or as LDM call them, with dots or, as
kohya's scripts do, with underscores, and put before it what they call the network. Read with underscores throughout,
all of these are one name with one beginning or another.
"""

import re

import torch

UNET, FIRST, SECOND = 0, 1, 2
"""A network's place among those of a checkpoint: the UNet, then the text encoders."""
NETWORKS = (
    ("lora_unet_", UNET),
    ("lora_te1_", FIRST),
    ("lora_te2_", SECOND),
    ("lora_te_", FIRST),
    ("lycoris_", UNET),
    ("text_encoder_2_", SECOND),
    ("text_encoder_", FIRST),
    ("unet_", UNET),
)
"""Beginning -> network. A name without any means the UNet."""
WRAPPINGS = ("base_model_model_", "model_diffusion_model_", "diffusion_model_")
"""What programs wrap a network in before they name its parts."""
LAYERS = 2
"""Residual blocks per level of the UNet."""
ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
"""Diffusers' names in a UNet -> LDM's."""


def place(stem: str) -> tuple[int, str]:
    """The network and the part, by underscores, that the name ``stem`` of a file means."""
    name = stem.replace(".", "_").replace("_processor_", "_")
    network = UNET
    for beginning, which in NETWORKS:
        if name.startswith(beginning):
            name, network = name.removeprefix(beginning), which
            break
    for wrapping in WRAPPINGS:
        name = name.removeprefix(wrapping)
    return network, name


def parts(network: torch.nn.Module, which: int) -> dict[str, torch.nn.Module]:
    """The modules of a network that have weights, by every name with underscores that files give them."""
    weighted = {
        path: module
        for path, module in network.named_modules()
        if isinstance(getattr(module, "weight", None), torch.Tensor)
    }
    attended = {path.split(".attentions.")[0] for path in weighted if ".attentions." in path}
    found: dict[str, torch.nn.Module] = {}
    for path, module in weighted.items():
        # transformers had text encoders within ``text_model`` up to its version 5.6
        inner = path.removeprefix("text_model.")
        names = (path, ldm(path, attended)) if which == UNET else (inner, f"text_model.{inner}")
        found |= {name.replace(".", "_"): module for name in names}
    return found


def ldm(path: str, attended: set[str]) -> str:
    """LDM's name of a UNet's part; ``attended`` are the blocks with attention, by diffusers' names."""
    if path in ENDS:
        return ENDS[path]
    if match := re.fullmatch(r"(down|up)_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.*)", path):
        side, block, part, layer, rest = match.groups()
        index = int(block) * (LAYERS + 1) + int(layer) + (side == "down")
        stem = f"{'input' if side == 'down' else 'output'}_blocks.{index}"
        return f"{stem}.0.{RESNET[rest]}" if part == "resnets" else f"{stem}.1.{rest}"
    if match := re.fullmatch(r"down_blocks\.(\d+)\.downsamplers\.0\.conv", path):
        return f"input_blocks.{(int(match[1]) + 1) * (LAYERS + 1)}.0.op"
    if match := re.fullmatch(r"(up_blocks\.(\d+))\.upsamplers\.0\.conv", path):
        after = 2 if match[1] in attended else 1
        return f"output_blocks.{int(match[2]) * (LAYERS + 1) + LAYERS}.{after}.conv"
    if match := re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d+)\.(.*)", path):
        if match[1] == "attentions":
            return f"middle_block.1.{match[3]}"
        return f"middle_block.{2 * int(match[2])}.{RESNET[match[3]]}"
    return path
