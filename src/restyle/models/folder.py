"""Folders that diffusers and transformers save: which files of them are read, and whether these may be.

A folder names the classes to build, so it could name any; here they must be on a list. Weights are read from
safetensors files, or where there are none from ``.bin`` files, under the rules for pickles. Files that nothing reads,
such as the README or a second copy of the weights, are left alone.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from restyle.models import checkpoints
from restyle.models.detected import Detected, agreed
from restyle.models.header import Header, read_header
from restyle.models.kinds import Architecture, Kind
from restyle.models.tensors import Shape, Tensors, refusal
from restyle.models.torchfile import read_tensors

MAX_FILES = 2000
MAX_JSON_BYTES = 8 * 1024 * 1024
PROGRAMS = frozenset({".py", ".pyc", ".so", ".pyd", ".dll", ".dylib"})
WEIGHTS = (".safetensors", ".bin")
VARIANT = "fp16"
PIPELINES = {
    "StableDiffusionPipeline": Architecture.SD15,
    "StableDiffusionImg2ImgPipeline": Architecture.SD15,
    "StableDiffusionInpaintPipeline": Architecture.SD15,
    "StableDiffusionXLPipeline": Architecture.SDXL,
    "StableDiffusionXLInpaintPipeline": Architecture.SDXL,
    "StableDiffusionXLImg2ImgPipeline": Architecture.SDXL,
}
SCHEDULERS = frozenset(
    f"{name}Scheduler"
    for name in (
        "DDIM",
        "DDPM",
        "PNDM",
        "LMSDiscrete",
        "EulerDiscrete",
        "EulerAncestralDiscrete",
        "HeunDiscrete",
        "DPMSolverMultistep",
        "DPMSolverSinglestep",
        "DPMSolverSDE",
        "KDPM2Discrete",
        "KDPM2AncestralDiscrete",
        "UniPCMultistep",
        "DEISMultistep",
        "EDMEuler",
        "EDMDPMSolverMultistep",
        "LCM",
        "TCD",
    )
)
TOKENIZERS = frozenset({"CLIPTokenizer", "CLIPTokenizerFast"})
COMPONENTS: Mapping[str, frozenset[str]] = {
    "unet": frozenset({"UNet2DConditionModel"}),
    "vae": frozenset({"AutoencoderKL"}),
    "text_encoder": frozenset({"CLIPTextModel"}),
    "text_encoder_2": frozenset({"CLIPTextModelWithProjection"}),
    "tokenizer": TOKENIZERS,
    "tokenizer_2": TOKENIZERS,
    "scheduler": SCHEDULERS,
    "safety_checker": frozenset({"StableDiffusionSafetyChecker"}),
    "feature_extractor": frozenset({"CLIPImageProcessor", "CLIPFeatureExtractor"}),
    "image_encoder": frozenset({"CLIPVisionModelWithProjection"}),
}
"""Parts of a pipeline -> the classes each may be of."""
CONTROLNETS = ("ControlNetModel", "ControlNetUnionModel", "ControlNetModel_Union")
"""Of one control or of several, which the tensors tell, whatever the folder calls it."""
LIBRARIES = frozenset({"diffusers", "transformers", "stable_diffusion"})
UNREAD = frozenset({"tokenizer", "tokenizer_2", "safety_checker", "feature_extractor", "image_encoder"})
"""Parts that are never loaded: CLIP's vocabulary comes with Restyle, and nothing asks for the others."""
STEMS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
PICKLED = {"diffusion_pytorch_model": "diffusion_pytorch_model", "model": "pytorch_model"}
"""How the weights are called beside those names where they are pickles: ``.bin``."""
NEEDED = {
    Architecture.SD15: ("unet", "text_encoder", "scheduler"),
    Architecture.SDXL: ("unet", "text_encoder", "text_encoder_2", "scheduler"),
}


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder is, and the files of it that are read: relative paths, in order."""

    detected: Detected
    files: tuple[PurePosixPath, ...]


def read_folder(path: Path) -> Folder:
    """Tell a folder. Raises RestyleError (230) for what it is not, and for what must not be in one."""
    _check_contents(path)
    if (path / "model_index.json").is_file():
        return _pipeline(path)
    if not (path / "config.json").is_file():
        raise refusal(path, "a folder without model_index.json (a whole model) or config.json (a part of one)")
    return _part(path)


def _check_contents(path: Path) -> None:
    root = path.resolve()
    for number, found in enumerate(path.rglob("*")):
        if number == MAX_FILES:
            raise refusal(path, f"a folder of more than {MAX_FILES:,} files is no model's")
        inside = found.relative_to(path)
        if found.is_symlink() and not found.resolve().is_relative_to(root):
            raise refusal(path, f"{inside} is a link that leads out of the folder; copy the files themselves into it")
        if not found.is_dir() and not found.is_file():
            raise refusal(path, f"{inside} is neither a file nor a folder")
        if found.suffix.lower() in PROGRAMS:
            raise refusal(path, f"{inside} is a program; a model's folder holds none, so remove it or take another")


def _pipeline(path: Path) -> Folder:
    index = _json(path, "model_index.json")
    name = index.get("_class_name")
    architecture = PIPELINES.get(name) if isinstance(name, str) else None
    if architecture is None:
        raise refusal(path, f"model_index.json names the pipeline {str(name)[:80]!r}; known are {', '.join(PIPELINES)}")
    if index.get("requires_aesthetics_score") is True:
        raise refusal(path, "an SDXL refiner; Restyle draws with SDXL base models")
    parts = dict(_parts(path, index))
    for needed in NEEDED[architecture]:
        if needed not in parts:
            raise refusal(path, f"model_index.json names no {needed}, which {architecture.label} needs")
    loaded = [part for part in parts if part not in UNREAD]
    weighted = [part for part in loaded if STEMS.get(part.removesuffix("_2"))]
    for part in loaded:
        _check_classes(path, part, parts[part])
    variant = _variant(path, [(part, STEMS[part.removesuffix("_2")]) for part in weighted])
    files = [PurePosixPath("model_index.json")]
    tensors, weights = {}, {}
    for part in loaded:
        files += _texts(path, part)
        if part in weighted:
            weights[part] = _weights(path, part, STEMS[part.removesuffix("_2")], variant)
            files += weights[part]
            tensors[part] = _tensors(path, weights[part])
    unet = tensors["unet"]
    checkpoints.check_inputs(path, unet.width("conv_in.weight", 1), checkpoints.INPAINTING)
    if unet.has("add_embedding.") is not (architecture is Architecture.SDXL):
        raise refusal(path, f"a folder that contradicts itself: {name} with the UNet of another family")
    if unet.has("time_embedding.cond_proj."):
        raise refusal(path, "a latent consistency model, which has a guidance of its own; take its LoRA instead")
    context = max(unet.widths(checkpoints.CONTEXT_ENDS), default=0)
    facts: dict[str, Any] = {
        "layout": "diffusers",
        "prediction_type": _json(path, "scheduler/scheduler_config.json").get("prediction_type", "epsilon"),
        "has_vae": "vae" in parts,
        "context": context,
        "widths": sorted(unet.widths(checkpoints.ATTENTION_ENDS)),
        "variant": variant,
    }
    if facts["prediction_type"] not in ("epsilon", "v_prediction"):
        raise refusal(path, f"its scheduler predicts {facts['prediction_type']!r}; known are epsilon and v_prediction")
    told = agreed(path, "a checkpoint", architecture, context)
    return Folder(Detected(Kind.MAIN, told, "folder", facts), tuple(sorted(set(files))))


def _parts(path: Path, index: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Part -> class, of every part that is there and allowed."""
    for part, value in index.items():
        if part.startswith("_") or not isinstance(value, list):
            continue
        if value == [None, None]:
            continue
        known = COMPONENTS.get(part)
        named = ".".join(str(piece) for piece in value)[:80]
        if len(value) != 2 or known is None or value[0] not in LIBRARIES or value[1] not in known:
            wanted = f"may be {', '.join(sorted(known))}" if known else f"is no part of {', '.join(PIPELINES)}"
            raise refusal(path, f"model_index.json wants the class {named!r} for {part[:40]!r}, which {wanted}")
        yield part, value[1]


def _check_classes(path: Path, part: str, wanted: str) -> None:
    """The part's own configuration must name the same class, and no code of its own."""
    if part == "scheduler":
        config = _json(path, "scheduler/scheduler_config.json")
        _check_names(path, part, config, [config.get("_class_name")], SCHEDULERS)
    else:
        config = _json(path, f"{part}/config.json")
        _check_names(path, part, config, _classes(config), frozenset({wanted}))


def _check_names(path: Path, part: str, config: Mapping[str, Any], names: list[Any], allowed: frozenset[str]) -> None:
    if "auto_map" in config:
        raise refusal(path, f"{part} brings code of its own (auto_map)")
    for name in names:
        if name not in allowed:
            known = ", ".join(sorted(allowed))
            raise refusal(path, f"the configuration of {part} names the class {str(name)[:80]!r}; known are {known}")


def _classes(config: Mapping[str, Any]) -> list[Any]:
    if "_class_name" in config:
        return [config["_class_name"]]
    found = config.get("architectures")
    return found if isinstance(found, list) and found else [None]


def _part(path: Path) -> Folder:
    """A VAE, a ControlNet or an image encoder in a folder of its own."""
    config = _json(path, "config.json")
    names = _classes(config)
    known = {
        "AutoencoderKL": ("diffusion_pytorch_model", _vae_facts),
        **dict.fromkeys(CONTROLNETS, ("diffusion_pytorch_model", _no_facts)),
        "CLIPVisionModelWithProjection": ("model", _encoder_facts),
    }
    _check_names(path, "the folder", config, names, frozenset(known))
    stem, facts_of = known[names[0]]
    variant = _variant(path, [("", stem)])
    weights = _weights(path, "", stem, variant)
    tensors = _tensors(path, weights)
    facts = facts_of(path, config)
    tell = {
        "AutoencoderKL": lambda: checkpoints.vae(path, tensors, facts),
        **dict.fromkeys(CONTROLNETS, lambda: checkpoints.controlnet(path, tensors)),
        "CLIPVisionModelWithProjection": lambda: checkpoints.image_encoder(path, tensors, facts),
    }
    found = tell[names[0]]()
    if found is None:
        raise refusal(path, f"its config.json names {names[0]}, but its tensors are not one's")
    detected = replace(found, format="folder", facts={**found.facts, "variant": variant})
    return Folder(detected, tuple(sorted({*_texts(path, ""), *weights})))


def _no_facts(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _vae_facts(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    scaling = config.get("scaling_factor", 0.18215)  # the library's own default
    if not isinstance(scaling, float) or not 0 < scaling < 10:
        raise refusal(path, f"its config.json has the scaling_factor {str(scaling)[:40]!r}")
    return {"scaling_factor": scaling}


def _encoder_facts(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    heads, activation = config.get("num_attention_heads", 12), config.get("hidden_act", "quick_gelu")
    if type(heads) is not int or activation not in ("gelu", "quick_gelu"):
        raise refusal(path, f"its config.json has {str(heads)[:20]} heads and the activation {str(activation)[:20]!r}")
    return {"heads": heads, "activation": activation}


def _variant(path: Path, parts: list[tuple[str, str]]) -> str:
    """Empty where every part has weights without a variant's name, else ``fp16``."""
    for form in WEIGHTS:
        if all(_choice(path, part, stem, "", form) for part, stem in parts):
            return ""
        if any(_choice(path, part, stem, VARIANT, form) for part, stem in parts):
            return VARIANT
    return ""


def _choice(path: Path, part: str, stem: str, variant: str, form: str) -> str | None:
    """The name of the weights of that variant and form: a file, or the index of several."""
    stem = PICKLED[stem] if form == ".bin" else stem
    ending = f".{variant}" if variant else ""
    names = (f"{stem}{ending}{form}", f"{stem}{form}.index{ending}.json")
    return next((name for name in names if (path / part / name).is_file()), None)


def _weights(path: Path, part: str, stem: str, variant: str) -> list[PurePosixPath]:
    """The files with the weights of ``part``; a part without the variant has its plain ones read."""
    tried = ((form, each) for form in WEIGHTS for each in (variant, ""))
    name = next(filter(None, (_choice(path, part, stem, each, form) for form, each in tried)), None)
    where = part or "the folder"
    if name is None:
        raise refusal(path, f"{where} has no {stem}.safetensors")
    if name.endswith(WEIGHTS):
        return [PurePosixPath(part, name)]
    shards = _json(path, str(PurePosixPath(part, name))).get("weight_map")
    names = set(shards.values()) if isinstance(shards, dict) else set()
    if not names or not all(isinstance(one, str) and PurePosixPath(one).name == one for one in names):
        raise refusal(path, f"{name} of {where} is no index of files beside it")
    for one in names:
        form = ".bin" if ".bin." in name else ".safetensors"
        if not one.endswith(form) or not (path / part / one).is_file():
            raise refusal(path, f"{name} of {where} names {one[:80]!r}, which is no {form} file of the folder")
    return [PurePosixPath(part, name), *(PurePosixPath(part, one) for one in sorted(names))]


def _texts(path: Path, part: str) -> list[PurePosixPath]:
    """The configurations and vocabularies of a part."""
    return [
        PurePosixPath(part, found.name)
        for found in sorted((path / part).glob("*"))
        if found.is_file() and found.suffix in (".json", ".txt") and not found.name.endswith(".index.json")
    ]


def _tensors(path: Path, weights: list[PurePosixPath]) -> Tensors:
    shapes: dict[str, Shape] = {}
    for name in weights:
        if name.suffix == ".safetensors":
            header: Header = read_header(path / name)
            shapes.update(header.tensors().shapes)
        elif name.suffix == ".bin":
            shapes.update(read_tensors(path / name)[0].shapes)
    return Tensors(shapes)


def _json(path: Path, name: str) -> dict[str, Any]:
    file = path / name
    if not file.is_file():
        raise refusal(path, f"{name} is missing")
    if file.stat().st_size > MAX_JSON_BYTES:
        raise refusal(path, f"{name} has more than {MAX_JSON_BYTES:,} bytes")
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise refusal(path, f"{name} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise refusal(path, f"{name} is not a JSON object")
    return found
