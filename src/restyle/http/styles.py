"""The kept styles of an account at the service, with the official ones: what actions and pages do with them.

An account's own style goes before an official one of the same name, which only an earlier release can have let it take.
"""

from contextlib import suppress
from dataclasses import dataclass, field

from restyle.accounts import styles as rows
from restyle.conversion.plan import Pictures, plan
from restyle.conversion.request import CHECKED, Conversion
from restyle.conversion.style import StyleSettings, checked_code
from restyle.http.conversion import wire_name
from restyle.http.pictures import looked_at
from restyle.http.service import Service
from restyle.queue.uid import new_uid
from restyle.storage import StorageError, style_key, style_prefix
from restyle.styles.official import is_official, official, official_style, official_thumbnail
from restyle.styles.style import KeptStyle
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from restyle.wire.fields import shown, unavailable
from restyle.wire.names import DEFAULT_MODEL
from restyle.wire.ranges import SIDE

FIELD = "StyleCode"


@dataclass(frozen=True, slots=True)
class ShelfStyle:
    """A style as a shelf shows it: ``thumbnail`` is a JPEG of at most 256 pixels a side, ``created`` Unix seconds, None
    for an official one.
    """

    code: str
    name: str
    is_official: bool
    settings: StyleSettings = field(repr=False)
    thumbnail: bytes = field(repr=False)
    created: float | None = None


def shelf(service: Service, account_id: int) -> list[ShelfStyle]:
    """All styles that the account may use: its own by name, then the official ones."""
    own = [
        ShelfStyle(row.code, row.code, False, StyleSettings.read(row.settings, CHECKED), row.thumbnail, row.created)
        for row in rows.styles_of(service.db, account_id)
    ]
    taken = {style.code for style in own}
    return own + [
        ShelfStyle(style.code, style.name, True, style.settings, official_thumbnail(style.code))
        for style in official()
        if style.code not in taken
    ]


def find(service: Service, account_id: int, code: str) -> KeptStyle:
    """A style that the account may use, with its picture. Raises RestyleError (4012) where there is none."""
    row = rows.find_style(service.db, account_id, code)
    if row is None:
        if (style := official_style(code)) is not None:
            return style
        raise _unknown(code)
    try:
        picture = service.storage.get(style_key(row.uid))
    except FileNotFoundError:  # deleted, or replaced, at this moment
        raise _unknown(code) from None
    return KeptStyle(row.code, picture, StyleSettings.read(row.settings, CHECKED))


def thumbnail(service: Service, account_id: int, code: str) -> bytes:
    """The thumbnail of a style that the account may use. Raises RestyleError (4012) where there is none."""
    row = rows.find_style(service.db, account_id, code)
    if row is not None:
        return row.thumbnail
    if official_style(code) is None:
        raise _unknown(code)
    return official_thumbnail(code)


def save(service: Service, account_id: int, code: str, picture: bytes, settings: StyleSettings) -> None:
    """Keep ``picture``, a file of a stranger's, and ``settings`` for the account, in place of its style of that name.

    Raises RestyleError: 230 for a name that is none or official, 4003 for the picture, 4013 where the account keeps too
    much already, and what planning raises for settings that nothing can be drawn with; Refused (503, 4009) where there
    is no time to look at the picture.
    """
    checked_code(code, field=FIELD)
    if is_official(code):
        raise unavailable(FIELD, f"it is {shown(code)}, an official style; give another")
    _check_settings(service, settings)
    small = looked_at(picture, service.checkers, account_id, field="StyleImage")
    uid, before = new_uid(), ""
    quota = rows.Quota(service.settings.max_styles, service.settings.max_styles_bytes)
    try:
        service.storage.put(style_key(uid), picture)
        size = len(picture)
        replaced = rows.save_style(
            service.db, account_id, code, uid, settings.kept(), picture_bytes=size, thumbnail=small, quota=quota
        )
        before = replaced or ""
    except BaseException:
        before = uid
        raise
    finally:
        if before:
            with suppress(StorageError):  # the sweep deletes what stays
                service.storage.delete_prefix(style_prefix(before))


def delete(service: Service, account_id: int, code: str) -> None:
    """Forget a style of the account's. Raises RestyleError: 230 for an official one, 4012 where it has none such."""
    uid = rows.delete_style(service.db, account_id, code)
    if uid is None:
        if official_style(code) is not None:
            raise unavailable(FIELD, f"it is {shown(code)}, an official style, which stays")
        raise _unknown(code)
    with suppress(StorageError):
        service.storage.delete_prefix(style_prefix(uid))


def _check_settings(service: Service, settings: StyleSettings) -> None:
    """What is kept can be drawn with now."""
    small = {"width": SIDE.minimum, "height": SIDE.minimum}
    asked = Conversion.read({"model": {"code": DEFAULT_MODEL}, **small, **settings.kept()}, CHECKED, wire_name)
    plan(asked, service.registry, Pictures("raw", "style"), named=wire_name)


def _unknown(code: str) -> RestyleError:
    message = f"the account has no style {shown(code)}; ListStyles names those there are"
    return RestyleError(Code.STYLE_NOT_FOUND, message, field=FIELD)
