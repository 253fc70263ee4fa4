"""The files that results go into: which they are, and that none is lost by them."""

import contextlib
import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from restyle import __version__
from restyle.cli.output import shown
from restyle.cli.photographs import MARK, Photograph, reason

if TYPE_CHECKING:
    from PIL import Image

    from restyle.wire.errors import RestyleError

OURS = "Version: Restyle"
"""In the parameters of every picture that the command wrote."""


class Format(StrEnum):
    """What results are written as."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"


FORMATS = {".png": Format.PNG, ".jpg": Format.JPEG, ".jpeg": Format.JPEG, ".webp": Format.WEBP}
SUFFIX = {Format.PNG: ".png", Format.JPEG: ".jpg", Format.WEBP: ".webp"}

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Write over files that Restyle did not make, too.")]
Quality = Annotated[int, typer.Option(min=1, max=100, help="Of JPEG and WebP.")]
QUALITY = 92
FormatChoice = Annotated[
    Format | None, typer.Option(help="What results are written as.", show_default="as --output is named, else png")
]


@dataclass(frozen=True, slots=True)
class Work:
    """One conversion: ``results`` are the files it writes, one per image of the batch.

    A style is a file, or the name of a kept one.
    """

    raw: Path
    style: Path | str
    results: tuple[Path, ...]


def plan(
    raws: list[Photograph],
    styles: Sequence[Path | str],
    output: str | None,
    batch: int,
    format: Format | None = None,
    *,
    overwrite: bool = False,
) -> list[Work]:
    """What is to be done, and into which files.

    ``output`` is a file for one picture, else a folder: one that is there, that ends with a slash, or whose name has no
    suffix of a picture. Results of one name are told apart by more of the names of their pictures.

    Raises BadParameter where results would meet each other, a source, or, without ``overwrite``, a file that Restyle
    did not make; RestyleError (5000) where a folder cannot be written.
    """
    pairs = [(raw, style) for raw in raws for style in styles]
    target = _file(output, len(pairs))
    if target is None:
        suffix = SUFFIX[format or Format.PNG]
        folder = None if output is None else Path(output)
        firsts = _names(raws, styles, folder, suffix)
    else:
        if format not in (None, FORMATS[target.suffix.lower()]):
            raise typer.BadParameter(f"--format {format} does not fit the name {shown(target)}")
        firsts = [target]
    works = [Work(raw.path, style, _numbered(first, batch)) for (raw, style), first in zip(pairs, firsts, strict=True)]
    taken = {os.path.realpath(path) for path in (*(raw.path for raw in raws), *_files(styles))}
    paths = [path for work in works for path in work.results]
    for path in paths:
        if os.path.realpath(path) in taken:
            raise typer.BadParameter(
                f"{shown(path)} would be overwritten: two results or a source have that name; use --output"
            )
        taken.add(os.path.realpath(path))
    check(paths, overwrite=overwrite)
    return works


def check(paths: Iterable[Path], *, overwrite: bool) -> None:
    """Whether all can be written, before anything is drawn for them.

    Raises BadParameter for a file that Restyle did not make unless ``overwrite``, RestyleError (5000) for a folder that
    this user cannot write or make.
    """
    usable: set[Path] = set()
    for path in paths:
        if not overwrite:
            _spare(path)
        if path.parent not in usable:
            _check_folder(path)
            usable.add(path.parent)


def _file(output: str | None, pairs: int) -> Path | None:
    """The one file that ``output`` names; None where it is a folder, or not given."""
    if output is None or output.endswith(("/", os.sep)):
        return None
    path = Path(output)
    is_folder = path.is_dir() or path.suffix.lower() not in FORMATS
    if is_folder and path.suffix[1:].isalpha() and not path.is_dir() and pairs == 1:
        raise typer.BadParameter(
            f"results are PNG, JPEG or WebP files; name {shown(path.stem)}.png instead of {shown(path.name)}, or end "
            "the name of a folder with a slash"
        )
    if is_folder:
        return None
    if pairs > 1:
        raise typer.BadParameter(f"{pairs} pictures do not fit into {shown(path)}; give a folder with --output")
    return path


def _files(styles: Sequence[Path | str]) -> list[Path]:
    """Those of ``styles`` that are files."""
    return [style for style in styles if isinstance(style, Path)]


def _names(raws: list[Photograph], styles: Sequence[Path | str], folder: Path | None, suffix: str) -> list[Path]:
    """A path for each raw image with each style."""

    def place(raw: Photograph) -> Path:
        return raw.path.parent if folder is None else folder / raw.below

    of_style = _labels([Path(style) for style in styles])
    of_raw = {
        raw.path: label
        for _, group in groupby(sorted(raws, key=place), key=place)
        for raw, label in _labelled(list(group))
    }
    return [
        place(raw) / f"{of_raw[raw.path]}{f'.{of_style[Path(style)]}' if len(styles) > 1 else ''}{MARK}{suffix}"
        for raw in raws
        for style in styles
    ]


def _labelled(raws: list[Photograph]) -> Iterable[tuple[Photograph, str]]:
    labels = _labels([raw.path for raw in raws])
    return [(raw, labels[raw.path]) for raw in raws]


def _labels(paths: list[Path]) -> dict[Path, str]:
    """A name for each, all different, also where capitals do not count: the stem, or as much more as it takes."""

    def names(path: Path) -> list[str]:
        parts = Path(os.path.abspath(path)).parts[1:]
        return [path.stem, *(".".join(parts[-count:]) for count in range(1, len(parts) + 1))]

    longer = {path: names(path) for path in paths}
    found = dict.fromkeys(paths, 0)
    while True:
        alike: dict[str, list[Path]] = {}
        for path, count in found.items():
            alike.setdefault(longer[path][count].casefold(), []).append(path)
        short = [path for group in alike.values() if len(group) > 1 for path in group]
        short = [path for path in short if found[path] + 1 < len(longer[path])]
        if not short:
            return {path: longer[path][count] for path, count in found.items()}
        for path in short:
            found[path] += 1


def _numbered(first: Path, batch: int) -> tuple[Path, ...]:
    if batch == 1:
        return (first,)
    return tuple(first.with_name(f"{first.stem}-{n}{first.suffix}") for n in range(1, batch + 1))


def _spare(path: Path) -> None:
    """Raises BadParameter where something is there that the command did not make."""
    from restyle.images.encode import read_parameters

    if not os.path.lexists(path) or OURS in read_parameters(path):
        return
    raise typer.BadParameter(
        f"{shown(path)} is there and was not made by Restyle; give another --output, or --overwrite"
    )


def _check_folder(path: Path) -> None:
    """Raises RestyleError (5000) where the folder of ``path`` is none, or not this user's to write or make."""
    from restyle.private import writable

    folder = path.parent
    try:
        while not os.path.lexists(folder):
            folder = folder.parent
        fault = "not a directory" if not folder.is_dir() else None if writable(folder) else "permission denied"
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, in older Pythons
        fault = reason(error)
    if fault is not None:
        raise _unwritable(path, f"{shown(folder)}: {fault}")


def _unwritable(path: Path, why: str) -> "RestyleError":
    from restyle.wire.codes import Code
    from restyle.wire.errors import RestyleError

    return RestyleError(Code.INTERNAL_ERROR, f"{shown(path)} cannot be written: {why}")


def write(images: "list[Image.Image]", paths: tuple[Path, ...], quality: int, *, overwrite: bool) -> None:
    """Each beside its place first, and then there: whatever happens, a picture that was there is whole.

    Raises as :func:`check`, also for what has come there since, and RestyleError (5000) where a file cannot be written.
    """
    from restyle.images.decode import from_image
    from restyle.images.encode import encode

    for image, path in zip(images, paths, strict=True):
        format = FORMATS[path.suffix.lower()]
        pixels = from_image(image, field="result", keep_alpha=True)
        parameters = image.info.get("parameters", "")
        if OURS not in parameters:  # drawn by another service
            parameters = f"{parameters}\n{OURS} {__version__}".lstrip()
        data = encode(pixels, parameters, format.upper(), quality)
        beside = path.with_name(f".restyle-{uuid.uuid4().hex}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # renamed before it is on the disk, a power cut would leave an empty file
            if not overwrite:
                _spare(path)
            beside.replace(path)
        except OSError as error:
            raise _unwritable(path, reason(error)) from error
        finally:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
