"""Style conversion in this very process, without any server."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from threading import Lock
from typing import Unpack

from PIL import Image

from restyle.client.request import Options, chosen
from restyle.engines.base import Report
from restyle.images.limits import Limits
from restyle.images.pixels import Pixels
from restyle.images.size import result_size
from restyle.images.source import Source, to_pixels
from restyle.queue.drawing import Drawing
from restyle.queue.engines import Engines
from restyle.queue.order import order
from restyle.seeds import batch_seeds
from restyle.settings import Settings
from restyle.wire.errors import RestyleError
from restyle.wire.fields import FieldFault
from restyle.wire.schema import ApplyReferenceStyle

_drawing = Lock()
"""One conversion at a time: an engine uses all cores as it is."""


def convert(
    raw: Source, style: Source, *, on_progress: Callable[[float], None] | None = None, **options: Unpack[Options]
) -> list[Image.Image]:
    """``raw`` redrawn in the style of ``style``: ``batch_size`` images (1..16) of mode RGB, in sRGB.

    Pictures are paths, the bytes of image files, PIL images or uint8 arrays (H, W, 3). The options are those of
    :class:`restyle.client.request.Options`, and mean what they mean to the service: ``strength`` is 0 (the raw image)
    to 1 (the style at its fullest), 0.5 by default; ``seed`` decides the pixels, image *i* using ``seed + i``, and
    -1 draws one. Each ``info`` says which: ``seed``, and ``parameters`` as text; ``notices`` holds what the service
    would say in ``Notices``. ``on_progress`` takes the fraction done, 0..1, and may raise to stop.

    Raises:
        RestyleError: with the codes and messages of the service, for pictures that cannot be read (4003), values out of
            range (230) and models that do not exist (4004) or do not fit (4005).
    """
    settings = Settings()
    request = _request(options)
    engines = _engines(settings)
    limits = Limits.of(settings)
    ordered = order(request, engines.registry, raw="raw", style="style")
    raw_pixels = to_pixels(raw, limits, field="raw")
    style_pixels = to_pixels(style, limits, field="style")
    size = (raw_pixels.shape[1], raw_pixels.shape[0])
    width, height = result_size(size, options.get("width"), options.get("height"))
    seeds = batch_seeds(request.Seed, request.BatchSize)
    report: Report = on_progress or (lambda fraction: None)
    with _drawing:
        spec = replace(ordered.spec, width=width, height=height)
        drawing = Drawing.of(spec, seeds, raw_pixels, style_pixels, engines)
        drawn = list(drawing.images(report))
    report(1.0)
    notices = (*ordered.notices, *drawing.notices)
    return [_image(pixels, seed, text, notices) for (pixels, text), seed in zip(drawn, seeds, strict=True)]


def _request(options: Options) -> ApplyReferenceStyle:
    """The arguments as the request they would be, read by the service's own rules."""
    request = {
        "Action": "ApplyReferenceStyle",
        "PublicKey": "-",
        "Signature": "-",
        "ImageList": ["", ""],
        **chosen(options),
        "Width": options.get("width"),
        "Height": options.get("height"),
    }
    try:
        return ApplyReferenceStyle.read(request)
    except FieldFault as fault:
        raise RestyleError(fault.code, fault.message, field=fault.field) from None


@cache
def _engines(settings: Settings) -> Engines:
    """Loaded engines, kept for the next call."""
    return Engines(settings)


def _image(pixels: Pixels, seed: int, text: str, notices: tuple[str, ...]) -> Image.Image:
    image = Image.fromarray(pixels)
    image.info = {"seed": seed, "parameters": text, "notices": notices}
    return image
