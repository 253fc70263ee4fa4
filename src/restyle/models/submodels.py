"""Tells the small ones: LoRAs, embeddings and hypernetworks, by names and shapes of tensors."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from restyle.models.detected import Detected, agreed, by_width
from restyle.models.kinds import Architecture, Kind
from restyle.models.tensors import Shape, Tensors, refusal

DOWN = re.compile(r"[._](?:lora_down|lora_A|lora\.down|lora_linear_layer\.down)(?:\.[\w-]+)?\.weight$")
UP = re.compile(r"[._](?:lora_up|lora_B|lora\.up|lora_linear_layer\.up)(?:\.[\w-]+)?\.weight$")
RELATIVES = re.compile(r"\.(?:hada_[wt]\d(?:_[ab])?|lokr_[wt]\d(?:_[ab])?|diff|diff_b|w_norm|b_norm)$")
"""LoHa, LoKr, and whole differences, of norms too (LyCORIS)."""
BUNDLED = "bundle_emb."
"""Before embeddings that a LoRA of OneTrainer brings, each by its word."""
KOHYA = ("lora_unet_", "lora_te_", "lora_te1_", "lora_te2_", "lycoris_")
TEXT = ("lora_te", "text_encoder")
PLACES = re.compile(
    r"(?:^|_)(?:down_blocks_|up_blocks_|mid_block_|input_blocks_|output_blocks_|middle_block_|conv_in|conv_out"
    r"|time_embed|add_embedding_|label_emb_|out_\d|conv_norm_out|text_model_|text_projection|encoder_layers_)"
)
"""How parts of the UNet and of CLIP's text encoders are called, dots read as underscores."""
STRANGERS = {
    re.compile(r"\.oft_"): "an OFT adapter (LyCORIS)",
    re.compile(r"\.(on_input|ia3_l)"): "an IA3 adapter",
    re.compile(r"\.[ab][12]\.weight$"): "a GLoRA (LyCORIS)",
}
"""What a tensor's name holds -> the relative of LoRA that has it, and that is not applied."""
FOREIGN = (
    ("lora_unet_double_blocks_", "Flux"),
    ("lora_unet_single_blocks_", "Flux"),
    ("lora_unet_joint_blocks_", "Stable Diffusion 3"),
    ("lora_te3_", "Flux or Stable Diffusion 3"),
    ("lora_transformer_", "a diffusion transformer"),
    ("transformer.", "a diffusion transformer"),
)
SDXL_NAMES = re.compile(
    r"^(lora_te[12]_|text_encoder_2_)|transformer_blocks_[1-9]|label_emb|add_embedding|up_blocks_0_attentions"
    r"|output_blocks_[012]_1_(transformer|proj|norm)"
)
"""Parts that SDXL has and SD 1.5 has not: a second text encoder, deeper blocks, attention at the lowest resolution."""
SD15_NAMES = re.compile(
    r"^lora_te_|down_blocks_0_attentions|down_blocks_3_|up_blocks_2_attentions|up_blocks_3_"
    r"|input_blocks_(1_1|2_1|9|1\d)_|output_blocks_(9|1\d)_"
)
"""Parts that SD 1.5 has and SDXL has not: attention at full resolution, a fourth level."""
EMBEDDING_WIDTH = {768: Architecture.SD15}
MAX_VECTORS = 750
"""Ten chunks of a prompt: longer embeddings are none."""
LINEAR = re.compile(r"^(\d+)\.([01])\.linear\w*\.(?:\d+\.)?(weight|bias)$")
ACTIVATIONS = frozenset(
    [
        "linear",
        "relu",
        "leakyrelu",
        "elu",
        "swish",
        "tanh",
        "sigmoid",
        "softsign",
        "mish",
        "silu",
        "gelu",
        "softplus",
        "hardswish",
        "hardsigmoid",
        "hardtanh",
        "relu6",
        "selu",
        "celu",
        "logsigmoid",
        "tanhshrink",
        "softshrink",
        "hardshrink",
    ]
)
"""Activations of hypernetworks, by the names that the Stable Diffusion WebUI writes."""


def lora(path: Path, tensors: Tensors) -> Detected | None:
    """A LoRA or a near relative, in whatever names trainers give the parts of a network.

    Raises RestyleError (230) for its far relatives (OFT, GLoRA, IA3), for other families, and for halves.
    """
    shapes = {name: shape for name, shape in tensors.shapes.items() if not name.startswith(BUNDLED)}
    downs, ups = _ends(DOWN, shapes), _ends(UP, shapes)
    others = _ends(RELATIVES, shapes)
    for mark, what in STRANGERS.items():
        if any(mark.search(name) for name in shapes):
            raise refusal(path, f"{what}, which is not applied; merge or convert it")
    stems = downs.keys() | ups.keys() | others.keys()
    if not stems:
        return None
    for beginning, family in FOREIGN:
        if tensors.has(beginning):
            raise refusal(path, f"a LoRA for {family}; Restyle draws with SD 1.5 and SDXL")
    for stem in downs.keys() | ups.keys():
        if not _pairs(downs.get(stem, ()), ups.get(stem, ())):
            raise refusal(path, f"a LoRA whose halves for {stem[:80]!r} do not match")
    if not any(PLACES.search(stem.replace(".", "_")) for stem in stems):
        raise refusal(path, f"a LoRA whose parts, {min(stems)[:80]!r} among them, are none of SD 1.5's and SDXL's")
    facts: dict[str, Any] = {
        "layout": "kohya" if any(stem.startswith(KOHYA) for stem in stems) else "diffusers",
        "text_encoder": any(stem.startswith(TEXT) for stem in stems),
    }
    words = {name.removeprefix(BUNDLED).split(".")[0] for name in tensors.shapes if name.startswith(BUNDLED)}
    if words:
        facts["embeddings"] = sorted(words)
    two = any(name.startswith(BUNDLED) and name.endswith((".clip_l", ".clip_g")) for name in tensors.shapes)
    inputs = {**downs, **_ends(re.compile(r"\.(?:hada_w1_b|diff)$"), shapes)}
    architecture = _lora_architecture(path, stems, inputs, two)
    undecided = "" if architecture else "its parts and widths occur in both"
    return Detected(Kind.LORA, architecture, "safetensors", facts, undecided)


def _ends(end: re.Pattern[str], shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """What stands before ``end`` in the names that end so, with the shapes."""
    return {name[: match.start()]: shape for name, shape in shapes.items() if (match := end.search(name))}


def _pairs(down: Shape, up: Shape) -> bool:
    return len(down) in (2, 4) and len(up) in (2, 4) and 0 < down[0] == up[1]


def _lora_architecture(path: Path, stems: Iterable[str], inputs: Mapping[str, Shape], two: bool) -> Architecture | None:
    """``inputs`` are shapes whose second number is the width that a part reads; ``two`` says that two text encoders are
    spoken of.
    """
    names = [stem.replace(".", "_") for stem in stems]
    marks = {
        Architecture.SDXL: two or any(SDXL_NAMES.search(name) for name in names),
        Architecture.SD15: any(SD15_NAMES.search(name) for name in names),
    }
    if all(marks.values()):
        raise refusal(path, "a LoRA that contradicts itself: it has parts of SD 1.5 and parts of SDXL")
    structure = next((architecture for architecture, found in marks.items() if found), None)
    contexts = {
        shape[1]
        for stem, shape in inputs.items()
        if len(shape) > 1 and re.search(r"attn2[._](?:processor[._])?to_[kv]$", stem)
    }
    if len(contexts) > 1:
        raise refusal(path, f"a LoRA that contradicts itself: contexts of {' and '.join(map(str, sorted(contexts)))}")
    if contexts:
        return agreed(path, "a LoRA", structure, contexts.pop())
    # only SD 2 has one text encoder of this width
    text = {shape[1] for stem, shape in inputs.items() if stem.startswith("lora_te_") and stem.endswith("q_proj")}
    by_width(path, "a LoRA", max(text, default=0))
    return structure


def embedding(path: Path, tensors: Tensors) -> Detected | None:
    """A textual inversion: vectors to stand for a word, one set per text encoder."""
    shapes = tensors.shapes
    if "clip_l" in shapes or "clip_g" in shapes:
        if not shapes.keys() <= {"clip_l", "clip_g"}:
            raise refusal(
                path,
                f"an embedding for {', '.join(sorted(shapes))[:80]}; one for SDXL has clip_l, clip_g or both, no other",
            )
        counts = [_vectors(path, shape)[0] for _, shape in sorted(shapes.items(), reverse=True)]
        if len(set(counts)) != 1:
            raise refusal(
                path, f"an embedding of {counts[0]} vectors for one text encoder and {counts[1]} for the other"
            )
        return Detected(Kind.EMBEDDING, Architecture.SDXL, "safetensors", {"layout": "sdxl", "vectors": counts[0]})
    params = [name for name in shapes if name == "emb_params" or name.startswith("string_to_param.")]
    if params:
        layout = "a1111"
    elif len(shapes) == 1 and len(next(iter(shapes.values()))) in (1, 2):
        layout, params = "diffusers", list(shapes)
    else:
        return None
    if len(params) != 1:
        raise refusal(path, f"an embedding of {len(params)} words; one file is to stand for one word")
    vectors, width = _vectors(path, shapes[params[0]])
    architecture = EMBEDDING_WIDTH.get(width) or by_width(path, "an embedding", width)
    facts = {"layout": layout, "vectors": vectors}
    undecided = "" if architecture else f"its vectors are {width} wide"
    return Detected(Kind.EMBEDDING, architecture, "safetensors", facts, undecided)


def _vectors(path: Path, shape: Shape) -> tuple[int, int]:
    vectors, width = shape if len(shape) == 2 else (1, shape[0]) if len(shape) == 1 else (0, 0)
    if not 1 <= vectors <= MAX_VECTORS or not width:
        raise refusal(path, f"an embedding of shape {list(shape)}; it has 1 to {MAX_VECTORS} vectors")
    return vectors, width


def hypernetwork(path: Path, tensors: Tensors) -> Detected | None:
    """A hypernetwork of the Stable Diffusion WebUI: per input width, one small network for keys and one for values.

    The widths are integers at the top of the file; 768 is SD 1.5's context, and only its UNet attends at 320.
    """
    layers: dict[int, list[set[int]]] = defaultdict(lambda: [set(), set()])
    for name, shape in tensors.shapes.items():
        match = LINEAR.match(name)
        if match is None or len(shape) not in (1, 2):
            if re.match(r"^\d+\.", name):
                raise refusal(path, f"a hypernetwork with the unknown tensor {name[:80]!r}")
            continue
        if match[3] == "weight" and len(shape) == 2:
            layers[int(match[1])][int(match[2])] |= {shape[0], shape[1]}
    if not layers:
        return None
    for width, (keys, values) in layers.items():
        if width not in keys or width not in values:
            raise refusal(path, f"a hypernetwork whose networks for width {width} do not begin and end with it")
    activation = tensors.values.get("activation_func") or "linear"
    if str(activation).lower() not in ACTIVATIONS:
        raise refusal(path, f"a hypernetwork with the unknown activation {str(activation)[:40]!r}")
    widths = set(layers)
    told = [by_width(path, "a hypernetwork", width) for width in sorted(widths)]
    found = {each for each in told if each} | ({Architecture.SD15} if 320 in widths else set())
    if len(found) > 1:
        raise refusal(path, f"a hypernetwork that contradicts itself: widths {', '.join(map(str, sorted(widths)))}")
    architecture = next(iter(found), None)
    facts: dict[str, Any] = {"widths": sorted(widths), "activation": str(activation).lower()}
    undecided = "" if architecture else f"it has networks for the widths {', '.join(map(str, sorted(widths)))} only"
    return Detected(Kind.HYPERNETWORK, architecture, "pt", facts, undecided)
