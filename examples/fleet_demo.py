"""A fleet on this machine under faults: ``make fleet-demo``.

PostgreSQL, an object store, one API and three workers draw sixty pictures while a worker, then PostgreSQL, then the
store are killed. Prints the account: what was accepted, how it ended, and the credits.
"""

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from tests.support.databases import PostgresServer, postgres_database
from tests.support.fleet import BUCKET, Member, SeaweedServer, s3_environment, town

PICTURES = 60


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
    folder = Path(tempfile.mkdtemp(prefix="restyle-fleet-"))
    folder.chmod(0o755)
    postgres = PostgresServer(_made(folder / "pg"))
    store = SeaweedServer(folder / "store")
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)

    with s3_environment(store.address):
        postgres.start()
        store.start()
        say("PostgreSQL and the object store are up")
        try:
            with (
                postgres_database(postgres.url) as url,
                town(folder / "machines", url, f"s3://{BUCKET}", machine_seconds=5, drain_seconds=5) as fleet,
            ):
                api = fleet.add("api", wait=False)
                for _ in range(3):
                    fleet.add("worker", wait=False)
                for each in fleet.members:
                    each.wait_until_ready()
                say("an API and three workers are ready")
                uids = []
                for number in range(PICTURES):
                    uids.append(submit_surely(api, number))
                    if number == 15:
                        fleet.workers[0].vanish()
                        say("a worker machine was killed, kill -9 of all its processes")
                    elif number == 30:
                        postgres.stop("immediate")
                        say("PostgreSQL was killed")
                        time.sleep(2)
                        postgres.start()
                        say("PostgreSQL is back")
                    elif number == 45:
                        store.kill()
                        say("the object store was killed")
                        time.sleep(2)
                        store.start()
                        say("the object store is back")
                say(f"{len(set(uids))} pictures are accepted")
                details = _wait(api, uids)
                ends: dict[str, int] = {}
                for task in details:
                    ends[task["Status"]] = ends.get(task["Status"], 0) + 1
                served = sum(api.download(task["ImgList"][0])[:4] == b"\x89PNG" for task in details if task["ImgList"])
                used = api.post("GetCreditBalance")["UsedCredits"]
                say("all have ended")
                account = {
                    "accepted": len(set(uids)),
                    "ended": ends,
                    "pictures served": served,
                    "lost": PICTURES - len(details),
                    "credits used": used,
                    "credits off": used - ends.get("Finished", 0),
                }
                print(json.dumps(account, indent=2))
                well = ends == {"Finished": PICTURES} and served == PICTURES and used == PICTURES
                return 0 if well else 1
        finally:
            store.kill()
            postgres.stop()
            shutil.rmtree(folder)


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
