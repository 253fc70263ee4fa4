from pathlib import Path

import pytest

from restyle.models.licences import Licence, accept, not_accepted
from restyle.wire.errors import RestyleError

ONE = Licence("a/one", "MIT", "https://x.test/a/one")
TWO = Licence("a/two", "OpenRAIL", "https://x.test/a/two")


def test_a_licence_is_accepted_once(tmp_path: Path) -> None:
    assert not_accepted(tmp_path, [TWO, ONE, TWO]) == [ONE, TWO]
    accept(tmp_path, [ONE])
    assert not_accepted(tmp_path, [ONE, TWO]) == [TWO]
    accept(tmp_path, [TWO])
    assert not_accepted(tmp_path, [ONE, TWO]) == []


def test_another_licence_of_the_same_repository_is_asked_about_anew(tmp_path: Path) -> None:
    accept(tmp_path, [ONE])
    changed = Licence("a/one", "Non-commercial", ONE.page)
    assert not_accepted(tmp_path, [changed]) == [changed]


def test_a_broken_record_is_said(tmp_path: Path) -> None:
    accept(tmp_path, [ONE])
    (tmp_path / "models" / "licences.toml").write_text("{")
    with pytest.raises(RestyleError, match=r"licences\.toml cannot be read: .*; delete it to be asked anew"):
        not_accepted(tmp_path, [ONE])
