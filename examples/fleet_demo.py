"""A fleet on this machine under faults: ``make fleet-demo``.

PostgreSQL, an object store, one API and three workers draw sixty pictures while a worker is killed, another is cut off
from everything for a while, and PostgreSQL and the store are killed. Prints the account: what was accepted, how it
ended, and the credits. Each machine has a network namespace of its own, where the system lets us (Linux, as root).
"""

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from tests.support.databases import PostgresServer, postgres_database
from tests.support.fleet import BUCKET, Member, SeaweedServer, Town, s3_environment, town
from tests.support.namespaces import Bridge, bridge
from tests.support.relay import Relay

PICTURES = 60
MACHINE_SECONDS = 5


def submit_surely(api: Member, number: int) -> str:
    """The same request until it is answered with success: what a client does that must not lose a task."""
    while True:
        try:
            task = api.task("draw 0.5")
            answer = api.send("ApplyReferenceStyle", **task, request_uuid=f"demo-{number}")
            if answer.json()["RetCode"] == 0:
                return str(answer.json()["TaskUID"])
        except httpx.TransportError:
            pass
        time.sleep(0.5)


def main() -> int:
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)

    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="restyle-fleet-"))
        folder.chmod(0o755)
        stack.callback(shutil.rmtree, folder)
        network = stack.enter_context(bridge())
        if network is None:
            say("the system lets us make no network namespaces: all machines share this one's, and none is cut off")
        else:
            say("each machine has a network namespace of its own, and a wire that can be pulled")
        postgres = PostgresServer(_made(folder / "pg"))
        store = SeaweedServer(folder / "store")
        wires = [Relay(folder / "pg" / ".s.PGSQL.5432", _here(network)), Relay(store.s3, _here(network))]
        for wire in wires:
            stack.callback(wire.close)
        stack.enter_context(s3_environment(f"http://{_here(network)}:{wires[1].port}"))
        postgres.start()
        stack.callback(postgres.stop)
        store.start()
        stack.callback(store.kill)
        say("PostgreSQL and the object store are up")
        direct = stack.enter_context(postgres_database(postgres.url))
        url = sa.make_url(direct).set(host=_here(network), port=wires[0].port, query={})
        settings = {"machine_seconds": MACHINE_SECONDS, "drain_seconds": 5}
        text = url.render_as_string(hide_password=False)
        fleet = stack.enter_context(town(folder / "machines", text, f"s3://{BUCKET}", **settings))
        return _demonstrate(fleet, network, postgres, store, say)


def _demonstrate(
    fleet: Town, network: Bridge | None, postgres: PostgresServer, store: SeaweedServer, say: Callable[[str], None]
) -> int:
    spaces = [None if network is None else network.namespace() for _ in range(4)]
    for role, space in zip(("api", *["worker"] * 3), spaces, strict=True):
        fleet.add(role, wait=False, place=None if space is None else space.place)
    for each in fleet.members:
        each.wait_until_ready()
    say("an API and three workers are ready")
    api = fleet.api
    uids = []
    for number in range(PICTURES):
        uids.append(submit_surely(api, number))
        if number == 15:
            fleet.members[1].vanish()
            say("a worker machine was killed, kill -9 of all its processes")
        elif number == 25 and spaces[2] is not None:
            spaces[2].pull()
            say("a worker machine was cut off from everything, in the middle of its work")
            time.sleep(2 * MACHINE_SECONDS)
            spaces[2].plug()
            say("it is connected again, and has long been taken for gone")
        elif number == 35:
            postgres.stop("immediate")
            say("PostgreSQL was killed")
            time.sleep(2)
            postgres.start()
            say("PostgreSQL is back")
        elif number == 50:
            store.kill()
            say("the object store was killed")
            time.sleep(2)
            store.start()
            say("the object store is back")
    say(f"{len(set(uids))} pictures are accepted")
    details = _wait(api, uids)
    say("all have ended")
    return _account(api, uids, details)


def _account(api: Member, uids: list[str], details: list[dict[str, Any]]) -> int:
    ends: dict[str, int] = {}
    for task in details:
        ends[task["Status"]] = ends.get(task["Status"], 0) + 1
    served = sum(api.download(task["ImgList"][0])[:4] == b"\x89PNG" for task in details if task["ImgList"])
    used = api.post("GetCreditBalance")["UsedCredits"]
    account = {
        "accepted": len(set(uids)),
        "ended": ends,
        "pictures served": served,
        "lost": PICTURES - len(details),
        "credits used": used,
        "credits off": used - ends.get("Finished", 0),
    }
    print(json.dumps(account, indent=2))
    return 0 if ends == {"Finished": PICTURES} and served == PICTURES and used == PICTURES else 1


def _here(network: Bridge | None) -> str:
    """The address of this system, as the machines know it."""
    return "127.0.0.1" if network is None else network.address


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _wait(api: Member, uids: list[str]) -> list[dict[str, Any]]:
    while True:
        try:
            details = api.details(uids)
        except (httpx.TransportError, AssertionError):
            time.sleep(0.5)
            continue
        if all(task["Status"] in ("Finished", "Error") for task in details):
            return details
        time.sleep(0.5)


if __name__ == "__main__":
    raise SystemExit(main())
