"""``restyle serve``: the service, and what a first visitor needs to use it."""

import json
import shlex
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from restyle.cli.output import AsJson, read_settings, say_folder, say_json

if TYPE_CHECKING:
    from restyle.accounts.keys import KeyPair
    from restyle.settings import Settings
    from restyle.studio.app import Studio


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
    role: Annotated[
        str | None,
        typer.Option(
            help="alone, or in a fleet: api answers clients, worker draws, all does both. Alone unless told.",
            show_default=False,
        ),
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the Studio in the browser, signed in as the operator.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the service until Ctrl-C or SIGTERM.

    An empty data folder becomes a working one. On a terminal a link is shown that opens the Studio, the page for
    people, once; and a first pair of keys. Elsewhere, as under systemd, neither is made, since a journal keeps what it
    is told: `restyle keys create` makes a pair. The other settings
    are environment variables, RESTYLE_WORKERS for one; docs/operations.md lists them.
    """
    settings = read_settings(host=host, port=port, data_dir=data_dir, role=role)
    say_folder(settings)

    from restyle.http.log import configure
    from restyle.http.server import serve as run

    configure(settings)
    if settings.studio == "off" or settings.role == "worker":
        if open_page:
            why = "RESTYLE_STUDIO is off" if settings.studio == "off" else "a machine that only draws has none"
            raise typer.BadParameter(f"--open is for the Studio, and {why}")
        run(settings, bound=lambda address: _greet(address, settings, as_json))
        return

    from restyle.studio.app import mount

    mounted: list[Studio] = []

    def bound(address: str) -> None:
        _greet(address, settings, as_json)
        _lead(address, mounted[0], as_json, open_page)

    run(settings, bound=bound, extend=lambda app, service: mounted.append(mount(app, service)), home="studio")


def _lead(address: str, studio: "Studio", as_json: bool, open_page: bool) -> None:
    """Show the way to the Studio: a link that signs in once is shown on a terminal, or opened, and nowhere kept."""
    shown = sys.stdout.isatty() and not as_json
    if not (open_page or shown):
        return
    link = studio.link(address)
    if shown:
        typer.echo(f"The Studio, for people; this link signs in once:\n  {link}\n")
    if open_page:
        webbrowser.open(link)


def _greet(address: str, settings: "Settings", as_json: bool) -> None:
    """Say where the service is, and give a first visitor keys: on a terminal only, for all else is kept somewhere.

    Called when the port is ours, so that keys that are made are surely shown.
    """
    if settings.role == "worker":
        said = {"Address": address, "Role": settings.role}
        say_json(said) if as_json else typer.echo(f"Restyle draws for its fleet; {address}/readyz says how it is")
        return
    from restyle.accounts.keys import KeyStore
    from restyle.database import open_database

    pair: KeyPair | None = None
    db = open_database(settings.database())
    try:
        store = KeyStore(db, settings.master_key())
        lacking = not store.list()
        if lacking and not as_json and sys.stdout.isatty():
            pair = store.create(credits=settings.new_account_credits, operator=True)
    finally:
        db.dispose()
    if as_json:
        say_json({"Address": address, "HasKeys": not lacking})
        return
    typer.echo(f"Restyle serves {address}  (data in {settings.data_dir.absolute()}, documents at {address}/docs)")
    if pair is None:
        if lacking:
            folder = shlex.quote(str(settings.data_dir.absolute()))
            typer.echo(f"There are no keys yet. Make a pair with:  restyle keys create --data-dir {folder}")
        return
    typer.echo(
        "\nThe first pair of keys. The private key is shown this once; `restyle keys create` makes another pair.\n"
        f"  PublicKey   {pair.public_key}\n"
        f"  PrivateKey  {pair.private_key}\n"
        f"It has {settings.new_account_credits} credits; `restyle credits give` gives more.\n"
        "\nTry it:\n"
        f"  {curl(address, pair)}\n"
    )


def curl(address: str, pair: "KeyPair") -> str:
    """A signed request to paste into a shell. Keys are letters and digits, so nothing needs quoting inside."""
    from restyle.wire.signature import sign

    body = {"Action": "GetCreditBalance", "PublicKey": pair.public_key}
    body["Signature"] = sign(body, pair.private_key)
    return f"curl -s {address} -H 'Content-Type: application/json' -d '{json.dumps(body)}'"
