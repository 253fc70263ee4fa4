import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from restyle.models.detect import detect
from restyle.models.folder import read_folder
from restyle.models.kinds import Architecture, Kind
from restyle.wire.errors import RestyleError
from tests.support import models
from tests.support.models import arrays, edit_json, save, write_json


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return models.folder(tmp_path / "model")


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_a_whole_model(tmp_path: Path, family: str) -> None:
    found = detect(models.folder(tmp_path / "m", family))
    assert (found.kind, found.architecture, found.format) == (Kind.MAIN, Architecture(family), "folder")
    assert found.facts["context"] == models.CONTEXT[family]
    assert found.facts["has_vae"] is True
    assert found.facts["prediction_type"] == "epsilon"
    assert found.facts["variant"] == ""


def test_what_is_read_of_it(model: Path) -> None:
    (model / "README.md").write_text("hello")
    (model / "v1-5-pruned.ckpt").write_bytes(b"a pickle nobody reads")
    (model / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"likewise")
    save(model / "unet" / "diffusion_pytorch_model.fp16.safetensors", arrays({"conv_in.weight": (1,)}))
    assert [str(name) for name in read_folder(model).files] == [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    ]


def test_half_precision_weights_alone(model: Path) -> None:
    for part, stem in (
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
    ):
        (model / part / f"{stem}.safetensors").rename(model / part / f"{stem}.fp16.safetensors")
    assert detect(model).facts["variant"] == "fp16"


def test_weights_in_several_files(model: Path) -> None:
    stem = "diffusion_pytorch_model"
    (model / "unet" / f"{stem}.safetensors").rename(model / "unet" / f"{stem}-00001-of-00002.safetensors")
    save(model / "unet" / f"{stem}-00002-of-00002.safetensors", arrays({"more.attn1.to_k.weight": (4, 55)}))
    shards = {"a": f"{stem}-00001-of-00002.safetensors", "b": f"{stem}-00002-of-00002.safetensors"}
    index = write_json(model / "unet" / f"{stem}.safetensors.index.json", {"weight_map": shards})
    assert detect(model).facts["widths"] == [55, 768]
    for name, reason in (("../../secret.safetensors", "no index"), ("weights.bin", "no .safetensors file")):
        (model / "unet" / "weights.bin").write_bytes(b"")
        write_json(index, {"weight_map": {"a": name}})
        with pytest.raises(RestyleError, match=reason):
            detect(model)


def test_v_prediction_is_read_from_the_scheduler(model: Path) -> None:
    edit_json(model / "scheduler" / "scheduler_config.json", prediction_type="v_prediction")
    assert detect(model).facts["prediction_type"] == "v_prediction"
    edit_json(model / "scheduler" / "scheduler_config.json", prediction_type="flow")
    with pytest.raises(RestyleError, match="'flow'"):
        detect(model)


def test_a_model_without_a_vae(model: Path) -> None:
    edit_json(model / "model_index.json", vae=[None, None])
    assert detect(model).facts["has_vae"] is False


@pytest.mark.parametrize(
    ("file", "changes", "reason"),
    [
        ("model_index.json", {"_class_name": "StableDiffusionUpscalePipeline"}, "'StableDiffusionUpscalePipeline'"),
        ("model_index.json", {"_class_name": ["pipeline", "Evil"]}, "names the pipeline"),
        ("model_index.json", {"unet": ["my_module", "UNet2DConditionModel"]}, "'my_module.UNet2DConditionModel'"),
        ("model_index.json", {"unet": ["diffusers", "os.system"]}, "'diffusers.os.system' for 'unet'"),
        ("model_index.json", {"extra": ["diffusers", "AutoencoderKL"]}, "'extra', which is no part of"),
        ("model_index.json", {"vae": ["diffusers"]}, "for 'vae'"),
        ("model_index.json", {"text_encoder": [None, None]}, "names no text_encoder"),
        ("model_index.json", {"requires_aesthetics_score": True}, "an SDXL refiner"),
        ("unet/config.json", {"_class_name": "Custom"}, "the configuration of unet names the class 'Custom'"),
        ("text_encoder/config.json", {"architectures": ["Custom"]}, "of text_encoder names the class 'Custom'"),
        ("text_encoder/config.json", {"auto_map": {"AutoModel": "code.Custom"}}, "code of its own"),
        ("scheduler/scheduler_config.json", {"_class_name": "Custom"}, "of scheduler names the class 'Custom'"),
    ],
)
def test_classes_that_are_not_on_the_list(model: Path, file: str, changes: dict[str, object], reason: str) -> None:
    edit_json(model / file, **changes)
    with pytest.raises(RestyleError, match=reason):
        detect(model)


@pytest.mark.parametrize("name", ["pipeline.py", "unet/hook.so", "vae/__pycache__/x.pyc"])
def test_programs_in_it(model: Path, name: str) -> None:
    trace = model.parent / "trace"
    (model / name).parent.mkdir(exist_ok=True)
    (model / name).write_text(f"open({str(trace)!r}, 'w')")
    with pytest.raises(RestyleError, match=f"{name} is a program"):
        detect(model)
    assert not trace.exists()


def test_weights_that_are_pickles_are_read_where_there_are_no_others(model: Path) -> None:
    trace = model.parent / "trace"
    unet, pickle = (
        model / "unet" / "diffusion_pytorch_model.safetensors",
        model / "unet" / "diffusion_pytorch_model.bin",
    )
    models.evil_pickle(pickle, trace)
    before = detect(model)
    half = unet.rename(unet.with_suffix(".fp16.safetensors"))
    assert detect(model).facts["variant"] == "fp16"
    torch.save(load_file(half), pickle)
    half.unlink()
    assert detect(model) == before
    models.evil_pickle(pickle, trace)
    with pytest.raises(RestyleError, match=r"its pickle would import posix.system"):
        detect(model)
    assert not trace.exists()


def test_links_that_lead_out(model: Path, tmp_path: Path) -> None:
    secret = write_json(tmp_path / "secret.json", {})
    (model / "unet" / "config.json").unlink()
    (model / "unet" / "config.json").symlink_to(secret)
    with pytest.raises(RestyleError, match=r"unet/config.json is a link that leads out of the folder"):
        detect(model)
    (model / "unet" / "config.json").unlink()
    write_json(model / "real.json", {"_class_name": "UNet2DConditionModel"})
    (model / "unet" / "config.json").symlink_to(model / "real.json")
    assert detect(model).kind is Kind.MAIN


def test_a_linked_folder_that_leads_out(model: Path, tmp_path: Path) -> None:
    (model / "vae").rename(tmp_path / "vae")
    (model / "vae").symlink_to(tmp_path / "vae")
    with pytest.raises(RestyleError, match="vae is a link that leads out"):
        detect(model)


def test_what_is_no_file(model: Path) -> None:
    os.mkfifo(model / "pipe")
    with pytest.raises(RestyleError, match="pipe is neither a file nor a folder"):
        detect(model)


def test_other_families(model: Path, tmp_path: Path) -> None:
    unet = model / "unet" / "diffusion_pytorch_model.safetensors"
    save(unet, arrays({"conv_in.weight": (32, 8, 3, 3)}))
    with pytest.raises(RestyleError, match="an editing model"):
        detect(model)
    save(unet, arrays({"conv_in.weight": (32, 4, 3, 3), "add_embedding.x": (1,)}))
    with pytest.raises(RestyleError, match="contradicts itself"):
        detect(model)
    with pytest.raises(RestyleError, match="Stable Diffusion 2"):
        detect(models.folder(tmp_path / "sd2", context=1024))


def test_parts_of_their_own(tmp_path: Path) -> None:
    vae = tmp_path / "vae"
    save(vae / "diffusion_pytorch_model.safetensors", models.VAE)
    write_json(vae / "config.json", {"_class_name": "AutoencoderKL", "scaling_factor": 0.13025})
    found = detect(vae)
    assert (found.kind, found.architecture, found.format) == (Kind.VAE, Architecture.SDXL, "folder")
    assert found.facts["scaling_factor"] == 0.13025
    edit_json(vae / "config.json", scaling_factor=0.5)
    assert detect(vae).architecture is None

    encoder = tmp_path / "encoder"
    save(encoder / "model.safetensors", models.image_encoder())
    config = {"architectures": ["CLIPVisionModelWithProjection"], "hidden_act": "gelu", "num_attention_heads": 2}
    write_json(encoder / "config.json", config)
    facts = detect(encoder).facts
    assert (facts["hidden"], facts["projection"], facts["heads"], facts["activation"]) == (32, 16, 2, "gelu")

    control = tmp_path / "control"
    save(control / "diffusion_pytorch_model.safetensors", models.controlnet("sdxl"))
    write_json(control / "config.json", {"_class_name": "ControlNetModel"})
    assert (detect(control).kind, detect(control).architecture) == (Kind.CONTROLNET, Architecture.SDXL)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (None, "without model_index.json"),
        ({"_class_name": "UNet2DConditionModel"}, "'UNet2DConditionModel'"),
        ({"architectures": ["LlamaForCausalLM"]}, "'LlamaForCausalLM'"),
        ({"_class_name": "AutoencoderKL", "scaling_factor": "much"}, "scaling_factor 'much'"),
        ({"_class_name": "ControlNetModel"}, "its tensors are not one's"),
        ([], "is not a JSON object"),
    ],
)
def test_other_folders(tmp_path: Path, config: object, reason: str) -> None:
    save(tmp_path / "diffusion_pytorch_model.safetensors", models.VAE)
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(RestyleError, match=reason):
        detect(tmp_path)
