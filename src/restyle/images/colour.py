"""From whatever colours a file holds to 8-bit sRGB."""

from functools import cache
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, TiffImagePlugin

from restyle.images import spaces
from restyle.images.opened import opacity
from restyle.images.structure.frame import Cicp

WHITE = (255, 255, 255)
MODES_OF_SPACE = {"RGB ": "RGB", "CMYK": "CMYK", "GRAY": "L", "Lab ": "LAB"}
"""ICC colour space signature -> the Pillow mode its profile applies to."""

SIXTEEN_BIT_GREY = frozenset(("I;16", "I;16B", "I;16L", "I;16N"))
BAND = 256
"""Rows that are converted at a time: what a large picture takes beside itself stays small."""
WHITE_IS_ZERO = 0
TIFF_PHOTOMETRIC, TIFF_BITS = 262, 258


class UnsupportedColour(ValueError):
    """The image's samples have no defined range of brightness; the message says what they are."""


def to_srgb(image: Image.Image, cicp: Cicp | None = None, *, keep_alpha: bool = False) -> Image.Image:
    """The first frame of ``image`` as mode ``RGB`` in sRGB, transparent parts on white; with ``keep_alpha`` as ``RGBA``
    where it is not opaque.

    The file's ICC profile is followed, relative colorimetric with black point compensation. A profile that is broken,
    or made for another colour model than the image's, is passed over as browsers do; then ``cicp`` counts, or else a
    PNG's gamma and primaries, where Pillow knows them.

    Raises:
        UnsupportedColour: 32-bit integer or floating point samples.
    """
    alpha = _alpha(image)
    plain = _eight_bits(image)
    rgb = _follow_profile(plain, image.info.get("icc_profile"))
    if rgb is None:
        rgb = plain.convert("RGB")
        space = spaces.of_cicp(cicp) if cicp is not None else _space_of_png(image)
        rgb = rgb if space is None else spaces.to_srgb(rgb, space)
    if alpha is None:
        return rgb
    if keep_alpha:
        rgb = rgb.convert("RGBA")
        rgb.putalpha(alpha)
        return rgb
    page = Image.new("RGB", rgb.size, WHITE)
    page.paste(rgb, mask=alpha)
    return page


def _space_of_png(image: Image.Image) -> spaces.Space | None:
    if "srgb" in image.info:
        return None
    return spaces.of_png(image.info.get("gamma"), image.info.get("chromaticity"))


def _alpha(image: Image.Image) -> Image.Image | None:
    """Opacity as mode ``L``; None where every pixel is opaque."""
    if (told := opacity(image)) is not None:
        return told
    if image.mode in SIXTEEN_BIT_GREY:
        clear = image.info.get("transparency")
        if not isinstance(clear, int):
            return None
        return Image.fromarray(np.where(np.asarray(image) == clear, 0, 255).astype(np.uint8))
    if not image.has_transparency_data:
        return None
    if image.mode == "La":
        return image.convert("LA").getchannel("A")
    clear = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(clear, tuple) and max(clear) > 255:
        # PNG with 16 bits a channel: Pillow keeps the upper eight, but states the clear colour in sixteen.
        image = image.copy()
        image.info["transparency"] = tuple(value >> 8 for value in clear)
    return image.getchannel("A") if image.mode in ("LA", "RGBA") else image.convert("RGBA").getchannel("A")


def _eight_bits(image: Image.Image) -> Image.Image:
    """The colour channels alone, as mode ``L``, ``RGB``, ``CMYK`` or ``LAB``."""
    match image.mode:
        case "RGB" | "L" | "CMYK" | "LAB":
            return image
        case "1" | "LA":
            return image.convert("L")
        case "La":
            return image.convert("LA").convert("L")
        case "P" | "PA" | "RGBA" | "RGBa" | "RGBX" | "YCbCr":
            return image.convert("RGBA").convert("RGB") if image.mode == "RGBa" else image.convert("RGB")
        case mode if mode in SIXTEEN_BIT_GREY:
            return Image.fromarray(_sixteen_to_eight(image))
        case "I":
            raise UnsupportedColour("its samples are 32-bit or signed integers")
        case "F":
            raise UnsupportedColour("its samples are floating point numbers")
        case mode:
            raise UnsupportedColour(f"its colour model is {mode}")


def _sixteen_to_eight(image: Image.Image) -> npt.NDArray[np.uint8]:
    """uint16 grey to uint8, rounded; TIFF may hold 12 bits in 16, and may count from white."""
    values = np.asarray(image)
    top, inverted = 65535, False
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        top = (1 << image.tag_v2.get(TIFF_BITS, (16,))[0]) - 1
        inverted = image.tag_v2.get(TIFF_PHOTOMETRIC) == WHITE_IS_ZERO
    grey = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), BAND):
        band = np.minimum(values[start : start + BAND].astype(np.uint32), top)
        grey[start : start + BAND] = (band * 255 + top // 2) // top
    return 255 - grey if inverted else grey


def _follow_profile(image: Image.Image, icc: object) -> Image.Image | None:
    """``image`` through its ICC profile to sRGB; None where no usable profile says how.

    ``icc`` is whatever Pillow found: texts of PNG and odd entries of TIFF may stand under that name, too.
    """
    given = icc if isinstance(icc, bytes) else b""
    if icc is None and image.mode != "LAB":
        return None
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(given) if given else ImageCms.createProfile("LAB"))
        if given and MODES_OF_SPACE.get(profile.profile.xcolor_space) != image.mode:
            return None
        transform = ImageCms.buildTransform(
            profile,
            _srgb(),
            image.mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (OSError, ValueError, ImageCms.PyCMSError):  # ValueError: names in the profile that are no ASCII
        return None
    if image.mode == "RGB" and _changes_nothing(transform):
        return image
    return ImageCms.applyTransform(image, transform)


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether a transform is sRGB to sRGB but for rounding: most photographs, which then skip it whole."""
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(27, 27, 3)
    moved = np.asarray(ImageCms.applyTransform(Image.fromarray(cube), transform))
    return int(np.abs(moved.astype(np.int16) - cube).max()) <= 1
