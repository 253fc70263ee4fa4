"""Taking files that are on this machine already into their places, in the same way as fetched ones."""

from pathlib import Path
from typing import IO

from restyle.models.files.part import Local, Progress, check_space, part_of
from restyle.models.files.verify import CHUNK_BYTES
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError


def adopt(source: Path, target: Path, *, sha256: str = "", report: Progress = lambda there, total: None) -> Local:
    """Copy the file ``source`` to ``target``, and return what it is.

    Raises RestyleError: 230 where ``source`` cannot be read or has not the ``sha256`` that was wanted, 5000 where
    ``target`` cannot be written. ``target`` is then as before.
    """
    try:
        if not source.is_file():
            raise refused(f"{source} is not a file")
        with source.open("rb") as file:
            return take(file, target, name=str(source), size=source.stat().st_size, sha256=sha256, report=report)
    except OSError as error:
        raise refused(f"{source} cannot be read: {error.strerror}") from error


def take(
    file: IO[bytes],
    target: Path,
    *,
    name: str,
    size: int,
    sha256: str = "",
    report: Progress = lambda there, total: None,
) -> Local:
    """Write what ``file`` gives, ``size`` bytes that messages call ``name``, to ``target``. Raises as :func:`adopt`."""
    with part_of(target, lambda there: report(there, size)) as part:
        try:
            part.restart()
            check_space({target: size})
            while chunk := file.read(CHUNK_BYTES):
                part.write(chunk)
                report(part.size, size)
                if part.size > size:
                    break
            if part.size != size:
                raise refused(f"{name} has not the {size:,} bytes that it should have: another file, or damaged")
            if sha256 and part.sha256 != sha256:
                raise refused(f"{name} is another file, or damaged: its SHA-256 is {part.sha256}, not {sha256}")
        except BaseException:
            part.drop()  # copying is not gone on with
            raise
        return part.place()


def refused(message: str) -> RestyleError:
    """The error (230) of a file that is not the one to take."""
    return RestyleError(Code.PARAMETER_NOT_AVAILABLE, message)
