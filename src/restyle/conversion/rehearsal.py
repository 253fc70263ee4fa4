"""Whether a registered file would draw, asked of the engine that draws with it, without drawing."""

from typing import Any

from restyle.conversion.draw import resolve
from restyle.conversion.models import missing_libraries
from restyle.engines.base import File, Role
from restyle.engines.families import FAMILIES
from restyle.models.catalogue import Catalogue, Entry
from restyle.models.kinds import Kind
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

SHOWN = 5
"""Names of what is left out that are kept with an entry."""


def rehearsed(entry: Entry, catalogue: Catalogue) -> dict[str, Any]:
    """What drawing with ``entry`` leaves out of it, as facts of it: ``left_out``, in words; nothing where it is whole,
    or where the engine's libraries are not installed and it cannot be known.

    Raises RestyleError (230) for what drawing would refuse.
    """
    family = next(
        (
            family
            for family in FAMILIES
            if family.rehearse and (entry.architecture is None or entry.architecture in family.architectures)
        ),
        None,
    )
    if family is None or missing_libraries(family):
        return {}
    mains = (
        []
        if entry.kind is Kind.MAIN
        else [
            _file(main, catalogue)
            for main in catalogue.of(Kind.MAIN, entry.architecture)
            if not main.facts.get("alone")
        ]
    )
    try:
        left_out = resolve(family.rehearse)(_file(entry, catalogue), mains)
    except RestyleError as error:
        reason = error.message.removesuffix("; verify or replace it")
        raise RestyleError(Code.PARAMETER_NOT_AVAILABLE, f"{entry.path}: {reason}", field="path") from error
    if not left_out:
        return {}
    more = f" and {len(left_out) - SHOWN} more" if len(left_out) > SHOWN else ""
    return {"left_out": ", ".join(name[:80] for name in left_out[:SHOWN]) + more}


def _file(entry: Entry, catalogue: Catalogue) -> File:
    base = entry.facts.get("base")
    return File(
        role=Role(entry.kind.value),
        path=entry.path,
        sha256=entry.sha256,
        name=entry.code,
        format=entry.format,
        architecture=entry.architecture.value if entry.architecture else "",
        facts=entry.facts,
        trigger_words=entry.trigger_words,
        base=_file(catalogue.main(base), catalogue) if base else None,
    )
