"""The neighbour over HTTP and by the command: with weights of few channels, once with the real ones."""

import base64
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from PIL import Image

from restyle.engines.base import File, Inference, Job, Style
from restyle.engines.neighbour.engine import Neighbour
from restyle.engines.neighbour.family import WEIGHTS
from restyle.images.encode import encode_png
from tests.support.command import restyle
from tests.support.networks import REGISTRY
from tests.support.patience import PATIENCE, wait_for
from tests.support.photographs import photograph
from tests.support.pictures import pixel_bytes
from tests.support.service import RunningService, running, submission

CODE = "Restyle Neighbour"
RAW, STYLE = photograph("chelsea", 80, 72), photograph("coffee", 100, 90)
PICTURES = [base64.b64encode(encode_png(pixels)).decode() for pixels in (RAW, STYLE)]


def put(weights: File, data: Path) -> None:
    """The weights where an operator installs them."""
    place = data / "models" / WEIGHTS.path
    place.parent.mkdir(parents=True)
    shutil.copy(weights.path, place)


@pytest.fixture(scope="module")
def service(few_channels: File, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("operator")
    put(few_channels, folder / "data")
    with running(folder, registry=REGISTRY, threads=1) as started:
        yield started


def request(steps: int = 6, **changes: Any) -> dict[str, Any]:
    model = {"ModelCode": CODE, "InferenceParams": {"Steps": steps}}
    fields = {"MainModel": model, "Seed": 3, "Width": 80, "Height": 72, "ImageList": PICTURES, "PositivePrompts": []}
    return submission(**{**fields, **changes})


def test_a_batch_repeats_and_equals_its_single_requests(service: RunningService) -> None:
    detail = service.finished(**request(BatchSize=2))
    assert detail["SeedList"] == [3, 4]
    batch = [httpx.get(url, timeout=PATIENCE).content for url in detail["ImgList"]]
    with Image.open(io.BytesIO(batch[0])) as image:
        assert image.size == (80, 72)
        assert "Steps: 6" in image.info["parameters"]
    assert service.images(**request(Seed=4))[0] == batch[1] != batch[0]


def test_torch_lives_in_the_worker_only(service: RunningService) -> None:
    def loaded(process: psutil.Process) -> bool:
        return any("libtorch" in part.path for part in process.memory_maps())

    service.finished(**request())
    server = psutil.Process(service.process.pid)
    assert not loaded(server)
    assert any(loaded(child) for child in server.children(recursive=True))


def test_each_parameter_acts(service: RunningService) -> None:
    changes: dict[str, dict[str, Any]] = {
        "": request(),
        "Steps": request(steps=12),
        "StyleReferStrength": request(StyleReferStrength=0.4),
        "PreserveColor": request(PreserveColor=True),
        "Seed": request(Seed=9),
        "images": request(RawImageIndex=1, StyleImageIndex=0),
    }
    seen = [pixel_bytes(service.images(**fields)[0]) for fields in changes.values()]
    assert len(set(seen)) == len(changes)
    assert pixel_bytes(service.images(**request(StyleReferStrength=0))[0]) == RAW.tobytes()


def test_what_it_does_not_understand_is_said(service: RunningService) -> None:
    model = {"ModelCode": CODE, "InferenceParams": {"Steps": 6, "Sampler": "Euler a", "CFGScale": 3, "ClipSkip": 2}}
    fields = request(MainModel=model, PositivePrompts=["oak"], NegativePrompts=["blurry"], UseMainModelVAE=True)
    detail = service.finished(**fields)
    said = " ".join(detail["Notices"])
    for name in ("PositivePrompts", "NegativePrompts", "Sampler", "CFGScale", "ClipSkip", "UseMainModelVAE"):
        assert name in said
    assert "Steps" not in said


def test_steps_outside_its_range_and_sub_models_are_refused(service: RunningService) -> None:
    for steps in (5, 101):
        answer = service.call("ApplyReferenceStyle", **request(steps))
        assert answer["RetCode"] == 230
        assert "Steps" in answer["Message"]
    answer = service.call("ApplyReferenceStyle", **request(SubModelList=[{"ModelCode": "Some LoRA"}]))
    assert answer["RetCode"] == 4005


def test_progress_rises_and_a_running_task_ends_when_it_is_terminated(service: RunningService) -> None:
    uid = service.call("ApplyReferenceStyle", **request(100, Width=320, Height=320))["TaskUID"]
    seen: list[float] = []

    def look() -> bool:
        seen.append(service.task(uid)["Progress"])
        return seen[-1] >= 0.05 and len(set(seen)) > 3

    wait_for(look)
    assert seen == sorted(seen)
    assert seen[-1] < 1
    assert service.call("TerminateTask", TaskUID=uid)["RetCode"] == 0
    assert service.call("ListRunningTasks")["TaskUIDList"] == []
    assert service.task(uid)["ErrorCode"] == 5104
    first, again = (service.images(**request())[0] for _ in range(2))
    assert first == again


def test_without_its_weights_it_is_listed_as_not_installed_and_refused(tmp_path: Path) -> None:
    with running(tmp_path, registry="") as empty:
        answer = empty.call("ApplyReferenceStyle", **request())
        assert answer["RetCode"] == 4004
        assert "restyle models install neighbour" in answer["Message"]
        ran = restyle("models", "list", folder=tmp_path, RESTYLE_DATA_DIR=str(tmp_path / "data"), RESTYLE_REGISTRY="")
        assert any(CODE in line and "restyle models install neighbour" in line for line in ran.out.splitlines()), ran


def command(folder: Path, data: Path, registry: str) -> bytes:
    """The pixels that the command draws."""
    for name, picture in (("raw", RAW), ("style", STYLE)):
        (folder / f"{name}.png").write_bytes(encode_png(picture))
    ran = restyle(
        *("convert", "raw.png", "--style", "style.png", "--output", "made.png"),
        *("--model", CODE, "--steps", "6", "--seed", "3", "--strength", "0.7"),
        folder=folder,
        RESTYLE_DATA_DIR=str(data),
        RESTYLE_THREADS="1",
        RESTYLE_REGISTRY=registry,
    )
    assert ran.code == 0, ran
    return pixel_bytes((folder / "made.png").read_bytes())


def test_the_command_draws_as_the_service(service: RunningService, tmp_path: Path) -> None:
    drawn = command(tmp_path, service.settings.data_dir, REGISTRY)
    assert drawn == pixel_bytes(service.images(**request(StyleReferStrength=0.7))[0])


def test_with_the_real_weights_it_draws_as_its_engine(weights: File, neighbour: Neighbour, tmp_path: Path) -> None:
    put(weights, tmp_path / "data")
    job = Job(RAW, (Style(STYLE),), 0.7, (3,), inference=Inference(6), files=(weights,))
    (drawn,) = neighbour.convert(job, lambda fraction: None)
    assert command(tmp_path, tmp_path / "data", "") == drawn.tobytes()
