"""Small pictures of pictures, for shelves and lists."""

from restyle.images.decode import read_frame, views
from restyle.images.encode import encode
from restyle.images.limits import Limits

SIDE = 256
"""Pixels of the longer side, at most."""
QUALITY = 85
OURS = Limits(max_bytes=1 << 31, max_pixels=178_000_000)


def thumbnail(data: bytes, side: int = SIDE) -> bytes:
    """A JPEG of at most ``side`` pixels a side, of a picture that is ours or was looked at. Raises RestyleError (4003).

    It takes the memory of the whole picture; strangers' are made small by :mod:`restyle.images.checking`.
    """
    _, made = views(data, read_frame(data, OURS, field="picture"), [side], field="picture")
    return encode(made[0], None, "JPEG", QUALITY)
