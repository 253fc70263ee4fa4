"""Fetching a file: it goes on where it was cut off, and is right or absent at the end."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httpx

from restyle.models.files.line import Lost, Patience, Source, failed, opened, shown, until_done
from restyle.models.files.part import Local, Part, Progress, check_space, is_right, lock_path, part_of

RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to be had from ``source`` at ``target``; at most ``most`` bytes are taken.

    ``sha256`` (hexadecimal) and ``size`` (bytes) are what it must be, where that is known; ``about`` is about its size
    where no more is known.
    """

    source: Source
    target: Path
    most: int
    sha256: str = ""
    size: int | None = None
    about: int = 0


def fetch(
    http: httpx.Client,
    wanted: Wanted,
    *,
    report: Progress = lambda there, total: None,
    patience: Patience | None = None,
) -> Local:
    """Make sure that the file is at its target, and return what it is.

    With its hash, a file that is there already is read and not fetched again, and a part that an earlier run left is
    gone on with, wherever it came from; without it, only if the server says that the file is still the same. While
    another run fetches the same file, this one waits for it.

    Raises RestyleError (5000) with the reason where the file cannot be had or is another; the target is then as before,
    and what came of a line that was cut stays for the next run, also where ``report`` raises.
    """
    target, sha256 = wanted.target, wanted.sha256
    # with a lock beside it, a run is at it, or was ended before it could take the lock away
    if not lock_path(target).exists() and is_right(target, sha256):
        return Local(target, sha256, target.stat().st_size)
    with part_of(target, lambda there: report(there, wanted.size)) as part:
        if is_right(target, sha256):  # another run got it while this one waited
            part.drop()
            return Local(target, sha256, target.stat().st_size)
        run = _Run(http, wanted, part, report)
        earlier = run.begin()
        patience = patience or Patience()
        until_done(run.attempt, patience, run.url, lambda: part.size)
        if earlier and not run.right:
            # what an earlier run left may be of a machine that lost power before all of it was on the disk
            part.restart(run.of)
            until_done(run.attempt, patience, run.url, lambda: part.size)
        if not run.right:
            found = part.sha256
            part.drop()
            raise failed(f"{shown(run.url)} is another file: its SHA-256 is {found}, not {sha256}")
        return part.place()


@dataclass
class _Run:
    """One file being fetched. Refusals drop the part: nothing of another file is gone on with."""

    http: httpx.Client
    wanted: Wanted
    part: Part
    report: Progress

    @property
    def url(self) -> str:
        return self.wanted.source.url

    @property
    def sha256(self) -> str:
        return self.wanted.sha256

    @property
    def size(self) -> int | None:
        return self.wanted.size

    @property
    def most(self) -> int:
        return self.wanted.most

    @property
    def of(self) -> str:
        """How a part of this file is marked; without a hash the server's word for its version is added later."""
        return f"sha256 {self.sha256}" if self.sha256 else f"{self.url}\n"

    @property
    def version(self) -> str:
        """The version that the part is of, in the server's word; empty where nothing is known."""
        url, _, version = self.part.of.partition("\n")
        return version if url == self.url else ""

    @property
    def right(self) -> bool:
        """Whether the part has the hash that was wanted."""
        return not self.sha256 or self.part.sha256 == self.sha256

    def begin(self) -> bool:
        """Whether an earlier run left a part of this file."""
        if self.version or (self.sha256 and self.part.of == self.of):
            self.part.go_on()
        if self.part.size == 0 or self.part.size > (self.size or self.most):
            self.part.restart(self.of)
        return self.part.size > 0

    def attempt(self) -> None:
        """Ask for what is missing and take it. Raises Lost where the line ended before the file did."""
        if self.part.size and not (self.sha256 or self.version):
            self.part.restart(self.of)
        there = self.part.size
        if self.sha256 and there == self.size:
            return
        headers = {}
        if there:
            headers["Range"] = f"bytes={there}-"
            if not self.sha256:
                headers["If-Range"] = self.version
        with opened(self.http, self.wanted.source, headers) as response:
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self._check_end(response)
                return
            if response.status_code == HTTPStatus.OK:
                self.part.restart(self.of if self.sha256 else self.of + _version_of(response))
                total = self._length(response)
            else:
                total = self._rest(response)
            self._check_total(total)
            self._take(response, total or self.size)

    def _check_end(self, response: httpx.Response) -> None:
        """The server has nothing beyond the part: it is the whole file, or of another one that is longer."""
        there = self.part.size
        if _total_of(response) != there:
            self.part.restart(self.of)
            raise Lost(f"{shown(self.url)} has fewer than the {there:,} bytes that came before")

    def _length(self, response: httpx.Response) -> int | None:
        length = response.headers.get("Content-Length", "")
        if length.isdecimal():
            return int(length)
        if "chunked" not in response.headers.get("Transfer-Encoding", ""):
            raise self._refused("does not say how long the file is, so nobody can tell whether it came whole")
        return None

    def _rest(self, response: httpx.Response) -> int | None:
        match = RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None or match[1] != str(self.part.size):
            self.part.restart(self.of)
            raise Lost(f"{shown(self.url)} sent another piece than the one it was asked for")
        return _total_of(response)

    def _check_total(self, total: int | None) -> None:
        if total is not None and self.size is not None and total != self.size:
            raise self._refused(f"is another file: it has {total:,} bytes, not {self.size:,}")
        wanted = total or self.size or 0
        if wanted > self.most:
            raise self._refused(f"has {wanted:,} bytes; at most {self.most:,} are fetched")
        check_space({self.part.target: max(0, wanted - self.part.size)})

    def _take(self, response: httpx.Response, total: int | None) -> None:
        most = self.most if total is None else total
        self.report(self.part.size, total)
        for chunk in response.iter_raw():
            if self.part.size + len(chunk) > most:
                raise self._refused(f"sends more than {most:,} bytes")
            self.part.write(chunk)
            self.report(self.part.size, total)
        if self.part.size < (total or 0):
            raise Lost(f"{shown(self.url)} ended early")

    def _refused(self, reason: str) -> Exception:
        self.part.drop()
        return failed(f"{shown(self.url)} {reason}")


def _total_of(response: httpx.Response) -> int | None:
    match = RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return int(match[2]) if match and match[2].isdecimal() else None


def _version_of(response: httpx.Response) -> str:
    """What may be given as If-Range (RFC 9110, 13.1.5): a strong entity tag, or the time of the last change."""
    tag: str = response.headers.get("ETag", "")
    changed: str = response.headers.get("Last-Modified", "")
    return tag if tag and not tag.startswith("W/") else changed
