"""``restyle models``: what can draw."""

from collections.abc import Mapping
from typing import Any

import typer

from restyle.cli.output import (
    AsJson,
    PrivateKey,
    PublicKey,
    Url,
    need_keys,
    read_settings,
    say_json,
    say_table,
    show_help,
)

app = typer.Typer(help="The models that can draw.", invoke_without_command=True)
app.callback()(show_help)

Shown = Mapping[str, Mapping[str, Mapping[str, Any]]]


@app.command("list")
def list_models(
    url: Url = None, public_key: PublicKey = None, private_key: PrivateKey = None, as_json: AsJson = False
) -> None:
    """All models, by their ModelCode: this installation's, or those of a service."""
    shown = _of_service(url, *need_keys(public_key, private_key)) if url else _of_installation()
    if as_json:
        say_json(shown)
        return
    rows = [
        (code, kind.removesuffix("Models"), "yes" if model.get("IsOfficial") else "no", model.get("Name", ""))
        for kind, models in shown.items()
        for code, model in models.items()
    ]
    say_table(("MODELCODE", "KIND", "OFFICIAL", "NAME"), rows)


def _of_service(url: str, public_key: str, private_key: str) -> Shown:
    from restyle.client.sync import Client

    with Client(url, public_key, private_key) as client:
        found = client.models()
    return {
        "MainModels": found.main,
        "LoraModels": found.lora,
        "EmbeddingModels": found.embedding,
        "HypernetworkModels": found.hypernetwork,
    }


def _of_installation() -> Shown:
    from restyle.engines.base import Feature
    from restyle.models.registry import MainModel, Registry, SubModel
    from restyle.tasks.engines import resolve

    settings = read_settings()
    registry: Registry = resolve(settings.registry)(settings)

    def entry(model: MainModel | SubModel) -> dict[str, Any]:
        words = list(model.trigger_words) if isinstance(model, SubModel) else []
        return {
            "Name": model.name,
            "ModelCode": model.code,
            "IsOfficial": model.is_official,
            "TriggerWordList": words,
            "InferenceParams": dict(model.defaults),
        }

    def subs(kind: Feature) -> dict[str, dict[str, Any]]:
        return {code: entry(model) for code, model in registry.subs.items() if model.kind is kind}

    return {
        "MainModels": {code: entry(model) for code, model in registry.mains.items()},
        "LoraModels": subs(Feature.LORA),
        "EmbeddingModels": subs(Feature.EMBEDDING),
        "HypernetworkModels": subs(Feature.HYPERNETWORK),
    }
