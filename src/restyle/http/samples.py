"""Requests to paste: what the page of documents shows of each action, for a shell and for Python."""

import json
from functools import cache
from typing import Any

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

PHOTO, STYLE, TASK = "${PHOTO}", "${STYLE}", "${TASK}"

_FIELDS: dict[str, dict[str, Json]] = {
    "ApplyReferenceStyle": {
        "MainModel": {"ModelCode": "Restyle Painter"},
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

_SHELL_BEFORE = {
    "ApplyReferenceStyle": "PHOTO=$(base64 < photo.jpg | tr -d '\\n')\nSTYLE=$(base64 < painting.jpg | tr -d '\\n')\n",
    "ListTasksDetails": "TASK=...    # the TaskUID that ApplyReferenceStyle answered\n",
    "TerminateTask": "TASK=...    # the TaskUID that ApplyReferenceStyle answered\n",
    "SaveStyle": "STYLE=$(base64 < painting.jpg | tr -d '\\n')\n",
}


@cache
def shell(action: str) -> str:
    """The action in a shell, after ``SHELL_START``: the text that is signed, its signature, and the request."""
    body: dict[str, Json] = {"Action": action, "PublicKey": "${RESTYLE_PUBLIC_KEY}", **_FIELDS.get(action, {})}
    signed = json.dumps({**body, "Signature": "${SIGNATURE}"}, indent=1)
    return (
        f"{_SHELL_BEFORE.get(action, '')}"
        f'TEXT="{text_of(body)}"\n'
        'SIGNATURE=$(printf %s "${TEXT}${RESTYLE_PRIVATE_KEY}" | sha1sum | cut -c1-40)\n'
        "curl -s \"$RESTYLE_URL\" -H 'Content-Type: application/json' --data-binary @- <<END\n"
        f"{signed}\nEND\n"
    )


@cache
def python(action: str) -> str:
    """The action in Python, after ``PYTHON_START``."""
    names = {PHOTO: 'picture("photo.jpg")', STYLE: 'picture("painting.jpg")', TASK: "task"}
    fields = {name: _literal(value, names) for name, value in _FIELDS.get(action, {}).items()}
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
