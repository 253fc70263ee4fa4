"""Small pictures of pictures, for shelves and lists."""

from io import BytesIO

from PIL import Image

from restyle.images.decode import decode
from restyle.images.limits import Limits
from restyle.images.pixels import Pixels

SIDE = 256
"""Pixels of the longer side, at most."""
QUALITY = 80
OURS = Limits(max_bytes=1 << 31, max_pixels=178_000_000)


def thumbnail(data: bytes) -> bytes:
    """A JPEG of at most 256 pixels a side, of a picture that is ours or was looked at. Raises RestyleError (4003)."""
    return to_thumbnail(decode(data, OURS, field="picture"))


def to_thumbnail(pixels: Pixels) -> bytes:
    """The same of uint8 (H, W, 3) in sRGB."""
    image = Image.fromarray(pixels)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = BytesIO()
    image.save(file, "JPEG", quality=QUALITY, optimize=True)
    return file.getvalue()
