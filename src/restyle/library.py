"""Style conversion in this very process, without any server."""

import time
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any, Unpack

from PIL import Image

from restyle.conversion.draw import Drawer
from restyle.conversion.options import Options, asked, naming, over, pictures_of, spelt_out
from restyle.conversion.plan import Pictures, plan
from restyle.conversion.stylecode import is_code
from restyle.engines.base import Report
from restyle.images.limits import Limits
from restyle.images.pixels import Pixels
from restyle.images.source import Source, to_pixels
from restyle.settings import Settings
from restyle.styles.folder import StyleFolder

_drawing = Lock()
"""One conversion at a time: an engine uses all cores as it is."""


@spelt_out
def convert(
    raw: Source, style: Source, *, on_progress: Callable[[float], None] | None = None, **options: Unpack[Options]
) -> list[Image.Image]:
    """``raw`` redrawn in the style of ``style``: ``batch_size`` images (1..16) of mode RGB, in sRGB; of mode
    RGBA with ``keep_alpha`` where ``raw`` is not opaque.

    Pictures are paths, the bytes of image files, PIL images or uint8 arrays (H, W, 3). ``style`` may also be the name
    of a kept style: a text without a slash and without the ending of a file's name, as ``"woodcut"``; ``"./woodcut"``
    and ``Path("woodcut")`` are files. ``restyle styles list`` shows those there are. What is given goes over what the
    style keeps.

    The options mean what they mean to the service; ``help(restyle.Options)`` explains each. The ``info`` of an image
    says how it came about: ``seed``, and ``parameters`` as text; ``notices`` holds what the service would say in
    ``Notices``, ``seconds`` how long the whole call took. ``on_progress`` takes the fraction done, 0..1, and may raise
    to stop. Nothing of this process is changed beyond the call: no environment variable, no mode of a library.

    Raises:
        RestyleError: with the codes and messages of the service, for pictures that cannot be read (4003), values out of
            range (230), models that do not exist (4004) or do not fit (4005) and styles that do not exist (4012);
            ``field`` is the option's name.
    """
    return draw_here(raw, style, options, on_progress or (lambda fraction: None), own_process=False)


def draw_here(raw: Source, style: Source, options: Options, report: Report, *, own_process: bool) -> list[Image.Image]:
    """As :func:`convert`; a process that is Restyle's ``own``, as the command's, engines may tune as a whole."""
    began = time.perf_counter()
    settings = Settings()
    limits = Limits.of(settings)
    if is_code(style):
        kept = StyleFolder(settings.data_dir, limits).find(str(style))
        style, options = kept.picture, over(options, kept.settings)
    conversion = asked(options)
    beside = {name: to_pixels(picture, limits, field=name) for name, picture in pictures_of(options).items()}
    drawer = _drawer(settings, own_process)
    raw_pixels = to_pixels(raw, limits, field="raw", keep_alpha=conversion.keep_alpha)
    style_pixels = to_pixels(style, limits, field="style")
    pictures = Pictures(
        "raw",
        "style",
        (raw_pixels.shape[1], raw_pixels.shape[0]),
        control="control" if "control_image" in beside else None,
        mask="mask" if "mask" in beside else None,
    )
    planned = plan(conversion, drawer.registry, pictures, named=naming(options))
    with _drawing:
        control = None if planned.control is None else beside["control_image"]
        drawing = drawer.drawing(planned, raw_pixels, (style_pixels,), control=control, mask=beside.get("mask"))
        drawn = list(drawing.images(report))
    report(1.0)
    notices = (*planned.notices, *drawing.notices)
    told: dict[str, Any] = {"notices": notices, "seconds": time.perf_counter() - began}
    return [_image(pixels, seed, text, told) for (pixels, text), seed in zip(drawn, planned.seeds, strict=True)]


@cache
def _drawer(settings: Settings, own_process: bool) -> Drawer:
    """Loaded engines, kept for the next call."""
    return Drawer(settings, own_process=own_process)


def _image(pixels: Pixels, seed: int, text: str, told: dict[str, Any]) -> Image.Image:
    image = Image.fromarray(pixels)
    image.info = {"seed": seed, "parameters": text}
    image.info.update(told)
    return image
