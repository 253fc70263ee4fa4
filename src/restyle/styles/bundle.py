"""A kept style as one file, for a data folder or for somebody else: a ZIP of its settings and its picture."""

import json
import zipfile
from io import BytesIO
from typing import Any

from restyle.conversion.request import CHECKED
from restyle.conversion.style import StyleSettings, checked_code
from restyle.images.decode import decode
from restyle.images.limits import Limits
from restyle.styles.style import KeptStyle
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

SUFFIX = ".style.zip"
"""What an exported style's file is called after its name."""
VERSION = 1
SETTINGS = "style.json"
PICTURE = "picture"
MOST_SETTINGS = 8 * 1024 * 1024
"""Bytes of the settings: prompts at their longest are less."""
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The time of every member: the same style gives the same file."""


def to_bundle(style: KeptStyle) -> bytes:
    """The bytes of the file."""
    said = {"version": VERSION, "code": style.code, "settings": style.settings.kept()}
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as members:
        members.writestr(zipfile.ZipInfo(SETTINGS, EARLIEST), json.dumps(said, ensure_ascii=False, indent=1))
        members.writestr(zipfile.ZipInfo(PICTURE, EARLIEST), style.picture)
    return file.getvalue()


def from_bundle(data: bytes, limits: Limits, *, field: str) -> KeptStyle:
    """The style in a file that may be a stranger's; whether its picture can be drawn is :func:`check_picture`'s to say.

    Raises RestyleError (230) naming ``field`` for what is no such file, is of a later release, or says what no style
    may.
    """
    try:
        with zipfile.ZipFile(BytesIO(data)) as members:
            said = json.loads(_member(members, SETTINGS, MOST_SETTINGS))
            picture = _member(members, PICTURE, limits.max_bytes)
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise _no_style(field, f"is no style that was exported ({error})") from error
    if not isinstance(said, dict) or type(said.get("version")) is not int:
        raise _no_style(field, "is no style that was exported (it says no version)")
    if said["version"] != VERSION:
        raise _no_style(field, f"is of version {said['version']}, and this release reads {VERSION}")
    return KeptStyle(checked_code(str(said.get("code", "")), field=field), picture, _settings(said, field))


def check_picture(style: KeptStyle, limits: Limits, *, field: str) -> None:
    """Raises RestyleError (4003) naming ``field`` where the style's picture cannot be drawn from."""
    decode(style.picture, limits, field=field)


def _settings(said: dict[str, Any], field: str) -> StyleSettings:
    values = said.get("settings", {})
    if not isinstance(values, dict):
        raise _no_style(field, "is no style that was exported (its settings are no object)")
    return StyleSettings.read(values, CHECKED)


def _member(members: zipfile.ZipFile, name: str, most: int) -> bytes:
    """What the file holds under ``name``, of ``most`` bytes at most, whatever its directory says."""
    with members.open(name) as member:
        data = member.read(most + 1)
    if len(data) > most:
        raise ValueError(f"{name} has more than {most:,} bytes")
    return data


def _no_style(field: str, what: str) -> RestyleError:
    return RestyleError(Code.PARAMETER_NOT_AVAILABLE, f"{field} {what}", field=field)
