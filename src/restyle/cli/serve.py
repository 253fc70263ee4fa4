"""``restyle serve``: the service, and what a first visitor needs to use it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from restyle.cli.output import AsJson, read_settings, say_json

if TYPE_CHECKING:
    from restyle.accounts.keys import KeyPair
    from restyle.settings import Settings


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to bind; 127.0.0.1 unless told.", show_default=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to bind; 8484 unless told, 0 for any that is free.", show_default=False)
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(envvar="RESTYLE_DATA_DIR", help="Folder of database, images and key file; made if need be."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the service until Ctrl-C or SIGTERM.

    An empty data folder becomes a working one, with a first pair of keys. The other settings are environment variables,
    RESTYLE_WORKERS for one; docs/operations.md lists them.
    """
    settings = read_settings(host=host, port=port, data_dir=data_dir)

    from restyle.http.log import configure
    from restyle.http.server import serve as run

    configure(settings)
    run(settings, bound=lambda address: _greet(address, settings, first_keys(settings), as_json))


def first_keys(settings: "Settings") -> "KeyPair | None":
    """A pair of keys for a service that has none; None where it has. Made when the port is ours, so surely shown."""
    from restyle.accounts.keys import KeyStore
    from restyle.database import open_database

    db = open_database(settings.database())
    try:
        store = KeyStore(db, settings.data_dir / "key")
        return None if store.list() else store.create(credits=settings.new_account_credits)
    finally:
        db.dispose()


def _greet(address: str, settings: "Settings", pair: "KeyPair | None", as_json: bool) -> None:
    if as_json:
        say_json(
            {"Address": address}
            | ({"PublicKey": pair.public_key, "PrivateKey": pair.private_key} if pair is not None else {})
        )
        return
    typer.echo(f"Restyle serves {address}  (data in {settings.data_dir.absolute()}, documents at {address}/docs)")
    if pair is None:
        return
    typer.echo(
        "\nThe first pair of keys. The private key is shown this once; `restyle keys create` makes another pair.\n"
        f"  PublicKey   {pair.public_key}\n"
        f"  PrivateKey  {pair.private_key}\n"
        f"It has {settings.new_account_credits} credits; `restyle credits add` gives more.\n"
        "\nTry it:\n"
        f"  {curl(address, pair)}\n"
    )


def curl(address: str, pair: "KeyPair") -> str:
    """A signed request to paste into a shell. Keys are letters and digits, so nothing needs quoting inside."""
    from restyle.wire.signature import sign

    body = {"Action": "GetCreditBalance", "PublicKey": pair.public_key}
    body["Signature"] = sign(body, pair.private_key)
    return f"curl -s {address} -H 'Content-Type: application/json' -d '{json.dumps(body)}'"
