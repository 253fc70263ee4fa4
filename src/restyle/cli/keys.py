"""``restyle keys`` and ``restyle credits``: the accounts of the service in this data folder, running or not."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from restyle.cli.output import AsJson, DataDir, read_settings, say_folder, say_json, say_table, show_help

if TYPE_CHECKING:
    import sqlalchemy as sa

    from restyle.accounts.keys import KeyStore

app = typer.Typer(help="Pairs of keys of the service in the data folder.", invoke_without_command=True)
credits_app = typer.Typer(help="Credits of an account.", invoke_without_command=True)

app.callback()(show_help)
credits_app.callback()(show_help)

Key = Annotated[str, typer.Argument(help="The public key.", show_default=False)]


@contextmanager
def _store(data_dir: Path | None) -> Iterator[tuple["sa.Engine", "KeyStore"]]:
    from restyle.accounts.keys import KeyStore
    from restyle.database import open_database
    from restyle.private import make_data_folder

    settings = read_settings(data_dir=data_dir)
    say_folder(settings)
    make_data_folder(settings.data_dir)
    db = open_database(settings.database())
    try:
        yield db, KeyStore(db, settings.master_key())
    finally:
        db.dispose()


@app.command("create")
def create(
    account: Annotated[
        int | None,
        typer.Option("--account", help="Account that gets one more pair; a new account unless given.", min=1),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="What the pair is for; shown by list.")] = "",
    unlimited: Annotated[bool, typer.Option("--unlimited", help="Never refuse the new account for credits.")] = False,
    credits: Annotated[int | None, typer.Option(min=0, help="Credits of the new account.", show_default="300")] = None,
    operator: Annotated[
        bool, typer.Option("--operator", help="Let the new account see and change in the Studio what is the service's.")
    ] = False,
    timestamps: Annotated[
        bool, typer.Option("--timestamps", help="Also require the header X-Restyle-Signature, which ends replays.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a pair of keys, and an account for it unless --account names one. The private key is shown only now."""
    if account is not None and (unlimited or operator or credits is not None):
        raise typer.BadParameter(
            "--credits, --unlimited and --operator are for a new account; `restyle credits give` gives more"
        )
    given = read_settings(data_dir=data_dir).new_account_credits if credits is None else credits
    with _store(data_dir) as (_, store):
        if account is None:
            pair = store.create(
                credits=given, unlimited=unlimited, requires_timestamp=timestamps, name=name, operator=operator
            )
        else:
            pair = store.add(account, requires_timestamp=timestamps, name=name)
    if as_json:
        say_json({"PublicKey": pair.public_key, "PrivateKey": pair.private_key, "AccountID": pair.account_id})
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
                    "AccountID": key.account_id,
                    "Name": key.name,
                    "Disabled": key.disabled,
                    "Timestamps": key.requires_timestamp,
                    "Priority": key.priority,
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
            key.account_id,
            key.name or "-",
            "disabled" if key.disabled else "in use",
            "unlimited" if key.unlimited else key.total_credits,
            key.used_credits,
        )
        for key in found
    ]
    say_table(("PUBLIC KEY", "ACCOUNT", "NAME", "STATE", "CREDITS", "USED"), rows)


@app.command("rename")
def rename(
    public_key: Key,
    name: Annotated[str, typer.Argument(help="Its new name.", show_default=False)],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Give a key another name, for people to tell keys apart."""
    with _store(data_dir) as (_, store):
        store.rename(public_key, name)
    _say(as_json, f"{public_key} is now called {name}", PublicKey=public_key, Name=name)


@app.command("priority")
def priority(
    public_key: Key,
    priority: Annotated[int, typer.Argument(min=-100, max=100, help="Its priority; 0 at first.", show_default=False)],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Have a key's next tasks go before those of keys with a lower priority."""
    with _store(data_dir) as (_, store):
        store.prefer(public_key, priority)
    _say(as_json, f"{public_key} has priority {priority}", PublicKey=public_key, Priority=priority)


@app.command("rotate")
def rotate(public_key: Key, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Make a new private key in place of the old one, which a running service refuses at once. It is shown only now."""
    with _store(data_dir) as (_, store):
        private_key = store.rotate(public_key)
    said = f"PublicKey   {public_key}\nPrivateKey  {private_key}"
    _say(as_json, said, PublicKey=public_key, PrivateKey=private_key)


@app.command("reseal")
def reseal(
    new_file: Annotated[Path, typer.Argument(help="The new key file; made if it is not there.", show_default=False)],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Seal all private keys under another key file, which every service takes from then on (RESTYLE_KEY_FILE)."""
    with _store(data_dir) as (_, store):
        count = store.reseal(new_file)
    _say(as_json, f"{count} keys are sealed under {new_file}", Keys=count, KeyFile=str(new_file))


@app.command("disable")
def disable(public_key: Key, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Refuse a key from now on; a running service obeys at once."""
    with _store(data_dir) as (_, store):
        store.disable(public_key)
    _say(as_json, f"{public_key} is disabled", PublicKey=public_key, Disabled=True)


@app.command("enable")
def enable(public_key: Key, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Take a key that was disabled again; a running service obeys at once."""
    with _store(data_dir) as (_, store):
        store.enable(public_key)
    _say(as_json, f"{public_key} is in use", PublicKey=public_key, Disabled=False)


def _say(as_json: bool, words: str, **values: object) -> None:
    if as_json:
        say_json(values)
    else:
        typer.echo(words)


@credits_app.command("show")
def show(public_key: Key, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """What an account has."""
    with _store(data_dir) as (db, store):
        _say_balance(db, _account(store, public_key), as_json)


@credits_app.command("give")
def give(
    public_key: Key,
    amount: Annotated[int, typer.Argument(min=1, help="Credits to give.", show_default=False)],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Give an account more."""
    from restyle.accounts import credits

    _change_credits(credits.give, public_key, amount, data_dir, as_json)


@credits_app.command("take")
def take(
    public_key: Key,
    amount: Annotated[int, typer.Argument(min=1, help="Credits to take.", show_default=False)],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Take from an account what it was given and has not used."""
    from restyle.accounts import credits

    _change_credits(credits.take, public_key, amount, data_dir, as_json)


def _change_credits(
    change: Callable[["sa.Engine", int, int], None],
    public_key: str,
    amount: int,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    with _store(data_dir) as (db, store):
        account = _account(store, public_key)
        change(db, account, amount)
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
