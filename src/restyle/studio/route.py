"""How a module of the Studio says which of its functions answers which path."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Response

from restyle.studio.ask import Ask


@dataclass(frozen=True, slots=True)
class Route:
    """``path`` is within the Studio. ``writes`` and ``heavy`` choose the threads it runs in, as for actions;
    ``operator`` says that nobody else may, ``open_to_all`` that nobody need be signed in.
    """

    method: str
    path: str
    handler: Callable[[Ask], Response]
    writes: bool = False
    heavy: bool = False
    open_to_all: bool = False
    operator: bool = False
