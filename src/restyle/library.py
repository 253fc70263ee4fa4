"""Style conversion in this very process, without any server."""

from collections.abc import Callable
from functools import cache
from threading import Lock

from PIL import Image

from restyle.engines.base import Job, Report
from restyle.errors import RestyleError
from restyle.images.fit import ResizeMode, fit
from restyle.images.limits import Limits
from restyle.images.pixels import Pixels
from restyle.images.size import result_size
from restyle.images.source import Source, to_pixels
from restyle.models.registry import PAINTER_CODE
from restyle.seeds import batch_seeds
from restyle.settings import Settings
from restyle.tasks.engines import Engines
from restyle.tasks.parameters import parameters
from restyle.tasks.spec import Spec
from restyle.wire.fields import FieldFault
from restyle.wire.schema import ApplyReferenceStyle
from restyle.wire.signature import Json

_drawing = Lock()
"""One conversion at a time: an engine uses all cores as it is."""


def convert(
    raw: Source,
    style: Source,
    *,
    strength: float = 0.5,
    width: int | None = None,
    height: int | None = None,
    seed: int = -1,
    batch_size: int = 1,
    preserve_color: bool = False,
    resize_mode: ResizeMode | str = ResizeMode.CROP_AND_RESIZE,
    model: str = PAINTER_CODE,
    on_progress: Callable[[float], None] | None = None,
) -> list[Image.Image]:
    """``raw`` redrawn in the style of ``style``: ``batch_size`` images (1..16) of mode RGB, in sRGB.

    Pictures are paths, the bytes of image files, PIL images or uint8 arrays (H, W, 3). ``strength`` is 0 (the raw
    image) to 1 (the style at its fullest). ``width`` and ``height`` are 64..2560 pixels; what is not given follows the
    raw image. ``seed`` 0..2147483647 decides the pixels, image *i* using ``seed + i``; -1 draws one. Each ``info``
    says which: ``seed``, and ``parameters`` as text. ``on_progress`` takes the fraction done, 0..1, and may raise to
    stop.

    Raises:
        RestyleError: with the codes and messages of the service, for pictures that cannot be read (4003), values out of
            range (230) and models that do not exist (4004).
    """
    settings = Settings()
    checked = _check(strength, width, height, seed, batch_size, preserve_color, str(resize_mode), model)
    engines = _engines(settings)
    chosen = engines.model(model)
    limits = Limits.of(settings)
    raw_pixels = to_pixels(raw, limits, field="raw")
    style_pixels = to_pixels(style, limits, field="style")
    size = result_size((raw_pixels.shape[1], raw_pixels.shape[0]), width, height)
    seeds = batch_seeds(seed, batch_size)
    spec = Spec(
        model_code=chosen.code,
        raw="",
        style="",
        width=size[0],
        height=size[1],
        strength=float(checked.StyleReferStrength),
        resize_mode=checked.ResizeMode,
        preserve_color=preserve_color,
    )
    job = Job(
        raw=fit(raw_pixels, *size, ResizeMode(spec.resize_mode)),
        style=style_pixels,
        strength=spec.strength,
        seeds=seeds,
        preserve_color=preserve_color,
    )
    report: Report = on_progress or (lambda fraction: None)
    with _drawing:
        drawn: list[Pixels] = list(engines.engine(chosen.family).convert(job, report))
    report(1.0)
    return [_image(pixels, seed, parameters(spec, chosen, seed)) for pixels, seed in zip(drawn, seeds, strict=True)]


def _check(
    strength: float,
    width: int | None,
    height: int | None,
    seed: int,
    batch_size: int,
    preserve_color: bool,
    resize_mode: str,
    model: str,
) -> ApplyReferenceStyle:
    """The arguments as the request they would be, read by the service's own rules."""
    request: dict[str, Json] = {
        "Action": "ApplyReferenceStyle",
        "PublicKey": "-",
        "Signature": "-",
        "MainModel": {"ModelCode": model},
        "StyleReferStrength": strength,
        "Width": width,
        "Height": height,
        "Seed": seed,
        "BatchSize": batch_size,
        "PreserveColor": preserve_color,
        "ResizeMode": resize_mode,
        "RawImageIndex": 0,
        "StyleImageIndex": 1,
        "ImageList": ["", ""],
    }
    try:
        return ApplyReferenceStyle.read(request)
    except FieldFault as fault:
        raise RestyleError(fault.code, fault.message, field=fault.field) from None


@cache
def _engines(settings: Settings) -> Engines:
    """Loaded engines, kept for the next call."""
    return Engines(settings)


def _image(pixels: Pixels, seed: int, text: str) -> Image.Image:
    image = Image.fromarray(pixels)
    image.info = {"seed": seed, "parameters": text}
    return image
