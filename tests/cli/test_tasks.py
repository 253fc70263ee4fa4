"""``restyle tasks``, against a service."""

import os
import re
import signal
from pathlib import Path

from tests.support.command import restyle, started
from tests.support.front import forward, fronting, status
from tests.support.patience import NEVER, PATIENCE, wait_for
from tests.support.pictures import encode, picture
from tests.support.service import RunningService


def account(service: RunningService) -> dict[str, str]:
    return {
        "RESTYLE_URL": service.url,
        "RESTYLE_PUBLIC_KEY": service.key.public_key,
        "RESTYLE_PRIVATE_KEY": service.key.private_key,
    }


def test_tasks_are_listed_shown_cancelled_and_fetched(service: RunningService, tmp_path: Path) -> None:
    keys = account(service)
    uid, done = service.submit(f"draw {NEVER}"), ""
    try:
        assert uid in restyle("tasks", "list", folder=tmp_path, **keys).out
        shown = restyle("tasks", "show", uid, "--json", folder=tmp_path, **keys).json()
        assert shown[0]["Status"] in ("Queuing", "Running")
    finally:
        assert restyle("tasks", "cancel", uid, folder=tmp_path, **keys).out == f"{uid} is terminated\n"
    assert "5104" in restyle("tasks", "show", uid, folder=tmp_path, **keys).out
    again = restyle("tasks", "fetch", uid, folder=tmp_path, **keys)
    assert (again.code, again.out) == (6, "")
    done = service.submit(BatchSize=2)
    written = restyle("tasks", "fetch", done, "-o", "got", "--json", folder=tmp_path, **keys).json()
    assert written == [f"got/{done}-1.png", f"got/{done}-2.png"]
    assert all((tmp_path / path).stat().st_size for path in written)


def test_a_service_has_to_be_named_rightly(service: RunningService, tmp_path: Path) -> None:
    keys = account(service)
    assert "--url or RESTYLE_URL" in restyle("tasks", "list", folder=tmp_path, **{**keys, "RESTYLE_URL": ""}).err
    ran = restyle("tasks", "list", folder=tmp_path, **{**keys, "RESTYLE_URL": "ftp://x"})
    assert (ran.code, ran.out) == (2, "")
    assert "begins with http:// or https://" in ran.err
    ran = restyle("tasks", "list", folder=tmp_path, **{**keys, "RESTYLE_PRIVATE_KEY": "wrong"})
    assert ran.code == 7
    assert "signed was, with the private key behind it, the text of" in ran.err
    assert f": ActionListRunningTasksPublicKey{service.key.public_key}" in ran.err
    assert "wrong" not in ran.err


def test_a_service_that_goes_away_leaves_the_task_to_be_fetched(service: RunningService, tmp_path: Path) -> None:
    (tmp_path / "raw.png").write_bytes(encode(picture(64, 64), "PNG"))
    with fronting(status(500), upstream=service.url) as front:
        front.script.append(forward)
        keys = {**account(service), "RESTYLE_URL": front.url}
        ran = restyle("convert", "raw.png", "-s", "raw.png", folder=tmp_path, **keys)
    assert (ran.code, ran.out) == (7, "")
    (uid,) = set(re.findall(r"`restyle tasks fetch (\w{20})`", ran.err))
    written = restyle("tasks", "fetch", uid, "--json", folder=tmp_path, **account(service)).json()
    assert written == [f"{uid}-1.png"]


def test_ctrl_c_terminates_the_task_and_names_it(service: RunningService, tmp_path: Path) -> None:
    (tmp_path / "raw.png").write_bytes(encode(picture(64, 64), "PNG"))
    command = ("convert", "raw.png", "-s", "raw.png", "--model", "Obedient", "--prompt", f"draw {NEVER}")
    with started(*command, folder=tmp_path, **account(service)) as process:
        wait_for(lambda: service.call("ListRunningTasks")["TaskUIDList"])
        (uid,) = service.call("ListRunningTasks")["TaskUIDList"]
        service.wait(uid, "Running")
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert err == f"restyle: task {uid} is terminated\n"
    assert service.task(uid)["ErrorCode"] == 5104
