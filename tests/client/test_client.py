"""Both clients against a real service, one that fails on the way, and one of another house."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from PIL import Image

import restyle
from restyle.client.core import Balance
from restyle.client.errors import NO_ANSWER, NoAnswer, ServiceError, TaskFailed
from restyle.images.encode import encode_png
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.signature import sign
from tests.support import pictures
from tests.support.engines import OBEDIENT, REGISTRY, THOROUGH
from tests.support.front import Front, forward, fronting, hang_up, lose_answer, says, status
from tests.support.patience import NEVER
from tests.support.service import RunningService

RAW, STYLE = pictures.picture(70, 90), pictures.picture(64, 64, seed=5)


class InLoop:
    """AsyncClient behind the methods of Client, a fresh event loop each."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._arguments, self._options = arguments, options

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*arguments: Any, **options: Any) -> Any:
            async with restyle.AsyncClient(*self._arguments, **self._options) as client:
                return await getattr(client, name)(*arguments, **options)

        return lambda *arguments, **options: anyio.run(lambda: call(*arguments, **options))


Connect = Callable[..., Any]


@pytest.fixture(params=["Client", "AsyncClient"])
def connect(request: pytest.FixtureRequest, service: RunningService) -> Iterator[Connect]:
    """Makes clients: of the service with its unlimited account unless told."""
    opened: list[restyle.Client] = []

    def make(url: str = service.url, key: Any = None, **options: Any) -> Any:
        pair = key or service.key
        if request.param == "AsyncClient":
            return InLoop(url, pair.public_key, pair.private_key, **options)
        opened.append(restyle.Client(url, pair.public_key, pair.private_key, **options))
        return opened[-1]

    yield make
    for client in opened:
        client.close()


def test_convert_returns_pictures_of_the_photographs_size(connect: Connect) -> None:
    told: list[float] = []
    first, second = connect().convert(RAW, STYLE, strength=0.5, seed=7, batch_size=2, on_progress=told.append)
    assert (first.size, first.mode) == ((90, 70), "RGB")
    assert "Seed: 7" in first.info["parameters"]
    assert "Seed: 8" in second.info["parameters"]
    assert told[-1] == 1
    assert told == sorted(told)


def test_every_kind_of_source_gives_the_same_pixels(connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "raw.png"
    path.write_bytes(encode_png(RAW))
    sources = [RAW, path, str(path), path.read_bytes(), bytearray(path.read_bytes()), Image.fromarray(RAW)]
    results = [np.asarray(connect().convert(source, STYLE, seed=3)[0]) for source in sources]
    assert all(np.array_equal(result, results[0]) for result in results)


def test_the_library_draws_what_the_service_draws(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTYLE_REGISTRY", REGISTRY)
    options: dict[str, Any] = {"seed": 11, "strength": 0.3, "width": 100, "height": 65, "resize_mode": "ResizeAndFill"}
    (there,) = connect().convert(RAW, STYLE, **options)
    (here,) = restyle.convert(RAW, STYLE, **options)
    assert np.array_equal(np.asarray(here), np.asarray(there))
    assert here.info["parameters"] == there.info["parameters"]


def test_submit_wait_download(connect: Connect, tmp_path: Path) -> None:
    client = connect()
    go = tmp_path / "go"
    orders: dict[str, Any] = {"positive_prompts": [f"until {go}"], "translate_prompts": False}
    task = client.submit(RAW, STYLE, model=OBEDIENT, seed=1, **orders)
    assert (len(task.uid), task.ended) == (20, False)
    assert task.uid in client.running()
    told: list[float] = []

    def tell(fraction: float) -> None:
        told.append(fraction)
        if fraction > 0:
            go.touch()

    done = client.wait(task, on_progress=tell)
    assert (done.status, done.progress, done.seeds, done.error_code) == ("Finished", 1, (1,), 0)
    assert any(0 < fraction < 1 for fraction in told)
    assert client.running() == []
    assert client.details([task.uid, done]) == [done, done]
    assert client.download(done)[0].size == (90, 70)


def test_cancel(connect: Connect) -> None:
    client = connect()
    task = client.submit(RAW, STYLE, model=OBEDIENT, positive_prompts=[f"draw {NEVER}"])
    client.cancel(task)
    with pytest.raises(TaskFailed) as caught:
        client.wait(task)
    assert caught.value.code is Code.TERMINATED
    assert caught.value.task.uid == task.uid
    client.cancel(task)  # as after a lost answer: it has ended as wished
    finished = client.wait(client.submit(RAW, STYLE))
    with pytest.raises(ServiceError, match="ended") as refused:
        client.cancel(finished)
    assert refused.value.code is Code.TASK_ENDED


def test_balance_and_models(connect: Connect, service: RunningService) -> None:
    key = service.keys.create(credits=40)
    client = connect(key=key)
    assert client.balance() == Balance(total=40, used=0)
    client.convert(RAW, STYLE, width=1024, height=1024, strength=0)
    assert client.balance().left == 38
    assert client.models().main["Restyle Painter"]["ModelCode"] == "Restyle Painter"


def test_a_model_of_the_list_goes_back_whole(connect: Connect) -> None:
    client = connect()
    assert client.convert(RAW, STYLE, model=client.models().main[OBEDIENT], preserve_color=True)


def test_keys_with_timestamps(connect: Connect, service: RunningService) -> None:
    key = service.keys.create(credits=10, requires_timestamp=True)
    assert connect(key=key, timed=True).balance().left == 10
    with pytest.raises(ServiceError):
        connect(key=key).balance()


@pytest.mark.parametrize(
    ("options", "code", "field"),
    [
        ({"strength": 1.5}, Code.PARAMETER_NOT_AVAILABLE, "StyleReferStrength"),
        ({"width": 63, "height": 64}, Code.PARAMETER_NOT_AVAILABLE, "Width"),
        ({"model": "no such model"}, Code.MODEL_NOT_FOUND, "MainModel.ModelCode"),
        ({"sub_models": ["lora"]}, Code.SUB_MODEL_UNFIT, "SubModelList[0].ModelCode"),
        ({"positive_prompts": ["x"] * 51}, Code.PARAMETER_NOT_AVAILABLE, "PositivePrompts"),
    ],
)
def test_what_the_service_refuses(connect: Connect, options: dict[str, Any], code: Code, field: str) -> None:
    with pytest.raises(ServiceError) as caught:
        connect().convert(RAW, STYLE, **options)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert isinstance(caught.value, RestyleError)
    assert caught.value.message


def test_a_wrong_private_key(connect: Connect, service: RunningService) -> None:
    key = service.keys.create(credits=1)
    wrong = type(key)(key.public_key, key.private_key[::-1], key.account_id)
    with pytest.raises(ServiceError) as caught:
        connect(key=wrong).balance()
    assert caught.value.code is Code.SIGNATURE_MISMATCH
    assert f"ActionGetCreditBalancePublicKey{key.public_key}" in caught.value.message
    # both sides name the SHA-256 of what they take for the text, so that one can tell whether it is the key alone
    assert len(re.findall(r"SHA-256 ([0-9a-f]{64})", caught.value.message)) == 2
    assert len(set(re.findall(r"SHA-256 ([0-9a-f]{64})", caught.value.message))) == 1


def test_a_refused_signature_shows_every_field_and_no_private_key(connect: Connect, service: RunningService) -> None:
    key = service.keys.create(credits=1)
    swapped = type(key)(key.public_key, "s3cret" * 5, key.account_id)
    options: dict[str, Any] = {"positive_prompts": [f"{swapped.private_key} {'x' * 500}"], "width": 77, "height": 65}
    with pytest.raises(ServiceError) as caught:
        connect(key=swapped).submit(RAW, STYLE, **options)
    told = caught.value.message
    assert all(f"{name}{value}" in told for name, value in (("Height", 65), ("Width", 77), ("RawImageIndex", 0)))
    assert "PositivePrompts(the private key)" in told
    assert swapped.private_key not in told
    assert key.private_key not in told
    assert len(told) < 2000


@pytest.mark.parametrize(
    ("url", "says_so"),
    [
        ("localhost:8484", "begins with http:// or https://"),
        ("ftp://localhost", "begins with http:// or https://"),
        ("http://", "names no host"),
        ("http://a b", "names no host"),
        ("http://localhost:99999", "ports are 1 to 65535"),
        ("http://[::1", "Invalid port"),
    ],
)
def test_what_is_no_address_is_refused_at_once(url: str, says_so: str) -> None:
    for make in (restyle.Client, restyle.AsyncClient):
        with pytest.raises(RestyleError, match=says_so) as caught:
            make(url, "public", "private")
        assert (caught.value.code, caught.value.field) == (Code.PARAMETER_NOT_AVAILABLE, "url")


def test_https_to_a_service_without_tls_is_answered_at_once(connect: Connect) -> None:
    with fronting(hang_up) as front, pytest.raises(NoAnswer, match=r"does not speak TLS .* try http://"):
        connect(front.url.replace("http:", "https:"), timeout=NEVER, retries=NEVER).balance()


def test_a_photograph_over_the_largest_size_is_told(connect: Connect) -> None:
    wide = pictures.picture(65, 2570)
    (there,) = connect().convert(wide, STYLE, strength=0)
    (here,) = restyle.convert(wide, STYLE, strength=0)
    assert there.info["notices"] == here.info["notices"]
    assert "2570 x 65 pixels and the result 2560 x 65" in there.info["notices"][0]
    assert there.info["seconds"] > 0


def test_a_task_that_fails(connect: Connect) -> None:
    with pytest.raises(TaskFailed) as caught:
        connect().convert(RAW, STYLE, model=OBEDIENT, positive_prompts=["raise"])
    assert caught.value.code is Code.ENGINE_FAILED


def test_what_is_wrong_here_is_said_here(connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(RestyleError, match=r"raw .*missing\.png cannot be read: no such file") as caught:
        connect().convert(tmp_path / "missing.png", STYLE)
    assert caught.value.code is Code.IMAGE_UNREADABLE
    with pytest.raises(RestyleError, match=r"height not available.*it would be 32"):
        connect().convert(pictures.picture(32, 128), STYLE)
    with pytest.raises(RestyleError, match="float64"):
        connect().convert(RAW / 255, STYLE)
    with pytest.raises(TypeError, match="strenght"):
        connect().convert(RAW, STYLE, strenght=1)
    with pytest.raises(RestyleError, match="NaN"):
        connect().convert(RAW, STYLE, strength=float("nan"))


def test_interruptions_cost_time_and_nothing_else(connect: Connect, service: RunningService) -> None:
    key = service.keys.create(credits=10)
    with fronting(upstream=service.url) as front:
        front.script.extend([hang_up, status(503), lose_answer, forward, hang_up, status(502), forward])
        images = connect(front.url, key).convert(RAW, STYLE, seed=1)
    assert images[0].size == (90, 70)
    submissions = [body for body in front.seen if body["Action"] == "ApplyReferenceStyle"]
    assert len(submissions) == 4
    assert len({body["request_uuid"] for body in submissions}) == 1
    assert connect(key=key).balance().used == 1


def test_retry_after_is_honoured(connect: Connect, service: RunningService) -> None:
    with fronting(upstream=service.url) as front:
        front.script.append(status(429, Retry_After="1"))
        began = time.monotonic()
        connect(front.url).running()
        assert time.monotonic() - began >= 1


@pytest.mark.parametrize(
    ("behaviour", "says_so"),
    [(status(429, Retry_After="3600"), "HTTP 429"), (hang_up, "does not answer"), (status(500), "HTTP 500")],
)
def test_patience_ends(connect: Connect, behaviour: Any, says_so: str) -> None:
    with fronting(behaviour) as front, pytest.raises(NoAnswer, match=says_so) as caught:
        connect(front.url, timeout=1).balance()
    assert caught.value.code == NO_ANSWER


def test_nobody_there(connect: Connect) -> None:
    with fronting() as front:
        pass
    with pytest.raises(NoAnswer, match="does not answer"):
        connect(front.url, retries=1).balance()


def test_waiting_ends_where_nobody_answers_in_time(connect: Connect) -> None:
    def dawdle(front: Front, body: bytes) -> None:
        time.sleep(0.5)

    with fronting(dawdle) as front, pytest.raises(NoAnswer, match=r"task x is still unheard of after 0.3 s.*does not"):
        connect(front.url).wait("x", timeout=0.3)


def test_waiting_ends_but_the_task_goes_on(connect: Connect, tmp_path: Path) -> None:
    client = connect()
    go = tmp_path / "go"
    orders: dict[str, Any] = {"positive_prompts": [f"until {go}"], "translate_prompts": False}
    task = client.submit(RAW, STYLE, model=OBEDIENT, **orders)
    with pytest.raises(NoAnswer, match=f"{task.uid} is still"):
        client.wait(task, timeout=0.3)
    go.touch()
    assert client.wait(task).status == "Finished"


class OtherHouse:
    """A service that knows PICPIK's published fields and no more."""

    def __init__(self, private_key: str) -> None:
        self.private_key = private_key
        self.looks = 0
        self.submitted: dict[str, Any] = {}

    def __call__(self, front: Front, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if not body:
            return 200, {"Content-Type": "image/jpeg"}, pictures.encode(RAW, "JPEG")
        request = front.seen[-1]
        assert request["Signature"] == sign(request, self.private_key)
        common = {"RetCode": 0, "Action": request["Action"], "Message": ""}
        if request["Action"] == "ApplyReferenceStyle":
            self.submitted = request
            return self.say(**common, TaskUID="cktlm6lrh4miq8ng9nf0")
        self.looks += 1
        detail = {"TaskUID": "cktlm6lrh4miq8ng9nf0", "Action": "ApplyReferenceStyle", "Seed": 5, "TxtList": None}
        if self.looks < 3:
            return self.say(**common, TaskDetailList=[{**detail, "Status": "Running", "ImgList": None}])
        return self.say(**common, TaskDetailList=[{**detail, "Status": "Finished", "ImgList": [f"{front.url}/1.jpg"]}])

    def say(self, **answer: Any) -> tuple[int, dict[str, str], bytes]:
        found = says(**answer)(Front(hang_up), b"")
        assert found is not None
        return found[0], dict(found[1]), found[2]


def test_a_service_that_knows_only_the_published_fields(connect: Connect, service: RunningService) -> None:
    house = OtherHouse(service.key.private_key)
    with fronting(house) as front:
        (image,) = connect(front.url).convert(RAW, STYLE, strength=0.7, model="PICPIK Interior Design")
    assert (image.format, image.size) == ("JPEG", (90, 70))
    published = {"Action", "PublicKey", "Signature", "request_uuid", "MainModel", "RawImageIndex", "StyleImageIndex"}
    assert set(house.submitted) == published | {"StyleReferStrength", "ImageList", "Width", "Height"}


def test_codes_of_another_house(connect: Connect) -> None:
    answer = says(RetCode=8888, Action="GetCreditBalance", Message="no luck")
    with fronting(answer) as front, pytest.raises(ServiceError, match="no luck") as caught:
        connect(front.url).balance()
    assert caught.value.code == 8888
    assert caught.value.field is None
    with fronting(says(RetCode="zero")) as front, pytest.raises(NoAnswer, match="no RetCode"):
        connect(front.url).balance()


def test_a_client_needs_no_engine_no_server_and_no_database() -> None:
    program = (
        "import restyle, sys; restyle.Client; restyle.AsyncClient; "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert not {"onnxruntime", "openvino", "fastapi", "uvicorn", "sqlalchemy", "alembic", "typer"} & set(loaded)
    bare = subprocess.run(
        [sys.executable, "-c", "import restyle, sys; print('numpy' in sys.modules, restyle.__version__)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert bare.split() == ["False", restyle.__version__]


def test_names_that_are_not_there() -> None:
    with pytest.raises(AttributeError, match="convrt"):
        getattr(restyle, "convrt")  # noqa: B009 - as a user would misspell it


def test_styles_are_saved_listed_drawn_with_and_deleted(service: RunningService, connect: Connect) -> None:
    client = connect(key=service.keys.create(credits=0, unlimited=True))
    inks = {"sub_models": [{"ModelCode": "ink", "InferenceParams": {"LoraWeight": 0.5}}]}
    client.save_style("Mine", STYLE, strength=0, model=THOROUGH, steps=20, positive_prompts=["wet"], **inks)
    own, *official = client.styles(thumbnails=True)
    assert (own.code, own.is_official, own.options["strength"]) == ("Mine", False, 0)
    assert own.options["model"] == {"ModelCode": THOROUGH, "InferenceParams": {"Steps": 20}}
    assert own.thumbnail.startswith(b"\xff\xd8")
    assert "woodcut" in [style.code for style in official]

    (image,) = client.convert(RAW, "Mine", width=64, height=64)
    assert all(text in image.info["parameters"] for text in ("wet", "Steps: 20", "ink: lora 0.5"))
    # the style's own model, run otherwise: with its sub-models, which another model would not get
    (image,) = client.convert(RAW, "Mine", width=64, height=64, steps=30, positive_prompts=[])
    assert all(text in image.info["parameters"] for text in ("Steps: 30", "ink: lora 0.5", "Model: Thorough"))
    (image,) = client.convert(RAW, "Mine", width=64, height=64, model=OBEDIENT)
    assert "ink" not in image.info["parameters"]

    with pytest.raises(RestyleError, match="not kept with a style") as refused:
        client.save_style("Mine", STYLE, seed=7)
    assert refused.value.field == "seed"
    client.delete_style("Mine")
    with pytest.raises(ServiceError, match="no style") as gone:
        client.convert(RAW, "Mine", width=64, height=64)
    assert gone.value.code == Code.STYLE_NOT_FOUND
