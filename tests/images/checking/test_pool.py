"""Pictures in processes of their own: what a picture does to its checker, and to nobody else."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import ExifTags, Image

from restyle.images.checking import pool as pools
from restyle.images.checking.pool import Checkers, Overdue
from restyle.images.checking.turns import Closed
from restyle.wire.errors import RestyleError
from tests.support import bombs
from tests.support.checkers import GOOD, MIB, B, Looking, endless, look, pooled, processes, refusal
from tests.support.command import PYTHONPATH
from tests.support.patience import NEVER, PATIENCE, wait_for


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Checkers]]:
    """Makes pools, and closes them; no process of theirs is left then."""
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    made: list[Checkers] = []

    def make(**changes: Any) -> Checkers:
        made.append(pooled(tmp_path, **changes))
        return made[-1]

    yield make
    for each in made:
        each.close()
    wait_for(lambda: not processes())


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_pictures_pass_also_side_by_side(pool: Callable[..., Checkers], kind: str) -> None:
    both = pool()
    large = bombs.flat(7000, kind)
    other = Looking(both, large, B)
    look(both, large)
    other.join(PATIENCE)
    assert other.ended is None
    assert not other.is_alive()


def test_processor_time_past_a_pictures_share_is_not_given(
    pool: Callable[..., Checkers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "PATIENCE", NEVER)  # by the clock; it is the processor's time that is shown
    one = pool(checkers=1, check_seconds=0.2)
    assert "takes more than 0.2 s" in refusal(one, endless())
    look(one, GOOD)


def test_a_picture_that_takes_its_time_holds_up_no_other_account(pool: Callable[..., Checkers]) -> None:
    two = pool(check_seconds=NEVER)
    first, second = Looking(two, endless()), Looking(two, endless())
    first.checker()
    for _ in range(3):
        look(two, GOOD, B)
    assert first.is_alive()
    assert second.is_alive()
    two.close()
    for each in (first, second):
        each.join(PATIENCE)
        assert isinstance(each.ended, Closed)
    with pytest.raises(Closed):
        look(two, GOOD)


def test_a_decoder_that_dies_takes_its_picture_and_nothing_else(pool: Callable[..., Checkers]) -> None:
    one = pool(checkers=1, check_seconds=NEVER)
    dying = Looking(one, endless())
    dying.checker().send_signal(signal.SIGSEGV)
    dying.join(PATIENCE)
    assert isinstance(dying.ended, RestyleError)
    assert "breaks its decoder (it was ended by SIGSEGV)" in dying.ended.message
    look(one, GOOD)


def test_a_checker_that_the_system_kills_says_nothing_against_its_picture(pool: Callable[..., Checkers]) -> None:
    one = pool(checkers=1, check_seconds=1000)
    killed = Looking(one, endless())
    killed.checker().kill()
    killed.join(20)
    assert isinstance(killed.ended, Overdue)
    look(one, GOOD)


def test_a_checker_that_cannot_work_is_no_fault_of_the_picture(
    pool: Callable[..., Checkers], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "restyle").mkdir()
    (tmp_path / "restyle" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="ended with status 1; for the reason run: python -m restyle"):
        look(pool(), GOOD)


def test_a_checker_killed_between_pictures_is_not_missed(pool: Callable[..., Checkers]) -> None:
    one = pool(checkers=1)
    look(one, GOOD)
    (process,) = processes()
    process.kill()
    wait_for(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    look(one, GOOD)
    (other,) = processes()
    assert other.pid != process.pid


def test_a_checker_that_stands_still_is_replaced(pool: Callable[..., Checkers]) -> None:
    one = pool(checkers=1, check_seconds=0.25, max_image_pixels=4096)
    while not processes():  # on a busy machine even the start may take longer than that
        with contextlib.suppress(Overdue):
            look(one, GOOD)
    (process,) = processes()
    process.suspend()
    with pytest.raises(Overdue):
        look(one, GOOD)
    assert not process.is_running()


def test_checkers_end_with_their_service(tmp_path: Path) -> None:
    program = """
import sys, time
from restyle.images.checking import pool as pools
from restyle.images.checking.pool import Checkers
from restyle.settings import Settings
pool = Checkers(Settings())
pool.look(1, bytes.fromhex(sys.argv[1]), field="x", decode=True)
print("looked", flush=True)
time.sleep(3000)
"""
    environment = {**os.environ, "RESTYLE_DATA_DIR": str(tmp_path), "PYTHONPATH": PYTHONPATH}
    command = [sys.executable, "-c", program, GOOD.hex()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as service:
        assert service.stdout is not None
        try:
            assert service.stdout.readline() == "looked\n"
            (checker,) = psutil.Process(service.pid).children()
        finally:
            service.kill()
    wait_for(lambda: not checker.is_running())


def test_a_checker_is_small_and_knows_no_secrets(
    pool: Callable[..., Checkers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTYLE_DATABASE_URL", "postgresql://somebody:secret@host/restyle")
    one = pool(checkers=1, database_url="")
    look(one, GOOD)
    (process,) = processes()
    assert "secret" not in Path(f"/proc/{process.pid}/environ").read_text()
    assert process.memory_info().rss < 60 * MIB
    heavy = "import sys, restyle.images.checking.checker; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout.split()
    assert not {"openvino", "torch", "sqlalchemy", "fastapi", "pydantic"} & set(loaded)


def test_no_checker_is_started_before_there_is_a_picture(pool: Callable[..., Checkers]) -> None:
    two = pool()
    assert not processes()
    look(two, GOOD)
    assert len(processes()) == 1


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_a_large_photograph_is_seen_small_and_upright(pool: Callable[..., Checkers], options: dict[str, Any]) -> None:
    pixels = np.zeros((3000, 5000, 3), np.uint8)
    pixels[:, :2500, 0] = 255
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # its left is above
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", exif=exif, **options)
    checkers = pool()
    for sides in ((2048, 480), (256,)):
        view = checkers.view(1, file.getvalue(), sides, field="it")
        assert (view.width, view.height) == (3000, 5000)
        seen = [Image.open(BytesIO(each)) for each in view.files]
        assert [each.size for each in seen] == [(round(side * 3 / 5), side) for side in sides]
        for each in seen:
            above, below = (np.asarray(each)[row].mean(axis=0) for row in (8, -8))
            assert above[0] > 240 > 15 > below[0]
