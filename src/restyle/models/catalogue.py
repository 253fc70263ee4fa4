"""The models an operator registered: files on this machine, what they are, and how a request names them.

The catalogue is one TOML file in the data folder, for people to read. It is written as a whole, under a lock, into a
file that then takes the old one's place: who reads it sees the state before or after a change, never one in between.
"""

import fcntl
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import tomli_w

from restyle.models.kinds import Architecture, Kind
from restyle.private import make_data_folder
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

MAX_CODE = 128


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered model.

    ``architecture`` is None for image encoders, which belong to no base model. ``path`` is absolute; ``format`` is
    ``safetensors``, ``folder`` or ``pt`` (any file of ``torch.save``). ``sha256`` is of the file's bytes, or of the
    list of a folder's files (:mod:`restyle.models.scan`); ``size`` is in bytes. ``defaults`` are InferenceParams by
    their names on the wire; ``negative_prompt`` is a main model's, where a request gives none;
    ``recipe`` is what it says against its engine's table. ``facts`` are what the tensors tell
    (:mod:`restyle.models.detect`), by kind:

    - main: ``layout`` (``ldm`` in a file, ``diffusers`` in a folder), ``prediction_type``, ``schedule`` (``edm`` for
      another noise schedule than Stable Diffusion's, in a file), ``zero_snr`` (whether its schedule ends in
      noise alone; a folder's configuration says it), ``alone`` (whether it is a UNet and nothing else) and ``base``
      (the code of the main model that completes it), ``has_vae``, ``context`` (width of the cross-attention's input),
      ``widths`` (of all inputs of attention, the context's too); of a folder also ``variant`` (``fp16``, or empty)
    - lora: ``layout`` (``kohya``, ``diffusers``), ``text_encoder`` (whether it has a part for text encoders),
      ``embeddings`` (words of those it brings), ``left_out`` (parts of it that no main model has a place for)
    - embedding: ``layout`` (``a1111``, ``diffusers``, ``sdxl``), ``vectors`` (tokens it stands for)
    - hypernetwork: ``widths`` (of the inputs it has networks for), ``activation``
    - vae: ``layout`` (``ldm``, ``diffusers``), ``scaling_factor`` where a folder's configuration gives it, ``variant``
    - ip-adapter: ``layout`` (``flat``, ``nested``), ``plus``, ``clip_dim`` (width of what it reads), ``tokens``,
      ``context``
    - image-encoder: ``hidden``, ``projection``, ``layers``, ``heads``, ``patch``, ``image_size``, ``intermediate``,
      ``activation``; of a folder also ``variant``
    - controlnet: ``layout`` (``ldm``, ``diffusers``), ``control`` (what it is shown: ``canny``, ``tile``, ``depth``,
      ``lineart``, ``softedge``, ``openpose``), ``controls`` (of a Union, all that it can be shown), ``context``; of a
      folder also ``variant``
    """

    code: str
    name: str
    kind: Kind
    architecture: Architecture | None
    path: Path
    format: str
    sha256: str
    size: int
    trigger_words: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    is_default: bool = False
    negative_prompt: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)


class Catalogue:
    """The models registered in a data folder."""

    def __init__(self, data_dir: Path, entries: tuple[Entry, ...] = ()) -> None:
        self.folder = data_dir.absolute() / "models"
        self.entries = entries
        self.read_at: tuple[int, int, int] | None = None

    @classmethod
    def read(cls, data_dir: Path) -> Self:
        """The catalogue as it stands; empty where there is none. Raises RestyleError (5000) for a broken file."""
        catalogue = cls(data_dir)
        catalogue.read_at = catalogue.stamp()  # before reading: a change in between is then seen as one
        catalogue.entries = catalogue._read()
        return catalogue

    @property
    def file(self) -> Path:
        """Where the catalogue is kept."""
        return self.folder / "catalogue.toml"

    def stamp(self) -> tuple[int, int, int] | None:
        """Differs whenever the file was written; None while there is none. One system call.

        ``read_at`` is the stamp of what was read: while both are the same, so is the catalogue.
        """
        try:
            found = self.file.stat()
        except (FileNotFoundError, NotADirectoryError, PermissionError):  # reading it says so
            return None
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def get(self, code: str) -> Entry:
        """The entry of that code. Raises RestyleError (4004)."""
        for entry in self.entries:
            if entry.code == code:
                return entry
        raise RestyleError(
            Code.MODEL_NOT_FOUND,
            f'no model is registered as "{code}"; `restyle models list` shows those that are',
            field="code",
        )

    def main(self, code: str) -> Entry:
        """The checkpoint of that code. Raises RestyleError (4004)."""
        entry = self.get(code)
        if entry.kind is not Kind.MAIN:
            raise RestyleError(
                Code.MODEL_NOT_FOUND, f'"{code}" is of kind {entry.kind}, not a main model', field="code"
            )
        return entry

    def of(self, kind: Kind, architecture: Architecture | None = None) -> list[Entry]:
        """The entries of that kind, those of ``architecture`` only if one is given, in the order registered."""
        return [
            entry
            for entry in self.entries
            if entry.kind is kind and (architecture is None or entry.architecture is architecture)
        ]

    def default(self, kind: Kind, architecture: Architecture | None = None) -> Entry | None:
        """The entry in use where a request cannot choose: the one marked so, else the first added, else None."""
        found = self.of(kind, architecture)
        return next((entry for entry in found if entry.is_default), found[0] if found else None)

    def image_encoder(self, adapter: Entry) -> Entry | None:
        """The image encoder whose output ``adapter`` (an IP-Adapter) was made for; None where none is registered.

        Classic adapters read the projected embedding, "plus" ones the hidden states; its width must be the same.
        """
        width = "hidden" if adapter.facts.get("plus") else "projection"
        found = [entry for entry in self.of(Kind.IMAGE_ENCODER) if entry.facts.get(width) == adapter.facts["clip_dim"]]
        return next((entry for entry in found if entry.is_default), found[0] if found else None)

    def add(self, entry: Entry) -> None:
        """Register ``entry``. Marked as default, it takes the mark from others of its kind and architecture.

        Raises RestyleError (230) where its code is taken.
        """
        with self._changing() as entries:
            if any(each.code == entry.code for each in entries):
                raise RestyleError(
                    Code.PARAMETER_NOT_AVAILABLE,
                    f'"{entry.code}" is registered already; `restyle models remove` it first, or give another code',
                    field="code",
                )
            if entry.is_default:
                entries[:] = [
                    replace(each, is_default=False)
                    if (each.kind, each.architecture) == (entry.kind, entry.architecture)
                    else each
                    for each in entries
                ]
            entries.append(entry)

    def change(self, entry: Entry) -> None:
        """Put ``entry`` in place of the one of its code. Raises RestyleError (4004)."""
        with self._changing() as entries:
            self.entries = tuple(entries)
            entries[entries.index(self.get(entry.code))] = entry

    def remove(self, code: str) -> Entry:
        """Take the entry of that code out, and return it. Its file stays. Raises RestyleError (4004)."""
        with self._changing() as entries:
            self.entries = tuple(entries)
            entry = self.get(code)
            entries.remove(entry)
        return entry

    @contextmanager
    def _changing(self) -> Iterator[list[Entry]]:
        """The entries as they stand, to be changed in place; written when the block ends well."""
        make_data_folder(self.folder.parent)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        with (self.folder / "catalogue.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            entries = list(self._read())
            yield entries
            self._write(entries)
            self.entries, self.read_at = tuple(entries), self.stamp()

    def _read(self) -> tuple[Entry, ...]:
        try:
            with self.file.open("rb") as file:
                tables = tomllib.load(file).get("model", [])
            return tuple(self._entry(table) for table in tables)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise RestyleError(
                Code.INTERNAL_ERROR,
                f"{self.file} cannot be read: {error.strerror or error}; give the data folder to this user, or set "
                "RESTYLE_DATA_DIR to another",
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise RestyleError(Code.INTERNAL_ERROR, f"{self.file} is broken: {what}") from error

    def _entry(self, table: Mapping[str, Any]) -> Entry:
        architecture = table.get("architecture")
        return Entry(
            code=table["code"],
            name=table["name"],
            kind=Kind(table["kind"]),
            architecture=None if architecture is None else Architecture(architecture),
            path=self.folder / table["path"],
            format=table["format"],
            sha256=table["sha256"],
            size=table["size"],
            trigger_words=tuple(table.get("trigger_words", ())),
            defaults=table.get("defaults", {}),
            facts=table.get("facts", {}),
            is_default=table.get("default", False),
            negative_prompt=table.get("negative_prompt", ""),
            recipe=table.get("recipe", {}),
        )

    def _table(self, entry: Entry) -> dict[str, Any]:
        # a path inside the folder is kept relative, so that the data folder can move
        inside = entry.path.is_relative_to(self.folder)
        table: dict[str, Any] = {
            "code": entry.code,
            "name": entry.name,
            "kind": entry.kind.value,
            "architecture": entry.architecture.value if entry.architecture else None,
            "path": str(entry.path.relative_to(self.folder) if inside else entry.path),
            "format": entry.format,
            "sha256": entry.sha256,
            "size": entry.size,
            "trigger_words": list(entry.trigger_words),
            "default": entry.is_default,
            "negative_prompt": entry.negative_prompt,
            "defaults": dict(entry.defaults),
            "facts": dict(entry.facts),
            "recipe": dict(entry.recipe),
        }
        return {name: value for name, value in table.items() if value or name == "size"}

    def _write(self, entries: list[Entry]) -> None:
        text = tomli_w.dumps({"model": [self._table(entry) for entry in entries]})
        fresh = self.file.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.file)
