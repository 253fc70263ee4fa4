"""What strangers may ask of a whole service, the Studio included, and what they cannot do to it."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from restyle.http.table import ACTIONS
from restyle.wire.codes import Code
from tests.support.mutants import Barrage, Body, originals
from tests.support.openapi import PATHS, bodies, damaged
from tests.support.patience import PATIENCE
from tests.support.service import RunningService, running, submission

PROGRAM = """
import json
from restyle.http.server import serve
from restyle.settings import Settings
from restyle.studio.app import mount

def extend(app, service):
    mount(app, service)
    routes = [[method, route.path] for route in app.routes for method in sorted(route.methods)]
    (service.settings.data_dir / "routes.json").write_text(json.dumps(routes))

if __name__ == "__main__":
    serve(Settings(), bound=lambda address: print(address, flush=True), extend=extend, home="studio")
"""
STRANGER = {"X-Forwarded-For": "203.0.113.9"}
"""As a proxy on this machine tells of a client elsewhere."""
MIB = 1024 * 1024

ALL, SIGNED, LINK, INTERNAL, SESSION, OPERATOR = "all", "signed", "link", "internal", "session", "operator"
READ = ("GET", "HEAD")
WHO: dict[str, dict[str, str]] = {
    "/": {"POST": SIGNED, **dict.fromkeys(READ, ALL)},
    "/results/{uid}/{index}.png": dict.fromkeys(READ, LINK),
    "/healthz": dict.fromkeys(READ, ALL),
    "/readyz": dict.fromkeys(READ, ALL),
    "/metrics": dict.fromkeys(READ, INTERNAL),
    "/openapi.json": dict.fromkeys(READ, INTERNAL),
    "/docs": dict.fromkeys(READ, INTERNAL),
    "/studio/static/{version}/{name}": {"GET": ALL},
    "/studio/static/{version}/styles.jpg": {"GET": ALL},
    "/studio/sign-in": {"GET": ALL, "POST": ALL},
    "/studio/open": {"GET": ALL, "POST": ALL},
    "/studio/sign-out": {"POST": ALL},
    "/studio/preferences": {"POST": ALL},
    "/studio": {"GET": SESSION},
    "/studio/": {"GET": SESSION},
    "/studio/convert": {"POST": SESSION},
    "/studio/settings": {"POST": SESSION},
    "/studio/recent": {"GET": SESSION},
    "/studio/uploads": {"POST": SESSION},
    "/studio/uploads/{id}/{size}": {"GET": SESSION},
    "/studio/uploads/{id}/reuse": {"POST": SESSION},
    "/studio/runs/{run}": {"GET": SESSION},
    "/studio/runs/{run}/stage": {"GET": SESSION},
    "/studio/runs/{run}/state": {"GET": SESSION},
    "/studio/runs/{run}/events": {"GET": SESSION},
    "/studio/runs/{run}/items/{position}": {"GET": SESSION},
    "/studio/runs/{run}/results.zip": {"GET": SESSION},
    "/studio/runs/{run}/cancel": {"POST": SESSION},
    "/studio/runs/{run}/again": {"POST": SESSION},
    "/studio/styles": {"POST": SESSION},
    "/studio/styles/{code}": {"POST": SESSION},
    "/studio/styles/{code}/forget": {"POST": SESSION},
    "/studio/styles/{code}/reuse": {"POST": SESSION},
    "/studio/styles/{code}/thumbnail": {"GET": SESSION},
    "/studio/results/{uid}/{index}/reuse": {"POST": SESSION},
    "/studio/results/{uid}/{index}/file": {"GET": SESSION},
    "/studio/results/{uid}/{index}/thumbnail": {"GET": SESSION},
    "/studio/tasks/{uid}": {"GET": SESSION},
    "/studio/tasks/{uid}/copies": {"GET": SESSION},
    "/studio/tasks/{uid}/favourite": {"POST": SESSION},
    "/studio/history": {"GET": SESSION},
    "/studio/favourites": {"GET": SESSION},
    "/studio/favourites/{uid}/remove": {"POST": SESSION},
    "/studio/account": {"GET": SESSION},
    "/studio/account/keys": {"POST": SESSION},
    "/studio/account/keys/{key}/rename": {"POST": SESSION},
    "/studio/account/keys/{key}/disable": {"POST": SESSION},
    "/studio/account/keys/{key}/enable": {"POST": SESSION},
    "/studio/account/keys/{key}/rotate": {"POST": SESSION},
    "/studio/console": {"GET": SESSION},
    "/studio/docs": {"GET": SESSION},
    "/studio/openapi.json": {"GET": SESSION},
    "/studio/operator": {"GET": OPERATOR},
    "/studio/operator/live": {"GET": OPERATOR},
    "/studio/operator/models": {"GET": OPERATOR},
    "/studio/operator/installs": {"GET": OPERATOR},
    "/studio/operator/installs/{name}": {"POST": OPERATOR},
    "/studio/operator/installs/{name}/stop": {"POST": OPERATOR},
    "/studio/operator/accounts": {"GET": OPERATOR, "POST": OPERATOR},
    "/studio/operator/accounts/{account}/credits": {"POST": OPERATOR},
    "/studio/operator/keys/{key}/{to}": {"POST": OPERATOR},
}
"""Every route there is, and who may call it. One that is new is written here first."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with the Studio."""
    limits = ("max_unfinished_tasks", "requests_per_minute", "requests_per_address")
    many: dict[str, Any] = dict.fromkeys(limits, 10**6)
    with running(tmp_path_factory.mktemp("whole"), program=PROGRAM, **many) as service:
        yield service


@contextmanager
def browsing(service: RunningService) -> Iterator[httpx.Client]:
    """A browser elsewhere."""
    with httpx.Client(base_url=service.url, headers={**STRANGER, "Origin": service.url}, timeout=PATIENCE) as browser:
        yield browser


@contextmanager
def signed_in(service: RunningService, *, operator: bool) -> Iterator[httpx.Client]:
    """A browser elsewhere, with a session of a new account."""
    pair = service.keys.create(credits=0, operator=operator)
    form = {"public_key": pair.public_key, "private_key": pair.private_key}
    with browsing(service) as browser:
        assert browser.post("/studio/sign-in", data=form).status_code == 303
        yield browser


def test_every_route_answers_those_it_is_for_and_nobody_else(whole: RunningService) -> None:
    routes = json.loads((whole.settings.data_dir / "routes.json").read_text())
    assert {(method, path) for method, path in routes} == {(way, path) for path, ways in WHO.items() for way in ways}
    uid = whole.submit()
    url = whole.wait(uid)["ImgList"][0]
    strangers = browsing(whole)
    with strangers as stranger, signed_in(whole, operator=False) as user, signed_in(whole, operator=True) as operator:
        for method, path in routes:
            place = path.replace("{uid}", uid).replace("{index}", "0")
            place = re.sub(r"\{\w+\}", "1", place)
            who, told = WHO[path][method], f"{method} {path}"
            answer = stranger.request(method, place)
            match who:
                case "all":
                    assert answer.status_code not in (401, 403), told
                case "signed":
                    assert answer.json()["RetCode"] == 4001, told
                case "link":
                    assert answer.status_code == 403, told
                    assert stranger.request(method, url).status_code == 200, told
                case "internal":
                    assert answer.status_code == 403, told
                    assert whole.http.request(method, place).status_code == 200, told
                    assert user.request(method, place).status_code == 403, told
                case _:
                    assert (answer.status_code, method) in ((303, "GET"), (401, "POST")), told
                    assert method == "POST" or "/sign-in" in answer.headers["Location"], told
            if method == "POST" and path != "/":  # what no page of ours has sent
                for other in (stranger, user, operator):
                    elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
                    assert other.post(place, headers=elsewhere).status_code == 403, told
            if who == OPERATOR:
                assert user.request(method, place).status_code == 404, told
            if who in (SESSION, OPERATOR) and method == "GET" and path == place:
                allowed = operator if who == OPERATOR else user
                assert allowed.get(place).status_code in (200, 204), told
            if who == SESSION and "{uid}" in path:  # it is somebody else's
                sent = {"x": "1"} if method == "POST" else None
                nothing = (303,) if path.endswith("/remove") else (404, 409)  # what is no favourite stays none
                assert user.request(method, place, data=sent).status_code in nothing, told


def test_every_action_is_for_who_signs_it_alone(whole: RunningService) -> None:
    other = whole.keys.create(credits=0)
    for name in ACTIONS:
        unsigned = whole.http.post("/", json={"Action": name, "PublicKey": whole.key.public_key}, headers=STRANGER)
        assert unsigned.json()["RetCode"] == 220
        forged = {**whole.sign({"Action": name}, other), "PublicKey": whole.key.public_key}
        assert whole.http.post("/", json=forged, headers=STRANGER).json()["RetCode"] == 171


def test_texts_that_look_like_markup_stay_text(whole: RunningService) -> None:
    markup = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    pair = whole.keys.create(credits=0, unlimited=True, name=markup)
    uid = whole.submit(markup, key=pair)
    form = {"public_key": pair.public_key, "private_key": pair.private_key}
    with browsing(whole) as browser:
        assert browser.post("/studio/sign-in", data=form).status_code == 303
        shown = ""
        for place in ("account", f"tasks/{uid}", f"tasks/{uid}/copies", "history", f"sign-in?to={quote(markup)}"):
            answer = browser.get(f"/studio/{place}", headers={"Accept": "text/html"})
            assert "<script>alert" not in answer.text, place
            assert "<img src=x" not in answer.text, place
            policy = answer.headers["Content-Security-Policy"]
            assert "unsafe" not in policy.partition("script-src")[2].partition(";")[0], place
            shown += answer.text
        assert shown.count("&lt;script&gt;alert(1)") >= 2


def test_mutated_pictures_are_refused_or_drawn_and_the_server_never_notices(whole: RunningService) -> None:
    sent = Barrage(whole)
    sent.send(seed=7, count=8)
    before = Body.of(whole)
    sent.send(seed=8, count=232)
    assert not sent.strange
    assert {kind for kind, _ in sent.answers} == set(originals())
    assert sent.accepted
    assert set(sent.outcomes()) == {("Finished", 0)}
    unmoved(whole, before)


def test_requests_that_the_document_allows_or_nearly_are_answered_in_order(whole: RunningService) -> None:
    document: dict[str, Any] = whole.http.get("/openapi.json").json()
    whole.call("ListModels")
    before = Body.of(whole)
    known, seen = {int(code) for code in Code}, set()
    quick = settings(
        max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )

    def check(answer: httpx.Response) -> None:
        assert answer.status_code < 500, answer.text
        told = answer.json()
        assert {"RetCode", "Action", "Message"} <= set(told)
        assert told["RetCode"] in known - {int(Code.INTERNAL_ERROR)}
        seen.add(told["RetCode"])

    @quick
    @given(st.data())
    def actions(data: st.DataObject) -> None:
        body = whole.sign(data.draw(bodies(document)))
        check(whole.http.post("/", content=json.dumps(body), headers={"Content-Type": "application/json"}))

    @quick
    @given(st.data())
    def changed(data: st.DataObject) -> None:
        body = whole.sign({"Action": "ApplyReferenceStyle", **submission()} if data.draw(st.booleans()) else {
            "Action": data.draw(st.sampled_from(sorted(ACTIONS)))
        })  # fmt: skip
        raw = data.draw(damaged(body))
        check(whole.http.post("/", content=raw, headers={"Content-Type": "application/json"}))

    @quick
    @given(PATHS, st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]), PATHS)
    def paths(path: str, method: str, query: str) -> None:
        place = f"/results/{quote(path, safe='/%')}.png?expires={quote(query)}&token={quote(query)}"
        answer = whole.http.request(method, place)
        assert answer.status_code in (403, 404, 405), (place, answer.text)

    for each in (actions, changed, paths):
        each()
    assert {0, 171, 220, 230, 4001} <= seen
    unmoved(whole, before)


def unmoved(service: RunningService, before: Body) -> None:
    """The service is what it was: the same processes, nothing broken, and no larger."""
    after = Body.of(service)
    assert after.workers == before.workers
    assert after.threads <= before.threads + 2  # of those that start with their first use
    assert after.handles <= before.handles + 24  # connections to the database, checkers
    assert after.memory < before.memory + 64 * MIB
    assert "internal error" not in service.log.read_text()
    assert service.http.get("/readyz").status_code == 200
