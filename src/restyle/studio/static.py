"""Scripts, styles, icons and the pictures of the official styles: kept by browsers for good, since their addresses
change with them.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from fastapi import Request, Response
from starlette.exceptions import HTTPException

from restyle.images.decode import decode
from restyle.images.encode import encode
from restyle.images.fit import fit
from restyle.images.thumbnail import OURS, QUALITY
from restyle.styles.official import official

TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
FOLDERS = ("static", "vendor")
SHEET_SIDE, SHEET_GUTTER = 160, 4
"""Pixels of an official style on the sheet, twice what is shown for screens of double density, and of its edge's
repetition beside it, so that where it is shown smaller no neighbour shines through.
"""

HEADERS = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Asset:
    """``packed`` is ``plain`` under gzip."""

    type: str
    plain: bytes
    packed: bytes


@cache
def assets() -> dict[str, Asset]:
    """All files by name."""
    found = {}
    for folder in FOLDERS:
        for file in files(__package__).joinpath(folder).iterdir():
            kind = TYPES.get(file.name.rpartition(".")[2])
            if kind is not None:
                plain = file.read_bytes()
                found[file.name] = Asset(kind, plain, gzip.compress(plain, 9, mtime=0))
    return found


@cache
def version() -> str:
    """Changes whenever one of the files does: part of their addresses."""
    digest = hashlib.sha256()
    for name, asset in sorted(assets().items()):
        digest.update(name.encode() + asset.plain)
    for style in official():
        digest.update(style.picture)
    return digest.hexdigest()[:12]


def serve(request: Request, name: str) -> Response:
    """The file of that name. Raises HTTPException (404)."""
    asset = assets().get(name)
    if asset is None:
        raise HTTPException(404)
    headers = {**HEADERS, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.packed, media_type=asset.type, headers=headers)
    return Response(asset.plain, media_type=asset.type, headers=headers)


def serve_sheet() -> Response:
    """All official styles, small and side by side: what the shelf cuts its pictures from, by one request for all."""
    return Response(_sheet(), media_type="image/jpeg", headers=HEADERS)


@cache
def _sheet() -> bytes:
    around = ((0, 0), (SHEET_GUTTER, SHEET_GUTTER), (0, 0))
    pictures = [decode(style.picture, OURS, field=style.code) for style in official()]
    cuts = [np.pad(fit(picture, SHEET_SIDE, SHEET_SIDE), around, "edge") for picture in pictures]
    return encode(np.concatenate(cuts, axis=1), None, "JPEG", QUALITY)
