"""Credits of an account: what it has, what a task takes, what an error gives back."""

from dataclasses import dataclass

import sqlalchemy as sa

from restyle.database import accounts, reading, writing
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError


@dataclass(frozen=True, slots=True)
class Balance:
    """``total`` is all that was ever granted, ``used`` what tasks took and kept. ``unlimited``: total is no bound."""

    total: int
    used: int
    unlimited: bool


def balance(db: sa.Engine, account_id: int) -> Balance:
    """What the account has. Raises :class:`LookupError` for an account that does not exist."""
    query = sa.select(accounts.c.total_credits, accounts.c.used_credits, accounts.c.unlimited)
    with reading(db) as connection:
        row = connection.execute(query.where(accounts.c.id == account_id)).one_or_none()
    if row is None:
        raise LookupError(f"no account {account_id}")
    return Balance(row.total_credits, row.used_credits, row.unlimited)


def give(db: sa.Engine, account_id: int, credits: int) -> None:
    """Grant ``credits`` (1 or more) to the account. Raises :class:`LookupError` for one that does not exist."""
    _check_amount("give", credits)
    grant = sa.update(accounts).values(total_credits=accounts.c.total_credits + credits)
    with writing(db) as connection:
        if connection.execute(grant.where(accounts.c.id == account_id)).rowcount != 1:
            raise LookupError(f"no account {account_id}")


def take(db: sa.Engine, account_id: int, credits: int) -> None:
    """Take back ``credits`` (1 or more) that were granted and not used.

    Raises :class:`RestyleError` (4007) where fewer are left, :class:`LookupError` for an account that does not exist.
    """
    _check_amount("take", credits)
    # An unlimited account uses what it was never granted.
    used = sa.case((accounts.c.unlimited, 0), else_=accounts.c.used_credits)
    left = accounts.c.total_credits - used
    withdraw = sa.update(accounts).values(total_credits=accounts.c.total_credits - credits)
    with writing(db) as connection:
        if connection.execute(withdraw.where(accounts.c.id == account_id, left >= credits)).rowcount == 1:
            return
        rest = connection.execute(sa.select(left).where(accounts.c.id == account_id)).scalar_one_or_none()
    if rest is None:
        raise LookupError(f"no account {account_id}")
    raise RestyleError(Code.CREDITS_INSUFFICIENT, f"{credits} credits cannot be taken: the account has {rest} left")


def _check_amount(doing: str, credits: int) -> None:
    if credits < 1:
        raise RestyleError(Code.PARAMETER_NOT_AVAILABLE, f"credits to {doing} must be 1 or more, not {credits}")


def charge(connection: sa.Connection, account_id: int, amount: int) -> None:
    """Take ``amount`` credits (0 or more) in the caller's transaction. Raises :class:`RestyleError` (4007).

    One conditional update: two at the same moment cannot both take the last credits.
    """
    take = (
        sa.update(accounts)
        .where(accounts.c.id == account_id)
        .where(accounts.c.unlimited | (accounts.c.total_credits - accounts.c.used_credits >= amount))
        .values(used_credits=accounts.c.used_credits + amount)
    )
    if connection.execute(take).rowcount != 1:
        left = accounts.c.total_credits - accounts.c.used_credits
        rest = connection.execute(sa.select(left).where(accounts.c.id == account_id)).scalar_one()
        raise RestyleError(Code.CREDITS_INSUFFICIENT, f"the task costs {amount} credits, the account has {rest} left")


def refund(connection: sa.Connection, account_id: int, amount: int) -> None:
    """Return ``amount`` credits in the caller's transaction, which must be the one that ends the task."""
    give = sa.update(accounts).where(accounts.c.id == account_id)
    connection.execute(give.values(used_credits=accounts.c.used_credits - amount))
