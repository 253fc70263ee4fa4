"""Installing a starter set: what is there already is kept, what is missing comes, and every model is registered.

Each step may be the last one of a run: the next goes on from there and comes to the same end.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from restyle.models.catalogue import Catalogue, Entry
from restyle.models.files.adopt import adopt, refused
from restyle.models.files.fetch import Wanted
from restyle.models.files.found import find
from restyle.models.files.hub import Hub
from restyle.models.files.line import Patience
from restyle.models.files.part import check_space, is_right, still_to_come
from restyle.models.files.several import Tally, fetch_all
from restyle.models.files.verify import Advance
from restyle.models.install import MOST_BYTES, CheckDefaults, CheckRecipe, Wish, install
from restyle.models.kinds import Kind
from restyle.models.licences import Licence
from restyle.models.sets import SetModel, StarterSet
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError


@dataclass(frozen=True, slots=True)
class Step:
    """One model of a set, as ``code``. ``path`` is its place, ``files`` are what is wanted there; ``entry`` is what is
    registered already, None where that is still to be done.
    """

    code: str
    model: SetModel
    path: Path
    files: tuple[Wanted, ...]
    licence: Licence
    entry: Entry | None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.entry is not None and self.entry.path.exists()

    def to_come(self) -> int:
        """Bytes that are still missing, or about as many."""
        return 0 if self.is_done else sum(still_to_come(each.target, each.size or each.about) for each in self.files)


def steps(catalogue: Catalogue, wanted: StarterSet, hub: Hub, code: str = "") -> list[Step]:
    """What installing ``wanted`` takes; ``code`` is what its main model shall be called instead of the set's name.

    A companion that is registered already under another code is taken as it is. Nothing is read from the disk but the
    catalogue. Raises RestyleError (230) where a code belongs to another model, or there is no main model to be called.
    """
    if code and not wanted.main:
        raise RestyleError(Code.PARAMETER_NOT_AVAILABLE, f"{wanted.name} has no main model to be called", field="code")
    return [
        _step(catalogue, (code or key) if key == wanted.main else key, model, hub)
        for key, model in wanted.models.items()
    ]


def bring(
    to_do: Sequence[Step],
    http: httpx.Client,
    *,
    source: Path | None = None,
    report: Callable[[Tally], None] = lambda tally: None,
    patience: Patience | None = None,
) -> None:
    """Have all files of ``to_do`` at their places.

    ``source`` is a folder or a hub's cache to take them from, found by their SHA-256: nothing is fetched then. Raises
    RestyleError (5000 and 230) with the reason; what came before stays.
    """
    missing = [file for step in to_do if not step.is_done for file in step.files]
    if source is not None:
        _take(source, missing, report)
    else:
        fetch_all(http, missing, report=report, patience=patience)


def register(
    catalogue: Catalogue,
    step: Step,
    *,
    check_defaults: CheckDefaults,
    check_recipe: CheckRecipe,
    begin: Callable[[int], Advance] = lambda total: lambda count: None,
) -> Entry:
    """The entry of a model whose files are there, checked whole where it is new. Raises RestyleError (230)."""
    return step.entry or install(
        catalogue, step.path, _wish(step), check_defaults=check_defaults, check_recipe=check_recipe, begin=begin
    )


def _step(catalogue: Catalogue, code: str, model: SetModel, hub: Hub) -> Step:
    place = _place(catalogue, model)
    same = [entry for entry in catalogue.entries if _is(entry, model, place)]
    here = next((entry for entry in same if entry.path.exists()), None)
    entry = next((entry for entry in same if entry.code == code), None)
    if entry is None and model.kind is not Kind.MAIN:
        entry = here  # no request names it by its code
    _check_code(catalogue, code, model, entry, place)
    path = entry.path if entry is not None else here.path if here is not None else place
    files = tuple(
        Wanted(
            hub.source(model.repository, model.revision, file.path),
            path / os.path.relpath(file.path, model.root) if len(model.files) > 1 else path,
            MOST_BYTES[model.kind],
            file.sha256,
            file.bytes,
            file.about,
        )
        for file in model.files
    )
    page = model.licence_page or hub.page(model.repository)
    return Step(code, model, path, files, Licence(model.repository, model.licence, page), entry)


def _is(entry: Entry, model: SetModel, place: Path) -> bool:
    """Whether ``entry`` is that model, whatever it is called."""
    if (entry.kind, entry.facts.get("control", "")) != (model.kind, model.control):
        return False
    if model.architecture not in (None, entry.architecture):
        return False
    return entry.path == place or (len(model.files) == 1 and entry.sha256 == model.files[0].sha256)


def _check_code(catalogue: Catalogue, code: str, model: SetModel, entry: Entry | None, place: Path) -> None:
    """Raises RestyleError (230) where ``code`` is another model's, or the file of its own place is gone."""
    other = next((each for each in catalogue.entries if each.code == code and each != entry), None)
    gone = entry is not None and entry.path != place and not entry.path.exists()
    if (entry is None and other is not None) or gone:
        why = f"of {entry.path}, which is gone" if gone and entry is not None else "as another model"
        another = ", or give another --code" if model.kind is Kind.MAIN else ""
        raise RestyleError(
            Code.PARAMETER_NOT_AVAILABLE,
            f'"{code}" is registered already, {why}; `restyle models remove` it first{another}',
            field="code",
        )


def _place(catalogue: Catalogue, model: SetModel) -> Path:
    """Where in the data folder it belongs: named by what it holds, so that sets share it."""
    if len(model.files) == 1:
        sha256 = model.files[0].sha256
    else:
        lines = sorted(f"{file.sha256}  {os.path.relpath(file.path, model.root)}\n" for file in model.files)
        sha256 = hashlib.sha256("".join(lines).encode()).hexdigest()
    return catalogue.folder / "files" / f"{sha256[:12]}-{model.root.name or model.repository.partition('/')[2]}"


def _wish(step: Step) -> Wish:
    model = step.model
    return Wish(
        code=step.code,
        name=model.name,
        kind=model.kind,
        architecture=None if model.kind is Kind.IMAGE_ENCODER else model.architecture,
        trigger_words=model.trigger_words,
        defaults=model.defaults,
        prediction_type=model.prediction_type,
        control=model.control,
        negative_prompt=model.negative_prompt,
        recipe=model.recipe,
    )


def _take(source: Path, wanted: Sequence[Wanted], report: Callable[[Tally], None]) -> None:
    """Copy from ``source`` all that it holds. Raises RestyleError (230) where that was not all."""
    missing = [each for each in wanted if not is_right(each.target, each.sha256)]
    found = find(source, {each.sha256: (each.size, each.about) for each in missing})
    sizes = {sha256: path.stat().st_size for sha256, path in found.items()}
    check_space({each.target: sizes.get(each.sha256, 0) for each in missing})
    tally = Tally(len(found), 0, 0, sum(sizes.values()))
    for each in missing:
        if (path := found.get(each.sha256)) is None:
            continue
        before = tally
        local = adopt(
            path,
            each.target,
            sha256=each.sha256,
            report=lambda there, total, before=before: report(replace(before, there=before.there + there)),  # type: ignore[misc]
        )
        tally = replace(before, done=before.done + 1, there=before.there + local.size)
        report(tally)
    lacking = [each for each in missing if each.sha256 not in found]
    if lacking:
        names: Mapping[str, None] = dict.fromkeys(
            f"{each.source.url} (SHA-256 {each.sha256[:12]}...)" for each in lacking
        )
        raise refused(
            f"{source} has not all that is wanted; missing: {', '.join(names)}. What it had is taken; without --from "
            "the rest is fetched"
        )
