"""What the command says of models: records for programs, words for people."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from restyle.conversion.models import MainModel, SubModel
    from restyle.models.catalogue import Catalogue, Entry
    from restyle.settings import Settings

Records = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Group of the wire, as ``MainModels`` -> ModelCode -> field -> value."""
OK = "ok"


def kind_of(entry: "Entry") -> str:
    """The kind, and the base model where there is one."""
    return f"{entry.kind}, {entry.architecture.label}" if entry.architecture else str(entry.kind)


def bytes_of(size: int | None) -> str:
    """A number of bytes in KiB, MiB or GiB."""
    if size is None:
        return "-"
    unit, name = (2**30, "GiB") if size >= 2**30 else (2**20, "MiB") if size >= 2**20 else (2**10, "KiB")
    return f"{size / unit:.1f} {name}"


def record_of(catalogue: "Catalogue", entry: "Entry") -> dict[str, Any]:
    """An entry for people and programs, in the wire's spelling where the wire has a word."""
    from restyle.models.kinds import Kind

    chosen = entry.kind in (Kind.VAE, Kind.IP_ADAPTER, Kind.CONTROLNET)
    return {
        "ModelCode": entry.code,
        "Name": entry.name,
        "Kind": str(entry.kind),
        "Architecture": str(entry.architecture) if entry.architecture else None,
        "IsOfficial": False,
        "TriggerWordList": list(entry.trigger_words),
        "InferenceParams": dict(entry.defaults),
        "NegativePrompt": entry.negative_prompt,
        "Recipe": dict(entry.recipe),
        "State": OK if entry.path.exists() else f"missing: {entry.path}",
        "Path": str(entry.path),
        "Format": entry.format,
        "Size": entry.size,
        "SHA256": entry.sha256,
        "Default": entry == catalogue.default(entry.kind, entry.architecture) if chosen else entry.is_default,
        "Facts": dict(entry.facts),
    }


def of_service(url: str, public_key: str, private_key: str) -> Records:
    """The models that a service offers."""
    from restyle.client.sync import Client

    with Client(url, public_key, private_key) as client:
        found = client.models()
    return {
        "MainModels": found.main,
        "LoraModels": found.lora,
        "EmbeddingModels": found.embedding,
        "HypernetworkModels": found.hypernetwork,
    }


def of_installation(settings: "Settings") -> Records:
    """The wire's maps, each model with its kind, file and state; the catalogue's other kinds in a map of their own."""
    from restyle.conversion.draw import open_registry
    from restyle.conversion.models import SUB_KINDS, SubModel
    from restyle.engines.base import Feature

    registry = open_registry(settings)
    catalogue = registry.catalogue
    entries = {entry.code: entry for entry in catalogue.entries}

    def record(model: "MainModel | SubModel") -> dict[str, Any]:
        entry = entries.get(model.code)
        known = record_of(catalogue, entry) if entry is not None and entry == model.entry else {}
        return {
            "Kind": str(model.kind) if isinstance(model, SubModel) else "main",
            "Architecture": str(model.entry.architecture) if model.entry and model.entry.architecture else None,
            "Size": None,
            **known,
            "Name": model.name,
            "ModelCode": model.code,
            "IsOfficial": model.is_official,
            "TriggerWordList": list(model.trigger_words) if isinstance(model, SubModel) else [],
            "InferenceParams": dict(model.defaults),
            "State": known["State"] if known and known["State"] != OK else model.absence() or OK,
        }

    def subs(kind: Feature) -> dict[str, dict[str, Any]]:
        return {code: record(model) for code, model in registry.subs.items() if model.kind is kind}

    drawn = {"main", *(str(kind) for kind in SUB_KINDS)}
    return {
        "MainModels": {code: record(model) for code, model in registry.mains.items()},
        "LoraModels": subs(Feature.LORA),
        "EmbeddingModels": subs(Feature.EMBEDDING),
        "HypernetworkModels": subs(Feature.HYPERNETWORK),
        "OtherModels": {
            code: record_of(catalogue, entry) for code, entry in entries.items() if entry.kind not in drawn
        },
    }
