"""What Pillow understands otherwise than the format says, put right in pictures that it has opened."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import BmpImagePlugin, GifImagePlugin, Image, ImageFile, PngImagePlugin, TiffImagePlugin

from restyle.images.structure import png

XMP = ("xmp", "XML:com.adobe.xmp")
"""Names under which Pillow keeps XMP."""
GREY_BITS = {"1": 1, "L;2": 2, "L;4": 4}
"""Pillow's name of how a grey PNG is packed -> bits of a sample."""
HUNDRED_THOUSANDTHS = 100_000
COMPRESSION, BITS, PLANAR, EXTRA_SAMPLES = 259, 258, 284, 338
UNCOMPRESSED, IN_PLANES, PREMULTIPLIED = 1, 2, 1


def before_loading(image: Image.Image) -> None:
    """Put right how the pixels of ``image``, which were not loaded yet, are to be read. Afterwards it does nothing."""
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tile:
        _planes_of_sixteen_bits(image)
    elif isinstance(image, PngImagePlugin.PngImageFile) and image.tile:
        clear, bits = image.info.get("transparency"), GREY_BITS.get(str(image.tile[0].args))
        if isinstance(clear, int) and bits is not None:  # samples are spread to 0..255, the clear one is not
            image.info["transparency"] = clear * 255 // ((1 << bits) - 1)


@contextmanager
def without_xmp(image: Image.Image) -> Iterator[None]:
    """Hide XMP meanwhile: Pillow believes its orientation where there is no Exif, which no browser does."""
    hidden = {name: image.info.pop(name) for name in XMP if name in image.info}
    try:
        yield
    finally:
        image.info.update(hidden)


def said_by_png(data: bytes) -> dict[str, Any]:
    """What a PNG says beside its pixels, under the names Pillow would give it in ``info``."""
    said = png.sayings(data)
    found: dict[str, Any] = {}
    if b"eXIf" in said:
        found["exif"] = said[b"eXIf"]
    if b"iCCP" in said and b"cICP" not in said:
        found["icc_profile"] = png.profile(said[b"iCCP"])
    if b"sRGB" in said:
        found["srgb"] = 0
    if len(said.get(b"gAMA", b"")) == 4:
        found["gamma"] = int.from_bytes(said[b"gAMA"], "big") / HUNDRED_THOUSANDTHS
    if len(said.get(b"cHRM", b"")) == 32:
        found["chromaticity"] = tuple(value / HUNDRED_THOUSANDTHS for value in struct.unpack(">8I", said[b"cHRM"]))
    return found


def opacity(image: Image.Image) -> Image.Image | None:
    """What only the format says of how opaque a loaded ``image`` is; None where that is nothing."""
    if isinstance(image, BmpImagePlugin.BmpImageFile) and image.mode == "RGBA":
        alpha = image.getchannel("A")
        # Programs leave the fourth byte at 0 that have no use for it; a picture nobody can see is none.
        return Image.new("L", image.size, 255) if alpha.getextrema() == (0, 0) else alpha
    if isinstance(image, GifImagePlugin.GifImageFile) and image.tell() == 0:
        return _shown(image)
    return None


def _shown(image: GifImagePlugin.GifImageFile) -> Image.Image | None:
    """A GIF's first frame need not fill the screen, and what it leaves free is clear."""
    extent = image.dispose_extent
    if extent is None or extent == (0, 0, *image.size):
        return None
    shown = Image.new("L", image.size, 0)
    shown.paste(255 if not image.has_transparency_data else image.convert("RGBA").getchannel("A").crop(extent), extent)
    return shown


def _planes_of_sixteen_bits(image: TiffImagePlugin.TiffImageFile) -> None:
    """Have libtiff read planes that are not compressed: Pillow's own reader takes each sample for two."""
    tags = image.tag_v2
    sixteen = set(tags.get(BITS, ())) == {16} and image.mode in ("RGB", "RGBA", "CMYK")
    if tags.get(COMPRESSION, UNCOMPRESSED) == UNCOMPRESSED and tags.get(PLANAR) == IN_PLANES and sixteen:
        mode = "RGBa" if image.mode == "RGBA" and tags.get(EXTRA_SAMPLES) == (PREMULTIPLIED,) else image.mode
        image.use_load_libtiff = True
        image.tile = [ImageFile._Tile("libtiff", (0, 0, *image._tile_size), 0, (f"{mode};16N", False, tags.offset))]
