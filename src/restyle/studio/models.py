"""The models of this installation as the operator sees them: state, memory, and the licence they came under."""

from collections.abc import Iterable
from dataclasses import dataclass

from restyle.conversion.models import MainModel, SubModel
from restyle.conversion.registry import EXAMPLE_CODE, Registry
from restyle.engines.base import Family
from restyle.models.catalogue import Entry
from restyle.models.kinds import Kind
from restyle.models.sets import SetModel, starter_sets
from restyle.settings import Settings
from restyle.wire.errors import RestyleError

KINDS = {
    Kind.MAIN: "Main model",
    Kind.LORA: "LoRA",
    Kind.EMBEDDING: "Embedding",
    Kind.HYPERNETWORK: "Hypernetwork",
    Kind.VAE: "VAE",
    Kind.IP_ADAPTER: "IP-Adapter",
    Kind.IMAGE_ENCODER: "Image encoder",
    Kind.CONTROLNET: "ControlNet",
}
"""What the page calls each kind."""


@dataclass(frozen=True, slots=True)
class ShownModel:
    """A row of the table. ``kind`` is one of ``KINDS``, ``base`` a base model or an engine.

    ``size`` is in bytes, of its weights, which is what they take in memory while they are loaded; None where they
    belong to the package of the engine. ``licence`` is empty where nobody wrote it down. ``absence``
    says why it cannot be used.
    """

    code: str
    name: str
    kind: Kind
    base: str
    size: int | None
    licence: str
    absence: str


def shown_models(registry: Registry, settings: Settings) -> list[ShownModel]:
    """All of them: what can draw, what can be added to that, and what helps either."""
    licences = _licences(settings)
    mains = [_main(each, licences) for each in registry.mains.values() if each.code != EXAMPLE_CODE or each.entry]
    subs = [_sub(each, licences) for each in registry.subs.values()]
    known = {each.code for each in (*mains, *subs)}
    rest = [_entry(each, licences) for each in registry.catalogue.entries if each.code not in known]
    return [*mains, *subs, *rest]


def _main(model: MainModel, licences: "_Licences") -> ShownModel:
    size = model.entry.size if model.entry else model.family.weights.size if model.family.weights else None
    licence = licences.of(model.entry) if model.entry else _own_licence(model.family)
    base = model.entry.architecture.label if model.entry and model.entry.architecture else model.family.name
    return ShownModel(model.code, model.name, Kind.MAIN, base, size, licence, model.absence())


def _sub(model: SubModel, licences: "_Licences") -> ShownModel:
    base = model.entry.architecture.label if model.entry.architecture else ""
    licence = licences.of(model.entry)
    return ShownModel(model.code, model.name, model.entry.kind, base, model.entry.size, licence, model.absence())


def _entry(entry: Entry, licences: "_Licences") -> ShownModel:
    base = entry.architecture.label if entry.architecture else ""
    absence = "" if entry.path.exists() else f"{entry.path} is gone"
    return ShownModel(entry.code, entry.name, entry.kind, base, entry.size, licences.of(entry), absence)


class _Licences:
    """Those that starter sets name for their files."""

    def __init__(self, models: Iterable[SetModel]) -> None:
        self._by_hash: dict[str, str] = {}
        self._by_name: dict[tuple[str, str], str] = {}
        for model in models:
            self._by_hash |= {file.sha256: model.licence for file in model.files}
            self._by_name[model.kind, model.name] = model.licence

    def of(self, entry: Entry) -> str:
        """The licence of a registered model; empty where no set has it."""
        found = self._by_hash.get(entry.sha256)  # of a folder it is the hash of a list
        return found or (self._by_name.get((entry.kind, entry.name), "") if entry.format == "folder" else "")


def _licences(settings: Settings) -> _Licences:
    try:
        sets = starter_sets(settings.data_dir)
    except RestyleError:  # the list of what can be installed says so
        return _Licences(())
    return _Licences(model for each in sets.values() for model in each.models.values())


def _own_licence(family: Family) -> str:
    """That of the weights that are an engine's own, fetched or shipped."""
    return family.licence or (family.weights.licence if family.weights is not None else "")
