import logging
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import structlog

from restyle.http.server import serve
from restyle.settings import Settings
from restyle.wire.errors import RestyleError
from tests.support.engines import REGISTRY
from tests.support.patience import NEVER, PATIENCE
from tests.support.service import RunningService, running, submission


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """``serve`` sets up the logging of its process, which here is that of the tests."""
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    yield
    structlog.configure(**config)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_drain_lets_running_tasks_finish_and_keeps_queued_ones(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with running(tmp_path, drain_seconds=NEVER) as service:
        first, second = service.submit(f"until {go}", TranslatePrompts=False), service.submit()
        service.wait(first, "Running")
        service.drain()
        response = service.http.get("/readyz")
        assert (response.status_code, response.json()["Message"]) == (503, "the service is stopping")
        refused = service.post({"Action": "ApplyReferenceStyle", "request_uuid": "late", **submission()})
        assert (refused.status_code, refused.json()["RetCode"]) == (503, 4009)
        assert refused.json()["request_uuid"] == "late"
        assert int(refused.headers["Retry-After"]) >= 1
        assert service.task(first)["Status"] == "Running"
        go.touch()
        assert service.process.wait(PATIENCE) == 0
        assert "Traceback" not in service.log.read_text()
        key = service.key
    with running(tmp_path) as service:
        service.key = key
        assert service.task(first)["Status"] == "Finished"
        assert service.wait(second)["Status"] == "Finished"


def test_a_drain_has_an_end_and_a_second_signal_brings_it_at_once(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with running(tmp_path, drain_seconds=0.5) as service:
        key, uid = service.key, service.submit(f"until {go}", TranslatePrompts=False)
        service.wait(uid, "Running")
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(PATIENCE) == 0
    with running(tmp_path, drain_seconds=NEVER) as service:
        service.key = key
        service.wait(uid, "Running")
        service.drain(by=signal.SIGINT)
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(PATIENCE) == 0
    go.touch()
    with running(tmp_path) as service:
        service.key = key
        assert service.wait(uid)["Status"] == "Finished"


def test_the_port_that_the_system_chose_is_told(service: RunningService) -> None:
    assert service.settings.port == 0
    assert service.url.startswith("http://127.0.0.1:")
    assert httpx.get(service.url + "/healthz", timeout=PATIENCE).status_code == 200


@pytest.mark.usefixtures("logging_restored")
def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RestyleError, match=f"cannot bind 127.0.0.1 port {port}: .*in use"):
            serve(Settings(data_dir=tmp_path / "data", port=port))
    assert not (tmp_path / "data").exists()


@pytest.mark.usefixtures("logging_restored")
def test_two_services_do_not_share_a_folder(service: RunningService) -> None:
    settings = Settings(data_dir=service.settings.data_dir, port=0, registry=REGISTRY)
    with pytest.raises(RestyleError, match="another service"):
        serve(settings)
    assert service.http.get("/readyz").status_code == 200
