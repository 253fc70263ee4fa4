"""From the bytes of a file to what its structure says, without a decoder: bounded in time and memory whatever it is.

A cut-off upload is the commonest broken image, and a file that costs its reader a thousand times what it cost its
writer the commonest attack. Decoders notice either only after the work is done; the formats say it for almost nothing.
"""

from restyle.images.structure import avif, bmp, gif, heif, jpeg, png, tiff, webp
from restyle.images.structure.frame import Frame, Unsound
from restyle.images.structure.tiff import CAMERA_RAW

READABLE = "JPEG, PNG, HEIC, WebP, AVIF, GIF, BMP or TIFF"

SUFFIXES = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".heic",
        ".heif",
        ".hif",
        ".webp",
        ".avif",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
    )
)
"""How files of these formats are named, in small letters: what a folder is searched for."""

STRANGERS: tuple[tuple[int, tuple[bytes, ...], str], ...] = (
    (0, (b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM"), CAMERA_RAW),
    (4, (b"ftypcrx ",), CAMERA_RAW),
    (0, (b"%PDF",), "a PDF document"),
    (0, (b"PK\x03\x04",), "a ZIP archive"),
    (0, (b"<svg", b"<?xml"), "an SVG or XML text"),
    (0, (b"8BPS",), "a Photoshop document"),
    (0, (b"\xff\x0a", b"\x00\x00\x00\x0cJXL "), "a JPEG XL picture"),
    (0, (b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51"), "a JPEG 2000 picture"),
)
"""(position, what stands there, what it is) of other files that people do send."""


def read(data: bytes) -> Frame:
    """The frame that counts of an image file. Raises Unsound: of no readable format, cut off, or excessive."""
    if data.startswith(b"\xff\xd8\xff"):
        return jpeg.read(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return png.read(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return webp.read(data)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return gif.read(data)
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return tiff.read(data)
    if avif.is_avif(data):
        return avif.read(data)
    if heif.is_heif(data):
        return heif.read(data)
    if bmp.is_bmp(data):
        return bmp.read(data)
    for at, beginnings, name in STRANGERS:
        if data.startswith(beginnings, at):
            raise Unsound(f"is {name}" if name is CAMERA_RAW else f"is {name}; send a {READABLE} file")
    raise Unsound(f"is not a readable picture; send a {READABLE} file")
