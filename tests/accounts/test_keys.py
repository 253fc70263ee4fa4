import base64
import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from restyle.accounts.credits import balance
from restyle.accounts.keys import KeyStore, read_master_key
from restyle.database import keys, open_database, reading, writing
from restyle.wire.errors import RestyleError
from tests.support.nursery import several
from tests.support.strangers import NOBODY, needs_root, nobody


@pytest.fixture
def store(db: sa.Engine, tmp_path: Path) -> KeyStore:
    return KeyStore(db, tmp_path / "key")


def test_a_key_is_found_as_it_was_made(store: KeyStore, db: sa.Engine) -> None:
    pair = store.create(credits=300)
    found = store.find(pair.public_key)
    assert found is not None
    assert (found.private_key, found.account_id) == (pair.private_key, pair.account_id)
    assert not found.disabled
    assert not found.requires_timestamp
    assert (balance(db, pair.account_id).total, balance(db, pair.account_id).used) == (300, 0)
    assert store.find("unknown") is None


def test_keys_are_random_words(store: KeyStore) -> None:
    pairs = [store.create(credits=0) for _ in range(5)]
    texts = {text for pair in pairs for text in (pair.public_key, pair.private_key)}
    assert len(texts) == 10
    assert all(text.isalnum() and text.isascii() and len(text) >= 32 for text in texts)


def test_a_disabled_key_is_found_disabled_at_once(store: KeyStore, db: sa.Engine, tmp_path: Path) -> None:
    pair = store.create(credits=0, requires_timestamp=True)
    KeyStore(db, tmp_path / "key").disable(pair.public_key)
    found = store.find(pair.public_key)
    assert found is not None
    assert found.disabled
    assert found.requires_timestamp
    with pytest.raises(RestyleError, match="there is no public key nobody") as error:
        store.disable("nobody")
    assert error.value.code == 172


def test_the_list_shows_all_keys_and_no_secret(store: KeyStore) -> None:
    first, second = store.create(credits=3), store.create(credits=4, unlimited=True)
    store.disable(first.public_key)
    listed = store.list()
    assert [(key.public_key, key.disabled, key.unlimited, key.total_credits) for key in listed] == [
        (first.public_key, True, False, 3),
        (second.public_key, False, True, 4),
    ]
    assert not any(secret in repr(listed) for secret in (first.private_key, second.private_key))


def test_private_keys_are_nowhere_in_the_open(store: KeyStore, db: sa.Engine, tmp_path: Path) -> None:
    pair = store.create(credits=1)
    with reading(db) as connection:
        assert pair.private_key.encode() not in connection.execute(sa.select(keys.c.sealed_private_key)).scalar_one()
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(pair.private_key.encode() in content for content in files)


def test_the_key_file_is_its_owners_alone(store: KeyStore, tmp_path: Path) -> None:
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert len(base64.b64decode((tmp_path / "key").read_bytes())) == 32
    assert [path.name for path in tmp_path.glob(".key*")] == []


def test_a_sealed_key_moved_to_another_row_does_not_open(store: KeyStore, db: sa.Engine) -> None:
    mine, other = store.create(credits=0), store.create(credits=0)
    with writing(db) as connection:
        sealed = connection.execute(
            sa.select(keys.c.sealed_private_key).where(keys.c.public_key == mine.public_key)
        ).scalar_one()
        change = sa.update(keys).where(keys.c.public_key == other.public_key)
        connection.execute(change.values(sealed_private_key=sealed))
    with pytest.raises(RestyleError, match="does not open the keys"):
        store.find(other.public_key)


def test_a_missing_damaged_or_foreign_key_file_is_told_apart(store: KeyStore, db: sa.Engine, tmp_path: Path) -> None:
    store.create(credits=0)
    file = tmp_path / "key"
    kept = file.read_bytes()
    file.unlink()
    with pytest.raises(RestyleError, match="is missing, and it sealed the 1 keys"):
        KeyStore(db, file)
    assert not file.exists()
    file.write_bytes(b"no key")
    file.chmod(0o600)
    with pytest.raises(RestyleError, match="is no key file"):
        KeyStore(db, file)
    file.write_bytes(base64.b64encode(os.urandom(32)))
    with pytest.raises(RestyleError, match="does not open the keys in this database"):
        KeyStore(db, file)
    file.write_bytes(kept)
    file.chmod(0o644)
    with pytest.raises(RestyleError, match="chmod 600"):
        KeyStore(db, file)
    file.chmod(0o600)
    assert KeyStore(db, file).list()


@needs_root
def test_a_key_file_that_an_orchestrator_mounts_for_a_group_of_ours_is_taken(db: sa.Engine, open_path: Path) -> None:
    """Kubernetes gives a secret's file to root and to the group of ``fsGroup``, with mode 0440."""
    file = open_path / "mounted"
    file.write_bytes(base64.b64encode(os.urandom(32)))
    for group, mode, taken in ((NOBODY, 0o440, True), (NOBODY, 0o640, True), (NOBODY, 0o444, False),
                               (NOBODY, 0o460, False), (0, 0o444, False)):  # fmt: skip
        os.chown(file, 0, group)
        file.chmod(mode)
        with nobody():
            if taken:
                assert len(read_master_key(file)) == 32
            else:
                with pytest.raises(RestyleError, match="can be read by others"):
                    read_master_key(file)


def test_derived_secrets_differ_by_purpose_and_outlast_a_restart(
    store: KeyStore, db: sa.Engine, tmp_path: Path
) -> None:
    again = KeyStore(db, tmp_path / "key")
    assert store.derive(b"results") == again.derive(b"results")
    assert store.derive(b"results") != store.derive(b"else")
    assert len(store.derive(b"results")) == 32


def test_processes_that_make_the_first_key_at_once_share_one_file(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from restyle.accounts.keys import KeyStore, read_master_key; from restyle.database import open_database\n"
        "store = KeyStore(open_database(sys.argv[1]), Path(sys.argv[2]))\n"
        "print(store.create(credits=1).public_key)\n"
    )
    url = f"sqlite:///{tmp_path / 'x.sqlite3'}"
    public_keys = [said.strip() for said in several(script, url, str(tmp_path / "key"))]
    db = open_database(url)
    store = KeyStore(db, tmp_path / "key")
    assert all(store.find(public_key) for public_key in public_keys)
    db.dispose()


def test_an_account_has_several_keys_with_names(store: KeyStore, db: sa.Engine) -> None:
    first = store.create(credits=5, name="laptop")
    second = store.add(first.account_id, name="Büro 2", requires_timestamp=True)
    other = store.create(credits=1)
    listed = {key.public_key: key for key in store.list()}
    assert [listed[pair.public_key].name for pair in (first, second, other)] == ["laptop", "Büro 2", ""]
    assert listed[second.public_key].account_id == first.account_id != other.account_id
    assert (listed[second.public_key].total_credits, listed[second.public_key].requires_timestamp) == (5, True)
    store.rename(second.public_key, "")
    store.disable(first.public_key)
    found = [store.find(pair.public_key) for pair in (first, second)]
    assert [key is not None and key.disabled for key in found] == [True, False]
    store.enable(first.public_key)
    assert not any(key.disabled or key.name == "Büro 2" for key in store.list())


def test_a_rotated_key_has_another_private_key_and_all_else_as_before(store: KeyStore) -> None:
    pair = store.create(credits=5, name="x")
    before = store.find(pair.public_key)
    rotated = store.rotate(pair.public_key)
    after = store.find(pair.public_key)
    assert before is not None
    assert after is not None
    assert (after.private_key, after.account_id) == (rotated, before.account_id)
    assert rotated != pair.private_key


def test_what_cannot_be_done_with_keys(store: KeyStore) -> None:
    for attempt in (
        lambda: store.enable("nobody"),
        lambda: store.rename("nobody", "x"),
        lambda: store.rotate("nobody"),
        lambda: store.add(99),
    ):
        with pytest.raises(RestyleError, match="there is no") as refused:
            attempt()
        assert refused.value.code == 172
    for name in ("x" * 65, "a\tb", "\x1b[31m"):
        with pytest.raises(RestyleError, match="64 printable characters at most"):
            store.create(credits=1, name=name)
    assert store.list() == []


def test_keys_are_sealed_under_another_file_in_one_step(db: sa.Engine, tmp_path: Path) -> None:
    store = KeyStore(db, tmp_path / "key")
    pairs = [store.create(credits=1) for _ in range(3)]
    assert store.reseal(tmp_path / "new" / "key") == 3
    with pytest.raises(RestyleError, match="does not open the keys in this database"):
        KeyStore(db, tmp_path / "key")
    again = KeyStore(db, tmp_path / "new" / "key")
    assert [again.find(pair.public_key).private_key for pair in pairs] == [pair.private_key for pair in pairs]  # type: ignore[union-attr]
    assert (tmp_path / "new" / "key").stat().st_mode & 0o777 == 0o600


def test_a_machine_of_a_fleet_makes_no_key_file(db: sa.Engine, tmp_path: Path) -> None:
    with pytest.raises(RestyleError, match=r"every api of a fleet needs the same one.*RESTYLE_KEY_FILE"):
        KeyStore(db, tmp_path / "key", make=False)
    assert not (tmp_path / "key").exists()


def test_a_key_has_a_priority(db: sa.Engine, tmp_path: Path) -> None:
    store = KeyStore(db, tmp_path / "key")
    pair = store.create(credits=1)
    store.prefer(pair.public_key, 7)
    found = store.find(pair.public_key)
    assert found is not None
    assert found.priority == 7
    assert store.list()[0].priority == 7
    with pytest.raises(RestyleError, match="a priority is from -100 to 100, not 101"):
        store.prefer(pair.public_key, 101)
