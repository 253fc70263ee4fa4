"""``restyle keys`` and ``restyle credits``: the accounts of the service in this data folder, running or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from restyle.cli.output import AsJson, read_settings, say_json, say_table, show_help

if TYPE_CHECKING:
    import sqlalchemy as sa

    from restyle.accounts.keys import KeyStore

app = typer.Typer(help="Pairs of keys of the service in the data folder.", invoke_without_command=True)
credits_app = typer.Typer(help="Credits of an account.", invoke_without_command=True)

app.callback()(show_help)
credits_app.callback()(show_help)

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", envvar="RESTYLE_DATA_DIR", help="Data folder of the service.")
]
Key = Annotated[str, typer.Argument(help="The public key.", show_default=False)]


@contextmanager
def _store(data_dir: Path | None) -> Iterator[tuple["sa.Engine", "KeyStore"]]:
    from restyle.accounts.keys import KeyStore
    from restyle.database import open_database

    settings = read_settings(data_dir=data_dir)
    db = open_database(settings.database())
    try:
        yield db, KeyStore(db, settings.data_dir / "key")
    finally:
        db.dispose()


@app.command("create")
def create(
    unlimited: Annotated[bool, typer.Option("--unlimited", help="Never refuse for credits.")] = False,
    credits: Annotated[int | None, typer.Option(min=0, help="Credits of the new account.", show_default="300")] = None,
    timestamps: Annotated[
        bool, typer.Option("--timestamps", help="Also require the header X-Restyle-Signature, which ends replays.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make an account and its pair of keys. The private key is shown only now."""
    given = read_settings(data_dir=data_dir).new_account_credits if credits is None else credits
    with _store(data_dir) as (_, store):
        pair = store.create(credits=given, unlimited=unlimited, requires_timestamp=timestamps)
    if as_json:
        say_json({"PublicKey": pair.public_key, "PrivateKey": pair.private_key})
        return
    typer.echo(f"PublicKey   {pair.public_key}\nPrivateKey  {pair.private_key}")


@app.command("list")
def list_keys(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """All public keys, oldest first."""
    with _store(data_dir) as (_, store):
        found = store.list()
    if as_json:
        say_json(
            [
                {
                    "PublicKey": key.public_key,
                    "Disabled": key.disabled,
                    "Timestamps": key.requires_timestamp,
                    "Unlimited": key.unlimited,
                    "TotalCredits": key.total_credits,
                    "UsedCredits": key.used_credits,
                    "CreateTime": int(key.created),
                }
                for key in found
            ]
        )
        return
    rows = [
        (
            key.public_key,
            "disabled" if key.disabled else "in use",
            "unlimited" if key.unlimited else key.total_credits,
            key.used_credits,
        )
        for key in found
    ]
    say_table(("PUBLIC KEY", "STATE", "CREDITS", "USED"), rows)


@app.command("disable")
def disable(public_key: Key, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Refuse a key from now on; a running service obeys at once."""
    with _store(data_dir) as (_, store):
        store.disable(public_key)
    if as_json:
        say_json({"PublicKey": public_key, "Disabled": True})
    else:
        typer.echo(f"{public_key} is disabled")


@credits_app.command("show")
def show(public_key: Key, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """What an account has."""
    with _store(data_dir) as (db, store):
        _say_balance(db, _account(store, public_key), as_json)


@credits_app.command("add")
def add(
    public_key: Key,
    amount: Annotated[int, typer.Argument(min=1, help="Credits to give.", show_default=False)],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Give an account more."""
    from restyle.accounts import credits

    with _store(data_dir) as (db, store):
        account = _account(store, public_key)
        credits.add(db, account, amount)
        _say_balance(db, account, as_json)


def _account(store: "KeyStore", public_key: str) -> int:
    from restyle.wire.codes import Code
    from restyle.wire.errors import RestyleError

    key = store.find(public_key)
    if key is None:
        raise RestyleError(Code.KEY_NOT_FOUND, f"there is no public key {public_key}; `restyle keys list` shows all")
    return key.account_id


def _say_balance(db: "sa.Engine", account: int, as_json: bool) -> None:
    from restyle.accounts.credits import balance

    found = balance(db, account)
    if as_json:
        values: dict[str, Any] = {"TotalCredits": found.total, "UsedCredits": found.used, "Unlimited": found.unlimited}
        say_json(values)
        return
    left = "unlimited" if found.unlimited else str(found.total - found.used)
    typer.echo(f"{left} left ({found.total} given, {found.used} used)")
