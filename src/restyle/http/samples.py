"""Requests to paste: what the page of documents shows of each action, for a shell and for Python."""

import json
import re
import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any

from restyle.wire.names import DEFAULT_MODEL
from restyle.wire.signature import Json, text_of

ADDRESS = "@address@"
"""Stands in the samples for the address of the service, quoted for a shell."""

SHELL_START = f"""\
export RESTYLE_URL={ADDRESS}
export RESTYLE_PUBLIC_KEY=... RESTYLE_PRIVATE_KEY=...    # from: restyle keys create
"""

PYTHON_START = '''\
import base64, hashlib, json, os, urllib.request
from decimal import Decimal

def text(value):
    """What of a value is signed."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
    if isinstance(value, dict):
        return "".join(name + text(value[name]) for name in sorted(value))
    if isinstance(value, list):
        return "".join(map(text, value))
    return str(value)

def call(action, **fields):
    body = {"Action": action, "PublicKey": os.environ["RESTYLE_PUBLIC_KEY"], **fields}
    signed = text(body) + os.environ["RESTYLE_PRIVATE_KEY"]
    body["Signature"] = hashlib.sha1(signed.encode()).hexdigest()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(os.environ["RESTYLE_URL"], json.dumps(body).encode(), headers)
    return json.load(urllib.request.urlopen(request))

def picture(path):
    return base64.b64encode(open(path, "rb").read()).decode()
'''

PHOTO, STYLE, CONTROL, MASK, TASK = "${PHOTO}", "${STYLE}", "${CONTROL}", "${MASK}", "${TASK}"

_FIELDS: dict[str, dict[str, Json]] = {
    "ApplyReferenceStyle": {
        "MainModel": {"ModelCode": DEFAULT_MODEL},
        "RawImageIndex": 0,
        "StyleImageIndex": 1,
        "StyleReferStrength": 0.7,
        "ImageList": [PHOTO, STYLE],
    },
    "ListTasksDetails": {"TaskUIDList": [TASK]},
    "TerminateTask": {"TaskUID": TASK},
    "SaveStyle": {"StyleCode": "House watercolour", "StyleImage": STYLE, "StyleReferStrength": 0.7},
    "DeleteStyle": {"StyleCode": "House watercolour"},
}
"""What an action is asked besides its name; nothing where it is not here."""

_FILES = {PHOTO: "photo.jpg", STYLE: "painting.jpg", CONTROL: "map.png", MASK: "mask.png"}
"""Of the pictures in requests."""
_TASK_BEFORE = "TASK=...    # the TaskUID that ApplyReferenceStyle answered\n"


@cache
def shell(action: str) -> str:
    """The action in a shell, after ``SHELL_START``: the text that is signed, its signature, and the request."""
    return shell_of(action, _FIELDS.get(action, {}))


def shell_start(address: str) -> str:
    """What comes before samples for a shell that ask the service at ``address``."""
    return SHELL_START.replace(ADDRESS, shlex.quote(address))


def shell_of(action: str, fields: Mapping[str, Json]) -> str:
    """As :func:`shell`, for fields that are given."""
    body: dict[str, Json] = {"Action": action, "PublicKey": "${RESTYLE_PUBLIC_KEY}", **fields}
    signed = json.dumps({**body, "Signature": "${SIGNATURE}"}, indent=1)
    return (
        f"{_before(signed)}"
        f'TEXT="{_for_shell(text_of(body), quoted=True)}"\n'
        'SIGNATURE=$(printf %s "${TEXT}${RESTYLE_PRIVATE_KEY}" | sha1sum | cut -c1-40)\n'
        "curl -s \"$RESTYLE_URL\" -H 'Content-Type: application/json' --data-binary @- <<END\n"
        f"{_for_shell(signed)}\nEND\n"
    )


def _before(request: str) -> str:
    """What sets the variables that a request has."""
    pictures = [
        f"{name[2:-1]}=$(base64 < {file} | tr -d '\\n')\n" for name, file in _FILES.items() if f'"{name}"' in request
    ]
    return "".join(pictures) + (_TASK_BEFORE if f'"{TASK}"' in request else "")


def _for_shell(text: str, *, quoted: bool = False) -> str:
    """``text`` as a shell reads it between double quotes, or in a document that goes to a command: what a prompt may
    hold stays text, and only the variables of the samples are replaced.
    """
    escaped = re.sub(r'([\\`$"])' if quoted else r"([\\`$])", r"\\\1", text)
    return re.sub(r"\\(\$\{(?:PHOTO|STYLE|CONTROL|MASK|TASK|SIGNATURE|RESTYLE_PUBLIC_KEY)\})", r"\1", escaped)


@cache
def python(action: str) -> str:
    """The action in Python, after ``PYTHON_START``."""
    return python_of(action, _FIELDS.get(action, {}))


def python_of(action: str, given: Mapping[str, Json]) -> str:
    """As :func:`python`, for fields that are given."""
    names = {TASK: "task"} | {name: f'picture("{file}")' for name, file in _FILES.items()}
    fields = {name: _literal(value, names) for name, value in given.items()}
    if not fields:
        return f'answer = call("{action}")\n'
    lines = "".join(f"    {name}={value},\n" for name, value in fields.items())
    after = 'task = answer["TaskUID"]\n' if action == "ApplyReferenceStyle" else ""
    return f'answer = call(\n    "{action}",\n{lines})\n{after}'


def _literal(value: Any, names: dict[str, str]) -> str:
    """``value`` as Python writes it, with variables for what stands in ``names``."""
    if isinstance(value, list):
        return "[" + ", ".join(_literal(each, names) for each in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{name}": {_literal(each, names)}' for name, each in value.items()) + "}"
    if isinstance(value, str):
        return names.get(value) or json.dumps(value)
    return repr(value)
