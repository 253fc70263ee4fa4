"""Diffusion over HTTP: tiny checkpoints registered by the command, every parameter of the page in one request."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from restyle.images.encode import encode_png
from tests.support.command import restyle
from tests.support.patience import PATIENCE, wait_for
from tests.support.pictures import pixel_bytes
from tests.support.service import RunningService, running, submission
from tests.support.studio import RAW, STYLE, Studio

PICTURES = [base64.b64encode(encode_png(pixels)).decode() for pixels in (RAW, STYLE)]


@pytest.fixture(scope="module")
def data(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which an operator has registered everything."""
    folder = tmp_path_factory.mktemp("operator")

    def add(name: str, code: str, *options: str) -> None:
        ran = register(folder, studio, name, code, *options)
        assert ran.code == 0, ran

    quick = folder / "quick.toml"
    quick.write_text("steps_least = 2\n[injection]\ninversion_steps = 2\n")
    told = ("--recipe", str(quick), "--negative-prompt", "smudges")
    add("sd15.safetensors", "sd15", "--cfg-scale", "6", *told)
    add("sdxl", "sdxl", "--steps", "2", *told)
    for base in ("sd15", "sdxl"):
        of = ("--architecture", base)
        add(f"{base}-lora.safetensors", f"{base} lora", "--trigger", "glimmer", *of)
        add(f"{base}-peft.safetensors", f"{base} second lora", *of)
        add(f"{base}-word.safetensors", f"{base} word", "--trigger", "zorp", *of)
    add("sd15-vae.safetensors", "sd15 vae", "--architecture", "sd15")
    add("hyper.pt", "sd15 hyper", "--architecture", "sd15")
    return folder


def register(folder: Path, studio: Studio, name: str, code: str, *options: str) -> Any:
    return restyle(
        "models",
        "add",
        studio.files / name,
        "--code",
        code,
        *options,
        folder=folder,
        RESTYLE_DATA_DIR=str(folder / "data"),
        RESTYLE_REGISTRY="",
    )


@pytest.fixture(scope="module")
def service(data: Path) -> Iterator[RunningService]:
    settings: dict[str, Any] = {"threads": 1, "diffusion_precision": "float32", "diffusion_device": "cpu"}
    with running(data, registry="", torch=True, **settings) as started:
        yield started


def request(base: str, **changes: Any) -> dict[str, Any]:
    """Everything the page offers, of native size: drawn in one go."""
    subs = [
        {"ModelCode": f"{base} lora", "InferenceParams": {"LoraWeight": 0.7}},
        {"ModelCode": f"{base} second lora", "InferenceParams": {"LoraWeight": -0.4}},
        {"ModelCode": f"{base} word"},
    ]
    if base == "sd15":
        subs.append({"ModelCode": "sd15 hyper", "InferenceParams": {"LoraWeight": 0.5}})
    inference = {"Steps": 2, "Sampler": "DPM++ 2M Karras", "ClipSkip": 2, "CFGScale": 5.5}
    fields = {
        "MainModel": {"ModelCode": base, "InferenceParams": inference},
        "SubModelList": subs,
        "PositivePrompts": ["a (red:1.2) zorp", "wooden table"],
        "NegativePrompts": ["blurry", "low quality"],
        "Seed": 5,
        "Width": 64,
        "Height": 64,
        "BatchSize": 2,
        "UseMainModelVAE": True,
        "StyleReferStrength": 0.6,
        "ImageList": PICTURES,
    }
    return submission(**{**fields, **changes})


def text(picture: bytes) -> str:
    with Image.open(io.BytesIO(picture)) as image:
        return str(image.info["parameters"])


def test_a_request_with_everything(service: RunningService) -> None:
    """With one architecture; the other's is drawn with an adapter below."""
    asked = request("sd15", Width=72, Height=66)
    detail = service.finished(**asked)
    assert detail["SeedList"] == [5, 6]
    assert any("style injection" in notice for notice in detail["Notices"])
    first, second = (httpx.get(url, timeout=PATIENCE).content for url in detail["ImgList"])
    with Image.open(io.BytesIO(first)) as image:
        assert image.size == (72, 66)
    written = text(first)
    assert written.startswith("a (red:1.2) zorp, wooden table, glimmer\nNegative prompt: blurry, low quality\n")
    for part in (
        "Steps: 2",
        "Sampler: DPM++ 2M Karras",
        "CFG scale: 2",
        "Clip skip: 2",
        "VAE: main model",
        "Seed: 5",
    ):
        assert part in written
    assert 'Lora weights: "sd15 lora: 0.7, sd15 second lora: -0.4"' in written
    assert pixel_bytes(first) != pixel_bytes(second)
    assert pixel_bytes(service.images(**{**asked, "Seed": 6, "BatchSize": 1})[0]) == pixel_bytes(second)


def test_each_part_of_it_acts(service: RunningService) -> None:
    """With one architecture: what its engine does with each, tests of the engine show for both."""
    whole = request("sd15", BatchSize=1)
    model, subs = whole["MainModel"], whole["SubModelList"]

    def inference(**changes: Any) -> dict[str, Any]:
        return {"MainModel": {**model, "InferenceParams": {**model["InferenceParams"], **changes}}}

    changes: dict[str, dict[str, Any]] = {
        "Steps": inference(Steps=3),
        "Sampler": inference(Sampler="Euler a"),
        "ClipSkip": inference(ClipSkip=3),
        "CFGScale": inference(CFGScale=1.5),
        "UseMainModelVAE": {"UseMainModelVAE": False},
        "PositivePrompts": {"PositivePrompts": ["a (red:1.3) zorp", "wooden table"]},
        "NegativePrompts": {"NegativePrompts": ["blurry"]},
        "StyleReferStrength": {"StyleReferStrength": 0.7},
        **{sub["ModelCode"]: {"SubModelList": [other for other in subs if other is not sub]} for sub in subs},
    }
    seen = {"": pixel_bytes(service.images(**whole)[0])}
    for name, change in changes.items():
        seen[name] = pixel_bytes(service.images(**{**whole, **change})[0])
        assert list(seen.values()).count(seen[name]) == 1, name


def test_weight_zero_is_the_picture_without(service: RunningService) -> None:
    bare = request("sd15", BatchSize=1, SubModelList=[])
    silent = [{"ModelCode": code, "InferenceParams": {"LoraWeight": 0}} for code in ("sd15 second lora", "sd15 hyper")]
    assert pixel_bytes(service.images(**{**bare, "SubModelList": silent})[0]) == pixel_bytes(service.images(**bare)[0])
    raw = service.images(**{**bare, "StyleReferStrength": 0})[0]
    assert pixel_bytes(raw) == RAW.tobytes()


def test_a_terminated_task_leaves_no_trace(service: RunningService) -> None:
    plain = request("sd15", BatchSize=1, SubModelList=[])
    before = service.images(**plain)[0]
    long = request("sd15", BatchSize=16, Width=128, Height=128)
    uid = service.call("ApplyReferenceStyle", **long)["TaskUID"]
    wait_for(lambda: service.task(uid)["Progress"] >= 0.08)
    assert service.call("TerminateTask", TaskUID=uid)["RetCode"] == 0
    assert service.task(uid)["ErrorCode"] == 5104
    assert service.images(**plain)[0] == before


def test_what_does_not_fit_is_refused_before_the_queue(service: RunningService) -> None:
    wrong = request("sd15", SubModelList=[{"ModelCode": "sdxl lora"}])
    assert service.call("ApplyReferenceStyle", **wrong)["RetCode"] == 4005
    unknown = request("sd15", MainModel={"ModelCode": "sd15", "InferenceParams": {"Sampler": "DPM fast"}})
    answer = service.call("ApplyReferenceStyle", **unknown)
    assert answer["RetCode"] == 230
    assert "DPM++ 2M Karras" in answer["Message"]


def test_an_adapter_registered_while_it_runs_is_used_at_once_and_gone_at_once(
    service: RunningService, data: Path, studio: Studio
) -> None:
    plain = request("sdxl", BatchSize=1)
    before = service.images(**plain)[0]
    for name, options in (("encoder", ()), ("sdxl-ip.safetensors", ("--architecture", "sdxl"))):
        assert register(data, studio, name, name, *options).code == 0
    try:
        detail = service.finished(**plain)
        assert any("IP-Adapter sdxl-ip.safetensors" in notice for notice in detail["Notices"])
        drawn = httpx.get(detail["ImgList"][0], timeout=PATIENCE).content
        assert "Style route: IP-Adapter sdxl-ip.safetensors" in text(drawn)
        assert pixel_bytes(drawn) != pixel_bytes(before)
    finally:
        for name in ("encoder", "sdxl-ip.safetensors"):
            ran = restyle("models", "remove", name, folder=data, RESTYLE_DATA_DIR=str(data / "data"))
            assert ran.code == 0, ran
    assert service.images(**plain)[0] == before


def test_models_are_listed_with_their_defaults(service: RunningService) -> None:
    found = service.call("ListModels")
    assert found["MainModels"]["sd15"]["InferenceParams"]["CFGScale"] == 6
    assert found["LoraModels"]["sd15 lora"]["TriggerWordList"] == ["glimmer"]
    assert set(found["HypernetworkModels"]) == {"sd15 hyper"}


def test_what_the_model_leaves_out_of_every_picture_is_said(service: RunningService) -> None:
    detail = service.finished(**request("sd15", BatchSize=1, SubModelList=[], NegativePrompts=[]))
    assert any("smudges" in notice for notice in detail["Notices"])
