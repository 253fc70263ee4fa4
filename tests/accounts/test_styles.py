"""The rows of kept styles, on each kind of database."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from restyle.accounts.keys import KeyStore
from restyle.accounts.styles import Quota, delete_style, find_style, save_style, styles_of
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

QUOTA = Quota(styles=2, picture_bytes=100)


def save(db: sa.Engine, account: int, code: str, uid: str, size: int = 10, **settings: Any) -> str | None:
    return save_style(db, account, code, uid, settings, picture_bytes=size, thumbnail=b"small", quota=QUOTA)


def test_styles_are_kept_by_account_replaced_and_bounded(db: sa.Engine, tmp_path: Path) -> None:
    keys = KeyStore(db, tmp_path / "key")
    mine, other = (keys.create(credits=0).account_id for _ in range(2))
    assert save(db, mine, "ink", "u1", 90, strength=0.5) is None
    assert save(db, other, "ink", "u2") is None
    assert save(db, mine, "ink", "u3", 60, strength=0.7) == "u1"  # its own bytes make room
    found = find_style(db, mine, "ink")
    assert found is not None
    assert (found.uid, found.settings, found.picture_bytes, found.thumbnail) == ("u3", {"strength": 0.7}, 60, b"small")

    with pytest.raises(RestyleError, match="40 more") as refused:
        save(db, mine, "Wash", "u4", 41)
    assert (refused.value.code, refused.value.field) == (Code.QUOTA_USED, "StyleCode")
    assert save(db, mine, "Wash", "u4", 40) is None
    with pytest.raises(RestyleError, match="keeps 2 styles"):
        save(db, mine, "third", "u5", 0)
    assert [style.code for style in styles_of(db, mine)] == ["ink", "Wash"]
    assert [style.uid for style in styles_of(db, other)] == ["u2"]

    assert delete_style(db, other, "Wash") is None
    assert delete_style(db, mine, "Wash") == "u4"
    assert find_style(db, mine, "Wash") is None
