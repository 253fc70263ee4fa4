"""Clocks that can be set: a library of a few lines before the system's, which adds what a file says to the time of day.

Time that only counts on (``CLOCK_MONOTONIC``) stays, as it does when somebody sets a real clock.
"""

import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from unittest.mock import patch

COMPILER = which("cc")
SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long none = 0;
static volatile const long long *ahead = NULL;

static long long seconds(void) {
    if (!ahead) {
        const char *name = getenv("SET_CLOCK");
        int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
        void *map = file < 0 ? MAP_FAILED : mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, file, 0);
        if (file >= 0) close(file);
        ahead = map == MAP_FAILED ? &none : map;
    }
    return *ahead;
}

int clock_gettime(clockid_t id, struct timespec *t) {
    int result = syscall(SYS_clock_gettime, id, t);
    if (!result && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) t->tv_sec += seconds();
    return result;
}

int gettimeofday(struct timeval *t, void *zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *t) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (t) *t = now.tv_sec;
    return now.tv_sec;
}
"""


class Clocks:
    """Makes clocks in ``folder``, which every user may read. Needs a C compiler: :data:`COMPILER`."""

    def __init__(self, folder: Path) -> None:
        assert COMPILER is not None
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        self._folder = folder
        self._library = folder / "clock.so"
        source = folder / "clock.c"
        source.write_text(SOURCE)
        subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", self._library, source], check=True)

    @contextmanager
    def wearing(self, name: str) -> Iterator[None]:
        """Processes that are started, or whose environment is made, in the block go by the clock of that name."""
        file = self._folder / name
        if not file.exists():
            self.set(name, 0)
        with patch.dict(os.environ, {"LD_PRELOAD": str(self._library), "SET_CLOCK": str(file)}):
            yield

    def worn_by(self, pid: int) -> bool:
        """Whether that process goes by one of these clocks: none does that was not begun by a loader of its own."""
        return str(self._library) in Path(f"/proc/{pid}/maps").read_text()

    def set(self, name: str, seconds: int) -> None:
        """Let the clock show so much more than the system's; less where negative. In effect at once."""
        file = self._folder / name
        file.touch(mode=0o644)
        with file.open("r+b") as stream:
            stream.write(struct.pack("q", seconds))
