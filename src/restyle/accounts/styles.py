"""Styles that an account keeps: their rows. Their pictures are stored before the row that names them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from restyle.database import accounts, reading, styles, writing
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError


@dataclass(frozen=True, slots=True)
class StyleRow:
    """A kept style. ``uid`` is what its picture is stored under, ``settings`` those of
    :meth:`restyle.conversion.style.StyleSettings.kept`; ``thumbnail`` is a JPEG; ``created`` Unix seconds.
    """

    code: str
    uid: str
    settings: Mapping[str, Any]
    picture_bytes: int
    thumbnail: bytes
    created: float


@dataclass(frozen=True, slots=True)
class Quota:
    """What one account may keep: so many styles, whose pictures have so many bytes together."""

    styles: int
    picture_bytes: int


def save_style(
    db: sa.Engine,
    account_id: int,
    code: str,
    uid: str,
    settings: Mapping[str, Any],
    *,
    picture_bytes: int,
    thumbnail: bytes,
    quota: Quota,
) -> str | None:
    """Keep the style in place of one of that name, and return the uid of that one, whose picture the caller deletes.

    Raises :class:`RestyleError` (4013) where the account has no room for it.
    """
    with writing(db) as connection:
        # Saves of one account follow each other from here on, so what is counted below stays true.
        lock = sa.select(accounts.c.id).where(accounts.c.id == account_id).with_for_update(key_share=True)
        connection.execute(lock).scalar_one()
        mine = (styles.c.account_id == account_id) & (styles.c.code == code)
        before = connection.execute(sa.select(styles.c.uid).where(mine)).scalar_one_or_none()
        others = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(styles.c.picture_bytes), 0)).where(
            styles.c.account_id == account_id, styles.c.code != code
        )
        count, size = connection.execute(others).one()
        if count >= quota.styles:
            raise _full(f"the account keeps {count} styles, the most it may")
        if size + picture_bytes > quota.picture_bytes:
            left = max(0, quota.picture_bytes - size)
            raise _full(f"the picture has {picture_bytes:,} bytes, and the account's styles may have {left:,} more")
        connection.execute(sa.delete(styles).where(mine))
        row = {
            "account_id": account_id,
            "code": code,
            "uid": uid,
            "settings": dict(settings),
            "picture_bytes": picture_bytes,
            "thumbnail": thumbnail,
            "created": time.time(),
        }
        connection.execute(sa.insert(styles).values(row))
    return before


def styles_of(db: sa.Engine, account_id: int) -> list[StyleRow]:
    """All that the account keeps, by name."""
    query = sa.select(*_ROW).where(styles.c.account_id == account_id)
    with reading(db) as connection:
        found = [StyleRow(*row) for row in connection.execute(query)]
    return sorted(found, key=lambda style: style.code.casefold())


def find_style(db: sa.Engine, account_id: int, code: str) -> StyleRow | None:
    """The account's style of that name, None where it has none."""
    query = sa.select(*_ROW).where(styles.c.account_id == account_id, styles.c.code == code)
    with reading(db) as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else StyleRow(*row)


def delete_style(db: sa.Engine, account_id: int, code: str) -> str | None:
    """Forget the style and return its uid, whose picture the caller deletes; None where the account has none such."""
    gone = sa.delete(styles).where(styles.c.account_id == account_id, styles.c.code == code).returning(styles.c.uid)
    with writing(db) as connection:
        return connection.execute(gone).scalar_one_or_none()


_ROW = (
    styles.c.code,
    styles.c.uid,
    styles.c.settings,
    styles.c.picture_bytes,
    styles.c.thumbnail,
    styles.c.created,
)


def _full(why: str) -> RestyleError:
    return RestyleError(Code.QUOTA_USED, f"{why}; delete one that is not needed", field="StyleCode")
