"""What a shell may complete: names of models, samplers and ways to resize. Nothing where they cannot be told."""

import io
import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from typing import Any

import typer

PATIENCE = 3.0
"""Seconds that a service may take to name its models, while somebody waits for the key to do something."""
PLAIN = re.compile(r"([^\w@%+=:,./\n-])")
"""A character that means something to a shell, outside quotes."""
SUB_MODELS = ("LoraModels", "EmbeddingModels", "HypernetworkModels")


def models(context: typer.Context, incomplete: str) -> list[str]:
    """Main models of the data folder, or of the service that is asked."""
    return _beginning(incomplete, _named(context, "MainModels"))


def sub_models(context: typer.Context, incomplete: str) -> list[str]:
    """LoRAs, embeddings and hypernetworks, likewise."""
    return _beginning(incomplete, _named(context, *SUB_MODELS))


def registered(context: typer.Context, incomplete: str) -> list[str]:
    """What the data folder's catalogue holds, of any kind."""
    from restyle.models.catalogue import Catalogue

    def codes() -> Iterable[str]:
        return [entry.code for entry in Catalogue.read(_settings(context).data_dir).entries]

    return _beginning(incomplete, _told(codes))


def samplers(incomplete: str) -> list[str]:
    """Of all engines that have any."""
    from restyle.engines.families import FAMILIES

    return _beginning(incomplete, (name for family in FAMILIES for name in family.samplers))


def resize_modes(incomplete: str) -> list[str]:
    from restyle.images.fit import ResizeMode

    return _beginning(incomplete, ResizeMode)


def control_types(incomplete: str) -> list[str]:
    from restyle.wire.ranges import CONTROL_TYPES

    return _beginning(incomplete, CONTROL_TYPES)


def quoted_for_bash(complete: Callable[[], object]) -> None:
    """Let ``complete`` print, and print each line of it as bash takes it for one word: ``Restyle\\ Painter``.

    Bash puts in what a program prints as it is. Where the word has been begun with a quote, that quotes already.
    """
    words = os.environ.get("COMP_WORDS", "").split("\n")
    at = os.environ.get("COMP_CWORD", "")
    word = words[int(at)] if at.isdecimal() and int(at) < len(words) else ""
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            complete()
    finally:
        text = printed.getvalue()
        typer.echo(text if word.startswith(("'", '"')) else PLAIN.sub(r"\\\1", text), nl=False)


def _named(context: typer.Context, *groups: str) -> Iterable[str]:
    """The ModelCodes of these groups of the wire."""

    def codes() -> Iterable[str]:
        found = _of_service(context) if context.params.get("url") else _of_installation(context)
        return [code for group in groups for code in found[group]]

    return _told(codes)


def _of_installation(context: typer.Context) -> Mapping[str, Iterable[str]]:
    from restyle.conversion.draw import open_registry

    registry = open_registry(_settings(context))
    return {"MainModels": registry.mains, "LoraModels": registry.subs, **dict.fromkeys(SUB_MODELS[1:], ())}


def _of_service(context: typer.Context) -> Mapping[str, Iterable[str]]:
    from restyle.client.sync import Client

    given = context.params
    with Client(given["url"], given["public_key"], given["private_key"], timeout=PATIENCE, retries=0) as client:
        found = client.models()
    subs = (found.lora, found.embedding, found.hypernetwork)
    return {"MainModels": found.main, **dict(zip(SUB_MODELS, subs, strict=True))}


def _settings(context: typer.Context) -> Any:
    from restyle.cli.output import read_settings

    return read_settings(data_dir=context.params.get("data_dir"))


def _told(codes: Callable[[], Iterable[str]]) -> Iterable[str]:
    try:
        return codes()
    except Exception:  # noqa: BLE001 - a shell that asks cannot be told what is wrong; the command will say it
        return []


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted({str(name) for name in names if str(name).startswith(incomplete)})


def styles(incomplete: str) -> list[str]:
    """Kept styles of the data folder, and the official ones."""

    def codes() -> Iterable[str]:
        from restyle.cli.output import read_settings
        from restyle.images.limits import Limits
        from restyle.styles.folder import StyleFolder

        settings = read_settings()
        return [style.code for style in StyleFolder(settings.data_dir, Limits.of(settings)).all()]

    return _beginning(incomplete, _told(codes))
