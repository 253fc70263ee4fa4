import base64
import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from restyle.images.encode import encode_png
from restyle.wire.names import DEFAULT_MODEL
from restyle.wire.signature import sign
from tests.support.folders import files
from tests.support.patience import NEVER, PATIENCE
from tests.support.pictures import encode, picture
from tests.support.service import PICTURE, RunningService, running, submission

PAGE: dict[str, Any] = {
    "MainModel": {"ModelCode": "PICPIK Interior Design"},
    "SubModelList": [],
    "PositivePrompts": ["a apple"],
    "NegativePrompts": [],
    "TranslatePrompts": True,
    "Seed": -1,
    "Width": 1024,
    "Height": 1024,
    "BatchSize": 1,
    "UseMainModelVAE": True,
    "RawImageIndex": 0,
    "StyleImageIndex": 1,
    "StyleReferStrength": 0.5,
    "ImageList": [PICTURE, PICTURE],
}
"""The request example of PICPIK's page, with real pictures."""


def test_the_example_of_the_page_runs_as_it_stands(service: RunningService) -> None:
    detail = service.wait(service.submit(**PAGE))
    assert (detail["Status"], detail["ErrorCode"], detail["ErrorMassage"]) == ("Finished", 0, "")
    with Image.open(BytesIO(service.http.get(detail["ImgList"][0]).content)) as image:
        assert (image.size, image.format, image.mode) == ((1024, 1024), "PNG", "RGB")


def test_a_task_from_submission_to_pictures(service: RunningService) -> None:
    uid = service.submit(Seed=2147483646, BatchSize=3, Width=65, Height=64)
    assert len(uid) == 20
    detail = service.wait(uid)
    assert detail["Seed"] == 2147483646
    assert detail["SeedList"] == [2147483646, 2147483647, 0]
    assert (detail["Progress"], detail["ConsumeApiPoint"], detail["TxtList"]) == (1, 3, [])
    assert detail["ErrorMassage"] == detail["ErrorMessage"] == ""
    assert detail["CreateTime"] <= detail["StartTime"] <= detail["FinishTime"] < detail["ExpireTime"]
    assert detail["ExpireTime"] - detail["FinishTime"] == 24 * 3600
    assert "QueuePosition" not in detail
    pictures = [service.http.get(url) for url in detail["ImgList"]]
    assert len({picture.content for picture in pictures}) == 3
    for response in pictures:
        with Image.open(BytesIO(response.content)) as image:
            assert image.size == (65, 64)


def test_a_drawn_seed_is_reported_and_draws_again(service: RunningService) -> None:
    first = service.wait(service.submit(Seed=-1, BatchSize=2))
    assert 0 <= first["Seed"] <= 2147483647
    again = service.wait(service.submit(Seed=first["SeedList"][1]))
    one, other = service.http.get(first["ImgList"][1]), service.http.get(again["ImgList"][0])
    with Image.open(BytesIO(one.content)) as left, Image.open(BytesIO(other.content)) as right:
        assert left.tobytes() == right.tobytes()


def test_the_same_submission_twice_is_one_task(service: RunningService) -> None:
    key = service.keys.create(credits=10)
    first = service.submit(key=key, request_uuid="again")
    assert service.submit(key=key, request_uuid="again") == first
    assert service.call("GetCreditBalance", key)["UsedCredits"] == 1
    other = service.call("ApplyReferenceStyle", key, request_uuid="again", **submission(Seed=5))
    assert (other["RetCode"], other["Field"]) == (4010, "request_uuid")
    assert service.submit(request_uuid="again") != first  # another account's mark is its own


def test_a_body_that_signs_alike_is_not_the_same(service: RunningService) -> None:
    key = service.keys.create(credits=10)
    service.submit("draw 0.1", "x", key=key, request_uuid="alike")
    changed = submission("draw 0.1x", request_uuid="alike", Action="ApplyReferenceStyle", PublicKey=key.public_key)
    assert service.call("ApplyReferenceStyle", key, **changed)["RetCode"] == 4010


def test_the_same_submission_at_once_is_one_task(service: RunningService) -> None:
    key = service.keys.create(credits=10)
    uids: list[str] = []
    threads = [
        threading.Thread(target=lambda: uids.append(service.submit(key=key, request_uuid="race"))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(uids) == 6
    assert len(set(uids)) == 1
    assert service.call("GetCreditBalance", key)["UsedCredits"] == 1
    inputs = service.settings.data_dir / "objects" / "inputs"
    assert sum(uids[0] in str(path) for path in files(inputs)) <= 2


def test_a_refused_submission_leaves_nothing_behind(service: RunningService) -> None:
    key = service.keys.create(credits=3)
    before = files(service.settings.data_dir / "objects" / "inputs")
    answer = service.call("ApplyReferenceStyle", key, **submission(f"draw {NEVER}", BatchSize=4))
    assert answer["RetCode"] == 4007
    after = files(service.settings.data_dir / "objects" / "inputs")
    assert after <= before
    assert service.call("ListRunningTasks", key)["TaskUIDList"] == []
    assert service.call("GetCreditBalance", key) == {
        "RetCode": 0,
        "Action": "GetCreditBalance",
        "Message": "",
        "TotalCredits": 3,
        "UsedCredits": 0,
    }


def test_credits_are_taken_at_submission_and_return_with_an_error(service: RunningService) -> None:
    key = service.keys.create(credits=10)
    uid = service.submit(f"draw {NEVER}", key=key, Width=2000, Height=1000, BatchSize=2)
    assert service.call("GetCreditBalance", key)["UsedCredits"] == 4
    assert service.task(uid, key)["ConsumeApiPoint"] == 4
    assert service.call("TerminateTask", key, TaskUID=uid)["RetCode"] == 0
    assert service.call("GetCreditBalance", key)["UsedCredits"] == 0
    assert service.task(uid, key)["ConsumeApiPoint"] == 0


def test_a_task_is_terminated_once_and_only_by_its_owner(service: RunningService) -> None:
    uid = service.submit(f"draw {NEVER}")
    stranger = service.keys.create(credits=0)
    assert service.wait(uid, "Running")["Status"] == "Running"
    assert uid in service.call("ListRunningTasks")["TaskUIDList"]
    for action, fields in (("TerminateTask", {"TaskUID": uid}), ("ListTasksDetails", {"TaskUIDList": [uid]})):
        answer = service.call(action, stranger, **fields)
        assert answer["RetCode"] == 4006
        assert uid in answer["Message"]
    answer = service.call("TerminateTask", TaskUID=uid)
    assert answer == {"RetCode": 0, "Action": "TerminateTask", "Message": ""}
    detail = service.task(uid)
    assert (detail["Status"], detail["ErrorCode"], detail["ImgList"]) == ("Error", 5104, [])
    assert detail["ErrorMassage"] == detail["ErrorMessage"] != ""
    assert uid not in service.call("ListRunningTasks")["TaskUIDList"]
    again = service.call("TerminateTask", TaskUID=uid)
    assert (again["RetCode"], again["Field"]) == (4011, "TaskUID")


def test_details_come_in_the_order_asked_with_places_in_the_queue(service: RunningService) -> None:
    uids = [service.submit(f"draw {NEVER}"), service.submit(), service.submit()]
    service.wait(uids[0], "Running")
    asked = [uids[2], uids[0], uids[1], uids[2]]
    details = service.call("ListTasksDetails", TaskUIDList=asked)["TaskDetailList"]
    assert [detail["TaskUID"] for detail in details] == asked
    assert [detail.get("QueuePosition") for detail in details] == [2, None, 1, 2]
    assert 0 <= details[1]["Progress"] < 1
    unknown = "cktlm6lrh4miq8ng9nf0"
    answer = service.call("ListTasksDetails", TaskUIDList=[uids[0], unknown])
    assert answer["RetCode"] == 4006
    assert unknown in answer["Message"]
    for uid in uids:
        service.call("TerminateTask", TaskUID=uid)


def test_models_are_listed_by_code_and_may_be_passed_back_whole(service: RunningService) -> None:
    answer = service.call("ListModels")
    assert {"Restyle Painter", "PICPIK Interior Design"} <= set(answer["MainModels"])
    for kind, code in (("LoraModels", "ink"), ("EmbeddingModels", "charm"), ("HypernetworkModels", "wash")):
        assert list(answer[kind]) == [code]
    for code, model in answer["MainModels"].items():
        assert model["ModelCode"] == code
        assert model["IsOfficial"] is True
    model = answer["MainModels"]["Restyle Painter"]
    assert service.task(service.submit(MainModel=model))["Notices"] == []


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A service with the registry that ships. Its worker need not be ready: submissions wait."""
    changes: dict[str, Any] = {"registry": "", "drain_seconds": 0}
    with running(tmp_path_factory.mktemp("embedded"), ready=False, **changes) as started:
        yield started


@pytest.mark.parametrize(
    ("code", "name"),
    [("PICPIK Interior Design", DEFAULT_MODEL), *[(name, name) for name in ("Restyle Brush", "Restyle Painter")]],
)
def test_what_an_engine_does_not_use_is_named(embedded: RunningService, code: str, name: str) -> None:
    params = {"Steps": 20, "Sampler": "Euler", "ClipSkip": 2, "CFGScale": 7.5, "LoraWeight": 1}
    changes = {
        **PAGE,
        "MainModel": {"ModelCode": code, "InferenceParams": params},
        "NegativePrompts": ["rain"],
    }
    notices = embedded.task(embedded.submit(**changes))["Notices"]
    named = ["PositivePrompts", "NegativePrompts", "UseMainModelVAE"]
    named += [f"MainModel.InferenceParams.{param}" for param in params]
    assert [notice.split()[0] for notice in notices] == named
    assert all(f"is not used by {name}" in notice for notice in notices)
    least: dict[str, Any] = {"Width": 64, "MainModel": {"ModelCode": code}}
    assert embedded.task(embedded.submit(**least))["Notices"] == []


@pytest.mark.parametrize("code", ["x", "Restyle Painter", "LoRA of somebody"])
def test_an_embedded_engine_takes_no_sub_models(embedded: RunningService, code: str) -> None:
    changes = {**PAGE, "SubModelList": [{"ModelCode": code}]}
    answer = embedded.call("ApplyReferenceStyle", **changes)
    assert (answer["RetCode"], answer["Field"]) == (4005, "SubModelList[0].ModelCode")


def test_an_unknown_model_is_named(service: RunningService) -> None:
    answer = service.call("ApplyReferenceStyle", **submission(MainModel={"ModelCode": "Nobody's"}))
    assert (answer["RetCode"], answer["Field"]) == (4004, "MainModel.ModelCode")
    assert "Nobody's" in answer["Message"]


SMALL = encode_png(picture(24, 32))


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(SMALL).decode(),
        "data:image/png;base64," + base64.b64encode(SMALL).decode(),
        "DATA:IMAGE/JPEG;BASE64," + base64.b64encode(SMALL).decode(),
        base64.encodebytes(SMALL).decode(),
        base64.encodebytes(SMALL).decode().replace("\n", "\r\n"),
        "  data:image/png;base64, " + " ".join(base64.b64encode(SMALL).decode()) + "\t",
        *(base64.b64encode(encode(picture(24, 32), kind)).decode() for kind in ("JPEG", "WEBP", "AVIF", "GIF")),
        *(base64.b64encode(encode(picture(24, 32), kind)).decode() for kind in ("BMP", "TIFF")),
    ],
)
def test_pictures_are_taken_in_every_spelling(service: RunningService, text: str) -> None:
    detail = service.wait(service.submit(ImageList=[PICTURE, text]))
    assert (detail["Status"], detail["ErrorMessage"]) == ("Finished", "")


def test_pictures_are_stored_as_they_came(service: RunningService) -> None:
    odd = encode(picture(31, 33), "JPEG", quality=71)
    uid = service.submit(f"draw {NEVER}", ImageList=[PICTURE, base64.b64encode(odd).decode()])
    stored = Path(service.settings.data_dir / "objects" / "inputs" / uid / "1")
    assert stored.read_bytes() == odd
    service.call("TerminateTask", TaskUID=uid)


def test_one_picture_may_be_both_raw_and_style(service: RunningService) -> None:
    assert service.wait(service.submit(ImageList=[PICTURE], StyleImageIndex=0))["Status"] == "Finished"


def test_extra_fields_are_signed_and_ignored(service: RunningService) -> None:
    body: dict[str, Any] = {
        "Action": "ListModels",
        "PublicKey": service.key.public_key,
        "Later": {"b": [1.50, None], "a": "ü"},
    }
    signed = {**body, "Signature": sign(body, service.key.private_key)}
    assert service.http.post("/", json=signed).json()["RetCode"] == 0
    signed["Later"] = {"b": [1.51, None], "a": "ü"}
    assert service.http.post("/", json=signed).json()["RetCode"] == 171


def test_an_account_has_a_limit_of_unfinished_tasks(tmp_path: Path) -> None:
    with running(tmp_path, max_unfinished_tasks=3, drain_seconds=0) as service:
        uids = [service.submit(f"draw {NEVER}") for _ in range(3)]
        assert service.call("ApplyReferenceStyle", **submission())["RetCode"] == 4009
        service.call("TerminateTask", TaskUID=uids[2])
        assert service.call("ApplyReferenceStyle", **submission(f"draw {NEVER}"))["RetCode"] == 0
