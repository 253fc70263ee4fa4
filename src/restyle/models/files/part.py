"""A file on its way into place: ``NAME.part`` beside it, in the hands of one run at a time, hashed as it grows.

``NAME.lock`` beside both says who has it, by a lock of the system that ends with its process, and which file the part
is of. What a run that was cut off leaves is a beginning of that file, never the file: only :meth:`Part.place` moves it.
"""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from restyle.models.files.verify import CHUNK_BYTES, verify
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

Progress = Callable[[int, int | None], None]
"""Takes the bytes that are there, and those there will be, None while nobody knows. May raise to stop."""

LOOK_EVERY = 0.2
"""Seconds between two looks at a file that another run is getting."""


@dataclass(frozen=True, slots=True)
class Local:
    """A file on this machine: ``size`` in bytes, ``sha256`` in hexadecimal."""

    path: Path
    sha256: str
    size: int


class Part:
    """The beginning of ``target`` that is there so far. Made by :func:`part_of`; its methods raise RestyleError (5000)
    where the disk does not take what is written.
    """

    def __init__(self, target: Path, lock: IO[str]) -> None:
        self.target = target
        self.path = part_path(target)
        self.size = 0
        self._digest = hashlib.sha256()
        self._lock = lock
        self._gone = False
        lock.seek(0)
        self.of = lock.read()
        # unbuffered: what came is in the system's hands, whatever becomes of this process
        with writing(target):
            self._file = self.path.open("a+b", buffering=0)

    @property
    def sha256(self) -> str:
        """Of the bytes there so far."""
        return self._digest.hexdigest()

    def go_on(self) -> None:
        """Keep what an earlier run left."""
        self._file.seek(0)
        while chunk := self._file.read(CHUNK_BYTES):
            self._digest.update(chunk)
            self.size += len(chunk)

    def restart(self, of: str = "") -> None:
        """Forget what is there. ``of`` says what comes now: a later run that wants the same may go on with it."""
        with writing(self.target):
            self._file.truncate(0)
            self._lock.seek(0)
            self._lock.truncate()
            self._lock.write(of)
            self._lock.flush()
        self.of, self.size, self._digest = of, 0, hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Append ``data``."""
        left = memoryview(data)
        with writing(self.target):
            while left:
                count = self._file.write(left) or 0
                self._digest.update(left[:count])
                self.size += count
                left = left[count:]

    def place(self) -> Local:
        """Put the file into its place, on the disk with its name, and let go of it."""
        with writing(self.target):
            os.fsync(self._file.fileno())
            written = os.fstat(self._file.fileno()).st_size
        if written != self.size:  # some network file systems grant a lock to everybody
            self.drop()
            raise RestyleError(
                Code.INTERNAL_ERROR,
                f"{self.path} has {written:,} bytes, not the {self.size:,} that came: another program wrote to it",
            )
        with writing(self.target):
            os.replace(self.path, self.target)
            self.drop()
            folder = os.open(self.target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return Local(self.target, self.sha256, self.size)

    def drop(self) -> None:
        """Leave no part behind, and let go: from here on another run may begin."""
        if not self._gone:
            self._gone = True
            self.path.unlink(missing_ok=True)
            lock_path(self.target).unlink(missing_ok=True)

    def close(self) -> None:
        """Leave the part as it is, for a later run; an empty one is not worth keeping."""
        if self.size == 0:
            self.drop()
        self._file.close()


def part_path(target: Path) -> Path:
    """Where the part of ``target`` grows."""
    return target.with_name(f"{target.name}.part")


def lock_path(target: Path) -> Path:
    """Where the lock on ``target`` is."""
    return target.with_name(f"{target.name}.lock")


@contextmanager
def held(target: Path) -> Iterator[None]:
    """Nobody else is in such a block about ``target``, a file or a folder; folders above it are made."""
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = _locked(target, lambda size: None)
    with lock:
        try:
            yield
        finally:
            lock_path(target).unlink(missing_ok=True)


@contextmanager
def part_of(target: Path, waiting: Callable[[int], None] = lambda size: None) -> Iterator[Part]:
    """The part of ``target``, this run's alone inside the block; folders are made.

    While another run has it, ``waiting`` is called now and then with the bytes which that one has so far.
    """
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = _locked(target, waiting)
    with lock:
        part = Part(target, lock)
        try:
            yield part
        finally:
            part.close()


def is_right(target: Path, sha256: str) -> bool:
    """Whether ``target`` is in its place already. Raises RestyleError (5000) where it is there and cannot be read."""
    with writing(target):
        return bool(sha256) and verify(target, sha256)


def check_space(sizes: Mapping[Path, int]) -> None:
    """Raises RestyleError (5000) where a disk has no room for the bytes that are still to come, by target."""
    disks: dict[int, list[Path]] = {}
    for target in sizes:
        with writing(target):
            disks.setdefault(_standing(target.parent).stat().st_dev, []).append(target)
    for targets in disks.values():
        needed = sum(sizes[target] for target in targets)
        with writing(targets[0]):
            free = shutil.disk_usage(_standing(targets[0].parent)).free
        if needed > free:
            what = targets[0] if len(targets) == 1 else f"{targets[0].parent}, for {len(targets)} files,"
            raise RestyleError(
                Code.INTERNAL_ERROR,
                f"{what} takes {needed:,} more bytes, and its disk has {free:,} free: make room, or choose another "
                "folder",
            )


def still_to_come(target: Path, size: int) -> int:
    """Bytes that a file of ``size`` still takes at ``target``, by what is there of it and its part. Nothing is read."""
    return 0 if _size(target) == size else max(0, size - _size(part_path(target)))


def _standing(folder: Path) -> Path:
    """The folder, or the nearest above it that there is."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _locked(target: Path, waiting: Callable[[int], None]) -> IO[str]:
    """The lock's file, locked. Whoever placed the file deleted it, so it may be another than the one opened."""
    path = lock_path(target)
    while True:
        lock = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+", encoding="utf-8", errors="replace")
        try:
            while not _taken(lock):
                waiting(_size(part_path(target)))
                time.sleep(LOOK_EVERY)
            if _is(path, lock):
                return lock
        except BaseException:
            lock.close()
            raise
        lock.close()


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Makes a RestyleError (5000) that names ``target`` of what the disk says inside the block."""
    try:
        yield
    except OSError as error:
        raise RestyleError(
            Code.INTERNAL_ERROR,
            f"cannot write {target}: {(error.strerror or str(error)).lower()}; its folder must be writable, with room",
        ) from error
