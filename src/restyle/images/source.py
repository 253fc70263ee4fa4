"""The pictures that programs hand over: files, bytes, Pillow images, arrays."""

from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from restyle.images.decode import decode, from_image
from restyle.images.encode import encode_png
from restyle.images.limits import Limits
from restyle.images.pixels import Pixels
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

Source = str | PathLike[str] | bytes | bytearray | memoryview | Image.Image | npt.NDArray[Any]
"""A path, the bytes of an image file, a Pillow image, or a uint8 array (H, W), (H, W, 3) or (H, W, 4) in sRGB."""


def to_pixels(source: Source, limits: Limits, *, field: str, keep_alpha: bool = False) -> Pixels:
    """``source`` as uint8 (H, W, 3) in sRGB, on white; with ``keep_alpha`` as (H, W, 4) where it is not opaque.

    Raises RestyleError (4003) naming ``field``.
    """
    if isinstance(source, Image.Image):
        return from_image(source, field=field, keep_alpha=keep_alpha)
    if isinstance(source, np.ndarray):
        return from_image(_from_array(source, field), field=field, keep_alpha=keep_alpha)
    return decode(to_file(source, field=field), limits, field=field, keep_alpha=keep_alpha)


def to_file(source: Source, *, field: str) -> bytes:
    """``source`` as the bytes of an image file: files as they are, pixels as PNG. Raises RestyleError (4003)."""
    match source:
        case bytes():
            return source
        case bytearray() | memoryview():
            return bytes(source)
        case Image.Image():
            return encode_png(from_image(source, field=field, keep_alpha=True))
        case np.ndarray():
            return encode_png(from_image(_from_array(source, field), field=field, keep_alpha=True))
        case str() | PathLike():
            return _read(Path(fspath(source)), field)
    raise RestyleError(
        Code.IMAGE_UNREADABLE,
        f"{field} is of type {type(source).__name__}; give a path, bytes, a PIL image or a NumPy array",
        field=field,
    )


def _read(path: Path, field: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RestyleError(Code.IMAGE_UNREADABLE, f"{field} {path} cannot be read: {reason}", field=field) from error


def _from_array(array: npt.NDArray[Any], field: str) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    fits = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not fits or 0 in array.shape:
        raise RestyleError(
            Code.IMAGE_UNREADABLE,
            f"{field} is an array of {array.dtype} {array.shape}; give uint8 of (H, W), (H, W, 3) or (H, W, 4) in sRGB",
            field=field,
        )
    return Image.fromarray(np.ascontiguousarray(array))
