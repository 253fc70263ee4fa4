"""Installs the set ``tiny`` into one folder after the other, killed again and again and then left to its end.

Run as a program: the hub's address, a data folder with the set's file, a folder for the trials, of which number 0 is
not disturbed, and how many kills there shall be. Standard output gets, for each other trial and each of its kills, how
many bytes there were of every file that was begun.
"""

import json
import os
import random
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import httpx

from restyle.conversion.defaults import checked_defaults, checked_recipe
from restyle.models.catalogue import Catalogue
from restyle.models.files.hub import Hub
from restyle.models.sets import starter_sets
from restyle.models.starter import bring, register, steps

HTTP = httpx.Client(trust_env=False)
"""Made once and used in children only: it takes longer to make than a tiny set to install."""
COUNTED = ("open", "os.", "fcntl.", "shutil.", "socket.connect")


def main(hub: str, origin: str, trials: str, kills: str) -> None:
    chance = random.Random(5)
    events = forked(hub, prepared(origin, trials, 0), 0, sys.maxsize)
    found: list[list[dict[str, int]]] = []
    while sum(map(len, found)) < int(kills):
        found.append([])
        data = prepared(origin, trials, len(found))
        # moments early in what is left, so that a trial is killed more than once
        while not forked(hub, data, len(found), int(events * chance.random() * chance.random())):
            found[-1].append({name_of(path): path.stat().st_size for path in data.rglob("*.part")})
    print(json.dumps(found))


def name_of(part: Path) -> str:
    return part.name.partition("-")[2].removesuffix(".part") or part.name.removesuffix(".part")


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
    bring(to_do, HTTP, report=happened)
    for step in to_do:
        register(catalogue, step, check_defaults=checked_defaults, check_recipe=checked_recipe)
    return count


if __name__ == "__main__":
    main(*sys.argv[1:])
