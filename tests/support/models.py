"""Small model files with real names and shapes of tensors, for tests of what tells and registers them."""

import json
import pickle
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file

Arrays = dict[str, np.ndarray[Any, Any]]
WIDTH = 32
CONTEXT = {"sd15": 768, "sdxl": 2048}


def zeros(*shape: int) -> np.ndarray[Any, Any]:
    return np.zeros(shape, np.float16)


def arrays(shapes: Mapping[str, tuple[int, ...]]) -> Arrays:
    return {name: zeros(*shape) for name, shape in shapes.items()}


def save(path: Path, tensors: Arrays, metadata: dict[str, str] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata)
    return path


def unet(family: str, *, context: int = 0, channels: int = 4) -> Arrays:
    """The UNet of a checkpoint in one file, without the prefix: a tensor of every block."""
    count = 12 if family == "sd15" else 9
    shapes: dict[str, tuple[int, ...]] = {"input_blocks.0.0.weight": (WIDTH, channels, 3, 3)}
    shapes |= {f"input_blocks.{i}.0.in_layers.0.weight": (WIDTH,) for i in range(1, count)}
    shapes |= {f"output_blocks.{i}.0.in_layers.0.weight": (WIDTH,) for i in range(count)}
    attention = "input_blocks.4.1.transformer_blocks.0"
    shapes[f"{attention}.attn1.to_k.weight"] = (WIDTH, WIDTH)
    shapes[f"{attention}.attn2.to_k.weight"] = (WIDTH, context or CONTEXT[family])
    if family == "sdxl":
        shapes["label_emb.0.0.weight"] = (WIDTH, WIDTH)
        shapes["input_blocks.7.1.transformer_blocks.9.attn1.to_k.weight"] = (WIDTH, WIDTH)
    return arrays(shapes)


def under(prefix: str, tensors: Arrays) -> Arrays:
    return {prefix + name: tensor for name, tensor in tensors.items()}


VAE = arrays(
    {
        "encoder.conv_in.weight": (WIDTH, 3, 3, 3),
        "decoder.conv_in.weight": (WIDTH, 4, 3, 3),
        "decoder.mid.block_1.norm1.weight": (WIDTH,),
        "quant_conv.weight": (8, 8, 1, 1),
        "post_quant_conv.weight": (4, 4, 1, 1),
    }
)
TEXT = {
    "sd15": arrays({"cond_stage_model.transformer.text_model.final_layer_norm.weight": (WIDTH,)}),
    "sdxl": arrays(
        {
            "conditioner.embedders.0.transformer.text_model.final_layer_norm.weight": (WIDTH,),
            "conditioner.embedders.1.model.ln_final.weight": (WIDTH,),
        }
    ),
}


def checkpoint(family: str, *, context: int = 0, channels: int = 4, vae: bool = True) -> Arrays:
    return {
        **under("model.diffusion_model.", unet(family, context=context, channels=channels)),
        **TEXT[family],
        **(under("first_stage_model.", VAE) if vae else {}),
    }


def lora(modules: Mapping[str, int], *, layout: str = "kohya", rank: int = 2) -> Arrays:
    """A LoRA over ``modules``, name -> input width."""
    down, up = ("lora_down", "lora_up") if layout == "kohya" else ("lora_A", "lora_B")
    tensors: Arrays = {}
    for module, width in modules.items():
        tensors[f"{module}.{down}.weight"] = zeros(rank, width)
        tensors[f"{module}.{up}.weight"] = zeros(WIDTH, rank)
    return tensors


def ip_adapter(layers: int, context: int, *, clip: int = 1024, plus: bool = False) -> Arrays:
    projection: dict[str, tuple[int, ...]] = (
        {"image_proj.latents": (1, 16, context), "image_proj.proj_in.weight": (context, clip)}
        if plus
        else {"image_proj.proj.weight": (4 * context, clip), "image_proj.norm.weight": (context,)}
    )
    keys = {f"ip_adapter.{2 * i + 1}.to_{part}_ip.weight": (8, context) for i in range(layers) for part in "kv"}
    return arrays({**projection, **keys})


def image_encoder(hidden: int = WIDTH, layers: int = 2, projection: int = 16) -> Arrays:
    shapes: dict[str, tuple[int, ...]] = {
        "vision_model.embeddings.class_embedding": (hidden,),
        "vision_model.embeddings.patch_embedding.weight": (hidden, 3, 14, 14),
        "vision_model.embeddings.position_embedding.weight": (257, hidden),
        "visual_projection.weight": (projection, hidden),
    }
    shapes |= {f"vision_model.encoder.layers.{i}.mlp.fc1.weight": (64, 1) for i in range(layers)}
    return arrays(shapes)


def controlnet(family: str, layout: str = "diffusers", *, hint: int = 3) -> Arrays:
    first, entry, label = {
        "diffusers": ("conv_in.weight", "controlnet_cond_embedding.conv_in.weight", "add_embedding.linear_1.weight"),
        "ldm": (
            "control_model.input_blocks.0.0.weight",
            "control_model.input_hint_block.0.weight",
            "control_model.label_emb.0.0.weight",
        ),
    }[layout]
    context = "attn2.to_k.weight"
    middle = "control_model.middle_block.1." if layout == "ldm" else "mid_block.attentions.0."
    shapes: dict[str, tuple[int, ...]] = {first: (WIDTH, 4, 3, 3), entry: (16, hint, 3, 3)}
    shapes[f"{middle}transformer_blocks.0.{context}"] = (WIDTH, CONTEXT[family])
    if family == "sdxl":
        shapes[label] = (WIDTH, WIDTH)
    return arrays(shapes)


def hypernetwork(path: Path, widths: Iterable[int], *, activation: str = "relu") -> Path:
    """A hypernetwork as the Stable Diffusion WebUI saves it."""

    def net(width: int) -> dict[str, torch.Tensor]:
        return {
            "linear.0.weight": torch.zeros(2 * width, width),
            "linear.0.bias": torch.zeros(2 * width),
            "linear.2.weight": torch.zeros(width, 2 * width),
            "linear.2.bias": torch.zeros(width),
        }

    content: dict[Any, Any] = {width: (net(width), net(width)) for width in widths}
    content |= {"step": 100, "name": "ink", "layer_structure": [1, 2, 1], "activation_func": activation}
    torch.save(content, path)
    return path


def a1111_embedding(path: Path, width: int, vectors: int = 3) -> Path:
    """An embedding as the Stable Diffusion WebUI saves it."""
    content = {
        "string_to_token": {"*": 265},
        "string_to_param": {"*": torch.zeros(vectors, width)},
        "name": "charm",
        "step": 5,
    }
    torch.save(content, path)
    return path


def raw_safetensors(path: Path, header: bytes, data: bytes = b"", *, length: int | None = None) -> Path:
    """Bytes in the form of safetensors, with whatever header."""
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + data)
    return path


def folder(path: Path, family: str = "sd15", *, context: int = 0) -> Path:
    """A whole model as a folder in diffusers' form, as far as configurations and names of tensors go."""
    name = "StableDiffusionPipeline" if family == "sd15" else "StableDiffusionXLPipeline"
    width = context or CONTEXT[family]
    parts: dict[str, tuple[str, str, str, Arrays]] = {
        "unet": (
            "diffusers",
            "UNet2DConditionModel",
            "diffusion_pytorch_model",
            arrays({"conv_in.weight": (WIDTH, 4, 3, 3), "mid_block.attn2.to_k.weight": (WIDTH, width)})
            | (arrays({"add_embedding.linear_1.weight": (8, 8)}) if family == "sdxl" else {}),
        ),
        "vae": ("diffusers", "AutoencoderKL", "diffusion_pytorch_model", VAE),
        "text_encoder": ("transformers", "CLIPTextModel", "model", arrays({"final_layer_norm.weight": (WIDTH,)})),
    }
    if family == "sdxl":
        parts["text_encoder_2"] = ("transformers", "CLIPTextModelWithProjection", "model", arrays({"x": (1,)}))
    index: dict[str, Any] = {"_class_name": name, "scheduler": ["diffusers", "PNDMScheduler"]}
    for part, (library, kind, stem, tensors) in parts.items():
        index[part] = [library, kind]
        save(path / part / f"{stem}.safetensors", tensors)
        key = {"_class_name": kind} if library == "diffusers" else {"architectures": [kind]}
        write_json(path / part / "config.json", key)
    write_json(path / "scheduler" / "scheduler_config.json", {"_class_name": "PNDMScheduler"})
    write_json(path / "model_index.json", index)
    return path


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def edit_json(path: Path, **changes: Any) -> Path:
    return write_json(path, {**json.loads(path.read_text()), **changes})


class Payload:
    """Unpickled by a careless reader, it creates a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (f"touch '{self.trace}'",)


def evil_pickle(path: Path, trace: Path, *, protocol: int = 2) -> Path:
    """A bare pickle that would run a command."""
    path.write_bytes(pickle.dumps({"weights": Payload(trace)}, protocol))
    return path


def evil_torch(path: Path, trace: Path) -> Path:
    """The same as a file of torch.save, with real tensors beside it."""
    torch.save({"weights": Payload(trace), "string_to_param": {"*": torch.zeros(1, 768)}}, path)
    return path
