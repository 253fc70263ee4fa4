"""The files that results go into: which they are, and that none is lost by them."""

import contextlib
import os
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from restyle.cli.output import shown
from restyle.cli.photographs import MARK, Photograph, reason

if TYPE_CHECKING:
    from PIL import Image

OURS = "Version: Restyle"
"""In the parameters of every picture that Restyle made."""


class Format(StrEnum):
    """What results are written as."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"


FORMATS = {".png": Format.PNG, ".jpg": Format.JPEG, ".jpeg": Format.JPEG, ".webp": Format.WEBP}
SUFFIX = {Format.PNG: ".png", Format.JPEG: ".jpg", Format.WEBP: ".webp"}


@dataclass(frozen=True, slots=True)
class Work:
    """One conversion: ``results`` are the files it writes, one per image of the batch."""

    raw: Path
    style: Path
    results: tuple[Path, ...]


def plan(
    raws: list[Photograph],
    styles: list[Path],
    output: str | None,
    batch: int,
    format: Format | None = None,
    *,
    overwrite: bool = False,
) -> list[Work]:
    """What is to be done, and into which files.

    ``output`` is a file for one picture, else a folder: one that is there, that ends with a slash, or whose name has no
    suffix of a picture. Results of one name are told apart by the whole name of their photograph.

    Raises BadParameter where results would meet each other, a source, or, without ``overwrite``, a file that Restyle
    did not make.
    """
    from restyle.images.encode import read_parameters

    pairs = [(raw, style) for raw in raws for style in styles]
    target = _file(output, len(pairs))
    if target is None:
        suffix = SUFFIX[format or Format.PNG]
        folder = None if output is None else Path(output)
        firsts = _names(pairs, folder, suffix, several_styles=len(styles) > 1)
    else:
        if format not in (None, FORMATS[target.suffix.lower()]):
            raise typer.BadParameter(f"--format {format} does not fit the name {shown(target)}")
        firsts = [target]
    works = [Work(raw.path, style, _numbered(first, batch)) for (raw, style), first in zip(pairs, firsts, strict=True)]
    taken = {os.path.realpath(path) for path in (*(raw.path for raw in raws), *styles)}
    for path in (path for work in works for path in work.results):
        if os.path.realpath(path) in taken:
            raise typer.BadParameter(
                f"{shown(path)} would be overwritten: two results or a source have that name; use --output"
            )
        taken.add(os.path.realpath(path))
        if not overwrite and os.path.lexists(path) and OURS not in read_parameters(path):
            raise typer.BadParameter(
                f"{shown(path)} is there and was not made by Restyle; give another --output, or --overwrite"
            )
    return works


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


def _names(
    pairs: list[tuple[Photograph, Path]], folder: Path | None, suffix: str, *, several_styles: bool
) -> list[Path]:
    def name(raw: Photograph, style: Path, stem: str) -> Path:
        place = raw.path.parent if folder is None else folder / raw.below
        return place / f"{stem}{f'.{style.stem}' if several_styles else ''}{MARK}{suffix}"

    short = [name(raw, style, raw.path.stem) for raw, style in pairs]
    often = Counter(short)
    return [
        name(raw, style, raw.path.name) if often[first] > 1 else first
        for (raw, style), first in zip(pairs, short, strict=True)
    ]


def _numbered(first: Path, batch: int) -> tuple[Path, ...]:
    if batch == 1:
        return (first,)
    return tuple(first.with_name(f"{first.stem}-{n}{first.suffix}") for n in range(1, batch + 1))


def write(images: "list[Image.Image]", paths: tuple[Path, ...], quality: int) -> None:
    """Each beside its place first, and then there: whatever happens, a picture that was there is whole.

    Raises RestyleError (5000) where a file cannot be written.
    """
    from restyle.images.decode import from_image
    from restyle.images.encode import encode
    from restyle.wire.codes import Code
    from restyle.wire.errors import RestyleError

    for image, path in zip(images, paths, strict=True):
        format = FORMATS[path.suffix.lower()]
        pixels = from_image(image, field="result", keep_alpha=True)
        data = encode(pixels, image.info.get("parameters"), format.upper(), quality)
        beside = path.with_name(f".{path.name[:200]}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(data)
            beside.replace(path)
        except OSError as error:
            raise RestyleError(Code.INTERNAL_ERROR, f"{shown(path)} cannot be written: {reason(error)}") from error
        finally:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
