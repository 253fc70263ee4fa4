"""The processes in which strangers' pictures are looked at, as one thing to ask."""

import base64
import signal
import threading
from typing import TYPE_CHECKING, Any

from restyle.images.checking.process import CheckerProcess, Died
from restyle.images.checking.share import seconds
from restyle.images.checking.turns import Closed, Turns
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

if TYPE_CHECKING:
    from restyle.settings import Settings

COMMAND = "python -m restyle.images.checking.checker"
PATIENCE = 4
"""How many times its processor time a picture may take by the clock: the machine has other work, too."""


class Overdue(Exception):
    """A picture was not looked at, though it took no more than its share: the machine is too busy."""


class Checkers:
    """At most ``settings.checkers`` processes, each started when it is needed. For threads."""

    def __init__(self, settings: "Settings") -> None:
        self._seconds = settings.check_seconds
        self._bounds: dict[str, Any] = {
            "max_bytes": settings.max_image_bytes,
            "max_pixels": settings.max_image_pixels,
            "seconds": settings.check_seconds,
        }
        self._patience = PATIENCE * seconds(settings.check_seconds, settings.max_image_pixels)
        self._turns = Turns(settings.checkers)
        self._lock = threading.Lock()
        self._closed = False
        self._idle: list[CheckerProcess] = []
        self._busy: set[CheckerProcess] = set()

    def look(self, account: int, data: bytes, *, field: str, decode: bool) -> None:
        """Return if the file ``data`` is a picture that can be decoded, or, without ``decode``, looks like one.

        Accounts take turns. Raises:
            RestyleError: ``IMAGE_UNREADABLE`` naming ``field``; also where decoding it takes more time or memory than a
                picture of its size may, or ends the decoder.
            Closed: the checkers were closed, before or meanwhile.
            Overdue: the machine did not get round to it, or had no memory left for it.
            RuntimeError: the checker cannot work, whatever the picture.
        """
        self._look(account, data, {"field": field, "decode": decode, "thumbnail": False})

    def thumbnail(self, account: int, data: bytes, *, field: str) -> bytes:
        """A small JPEG of the file ``data``, if it is a picture that can be decoded. Raises as :meth:`look`."""
        answer = self._look(account, data, {"field": field, "decode": True, "thumbnail": True})
        return base64.b64decode(str(answer["thumbnail"]), validate=True)

    def _look(self, account: int, data: bytes, wanted: dict[str, Any]) -> dict[str, Any]:
        task, field = {**self._bounds, **wanted, "large": False}, wanted["field"]
        with self._turns.turn(account, large=False):
            answer = self._ask(task, data)
        if answer.get("large"):
            with self._turns.turn(account, large=True):
                answer = self._ask({**task, "large": True}, data)
        if "broken" in answer:
            raise RuntimeError(f"a checker failed on {field}:\n{answer['broken']}")
        if "unreadable" in answer:
            raise RestyleError(Code.IMAGE_UNREADABLE, str(answer["unreadable"]), field=field)
        return answer

    def close(self) -> None:
        """End all checkers now, whatever they are at: whoever waits for one gets Closed. May be called again."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for process in self._busy:
                process.kill()
        self._turns.close()
        for process in idle:
            process.end()

    def _ask(self, task: dict[str, Any], data: bytes) -> dict[str, Any]:
        process = self._take()
        spent = True
        try:
            answer = process.ask(task, data, self._patience)
            spent = bool(answer.get("last"))
        except Died as death:
            if self._closed:
                raise Closed from None
            # Nothing of ours kills a checker then but the end of its patience; the system does where memory runs out.
            if process.expired or death.status == -signal.SIGKILL:
                raise Overdue from None
            if death.status >= 0:  # no decoder ends a process in that way: it did not even start, or has a defect
                raise RuntimeError(f"a checker {death}; for the reason run: {COMMAND} < /dev/null") from None
            raise self._fatal(task["field"], death) from None
        finally:
            self._put_back(process, spent)
        return answer

    def _take(self) -> CheckerProcess:
        with self._lock:
            if self._closed:
                raise Closed
            while self._idle:
                process = self._idle.pop()
                if process.alive:
                    break
                process.end()
            else:
                process = CheckerProcess()
            self._busy.add(process)
            return process

    def _put_back(self, process: CheckerProcess, spent: bool) -> None:
        with self._lock:
            self._busy.remove(process)
            kept = not spent and not self._closed
            if kept:
                self._idle.append(process)
        if not kept:
            process.end()

    def _fatal(self, field: str, death: Died) -> RestyleError:
        if death.status == -signal.SIGXCPU:
            what = f"takes more than {self._seconds:g} s, and as much for every 20 megapixels, to be decoded"
        else:
            what = f"breaks its decoder (it was {death})"
        return RestyleError(Code.IMAGE_UNREADABLE, f"{field} {what}; send it saved anew", field=field)
