"""Plans as they are kept with their tasks: JSON with a version, read by every later release or refused with a sentence.

Version 0 had no number: it named models by their codes and left the choice of files to the drawing, so it is planned
when it is read. A field may be added with a default and the same version; whatever else changes takes a new number, and
a reader of the old one.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from restyle.conversion.plan import Pictures, Plan, plan
from restyle.conversion.registry import Registry
from restyle.conversion.request import CHECKED, Conversion
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.ranges import RESIZE_MODES, SIDE, STRENGTH

VERSION = 1

_plans = TypeAdapter(Plan)


def to_json(planned: Plan) -> dict[str, Any]:
    """A dict of JSON values."""
    return {"version": VERSION, **dataclasses.asdict(planned)}


def from_json(text: str, registry: Registry, seeds: tuple[int, ...]) -> Plan:
    """The plan that :func:`to_json` of this or an earlier release wrote, as JSON text; ``seeds`` are its task's.

    Raises RestyleError: 5000 for what this release cannot read, and what planning raises for a plan of version 0.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(f"it is not JSON ({error})") from error
    if not isinstance(values, dict):
        raise _unreadable("it is not an object")
    version = values.pop("version", 0)
    reader = READERS.get(version) if type(version) is int else None
    if reader is None:
        raise _unreadable(f"it is of version {version!r}, and this release reads {', '.join(map(str, READERS))}")
    try:
        return reader(values, registry, seeds)
    except RestyleError as error:
        if error.code in (Code.MODEL_NOT_FOUND, Code.SUB_MODEL_UNFIT, Code.INTERNAL_ERROR):
            raise  # what planning finds is the task's own error
        raise _unreadable(error.message) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise _unreadable(f"{place}: {first['msg']}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise _unreadable(f"{type(error).__name__}: {error}") from error


def _read(values: dict[str, Any], registry: Registry, seeds: tuple[int, ...]) -> Plan:
    found = _plans.validate_python(values)
    sides = all(1 <= side <= SIDE.maximum for side in (found.width, found.height))
    if not (sides and STRENGTH.minimum <= found.strength <= STRENGTH.maximum):
        raise _unreadable(
            f"{found.width} x {found.height} at strength {found.strength:g} is no picture that can be drawn"
        )
    if found.resize_mode not in RESIZE_MODES:
        raise _unreadable(f'its resize_mode is "{found.resize_mode}"')
    return found


@dataclass(frozen=True, slots=True)
class _Submitted:
    """A sub-model as version 0 kept it."""

    code: str
    kind: str
    weight: float


def _read_unnumbered(values: Mapping[str, Any], registry: Registry, seeds: tuple[int, ...]) -> Plan:
    inference = values.get("inference", {})
    subs = [_Submitted(**one) for one in values.get("adapters", ())]
    asked = Conversion.read(
        {
            "model": {"code": values["model_code"], "parameters": {name: inference[name] for name in inference}},
            "sub_models": [{"code": sub.code, "parameters": {"weight": sub.weight}} for sub in subs],
            "strength": values["strength"],
            "width": values["width"],
            "height": values["height"],
            "resize_mode": values["resize_mode"],
            "preserve_color": values.get("preserve_color", False),
            "positive_prompts": list(values.get("positive_prompts", ())),
            "negative_prompts": list(values.get("negative_prompts", ())),
            "translate_prompts": values.get("translate_prompts", True),
            "use_main_model_vae": values.get("main_model_vae", False),
        },
        CHECKED,
    )
    planned = plan(asked, registry, Pictures(values["raw"], values["style"]))
    # what was accepted stays accepted: the seeds, and the notices that the client was given then
    return dataclasses.replace(planned, seeds=seeds, notices=())


Reader = Callable[[dict[str, Any], Registry, tuple[int, ...]], Plan]
READERS: Mapping[int, Reader] = {0: _read_unnumbered, VERSION: _read}


def _unreadable(why: str) -> RestyleError:
    return RestyleError(Code.INTERNAL_ERROR, f"the stored task cannot be read by this release: {why}; submit it again")
