"""Scripts, styles and icons: read and compressed once, and kept by browsers for good under a name of their content."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fastapi import Request, Response
from starlette.exceptions import HTTPException

TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
FOLDERS = ("static", "vendor")


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
    return digest.hexdigest()[:12]


def serve(request: Request, name: str) -> Response:
    """The file of that name. Raises HTTPException (404)."""
    asset = assets().get(name)
    if asset is None:
        raise HTTPException(404)
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.packed, media_type=asset.type, headers=headers)
    return Response(asset.plain, media_type=asset.type, headers=headers)
