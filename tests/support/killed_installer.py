"""Installs the set ``tiny`` again and again, each time killed at another moment and then left to its end.

Run as a program: the hub's address, a data folder with the set's file, and a folder for the trials, of which number 0
is not disturbed. Standard input holds a list of moments, 0..1 of all events of an installation; standard output gets,
for each, how many bytes there were of every file that was begun.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import httpx

from restyle.conversion.defaults import checked_defaults
from restyle.models.catalogue import Catalogue
from restyle.models.files.hub import Hub
from restyle.models.sets import starter_sets
from restyle.models.starter import bring, register, steps

COUNTED = ("open", "os.", "fcntl.", "shutil.", "socket.connect")


def main(hub: str, origin: str, trials: str) -> None:
    events = forked(hub, prepared(origin, trials, 0), 0, sys.maxsize)
    left = []
    for trial, moment in enumerate(json.load(sys.stdin), 1):
        data = prepared(origin, trials, trial)
        forked(hub, data, trial, int(moment * events))
        left.append({path.name.split("-", 1)[-1].removesuffix(".part"): size(path) for path in data.rglob("*.part")})
        assert forked(hub, data, trial, sys.maxsize) > 0
    print(json.dumps(left))


def prepared(origin: str, trials: str, trial: int) -> Path:
    data = Path(trials, str(trial))
    shutil.copytree(origin, data)
    return data


def forked(hub: str, data: Path, trial: int, last: int) -> int:
    """Install in a process of its own, which ends itself at the event ``last``; how many events there were, 0 then."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, str(installed(hub, data, trial, last)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        count = said.read()
    os.waitpid(child, 0)
    return int(count or 0)


def installed(hub: str, data: Path, trial: int, last: int) -> int:
    count = 0

    def happened(*_: Any) -> None:
        nonlocal count
        count += 1
        if count > last:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(lambda event, _: happened() if event.startswith(COUNTED) else None)
    catalogue = Catalogue.read(data)
    to_do = steps(catalogue, starter_sets(data)["tiny"], Hub(f"{hub}/{trial}"))
    with httpx.Client(trust_env=False) as http:
        bring(to_do, http, report=happened)
    for step in to_do:
        register(catalogue, step, check_defaults=checked_defaults)
    return count


def size(path: Path) -> int:
    return path.stat().st_size


if __name__ == "__main__":
    main(*sys.argv[1:])
