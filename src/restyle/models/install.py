"""Registering a model: tell what it is, check it whole, copy it if asked, and enter it in the catalogue."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from restyle.models.catalogue import MAX_CODE, Catalogue, Entry
from restyle.models.detect import detect
from restyle.models.detected import Detected
from restyle.models.files.adopt import adopt
from restyle.models.files.part import check_space, held
from restyle.models.files.verify import Advance
from restyle.models.kinds import Architecture, Kind
from restyle.models.scan import Scanned, files_of, scan
from restyle.models.tensors import refusal
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

MIB = 1024 * 1024
GIB = 1024 * MIB
MOST_BYTES = {
    Kind.MAIN: 64 * GIB,
    Kind.LORA: 8 * GIB,
    Kind.EMBEDDING: 64 * MIB,
    Kind.HYPERNETWORK: 4 * GIB,
    Kind.VAE: 4 * GIB,
    Kind.IP_ADAPTER: 8 * GIB,
    Kind.IMAGE_ENCODER: 16 * GIB,
    Kind.CONTROLNET: 16 * GIB,
}
"""The largest file of each kind: several times the largest in use."""
CONTROLS = ("canny", "tile", "depth", "lineart", "softedge", "openpose")
"""What a ControlNet can be shown: the raw image's edges, the raw image itself, or a map of it."""
WORDED = frozenset({Kind.LORA, Kind.EMBEDDING})
PREDICTIONS = ("epsilon", "v_prediction")
CheckDefaults = Callable[[Kind, Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]
"""Takes the defaults and the recipe wished for a model of that kind, and returns the defaults as they are kept; raises
RestyleError (230).
"""
CheckRecipe = Callable[[Kind, str, Mapping[str, Any]], dict[str, Any]]
"""The same for the recipe of a model of that kind and architecture."""
Rehearse = Callable[[Entry, Catalogue], dict[str, Any]]
"""Takes a model about to be registered, returns further facts of it, raises RestyleError (230) if it could not draw."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an operator says of a model. ``kind`` and ``architecture`` must agree with what the tensors tell; the latter
    is needed where they do not tell it. ``defaults`` are InferenceParams by their names on the wire.
    """

    code: str
    name: str = ""
    kind: Kind | None = None
    architecture: Architecture | None = None
    trigger_words: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    is_default: bool = False
    copied: bool = False
    prediction_type: str = ""
    control: str = ""
    base: str = ""
    negative_prompt: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)


def _no_recipe(kind: Kind, architecture: str, recipe: Mapping[str, Any]) -> dict[str, Any]:
    raise _unfit("recipe", "nobody here can tell what it means")


def install(
    catalogue: Catalogue,
    path: Path,
    wish: Wish,
    *,
    check_defaults: CheckDefaults,
    check_recipe: CheckRecipe = _no_recipe,
    rehearse: Rehearse = lambda entry, catalogue: {},
    begin: Callable[[int], Advance] = lambda total: lambda count: None,
) -> Entry:
    """Check ``path`` in every way and register it. ``begin`` is told how many bytes are read and returns their counter.

    Raises RestyleError (230) with the reason where anything is wrong; nothing is registered or left behind then.
    """
    path = path.absolute()
    _check_code(catalogue, wish.code)
    found = _completed(catalogue, path, settled(path, detect(path), wish), wish)
    _check_size(path, found.kind)
    recipe = check_recipe(found.kind, str(found.architecture or ""), wish.recipe) if wish.recipe else {}
    defaults = check_defaults(found.kind, wish.defaults, recipe)
    if wish.trigger_words and found.kind not in WORDED:
        raise _unfit("trigger", f"a model of kind {found.kind} has no trigger words")
    if wish.negative_prompt and found.kind is not Kind.MAIN:
        raise _unfit("negative-prompt", f"a model of kind {found.kind} has no negative prompt")
    entry = Entry(
        code=wish.code,
        name=wish.name or wish.code,
        kind=found.kind,
        architecture=found.architecture,
        path=path,
        format=found.format,
        sha256="",
        size=0,
        # an embedding is called by a word of the prompt, so it always has one
        trigger_words=wish.trigger_words or ((wish.code,) if found.kind is Kind.EMBEDDING else ()),
        defaults=defaults,
        facts=found.facts,
        is_default=wish.is_default,
        negative_prompt=wish.negative_prompt,
        recipe=recipe,
    )
    entry = replace(entry, facts={**entry.facts, **rehearse(entry, catalogue)})
    if not wish.copied:
        scanned = scan(path, begin(_bytes(path)))
        entry = replace(entry, sha256=scanned.sha256, size=scanned.size)
        catalogue.add(entry)
        return entry
    return _copied(catalogue, entry, begin)


def settled(path: Path, found: Detected, wish: Wish) -> Detected:
    """What the tensors tell, completed by what the operator says. Raises RestyleError (230) where they disagree."""
    if wish.kind and wish.kind is not found.kind:
        raise refusal(path, f"its tensors are those of kind {found.kind}, not of {wish.kind}")
    if wish.architecture and found.kind is Kind.IMAGE_ENCODER:
        raise refusal(path, "an image encoder belongs to no architecture; leave --architecture out")
    if wish.architecture and found.architecture and wish.architecture is not found.architecture:
        raise refusal(path, f"its tensors are those of {found.architecture.label}, not of {wish.architecture.label}")
    architecture = found.architecture or wish.architecture
    if architecture is None and found.kind is not Kind.IMAGE_ENCODER:
        raise refusal(
            path,
            f"the tensors of this {found.kind} do not tell its base model ({found.undecided}); "
            "say it with --architecture sd15 or --architecture sdxl",
        )
    facts = dict(found.facts)
    if wish.prediction_type:
        if found.kind is not Kind.MAIN or found.format == "folder":
            raise _unfit("prediction-type", "only a main model in one file needs it")
        if "schedule" in facts:
            raise _unfit("prediction-type", "the marks of this file's noise schedule (EDM) say what it predicts")
        facts["prediction_type"] = wish.prediction_type
    if found.kind is Kind.CONTROLNET:
        several = tuple(facts.get("controls", ()))
        if not wish.control and not several:
            raise _unfit(
                "control", f"a ControlNet's tensors do not tell what it is shown; say one of {', '.join(CONTROLS)}"
            )
        if several and wish.control and wish.control not in several:
            raise _unfit("control", f"this ControlNet Union is shown {', '.join(several)}, not {wish.control}")
        facts["control"] = wish.control or several[0]
    elif wish.control:
        raise _unfit("control", "only a ControlNet has one")
    return replace(found, architecture=architecture, facts=facts)


def _completed(catalogue: Catalogue, path: Path, found: Detected, wish: Wish) -> Detected:
    """A UNet alone, with the main model that completes it. Raises RestyleError (230, and 4004 for no such model)."""
    if not found.facts.get("alone"):
        if wish.base:
            raise _unfit("base", "only a main model that is a UNet alone has one")
        return found
    if not wish.base:
        raise refusal(
            path,
            "a UNet alone, without text encoders; say with --base which registered main model completes it, or take "
            "the whole checkpoint",
        )
    base = catalogue.main(wish.base)
    if base.architecture is not found.architecture or base.facts.get("alone"):
        raise _unfit("base", f'"{base.code}" is no whole main model of the same architecture')
    return replace(found, facts={**found.facts, "base": base.code, "has_vae": base.facts.get("has_vae", True)})


def remove(catalogue: Catalogue, code: str) -> tuple[Entry, list[str]]:
    """Take a model out, its file too where Restyle made the copy. Returns it, and what changes for other models.

    Raises RestyleError (4004).
    """
    entry = catalogue.get(code)
    before = {kind: catalogue.default(kind, entry.architecture) for kind in _CHOSEN}
    catalogue.remove(code)
    shared = any(each.path == entry.path for each in catalogue.entries)
    if entry.path.is_relative_to(catalogue.folder) and not shared:
        shutil.rmtree(entry.path) if entry.path.is_dir() else entry.path.unlink(missing_ok=True)
    return entry, list(_changes(catalogue, entry, before.get(entry.kind)))


def verified(catalogue: Catalogue, entry: Entry, advance: Advance = lambda count: None) -> Detected:
    """Tell and hash again what was registered. Raises RestyleError (230) where it is no longer the same."""
    found = detect(entry.path)
    if (found.kind, found.format) != (entry.kind, entry.format) or found.architecture not in (None, entry.architecture):
        raise refusal(entry.path, f"it was registered as a {entry.kind}, and now is a {found.kind}")
    scanned = scan(entry.path, advance)
    if scanned.sha256 != entry.sha256:
        raise refusal(
            entry.path,
            f"its SHA-256 is {scanned.sha256}, {entry.sha256} was registered: the file changed; "
            "remove and add the model again if that was meant",
        )
    return found


_CHOSEN = {
    Kind.VAE: "the VAE built into each checkpoint",
    Kind.IP_ADAPTER: "style injection without an IP-Adapter",
    Kind.CONTROLNET: "no ControlNet",
}
"""Kinds of which Restyle chooses one itself, and what is used where there is none."""


def _changes(catalogue: Catalogue, gone: Entry, was: Entry | None) -> list[str]:
    changes = []
    label = gone.architecture.label if gone.architecture else ""
    if was is not None and was.code == gone.code:
        successor = catalogue.default(gone.kind, gone.architecture)
        then = f'"{successor.code}"' if successor else _CHOSEN[gone.kind]
        changes.append(f"{label} models used it as their {gone.kind}; now they use {then}")
    if gone.kind is Kind.IMAGE_ENCODER:
        changes += [
            f'the IP-Adapter "{adapter.code}" has no image encoder now, and is not used until it has one'
            for adapter in catalogue.of(Kind.IP_ADAPTER)
            if catalogue.image_encoder(adapter) is None
        ]
    changes += [
        f'"{entry.code}" cannot draw now: it was completed by "{gone.code}"'
        for entry in catalogue.of(Kind.MAIN)
        if entry.facts.get("base") == gone.code
    ]
    if gone.kind is Kind.MAIN and not catalogue.of(Kind.MAIN, gone.architecture):
        orphans = [entry.code for entry in catalogue.entries if entry.architecture is gone.architecture]
        if orphans:
            changes.append(f"no {label} checkpoint is left for {', '.join(orphans)}")
    return changes


def _check_code(catalogue: Catalogue, code: str) -> None:
    if not 1 <= len(code) <= MAX_CODE or not code.isprintable() or code != code.strip():
        raise _unfit("code", f"give 1 to {MAX_CODE} printable characters, with no space at either end")
    if any(entry.code == code for entry in catalogue.entries):
        raise _unfit("code", f'"{code}" is registered already; remove it first, or give another code')


def _check_size(path: Path, kind: Kind) -> None:
    size, most = _bytes(path), MOST_BYTES[kind]
    if size > most:
        raise refusal(path, f"it has {size:,} bytes; a model of kind {kind} has at most {most:,}")


def _bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in files_of(path))


def _copied(catalogue: Catalogue, entry: Entry, begin: Callable[[int], Advance]) -> Entry:
    """Copy first, then check the copy, which nobody else writes to."""
    store = catalogue.folder / "files"
    incoming = store / f"incoming-{entry.path.name}"
    with held(store / entry.path.name):
        _delete(incoming)  # of a run that was ended
        try:
            _copy(entry.path, incoming)
            if detect(incoming).kind is not entry.kind:
                raise refusal(entry.path, "it changed while it was copied")
            scanned: Scanned = scan(incoming, begin(_bytes(incoming)))
            place = store / f"{scanned.sha256[:12]}-{entry.path.name}"
            if place.exists():
                raise refusal(entry.path, f"the same file is there already, as {place.name}")
            entry = replace(entry, path=place, sha256=scanned.sha256, size=scanned.size)
            incoming.rename(place)
        except BaseException:
            _delete(incoming)
            raise
    try:
        catalogue.add(entry)
    except RestyleError:
        _delete(place)
        raise
    return entry


def _copy(source: Path, target: Path) -> None:
    if not source.is_dir():
        adopt(source, target)
        return
    check_space({target: _bytes(source)})
    for file in files_of(source):
        adopt(file, target / file.relative_to(source))


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _unfit(field: str, reason: str) -> RestyleError:
    return RestyleError(Code.PARAMETER_NOT_AVAILABLE, f"{field}: {reason}", field=field)
