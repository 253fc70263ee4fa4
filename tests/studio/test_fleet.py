"""The Studio of a fleet, over HTTP as a browser speaks it: what one machine was told, every other knows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from restyle.images.encode import encode_png
from tests.support import databases
from tests.support.engines import OBEDIENT
from tests.support.fleet import Member, object_store, town
from tests.support.patience import PATIENCE
from tests.support.pictures import picture


class Visitor:
    """A browser: its cookies are good at every machine, and its forms say where they come from."""

    def __init__(self) -> None:
        self._http = httpx.Client(timeout=PATIENCE, trust_env=False)

    def get(self, machine: Member, path: str) -> httpx.Response:
        return self._http.get(f"{machine.address}/studio{path}")

    def post(self, machine: Member, path: str, **content: Any) -> httpx.Response:
        return self._http.post(f"{machine.address}/studio{path}", headers={"Origin": machine.address}, **content)

    def follow(self, machine: Member, run: str) -> Iterator[dict[str, Any]]:
        """What a page hears of a run."""
        with self._http.stream("GET", f"{machine.address}/studio/runs/{run}/events") as stream:
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

    def close(self) -> None:
        self._http.close()


@pytest.fixture
def machines(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Member, Member]]:
    """Two that answer clients, on one PostgreSQL and one object store; one of them also draws."""
    if "postgresql" not in databases.KINDS:
        pytest.skip("no PostgreSQL server programs here")
    cluster: sa.URL = request.getfixturevalue("postgres_cluster")
    with (
        databases.postgres_database(cluster) as url,
        object_store() as bucket,
        town(tmp_path, url, bucket) as fleet,
    ):
        one = fleet.add("api", wait=False)
        two = fleet.add("all", wait=False)
        one.wait_until_ready()
        two.wait_until_ready()
        yield one, two


def test_what_one_machine_was_told_another_knows(machines: tuple[Member, Member], tmp_path: Path) -> None:
    one, two = machines
    visitor, gate = Visitor(), tmp_path / "gate"
    key = one.pair
    entered = visitor.post(
        one, "/sign-in", data={"public_key": key.public_key, "private_key": key.private_key, "to": "/"}
    )
    assert entered.status_code == 303
    sent = visitor.post(one, "/uploads?name=shed.png", content=encode_png(picture(64, 80)))
    raw = sent.json()["id"]
    asked = {"raw": raw, "style": "style:oil", "model": OBEDIENT, "positive_prompts": f"until {gate}"}
    accepted = visitor.post(two, "/convert", data=asked)
    assert accepted.status_code == 200, accepted.text
    run = accepted.headers["HX-Push-Url"].rpartition("/")[2]

    heard = visitor.follow(one, run)
    assert any(state["items"][0][1] == "Running" and state["items"][0][2] > 0.4 for state in heard)
    gate.touch()
    assert list(heard)[-1]["ended"]

    found = visitor.get(two, "/history?q=until&state=Finished").text
    uid = found.partition("/studio/tasks/")[2].partition('"')[0]
    for machine in machines:
        for path in (f"/results/{uid}/0/thumbnail", f"/uploads/{raw}/thumbnail", f"/runs/{run}/results.zip"):
            assert visitor.get(machine, path).status_code == 200, path
    assert visitor.get(one, f"/results/{uid}/0/file").content == visitor.get(two, f"/results/{uid}/0/file").content
    for query, there in (("q=UNTIL", True), ("q=100%25_", False), (f"q={uid}", True), ("model=Restyle+Painter", False)):
        assert (f"/tasks/{uid}" in visitor.get(one, f"/history?{query}").text) is there, query
    assert visitor.post(one, f"/tasks/{uid}/favourite", data={"to": ""}).status_code == 200
    assert f"/tasks/{uid}" in visitor.get(two, "/favourites").text

    visitor.post(one, f"/account/keys/{key.public_key}/disable", data={"to": ""})
    assert visitor.get(two, "/history").headers["Location"].startswith("/studio/sign-in")
    visitor.close()
