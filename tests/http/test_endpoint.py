import hashlib
import json
import threading
import time
from datetime import datetime
from typing import Any

import httpx
import pytest

from restyle.accounts.keys import KeyPair
from restyle.wire.signature import HEADER, sign, sign_header
from tests.support.patience import PATIENCE, wait_for
from tests.support.service import RunningService, submission
from tests.support.vectors import PRIVATE_KEY, PUBLIC_KEY, VECTORS

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="session")  # as long as the service, which takes a key once
def published(service: RunningService) -> KeyPair:
    return service.adopt(PUBLIC_KEY, PRIVATE_KEY)


@pytest.mark.parametrize(
    ("vector", "code"), list(zip(VECTORS, [0, 0, 4006, 4005, 4005, 4003], strict=True)), ids=range(len(VECTORS))
)
def test_the_published_vectors_are_let_in(
    service: RunningService, published: KeyPair, vector: tuple[dict[str, Any], str], code: int
) -> None:
    """Past the signature each meets what its fields deserve: tasks, sub-models and pictures that are not there."""
    fields, signature = vector
    body = {"PublicKey": published.public_key, **fields}
    assert service.http.post("/", json={**body, "Signature": signature}).json()["RetCode"] == code
    wrong = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    assert service.http.post("/", json={**body, "Signature": wrong}).json()["RetCode"] == 171


def test_numbers_sign_as_other_languages_print_them(service: RunningService) -> None:
    body = {"PublicKey": service.key.public_key, "Action": "ListModels", "x": [1e-07, 1e22, 42.0]}
    text = f"ActionListModelsPublicKey{service.key.public_key}x0.00000011000000000000000000000042"
    signature = hashlib.sha1((text + service.key.private_key).encode()).hexdigest()
    raw = json.dumps({**body, "Signature": signature}).replace("1e+22", "1E22").encode()
    assert service.http.post("/", content=raw, headers=JSON).json()["RetCode"] == 0


def test_answers_echo_the_action_and_the_mark(service: RunningService) -> None:
    assert service.call("ListModels", request_uuid="my-mark")["request_uuid"] == "my-mark"
    assert "request_uuid" not in service.call("ListModels")
    failed = service.call("TerminateTask", request_uuid="my-mark")
    assert (failed["Action"], failed["request_uuid"]) == ("TerminateTask", "my-mark")
    assert (failed["RetCode"], failed["Field"]) == (220, "TaskUID")
    assert "TaskUID" in failed["Message"]


def test_checks_come_in_the_documented_order(service: RunningService) -> None:
    """Each step mends the fault of the step before and leaves all later ones."""
    key = service.key
    body: dict[str, Any] = {"request_uuid": 5, "Signature": "x"}

    def code(**changes: Any) -> tuple[int, str]:
        body.update(changes)
        answer = service.http.post("/", json=body).json()
        return answer["RetCode"], answer["Field"]

    assert code() == (220, "Action")
    assert code(Action="Nothing") == (161, "Action")
    assert code(Action="TerminateTask") == (220, "PublicKey")
    assert code(PublicKey="nobody") == (172, "PublicKey")
    assert code(PublicKey=key.public_key) == (171, "Signature")
    assert code(Signature=sign(body, key.private_key)) == (220, "TaskUID")
    body["TaskUID"] = "x"
    assert code(Signature=sign(body, key.private_key)) == (230, "request_uuid")
    del body["request_uuid"]
    assert code(Signature=sign(body, key.private_key)) == (4006, "TaskUID")


def test_a_disabled_key_and_an_unknown_one_are_answered_alike(service: RunningService) -> None:
    pair = service.keys.create(credits=0)
    assert service.call("ListModels", pair)["RetCode"] == 0
    service.keys.disable(pair.public_key)
    unknown = KeyPair("nobody", pair.private_key, 0)
    assert service.call("ListModels", pair) == service.call("ListModels", unknown)
    assert service.call("ListModels", pair)["RetCode"] == 172


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("PUT", "/", 405, 161),
        ("DELETE", "/", 405, 161),
        ("POST", "/readyz", 405, 161),
        ("POST", "/nothing", 404, 161),
        ("GET", "/results/", 404, 161),
        ("GET", "/results/a/b.png", 404, 161),
        ("GET", f"/results/a/{'9' * 5000}.png", 404, 161),
        ("GET", "/results/a/-1.png", 404, 161),
        ("GET", "/results/a/00.png", 404, 161),
        ("GET", "/results/a/%D9%A3.png", 404, 161),
        ("GET", "/results/a/1_0.png", 404, 161),
        ("GET", "/results/a/0.png/", 404, 161),
        ("GET", "/healthz/", 404, 161),
        ("GET", "/docs/", 404, 161),
    ],
)
def test_ways_that_do_not_exist(service: RunningService, method: str, path: str, status: int, code: int) -> None:
    response = service.http.request(method, path)
    assert (response.status_code, response.json()["RetCode"]) == (status, code)
    assert "Location" not in response.headers
    assert (status == 405) == ("Allow" in response.headers)


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"']
)
def test_content_types_that_are_taken(service: RunningService, kind: str) -> None:
    raw = json.dumps(service.sign({"Action": "ListModels"})).encode()
    assert service.http.post("/", content=raw, headers={"Content-Type": kind}).json()["RetCode"] == 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_content_types_that_are_not(service: RunningService, headers: dict[str, str]) -> None:
    raw = json.dumps(service.sign({"Action": "ListModels"})).encode()
    response = service.http.post("/", content=raw, headers=headers)
    assert (response.status_code, response.json()["RetCode"]) == (415, 4001)


def timed(service: RunningService, key: KeyPair, header: str | None, **fields: Any) -> dict[str, Any]:
    raw = json.dumps(service.sign({"Action": "ListModels", **fields}, key)).encode()
    value = sign_header(raw, key.private_key, int(time.time())) if header == "right" else header
    headers = JSON if value is None else {**JSON, HEADER: value}
    answer: dict[str, Any] = service.http.post("/", content=raw, headers=headers).json()
    return answer


def test_a_key_may_require_the_timed_header(service: RunningService) -> None:
    strict = service.keys.create(credits=0, requires_timestamp=True)
    for key in (strict, service.key):
        assert timed(service, key, "right")["RetCode"] == 0
        assert timed(service, key, "right", x="y" * 200_000)["RetCode"] == 0
        stale = sign_header(b"", key.private_key, 5)
        for header, code in (("t=5,v1=00", 171), (stale, 171), ("nonsense", 230), ("", 230)):
            answer = timed(service, key, header)
            assert (answer["RetCode"], answer["Field"]) == (code, HEADER)
    assert timed(service, service.key, None)["RetCode"] == 0
    assert timed(service, strict, None)["RetCode"] == 220


@pytest.mark.parametrize("away", [-400, 400])
def test_a_timed_header_from_another_time_is_refused(service: RunningService, away: int) -> None:
    raw = json.dumps(service.sign({"Action": "ListModels"})).encode()
    value = sign_header(raw, service.key.private_key, int(time.time()) + away)
    answer = service.http.post("/", content=raw, headers={**JSON, HEADER: value}).json()
    assert (answer["RetCode"], answer["Field"]) == (4010, HEADER)


def test_an_internal_error_tells_a_number_and_nothing_else(service: RunningService) -> None:
    """The database is out of order for a moment: a table is not where it was."""
    with service.db.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE requests RENAME TO elsewhere")
    try:
        response = service.post({"Action": "ApplyReferenceStyle", "request_uuid": "u-5000", **submission()})
    finally:
        with service.db.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO requests")
    answer = response.json()
    assert (response.status_code, answer["RetCode"]) == (200, 5000)
    incident = answer["Message"].split()[3]
    assert "requests" not in answer["Message"]
    logged = next(line for line in service.log.read_text().splitlines() if incident in line)
    assert "no such table" in logged
    assert service.call("ListModels")["RetCode"] == 0


def test_the_log_tells_who_asked_for_a_task_and_how_it_went(service: RunningService) -> None:
    body = service.sign({"Action": "ApplyReferenceStyle", **submission()})
    uid = service.http.post("/", json=body, headers={"X-Forwarded-For": "192.0.2.9"}).json()["TaskUID"]
    detail = service.wait(uid)

    def ended() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in service.log.read_text().splitlines() if uid in line]
        return lines if any(line["event"] == "task ended" for line in lines) else []

    wait_for(ended)
    request, started, end = (
        next(line for line in ended() if line["event"] == event) for event in ("request", "task started", "task ended")
    )
    assert (request["client"], request["task"], request["action"]) == ("192.0.2.9", uid, "ApplyReferenceStyle")
    assert (started["task"], end["task"], end["outcome"], end["code"]) == (uid, uid, "done", 0)
    began, done = (datetime.fromisoformat(end[name]) for name in ("started", "ended"))
    assert end["seconds"] == pytest.approx((done - began).total_seconds(), abs=0.01)
    service.http.get(detail["ImgList"][0])
    assert any(line["event"] == "result" and line["status"] == 200 for line in ended())


def test_a_refused_signature_shows_what_was_to_be_signed(service: RunningService) -> None:
    body = service.sign({"Action": "GetCreditBalance", "Note": "é" * 50})
    answer = service.http.post("/", json={**body, "Signature": "0" * 40}).json()
    text = f"ActionGetCreditBalanceNote{'é' * 50}PublicKey{service.key.public_key}"
    assert answer["RetCode"] == 171
    for part in (hashlib.sha256(text.encode()).hexdigest(), f'"{text[:32]}"', f'"{text[-32:]}"', f"{len(text)} char"):
        assert part in answer["Message"]
    assert service.key.private_key not in answer["Message"]
    small = {"Action": "GetCreditBalance", "Note": 1e-05, "PublicKey": service.key.public_key}
    signed = f"ActionGetCreditBalanceNote1e-05PublicKey{service.key.public_key}{service.key.private_key}"
    small["Signature"] = hashlib.sha1(signed.encode()).hexdigest()
    assert service.http.post("/", json=small).json()["RetCode"] == 0


def test_private_keys_and_pictures_are_never_logged(service: RunningService) -> None:
    service.submit()
    log = service.log.read_text()
    assert service.key.public_key in log
    assert service.key.private_key not in log
    assert submission()["ImageList"][0][:40] not in log


def test_a_list_passes_large_bodies_that_arrive(service: RunningService) -> None:
    """Large bodies are parsed and hashed beside the event loop, in threads of their own: lists do not wait for them."""
    large = json.dumps(service.sign({"Action": "ListModels", "x": "A" * 20_000_000})).encode()
    stop = threading.Event()
    done: list[int] = []

    def flood() -> None:
        with httpx.Client(base_url=service.url, timeout=PATIENCE) as http:
            while not stop.is_set():
                done.append(http.post("/", content=large, headers=JSON).json()["RetCode"])

    threads = [threading.Thread(target=flood) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        body = service.sign({"Action": "ListRunningTasks"})
        wait_for(lambda: len(done) >= 2)
        before = len(done)
        for _ in range(60):
            assert service.http.post("/", json=body).json()["RetCode"] == 0
        passed = len(done) - before
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert set(done) == {0}
    assert passed < 30, "half as many large ones were answered as lists"
