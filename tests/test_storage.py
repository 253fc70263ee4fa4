import asyncio
import os
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from restyle.settings import Settings
from restyle.storage import Bucket, Storage, StorageError, input_key, open_storage, result_key
from restyle.wire.errors import RestyleError
from tests.support.fleet import object_store


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(Settings(data_dir=tmp_path / "data"))


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    return tmp_path / "data" / "objects"


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
            async with storage.stream("results/a/1"):
                pass
        async with storage.stream("results/a/0") as (size, pieces):
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


def test_empty_folders_do_not_pile_up(storage: Storage, objects: Path) -> None:
    storage.put(result_key("a", "r1", 0), b"x")
    storage.delete_prefix("results/a/")
    assert not (objects / "results" / "a").exists()


def test_what_a_kill_left_is_listed_and_deleted(storage: Storage, objects: Path) -> None:
    """Half a file of this release, one of an older release, and a folder without any."""
    for name in ("a/.0.1234abcd", "b/0#1", "c/r1/1.png#3"):
        path = objects / "results" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half")
    (objects / "results" / "d" / "r1").mkdir(parents=True)
    assert sorted(storage.names("results/")) == ["a", "b", "c", "d"]
    for name in "abcd":
        storage.delete_prefix(f"results/{name}/")
    assert list((objects / "results").iterdir()) == []


def test_objects_and_their_folders_are_on_the_disk_when_they_are_put(
    storage: Storage, objects: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{handle}")).relative_to(objects))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    storage.put("results/a/r1/0.png", b"x")
    assert {str(path) for path in synced} == {"results/a/r1/0.png", "results/a/r1", "results/a", "results"}


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_objects_are_for_their_owner_alone(tmp_path: Path, mask: int) -> None:
    folder = tmp_path / "data" / "objects"
    folder.mkdir(parents=True, mode=0o755)
    before = os.umask(mask)
    try:
        open_storage(Settings(data_dir=tmp_path / "data")).put("inputs/a/0", b"x")
    finally:
        os.umask(before)
    modes = {str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in folder.rglob("*")}
    assert modes == {**dict.fromkeys(("inputs", "results", "probes", "styles", "inputs/a"), 0o700), "inputs/a/0": 0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_storage_that_fails_says_at_what(storage: Storage, objects: Path) -> None:
    storage.put("inputs/a/0", b"x")
    (objects / "inputs" / "a" / "1").mkdir()
    (objects / "inputs" / "b").touch()
    with pytest.raises(StorageError, match="storage cannot read inputs/a/1: Is a directory") as error:
        storage.get("inputs/a/1")
    assert (error.value.code, error.value.key, error.value.size) == (5000, "inputs/a/1", None)
    with pytest.raises(StorageError, match="storage cannot store inputs/b/0: ") as error:
        storage.put("inputs/b/0", b"four")
    assert (error.value.key, error.value.size) == ("inputs/b/0", 4)
    with pytest.raises(StorageError, match="storage cannot store inputs/a/1: Is a directory"):
        storage.put("inputs/a/1", b"x")
    with pytest.raises(StorageError, match="storage cannot list inputs/b/: "):
        list(storage.names("inputs/b/"))
    with pytest.raises(StorageError, match="storage cannot delete inputs/b/: "):
        storage.delete_prefix("inputs/b/")
    assert sorted(path.name for path in (objects / "inputs" / "a").iterdir()) == ["0", "1"]


@pytest.mark.parametrize("lost", ["objects", "objects/inputs"])
def test_a_folder_that_is_gone_is_not_begun_anew(storage: Storage, objects: Path, lost: str) -> None:
    """As one that was moved away, or whose disk is not mounted: what it holds is not lost, and comes back."""
    storage.put("inputs/a/0", b"x")
    folder = objects.parent / lost
    folder.rename(objects.parent / "aside")
    with pytest.raises(StorageError, match="inputs is gone; put the folder back"):
        storage.put("inputs/b/0", b"x")
    with pytest.raises(StorageError, match="inputs is gone; put the folder back"):
        storage.get("inputs/a/0")
    with pytest.raises(StorageError, match="inputs is gone; put the folder back"):
        list(storage.names("inputs/"))
    with pytest.raises(StorageError, match="inputs is gone"):
        asyncio.run(_streamed(storage, "inputs/a/0"))
    assert not folder.exists()
    (objects.parent / "aside").rename(folder)
    assert storage.get("inputs/a/0") == b"x"


async def _streamed(storage: Storage, key: str) -> bytes:
    async with storage.stream(key) as (_, pieces):
        return b"".join([piece async for piece in pieces])


def test_a_file_that_did_not_fit_leaves_nothing(storage: Storage, objects: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StorageError, match="File too large"):
            storage.put("inputs/a/0", bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((objects / "inputs" / "a").iterdir()) == []
    with pytest.raises(FileNotFoundError):
        storage.get("inputs/a/0")


@pytest.mark.parametrize("key", ["/etc/passwd", "../x", "inputs/../../x"])
def test_a_key_stays_in_its_folder(storage: Storage, key: str) -> None:
    for use in (storage.get, lambda key: storage.put(key, b"x")):
        with pytest.raises(ValueError, match="no key of an object"):
            use(key)


def test_a_bucket_keeps_the_same_promises() -> None:
    bucket = Bucket("memory:///")
    bucket.put("inputs/a/0", b"first")
    bucket.put("inputs/a/0", bytearray(b"second"))
    bucket.put("inputs/b/0", b"x")
    assert bucket.get("inputs/a/0") == b"second"
    assert sorted(bucket.names("inputs/")) == ["a", "b"]
    bucket.delete_prefix("inputs/a/")
    bucket.delete_prefix("inputs/a/")
    assert list(bucket.names("inputs/")) == ["b"]
    with pytest.raises(FileNotFoundError):
        bucket.get("inputs/a/0")


def test_a_bucket_that_is_away_is_told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION"):
        monkeypatch.setenv(f"AWS_{name}", "x")
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    bucket = Bucket("s3://bucket/place")
    with pytest.raises(StorageError, match="storage cannot store inputs/a/0: ") as error:
        bucket.put("inputs/a/0", b"x")
    assert error.value.size == 1
    with pytest.raises(StorageError, match="storage cannot read inputs/a/0: "):
        bucket.get("inputs/a/0")
    with pytest.raises(StorageError, match="storage cannot list inputs/: "):
        list(bucket.names("inputs/"))


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


def test_names_come_in_parts(storage: Storage, tmp_path: Path) -> None:
    """Alike in a folder and in an object store."""
    pytest.importorskip("moto")
    with object_store() as url:
        for each in (storage, open_storage(Settings(data_dir=tmp_path, storage_url=url))):
            for name in ("a1", "a10", "a2", "b"):
                for index in (0, 1):
                    each.put(f"inputs/{name}/{index}", b"x")
            each.put("results/a/0", b"x")
            assert each.names_after("inputs/", "", 2) == ["a1", "a10"]
            assert each.names_after("inputs/", "a10", 2) == ["a2", "b"]
            assert each.names_after("inputs/", "b", 2) == []
            assert each.names_after("inputs/", "a1", 9) == ["a10", "a2", "b"]
