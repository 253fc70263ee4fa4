from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from restyle.accounts.credits import balance, charge, give, refund, take
from restyle.accounts.keys import KeyStore
from restyle.database import open_database, writing
from restyle.wire.errors import RestyleError
from tests.support.nursery import several

SPEND = """
import random, sys
from restyle.accounts.credits import charge, refund
from restyle.database import open_database, writing
from restyle.wire.errors import RestyleError
db, kept = open_database(sys.argv[1]), 0
for turn in range(60):
    try:
        with writing(db) as connection:
            charge(connection, int(sys.argv[2]), 3)
            kept += 1
    except RestyleError:
        continue
    if random.random() < 0.5:
        with writing(db) as connection:
            refund(connection, int(sys.argv[2]), 3)
            kept -= 1
print(kept)
"""


@pytest.fixture
def account(db: sa.Engine, tmp_path: Path) -> int:
    return KeyStore(db, tmp_path / "key").create(credits=10).account_id


def test_what_is_charged_is_used_and_what_is_refunded_is_not(db: sa.Engine, account: int) -> None:
    with writing(db) as connection:
        charge(connection, account, 7)
    assert (balance(db, account).total, balance(db, account).used) == (10, 7)
    with writing(db) as connection:
        refund(connection, account, 7)
    assert (balance(db, account).total, balance(db, account).used) == (10, 0)


def test_an_account_is_never_overdrawn(db: sa.Engine, account: int) -> None:
    with writing(db) as connection:
        charge(connection, account, 8)
    with (
        pytest.raises(RestyleError, match="costs 3 credits, the account has 2 left") as error,
        writing(db) as connection,
    ):
        charge(connection, account, 3)
    assert error.value.code == 4007
    give(db, account, 1)
    with writing(db) as connection:
        charge(connection, account, 3)
    assert balance(db, account).used == 11


def test_an_unlimited_account_counts_and_is_not_refused(db: sa.Engine, tmp_path: Path) -> None:
    account = KeyStore(db, tmp_path / "key").create(credits=0, unlimited=True).account_id
    with writing(db) as connection:
        charge(connection, account, 1_000_000)
    assert balance(db, account).used == 1_000_000
    assert balance(db, account).unlimited


def test_a_refund_beyond_what_was_used_is_refused(db: sa.Engine, account: int) -> None:
    with pytest.raises(sa.exc.IntegrityError), writing(db) as connection:
        refund(connection, account, 1)


def test_credits_are_given_to_accounts_that_exist_and_by_one_or_more(db: sa.Engine, account: int) -> None:
    with pytest.raises(RestyleError, match="give must be 1 or more, not 0"):
        give(db, account, 0)
    with pytest.raises(LookupError):
        give(db, account + 99, 1)
    with pytest.raises(LookupError):
        balance(db, account + 99)


def test_threads_cannot_spend_the_same_credits(db: sa.Engine, account: int) -> None:
    def spend(_: int) -> int:
        try:
            with writing(db) as connection:
                charge(connection, account, 1)
        except RestyleError:
            return 0
        return 1

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(spend, range(60))) == 10
    assert balance(db, account).used == 10


def test_processes_cannot_spend_the_same_credits(database_url: str, tmp_path: Path) -> None:
    db = open_database(database_url)
    account = KeyStore(db, tmp_path / "key").create(credits=100).account_id
    kept = sum(map(int, several(SPEND, database_url, str(account))))
    assert balance(db, account).used == 3 * kept <= 100
    db.dispose()


def test_credits_are_taken_as_far_as_they_are_not_used(db: sa.Engine, account: int, tmp_path: Path) -> None:
    with writing(db) as connection:
        charge(connection, account, 4)
    take(db, account, 5)
    with pytest.raises(RestyleError, match="2 credits cannot be taken: the account has 1 left") as refused:
        take(db, account, 2)
    assert (refused.value.code, balance(db, account).total) == (4007, 5)
    with pytest.raises(RestyleError, match="take must be 1 or more"):
        take(db, account, -1)
    with pytest.raises(LookupError):
        take(db, account + 99, 1)
    free = KeyStore(db, tmp_path / "key").create(credits=3, unlimited=True).account_id
    with writing(db) as connection:
        charge(connection, free, 100)
    take(db, free, 3)
    with pytest.raises(RestyleError, match="has 0 left"):
        take(db, free, 1)
