"""Tells the large ones: checkpoints, VAEs, ControlNets, IP-Adapters and image encoders, by names and shapes of tensors.

Names are those of the programs that made such files: CompVis latent-diffusion and Stability's generative-models
("ldm"), diffusers, transformers, and Tencent's IP-Adapter.
"""

import re
from pathlib import Path
from typing import Any

from restyle.models.detected import Detected, agreed
from restyle.models.kinds import Architecture, Kind
from restyle.models.tensors import Tensors, refusal

UNET = "model.diffusion_model."
CONTEXT_ENDS = ("attn2.to_k.weight",)
ATTENTION_ENDS = ("attn1.to_k.weight", "attn2.to_k.weight")
LATENT_CHANNELS = 4
BLOCKS = {Architecture.SD15: 12, Architecture.SDXL: 9}
"""Input blocks, and as many output blocks, of the UNet of each."""
ADAPTER_LAYERS = {16: Architecture.SD15, 70: Architecture.SDXL}
"""Cross-attentions of each UNet, one after the other; an IP-Adapter has a pair of matrices for every one."""
SDXL_DEPTH = 10
ENCODERS = {(1024, 24): "quick_gelu", (1280, 32): "gelu", (1664, 48): "gelu"}
"""Width and layers of the CLIP image encoders (L/14, H/14, bigG/14) -> activation, which no tensor tells."""
ENCODER_HEADS = 16
"""Of all three."""
FOREIGN = {
    "double_blocks.0.": "a Flux model",
    "joint_blocks.0.": "a Stable Diffusion 3 model",
    "double_layers.0.": "an AuraFlow model",
    "transformer_blocks.0.img_mod": "a Qwen-Image model",
    "single_transformer_blocks.0.": "a Flux model",
    "cap_embedder.": "a Lumina model",
    "clip_txt_pooled_mapper.": "a Stable Cascade model",
    "caption_projection.": "a PixArt model",
    "model.layers.0.self_attn.": "a language model",
    "lora_controlnet": "a Control-LoRA, which is no whole ControlNet",
    "lllite_": "a ControlNet-LLLite",
    "adapter.body.": "a T2I-Adapter",
}
"""A piece of a tensor's name -> what has such a tensor, and is not drawn with here."""
EDM_MARKS = frozenset({"edm_vpred.sigma_max", "edm_vpred.sigma_min", "edm_mean", "edm_std"})
"""Tensors by which CosXL and Playground 2.5 say that they have another noise schedule (EDM)."""
UNION = {
    6: ("canny", "lineart", "depth", "softedge", "openpose"),
    8: ("canny", "lineart", "depth", "softedge", "openpose", "tile"),
}
"""Tasks that a ControlNet Union was trained for, by their number -> the kinds of control among them."""
INPAINTING = 9
"""Channels that the UNet of an inpainting model reads: latents, a mask, and latents of the picture around it."""
INPUTS = {
    INPAINTING: "an inpainting model (9 input channels)",
    8: "an editing model (8 input channels)",
    5: "a depth model (5 input channels)",
}


def refuse_foreign(path: Path, tensors: Tensors) -> None:
    """Raises RestyleError (230), naming the model, for those of other families."""
    for name in tensors.shapes:
        for piece, what in FOREIGN.items():
            if piece in name:
                raise refusal(path, f"{what}; Restyle draws with SD 1.5 and SDXL")


def main(path: Path, tensors: Tensors) -> Detected | None:
    """A checkpoint in one file: UNet, text encoders and, mostly, a VAE. Raises RestyleError (230) for one that is not
    SD 1.5 or SDXL, or lacks a part.
    """
    unet = tensors.under(UNET)
    if not unet.shapes:
        if tensors.has("input_blocks.0.", "down_blocks.0.") and not tensors.has("controlnet_cond_embedding."):
            return _alone(path, tensors, tensors)
        return None
    check_inputs(path, unet.width("input_blocks.0.0.weight", 1), INPAINTING)
    context = max(unet.widths(CONTEXT_ENDS), default=0)
    if tensors.has("cond_stage_model.model."):
        raise refusal(path, "a Stable Diffusion 2 model; Restyle draws with SD 1.5 and SDXL")
    structure = None
    if tensors.has("conditioner.embedders.1.model."):
        structure = Architecture.SDXL
    elif tensors.has("conditioner.embedders.0.model."):
        raise refusal(path, "an SDXL refiner; Restyle draws with SDXL base models")
    elif tensors.has("cond_stage_model.transformer."):
        structure = Architecture.SD15
    if structure is None:
        return _alone(path, unet, tensors)
    architecture = agreed(path, "a checkpoint", structure, context)
    assert architecture is not None
    if structure is Architecture.SDXL and not unet.has("label_emb."):
        raise refusal(path, "a checkpoint that contradicts itself: SDXL's text encoders, but not SDXL's UNet")
    check_blocks(path, unet, architecture, context)
    facts = {"has_vae": tensors.has("first_stage_model.decoder."), **_facts(path, unet, tensors)}
    return Detected(Kind.MAIN, architecture, "safetensors", facts)


def _facts(path: Path, unet: Tensors, tensors: Tensors) -> dict[str, Any]:
    """What the UNet and the marks beside it tell. Raises RestyleError (230) for another noise schedule."""
    marks = {name for name in tensors.shapes if name.startswith("edm_")}
    if marks - EDM_MARKS or (marks and not ({"edm_vpred.sigma_max"} <= marks or {"edm_mean", "edm_std"} <= marks)):
        raise refusal(
            path,
            f"a model of an unknown noise schedule ({min(marks)[:80]}); known are those of CosXL and Playground 2.5",
        )
    if marks:
        vpred = "edm_vpred.sigma_max" in marks
        return {"schedule": "edm", **_attention(unet), "prediction_type": "v_prediction" if vpred else "epsilon"}
    prediction = "v_prediction" if "v_pred" in tensors.shapes else "epsilon"
    told = str(tensors.values.get("modelspec.prediction_type", tensors.values.get("modelspec.predict_key", "")))
    if told.startswith("v"):
        prediction = "v_prediction"
    return {
        "prediction_type": prediction,
        **({"zero_snr": True} if "ztsnr" in tensors.shapes else {}),
        **_attention(unet),
    }


def _attention(unet: Tensors) -> dict[str, Any]:
    return {
        "layout": "ldm",
        "context": max(unet.widths(CONTEXT_ENDS), default=0),
        "widths": sorted(unet.widths(ATTENTION_ENDS)),
    }


def _alone(path: Path, unet: Tensors, tensors: Tensors) -> Detected:
    """A UNet without text encoders, under LDM's names or diffusers'; ``base``, a main model, completes it."""
    for first in ("input_blocks.0.0.weight", "conv_in.weight"):
        if first in unet.shapes:
            check_inputs(path, unet.width(first, 1), INPAINTING)
    facts = {"has_vae": False, **_facts(path, unet, tensors), "alone": True}
    structure = Architecture.SDXL if unet.has("label_emb.", "add_embedding.") else Architecture.SD15
    return Detected(Kind.MAIN, agreed(path, "a UNet", structure, facts["context"]), "safetensors", facts)


def check_inputs(path: Path, channels: int, *more: int) -> None:
    """Raises RestyleError (230) for a UNet that wants something else than a latent, or as many channels as ``more``."""
    if channels not in (LATENT_CHANNELS, *more):
        what = INPUTS.get(channels, f"a UNet with {channels} input channels")
        raise refusal(path, f"{what}; Restyle draws with models of {LATENT_CHANNELS}")


def check_blocks(path: Path, unet: Tensors, architecture: Architecture, context: int) -> None:
    """Raises RestyleError (230) for a UNet with fewer or more blocks than the base model's."""
    wanted = set(range(BLOCKS[architecture]))
    for side in ("input_blocks", "output_blocks"):
        found = {int(match[1]) for name in unet.shapes if (match := re.match(rf"{side}\.(\d+)\.", name))}
        if found != wanted:
            raise refusal(
                path,
                f"a UNet of {len(found)} {side} where {architecture.label} has {len(wanted)}: "
                "a distilled or incomplete model",
            )
    deepest = f"input_blocks.7.1.transformer_blocks.{SDXL_DEPTH - 1}."
    if architecture.context == context and architecture is Architecture.SDXL and not unet.has(deepest):
        raise refusal(
            path, "a distilled SDXL with fewer transformer layers (such as SSD-1B); take the whole SDXL model"
        )


def vae(path: Path, tensors: Tensors, facts: dict[str, Any] | None = None) -> Detected | None:
    """A VAE. ``facts`` are those of a folder's configuration, where there is one.

    SD 1.5 and SDXL have VAEs of the same tensors; only the scaling factor, 0.18215 or 0.13025, differs, and it stands
    in the configuration of a folder.
    """
    inner = tensors.under("first_stage_model.") if tensors.has("first_stage_model.") else tensors
    if inner.has("decoder.layers.") and inner.has("encoder.layers."):
        raise refusal(path, "a TAESD, a toy version of a VAE; take a whole one")
    if "decoder.conv_in.weight" not in inner.shapes or tensors.has(UNET):
        return None
    channels = inner.width("decoder.conv_in.weight", 1)
    if channels != LATENT_CHANNELS:
        raise refusal(
            path, f"a VAE of {channels} latent channels, as SD 3 and Flux have; SD 1.5 and SDXL have {LATENT_CHANNELS}"
        )
    if not inner.has("encoder.conv_in.") or not inner.has("quant_conv.") or not inner.has("post_quant_conv."):
        raise refusal(path, "a VAE without its encoder, or without quant_conv and post_quant_conv")
    layout = "ldm" if inner.has("decoder.mid.") else "diffusers"
    found = {"layout": layout, **(facts or {})}
    scaling = {0.18215: Architecture.SD15, 0.13025: Architecture.SDXL}
    architecture = scaling.get(found.get("scaling_factor", 0))
    undecided = "" if architecture else "VAEs of SD 1.5 and SDXL have the same tensors"
    return Detected(Kind.VAE, architecture, "safetensors", found, undecided)


def controlnet(path: Path, tensors: Tensors) -> Detected | None:
    """A ControlNet, in the names of diffusers or of its authors (``control_model.``)."""
    inner = tensors.under("control_model.") if tensors.has("control_model.") else tensors
    if inner.has("input_hint_block."):
        layout, entry, deep = "ldm", "input_hint_block.0.weight", ("input_blocks.0.0.weight", "label_emb.")
    elif inner.has("controlnet_cond_embedding."):
        layout, entry, deep = (
            "diffusers",
            "controlnet_cond_embedding.conv_in.weight",
            ("conv_in.weight", "add_embedding."),
        )
    else:
        return None
    if tensors.has(UNET):
        raise refusal(path, "a checkpoint with a ControlNet in it; take the ControlNet alone")
    several: dict[str, Any] = {}
    if inner.has("control_add_embedding.", "task_embedding"):
        tasks = inner.width("task_embedding", 0)
        if layout != "diffusers" or tasks not in UNION or not inner.has("spatial_ch_projs."):
            raise refusal(
                path, f"a ControlNet Union of {tasks} tasks; known are those of {' and '.join(map(str, UNION))}"
            )
        several = {"controls": list(UNION[tasks])}
    if inner.width(entry, 1) != 3:
        raise refusal(path, f"a ControlNet that is shown {inner.width(entry, 1)} channels; a picture has 3")
    check_inputs(path, inner.width(deep[0], 1))
    context = max(inner.widths(CONTEXT_ENDS), default=0)
    structure = Architecture.SDXL if inner.has(deep[1]) else Architecture.SD15
    architecture = agreed(path, "a ControlNet", structure, context)
    facts = {"layout": layout, "context": context, **several}
    return Detected(Kind.CONTROLNET, architecture, "safetensors", facts)


def ip_adapter(path: Path, tensors: Tensors, *, nested: bool) -> Detected | None:
    """An IP-Adapter: classic (one projection) or "plus" (a resampler over the encoder's hidden states)."""
    if not tensors.has("image_proj.") or not tensors.has("ip_adapter."):
        return None
    if tensors.holds("to_k_lora", "perceiver_resampler"):
        raise refusal(path, "an IP-Adapter FaceID, which needs face recognition; take a classic or a plus one")
    layers = sum(name.endswith("to_k_ip.weight") for name in tensors.shapes)
    contexts = tensors.widths(("to_k_ip.weight",)) - {0}
    if len(contexts) != 1:
        raise refusal(path, "an IP-Adapter whose to_k_ip matrices do not read one context")
    context = contexts.pop()
    if "image_proj.latents" in tensors.shapes:
        plus, tokens = True, tensors.width("image_proj.latents", 1)
        clip = tensors.width("image_proj.proj_in.weight", 1)
    elif "image_proj.norm.weight" in tensors.shapes and "image_proj.proj.weight" in tensors.shapes:
        plus, tokens = False, tensors.width("image_proj.proj.weight", 0) // context
        clip = tensors.width("image_proj.proj.weight", 1)
    else:
        raise refusal(path, "an IP-Adapter whose image_proj is neither classic nor plus (such as full-face)")
    structure = ADAPTER_LAYERS.get(layers)
    architecture = agreed(path, "an IP-Adapter", structure, context)
    facts = {
        "layout": "nested" if nested else "flat",
        "plus": plus,
        "clip_dim": clip,
        "tokens": tokens,
        "context": context,
    }
    undecided = "" if architecture else f"it has {layers} layers and a context of {context}"
    return Detected(Kind.IP_ADAPTER, architecture, "safetensors", facts, undecided)


def image_encoder(path: Path, tensors: Tensors, facts: dict[str, Any] | None = None) -> Detected | None:
    """A CLIP image encoder. ``facts`` are those of a folder's configuration; a single file must be of a known size."""
    if not tensors.has("vision_model.embeddings."):
        return None
    if tensors.has("text_model."):
        raise refusal(path, "a whole CLIP model; an IP-Adapter's image encoder has the image half alone")
    if tensors.has("vision_model.head."):
        raise refusal(path, "a SigLIP image encoder; IP-Adapters here read CLIP's")
    if "visual_projection.weight" not in tensors.shapes:
        raise refusal(path, "an image encoder without its visual_projection")
    layers = {
        int(match[1]) for name in tensors.shapes if (match := re.match(r"vision_model\.encoder\.layers\.(\d+)", name))
    }
    hidden = tensors.width("visual_projection.weight", 1)
    patch = tensors.width("vision_model.embeddings.patch_embedding.weight", 2)
    positions = tensors.width("vision_model.embeddings.position_embedding.weight", 0)
    found = {
        "hidden": hidden,
        "projection": tensors.width("visual_projection.weight", 0),
        "layers": len(layers),
        "patch": patch,
        "image_size": patch * round(max(0, positions - 1) ** 0.5),
        "intermediate": tensors.width("vision_model.encoder.layers.0.mlp.fc1.weight", 0),
    }
    if facts is None:
        activation = ENCODERS.get((hidden, len(layers)))
        if activation is None:
            raise refusal(
                path,
                f"an image encoder of width {hidden} and {len(layers)} layers, whose activation no tensor tells; "
                "register its folder with config.json",
            )
        facts = {"heads": ENCODER_HEADS, "activation": activation}
    return Detected(Kind.IMAGE_ENCODER, None, "safetensors", {**found, **facts})
