"""Fixtures that tests of several folders share."""

import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

# Threads that wait shall sleep, here and in every process that tests start: several run beside each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Nobody's home is read or written: what is registered there is no business of a test.
os.environ["XDG_DATA_HOME"] = str(Path(__file__).parent / "no-such-home")

import hypothesis
import pytest
import sqlalchemy as sa
import structlog

from tests.support import databases, runners, zygote

# The process that only hands tests to others needs none of what these import, and all wait for it.
if TYPE_CHECKING:
    from tests.support.service import RunningService
    from tests.support.studio import Studio

# No example has to be quick: on a busy machine none is.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Shells start what runs in the background so, and tests would start programs that no Ctrl-C ends.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What is imported stays: looking through it for garbage again and again takes a quarter of the time of collecting.
gc.disable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    if config.args_source == pytest.Config.ArgsSource.TESTPATHS:
        runners.lend()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_report_header() -> str:
    return f"databases: {', '.join(databases.KINDS)}" + (
        "" if "postgresql" in databases.KINDS else " (no PostgreSQL server programs here)"
    )


@pytest.fixture(scope="session", autouse=True)
def quick_workers() -> None:
    """A dispatcher in a test's own process has its workers forked, which imports for none of them what they run."""
    zygote.leave(zygote.WORKER, to=zygote.own)


@pytest.fixture(scope="session", autouse=True)
def plain_tracebacks() -> None:
    """Those that structlog makes unless told otherwise show every variable, and take half a second each."""
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder that every user may enter: pytest closes those above ``tmp_path`` whenever a run begins."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[RunningService]":
    """One service, of the tests' own engines, for the tests that leave it as it was."""
    from tests.support.service import running

    with running(tmp_path_factory.mktemp("service")) as started:
        yield started


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> "Studio":
    """One diffusion engine over tiny checkpoints."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    from tests.support.studio import Studio

    torch.set_num_threads(1)
    return Studio(tmp_path_factory.mktemp("studio"))


@pytest.fixture(scope="session")
def marian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny Marian model for CTranslate2."""
    from tests.support.marian import make_marian

    return make_marian(tmp_path_factory.mktemp("marian"))


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[sa.URL]:
    with databases.postgres_cluster() as url:
        yield url


@pytest.fixture(params=databases.KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables, of each kind that this machine has."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'data' / 'restyle.sqlite3'}"
    else:
        with databases.postgres_database(request.getfixturevalue("postgres_cluster")) as url:
            yield url


@pytest.fixture(params=databases.KINDS)
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An open database, of each kind that this machine has."""
    from restyle.database import open_database

    if request.param == "sqlite":
        engine = open_database(databases.sqlite_database(tmp_path / "data" / "restyle.sqlite3"))
        yield engine
        engine.dispose()
    else:
        with databases.postgres_database(request.getfixturevalue("postgres_cluster"), tables=True) as url:
            engine = open_database(url)
            yield engine
            engine.dispose()
