"""A pool of checkers in the test's own process, and what it does to its processes."""

import threading
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest

from restyle.images.checking.pool import Checkers
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support import bombs, pictures
from tests.support.patience import wait_for
from tests.support.zygote import CHECKER, children

MIB = 1024 * 1024
MEMORY = 400 * MIB
"""Bytes that no process may ever have had."""
GOOD = pictures.encode(pictures.picture(40, 60), "PNG")
A, B = 1, 2


@cache
def endless() -> bytes:
    """A picture that no processor is done with while a test lasts."""
    return bombs.slow_bmp(100_000_000)


def pooled(folder: Path, **changes: Any) -> Checkers:
    """A pool with settings ``changes``; its processes start when they are needed."""
    return Checkers(Settings(data_dir=folder, **{"max_image_bytes": 1_000_000_000, **changes}))


def processes(of: int | None = None) -> list[psutil.Process]:
    """The checkers of that process, or of this one."""
    return children(of, CHECKER)


def look(pool: Checkers, data: bytes, account: int = A, *, decoded: bool = True) -> None:
    pool.look(account, data, field="ImageList[3]", decode=decoded)


def refusal(pool: Checkers, data: bytes, **options: Any) -> str:
    with pytest.raises(RestyleError) as caught:
        look(pool, data, **options)
    assert caught.value.code is Code.IMAGE_UNREADABLE
    assert caught.value.field == "ImageList[3]"
    assert caught.value.message.startswith("ImageList[3] ")
    assert len(caught.value.message) < 400
    return caught.value.message


def peak(process: psutil.Process) -> int:
    """The most memory it ever had, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


class Looking(threading.Thread):
    """A picture that is being looked at, and how that ended."""

    def __init__(self, pool: Checkers, data: bytes, account: int = A) -> None:
        super().__init__(daemon=True)
        self.ended: BaseException | None = None
        self._pool, self._data, self._account = pool, data, account
        self.start()

    def run(self) -> None:
        try:
            look(self._pool, self._data, self._account)
        except Exception as error:  # noqa: BLE001 - for the test to look at
            self.ended = error

    def checker(self) -> psutil.Process:
        """The process that is at it, once it is."""
        wait_for(lambda: any(each.cpu_times().user > 0.6 for each in processes()))
        return max(processes(), key=lambda each: each.cpu_times().user)
