import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from restyle.settings import Settings
from restyle.storage import Storage, input_key, open_storage, result_key
from restyle.wire.errors import RestyleError


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(Settings(data_dir=tmp_path / "data"))


def test_what_was_put_is_got(storage: Storage) -> None:
    storage.put("inputs/a/0", b"first")
    storage.put("inputs/a/0", bytearray(b"second"))
    assert storage.get("inputs/a/0") == b"second"
    with pytest.raises(FileNotFoundError):
        storage.get("inputs/a/1")


def test_what_was_put_is_streamed_in_pieces(storage: Storage) -> None:
    content = bytes(range(256)) * 1000
    storage.put("results/a/0", content)

    async def scene() -> list[bytes]:
        with pytest.raises(FileNotFoundError):
            await storage.stream("results/a/1")
        size, pieces = await storage.stream("results/a/0")
        assert size == len(content)
        return [piece async for piece in pieces]

    pieces = asyncio.run(scene())
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= 65536


def test_a_prefix_is_deleted_whole_and_alone(storage: Storage) -> None:
    for key in ("results/a/r1/0.png", "results/a/r2/0.png", "results/ab/r1/0.png", "inputs/a/0"):
        storage.put(key, b"x")
    storage.delete_prefix("results/a/")
    storage.delete_prefix("results/a/")
    assert list(storage.names("results/")) == ["ab"]
    assert list(storage.names("inputs/")) == ["a"]
    assert list(storage.names("nothing/")) == []


def test_empty_folders_do_not_pile_up(storage: Storage, tmp_path: Path) -> None:
    storage.put(result_key("a", "r1", 0), b"x")
    storage.delete_prefix("results/a/")
    assert not (tmp_path / "data" / "objects" / "results" / "a").exists()


def test_putting_and_deleting_side_by_side_disturbs_nobody(storage: Storage) -> None:
    def live(number: int) -> bool:
        for turn in range(20):
            key = input_key(f"{number}-{turn}", 0)
            storage.put(key, b"x" * 1000)
            assert storage.get(key) == b"x" * 1000
            storage.delete_prefix(f"inputs/{number}-{turn}/")
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(live, range(16)))


def test_a_storage_url_names_another_place(tmp_path: Path) -> None:
    storage = open_storage(Settings(data_dir=tmp_path / "data", storage_url=f"file://{tmp_path / 'elsewhere'}"))
    storage.put("inputs/a/0", b"x")
    assert (tmp_path / "elsewhere" / "inputs" / "a" / "0").read_bytes() == b"x"
    assert not (tmp_path / "data").exists()


def test_a_storage_url_that_cannot_serve_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RestyleError, match="storage_url cannot be opened"):
        open_storage(Settings(data_dir=tmp_path, storage_url="gopher://x"))
