import threading
from pathlib import Path

import pytest

from restyle.models.files.part import held, part_of
from restyle.wire.errors import RestyleError
from tests.support.patience import PATIENCE


def test_a_part_is_in_one_hand_at_a_time(tmp_path: Path) -> None:
    """Ten writers of one file, each of whom finds either nothing or what another has finished."""
    target = tmp_path / "file"
    wrong: list[bytes] = []

    def run(number: int) -> None:
        with part_of(target) as part:
            wrong.extend([part.path.read_bytes()] if part.path.stat().st_size else [])
            for _ in range(20):
                part.write(bytes([number]))
            part.place()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert wrong == []
    assert target.read_bytes() in [bytes([number]) * 20 for number in range(10)]
    assert list(tmp_path.iterdir()) == [target]


def test_blocks_about_one_place_follow_one_another(tmp_path: Path) -> None:
    inside: list[int] = []

    def run() -> None:
        with held(tmp_path / "folder" / "model"):
            inside.append(1)
            assert len(inside) == 1
            inside.pop()

    threads = [threading.Thread(target=run) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert inside == []
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "way").write_text("a file")
    for block in (part_of(tmp_path / "way" / "file"), held(tmp_path / "way" / "file")):
        with pytest.raises(RestyleError, match=r"cannot write .*/way/file: .*; its folder must be writable"), block:
            pass


def test_a_file_that_others_wrote_to_is_not_placed(tmp_path: Path) -> None:
    """As where a file system grants the same lock to everybody."""
    target = tmp_path / "file"
    with part_of(target) as part:
        part.write(b"mine")
        with part.path.open("ab") as theirs:
            theirs.write(b"theirs")
        with pytest.raises(RestyleError, match="has 10 bytes, not the 4 that came"):
            part.place()
    assert not target.exists()
