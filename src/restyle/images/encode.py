"""From pixels to the files that are delivered: PNG by the service, JPEG and WebP too by the command."""

from io import BytesIO
from pathlib import Path

from PIL import ExifTags, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from restyle.images.pixels import Pixels
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

COMPRESSION = 1
"""Level 1 of 9: on painted 1024 pictures level 6 takes three to five times as long and saves 5 %."""

PERCEPTUAL = b"\x00"
"""The rendering intent that the sRGB chunk must state."""
UNICODE = b"UNICODE\0"
"""What a comment in Exif begins with whose text is UTF-16."""
PLUGINS = (JpegImagePlugin, PngImagePlugin, WebPImagePlugin)
"""Imported by name, so that Pillow need not import all its plugins to find these."""
LARGEST = {"JPEG": 65_500, "WEBP": 16_383}
"""Pixels that a side may have in these formats."""
EXIF_BYTES = 65_000
"""What fits into the segment of a JPEG that holds Exif, its other parts left out of account."""


def encode(pixels: Pixels, parameters: str | None, format: str, quality: int) -> bytes:
    """A file of uint8 (H, W, 3) sRGB pixels in ``format``: PNG, JPEG or WEBP, the latter two of ``quality`` 1..100.

    ``parameters`` goes where readers of Stable Diffusion WebUI's pictures look for it: in JPEG and WebP that is Exif's
    comment of the user. Raises RestyleError (230) where a JPEG or WebP cannot be as large, or hold as long a comment.
    """
    if format == "PNG":
        return encode_png(pixels, parameters)
    height, width, channels = pixels.shape
    if format == "JPEG" and channels == 4:
        raise _does_not_fit(format, "transparency")
    if max(width, height) > LARGEST[format]:
        raise _does_not_fit(format, f"{width} x {height} pixels")
    exif = Image.Exif()
    if parameters is not None:
        comment = UNICODE + parameters.encode("utf-16-be", "replace")
        if format == "JPEG" and len(comment) > EXIF_BYTES:
            raise _does_not_fit(format, f"a text of {len(parameters):,} characters")
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    options = {"subsampling": 0} if format == "JPEG" else {}
    file = BytesIO()
    Image.fromarray(pixels).save(file, format=format, quality=quality, exif=exif, **options)
    return file.getvalue()


def _does_not_fit(format: str, what: str) -> RestyleError:
    return RestyleError(Code.PARAMETER_NOT_AVAILABLE, f"a {format} cannot hold {what}; write a PNG", field="format")


def read_parameters(path: Path) -> str:
    """What :func:`encode` wrote as ``parameters`` into the file, whose pixels are not read; empty for any other."""
    try:
        with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as image:
            if image.format == "PNG":
                return str(image.info.get("parameters", ""))
            comment = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment, b"")
            return bytes(comment).removeprefix(UNICODE).decode("utf-16-be", "replace")
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is none of ours
        return ""


def encode_png(pixels: Pixels, parameters: str | None = None) -> bytes:
    """A PNG of uint8 (H, W, 3) or, with opacity, (H, W, 4) sRGB pixels, marked as sRGB.

    ``parameters`` goes into the text chunk of that name, where readers of Stable Diffusion WebUI's pictures look for it
    (``tEXt`` when it is Latin-1, else ``iTXt``). The same arguments give the same bytes.
    """
    info = PngImagePlugin.PngInfo()
    info.add(b"sRGB", PERCEPTUAL)
    if parameters is not None:
        # PNG text cannot hold NUL, nor UTF-8 half a surrogate pair.
        info.add_text("parameters", parameters.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8"))
    file = BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", compress_level=COMPRESSION, pnginfo=info)
    return file.getvalue()
