import asyncio
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest

from restyle.http.app import create_app
from restyle.http.openapi import document
from restyle.http.table import ACTIONS
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.fields import Limits
from restyle.wire.names import DEFAULT_MODEL
from tests.support.engines import OBEDIENT
from tests.support.patience import wait_for
from tests.support.service import PICTURE, RunningService, running


def test_health_and_readiness(service: RunningService) -> None:
    for path in ("/healthz", "/readyz"):
        response = service.http.get(path)
        assert (response.status_code, response.json()["RetCode"]) == (200, 0)


def test_a_service_without_a_working_engine_is_alive_but_not_ready(tmp_path: Path) -> None:
    registry = "tests.support.engines:broken_registry"
    with running(tmp_path, ready=False, registry=registry, drain_seconds=0) as service:
        assert service.http.get("/healthz").status_code == 200
        response = service.http.get("/readyz")
        assert (response.status_code, response.json()["Message"]) == (503, "no worker has loaded its engine yet")
        assert "Retry-After" in response.headers


def test_metrics_tell_what_happened(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        service.wait(service.submit())
        service.http.post("/", content=b"x", headers={"Content-Type": "application/json"})
        page = service.http.get("/metrics").text
        for line in (
            'restyle_requests_total{action="ApplyReferenceStyle",code="0"} 1.0',
            'restyle_requests_total{action="",code="4001"} 1.0',
            'restyle_request_seconds_count{action="ApplyReferenceStyle"} 1.0',
            'restyle_tasks{status="Queuing"} 0.0',
            'restyle_tasks{status="Running"} 0.0',
            "restyle_bodies_held_bytes 0.0",
        ):
            assert line in page.splitlines()
        assert "process_resident_memory_bytes" in page
        later = {
            'restyle_tasks_ended_total{code="0"} 1.0',
            'restyle_engine_seconds_count{engine="obedient",megapixels="0.5"} 1.0',
        }
        wait_for(lambda: later <= set(service.http.get("/metrics").text.splitlines()))


def test_unknown_actions_do_not_make_new_metrics(service: RunningService) -> None:
    for number in range(3):
        assert service.call(f"Nothing{number}")["RetCode"] == 161
    assert "Nothing" not in service.http.get("/metrics").text


@pytest.fixture(scope="module")
def openapi(service: RunningService) -> dict[str, Any]:
    response = service.http.get("/openapi.json")
    assert response.headers["Content-Type"] == "application/json"
    made: dict[str, Any] = response.json()
    return made


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_the_document_is_openapi_3_1_whose_references_all_lead_somewhere(openapi: dict[str, Any]) -> None:
    assert openapi["openapi"].startswith("3.1.")
    schemas = openapi["components"]["schemas"]
    found = set(references(openapi))
    assert found == {f"#/components/schemas/{name}" for name in schemas}
    operations = [way["operationId"] for path in openapi["paths"].values() for way in path.values()]
    assert len(set(operations)) == len(operations)


def test_there_is_one_documented_body_per_action(openapi: dict[str, Any]) -> None:
    content = openapi["paths"]["/"]["post"]["requestBody"]["content"]["application/json"]
    mapping = content["schema"]["discriminator"]["mapping"]
    assert set(mapping) == set(ACTIONS) == set(content["examples"])
    assert [each["$ref"] for each in content["schema"]["oneOf"]] == list(mapping.values())
    for action, reference in mapping.items():
        declared = openapi["components"]["schemas"][reference.rpartition("/")[2]]
        assert declared["properties"]["Action"]["const"] == action
        assert declared["description"]
        assert {"Action", "PublicKey", "Signature"} <= set(declared["required"])
        for name, each in declared["properties"].items():
            assert name == "Action" or each["description"], (action, name)


def test_ranges_and_defaults_of_the_page_are_in_the_document(openapi: dict[str, Any]) -> None:
    fields = openapi["components"]["schemas"]["ApplyReferenceStyle"]["properties"]
    assert {name: fields["Width"][name] for name in ("minimum", "maximum", "default", "type")} == {
        "minimum": 64,
        "maximum": 2560,
        "default": 1024,
        "type": "integer",
    }
    assert fields["ResizeMode"]["enum"] == ["JustResize", "CropAndResize", "ResizeAndFill"]
    required = set(openapi["components"]["schemas"]["ApplyReferenceStyle"]["required"])
    assert required == {
        "Action", "PublicKey", "Signature", "RawImageIndex", "ImageList",
    }  # fmt: skip
    assert not required & {"MainModel", "StyleImageIndex"}  # needed unless a kept style is named
    text = json.dumps(openapi)
    assert all(f"{int(code)}: {code.meaning}" in text for code in Code)


def test_real_answers_have_the_documented_fields(service: RunningService, openapi: dict[str, Any]) -> None:
    schemas = openapi["components"]["schemas"]
    uid = service.submit()
    service.wait(uid)
    for action, fields in (
        ("ListTasksDetails", {"TaskUIDList": [uid]}),
        ("ListModels", {}),
        ("ListRunningTasks", {}),
        ("GetCreditBalance", {}),
    ):
        answer = service.call(action, **fields)  # type: ignore[arg-type]
        declared = schemas[f"{action}Answer"]
        assert set(declared["required"]) <= set(answer) <= set(declared["properties"])
    detail = service.task(uid)
    assert set(schemas["TaskDetail"]["required"]) <= set(detail) <= set(schemas["TaskDetail"]["properties"])


def test_the_document_names_the_address_it_is_served_at(service: RunningService, openapi: dict[str, Any]) -> None:
    assert openapi["servers"] == [{"url": service.url}]
    assert json.loads(document("https://a.example/", Limits()))["servers"] == [{"url": "https://a.example"}]


class Links(HTMLParser):
    """Collects what a page refers to, and whether its elements close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "br"}:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.add(value or "")
            if name == "href" and (value or "").startswith("#"):
                self.anchors.add((value or "")[1:])
            elif name in {"src", "href", "style"} or name.startswith("on"):
                self.outside.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_on_its_own(service: RunningService) -> None:
    response = service.http.get("/docs")
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    links = Links()
    links.feed(response.text)
    assert links.open == []
    assert links.outside == ["openapi.json"]
    assert links.anchors <= links.ids
    assert set(ACTIONS) <= links.ids
    assert "<script" not in response.text
    assert set(re.findall(r"https?://[^/\s]+", response.text)) == {"http://127.0.0.1:8484", service.url}
    for code in Code:
        assert f"<td>{int(code)}</td><td>{code.meaning}</td>" in response.text


class Blocks(HTMLParser):
    """The text of each block that is to be pasted, and the heading above it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._heading = self._text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"h2", "h3", "h4", "pre"}:
            self._text = ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag in {"h2", "h3", "h4"}:
            self._heading = self._text
        if tag == "pre":
            self.found.append((self._heading, self._text))

    def under(self, heading: str) -> list[str]:
        return [text for each, text in self.found if each == heading]


@pytest.fixture
def blocks(service: RunningService, tmp_path: Path) -> Blocks:
    """Of the page, in a folder with the two pictures that its examples name."""
    for name in ("photo.jpg", "painting.jpg"):
        (tmp_path / name).write_bytes(base64.b64decode(PICTURE))
    return Blocks(service.http.get("/docs").text.replace(DEFAULT_MODEL, OBEDIENT))


def environment_of(service: RunningService) -> dict[str, str]:
    keys = {"RESTYLE_PUBLIC_KEY": service.key.public_key, "RESTYLE_PRIVATE_KEY": service.key.private_key}
    return {**os.environ, "RESTYLE_URL": service.url, **keys}


def test_the_python_of_the_page_runs(service: RunningService, blocks: Blocks, tmp_path: Path) -> None:
    calls = [f"{code}\nprint(json.dumps(answer))" for code in blocks.under("In Python")]
    assert len(calls) == len(ACTIONS)
    program = "\n".join([*blocks.under("Python"), *calls])
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment_of(service), capture_output=True, text=True
    )
    codes = {answer["Action"]: answer["RetCode"] for answer in map(json.loads, run.stdout.splitlines())}
    assert codes.pop("TerminateTask") in (0, 4011), run
    assert (set(codes.values()), len(codes)) == ({0}, len(ACTIONS) - 1), run


@pytest.mark.skipif(not all(map(shutil.which, ("curl", "sha1sum", "base64"))), reason="no curl, sha1sum or base64")
def test_the_shell_of_the_page_runs(service: RunningService, blocks: Blocks, tmp_path: Path) -> None:
    assert f"RESTYLE_URL={service.url}\n" in blocks.under("Shell")[0]
    uid = service.submit()
    calls = [text.replace("TASK=...", f"TASK={uid}") + "\necho" for text in blocks.under("With curl")]
    run = subprocess.run(
        ["sh", "-c", "\n".join(calls)], cwd=tmp_path, env=environment_of(service), capture_output=True, text=True
    )
    codes = {answer["Action"]: answer["RetCode"] for answer in map(json.loads, run.stdout.splitlines())}
    assert codes.pop("TerminateTask") in (0, 4011), run
    assert (set(codes.values()), len(codes)) == ({0}, len(ACTIONS) - 1), run


def test_the_signature_of_the_page_can_be_followed(blocks: Blocks) -> None:
    (text,) = blocks.under("3. One after the other: the canonical text")
    (check,) = blocks.under("4. The private key behind it, and the SHA-1 of all")
    (signed,) = blocks.under("5. The request, signed")
    assert hashlib.sha1(f"{text}123456".encode()).hexdigest() == json.loads(signed)["Signature"]
    assert text in check
    assert json.loads(signed)["Signature"] in check


def test_a_browser_at_the_root_is_led_to_the_documents(service: RunningService) -> None:
    for method in ("GET", "HEAD"):
        response = service.http.request(method, "/")
        assert (response.status_code, response.headers["Location"], response.content) == (303, "docs", b"")
    assert "<title>Restyle" in service.http.get("/", follow_redirects=True).text


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"])
def test_what_can_be_read_answers_head_with_the_same_headers(service: RunningService, path: str) -> None:
    head, got = service.http.head(path), service.http.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == got.headers["Content-Type"]
    if path != "/metrics":
        assert int(head.headers["Content-Length"]) == len(got.content)


def test_pages_of_other_origins_may_call_only_where_a_setting_allows_it(tmp_path: Path) -> None:
    """In this process: health needs no worker."""

    async def answers(origins: str, origin: str) -> tuple[httpx.Response, httpx.Response]:
        app = create_app(Settings(data_dir=tmp_path, cors_origins=origins))
        ask = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            preflight = await client.options("/", headers=ask | {"Access-Control-Request-Headers": "content-type"})
            return preflight, await client.get("/healthz", headers={"Origin": origin})

    def asked(origins: str, origin: str) -> httpx.Response:
        preflight, response = asyncio.run(answers(origins, origin))
        allowed = response.headers.get("Access-Control-Allow-Origin")
        assert allowed == preflight.headers.get("Access-Control-Allow-Origin")
        assert (preflight.status_code == 200) == (allowed is not None)
        return response

    page = "https://app.example.org"
    assert "Access-Control-Allow-Origin" not in asked("", page).headers
    assert asked(f"http://127.0.0.1:3000, {page}", page).headers["Access-Control-Allow-Origin"] == page
    assert "Access-Control-Allow-Origin" not in asked(page, "https://evil.example.org").headers
    assert asked("*", page).headers["Access-Control-Allow-Origin"] == "*"
