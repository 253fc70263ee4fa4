"""Memory by calculation, and what to say where it did not suffice."""

import gc
import traceback
from dataclasses import dataclass
from typing import Any

from restyle.engines.diffusion.hires import Plan
from restyle.engines.diffusion.vae import FACTOR, TILE, UNTILED
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

MIB = 1024 * 1024
VAE_TENSORS = 3.6
"""Tensors of the decoder's widest block, at full size, that live at once."""
UNET_TENSORS = 30
"""Of the UNet's first level: what attention, its feed-forward part and the residuals waiting for the way up hold."""
PICTURES = 10
"""Float copies of the whole picture at once, at most."""
SMALLER = (0.75, 0.5, 0.375, 0.25, 0.125)
"""Parts of both sides that are proposed instead."""
SMALLEST = 64


@dataclass(frozen=True, slots=True)
class Needs:
    """What a checkpoint's networks take per pixel: ``vae`` and ``unet`` are channels of the first level, ``number`` is
    the size in bytes of the UNet's numbers, ``sides`` 2 under guidance, else 1. ``native`` is its side in pixels.
    ``kept`` are bytes per pixel of the first drawing that style injection keeps in this memory.
    """

    vae: int
    unet: int
    number: int
    sides: int
    native: int
    kept: float = 0.0

    @classmethod
    def of(cls, unet: Any, vae: Any, number: int, sides: int, native: int, kept: float) -> "Needs":
        """Those of two networks of diffusers."""
        channels = [int(network.config.block_out_channels[0]) for network in (vae, unet)]
        return cls(channels[0], channels[1], number, sides, native, kept)

    def bytes(self, width: int, height: int) -> int:
        """Peak of one picture beyond the weights, by calculation."""
        plan = Plan.of(width, height, self.native)
        drawn = plan.sizes[0][0] * plan.sizes[0][1]
        kept = drawn * self.kept
        if plan.refinements:
            drawn = max(drawn, self.native**2)
        coded = TILE**2 if max(width, height) > UNTILED else width * height
        unet = drawn / FACTOR**2 * self.unet * UNET_TENSORS * self.number * self.sides
        vae = coded * 2 * self.vae * 4 * VAE_TENSORS
        return int(max(unet, vae) + kept + width * height * 3 * 4 * PICTURES)

    def smaller(self, width: int, height: int, free: int) -> tuple[int, int] | None:
        """The next smaller picture of the same form that fits into ``free`` bytes, and takes notably less."""
        most = min(free, 0.8 * self.bytes(width, height))
        for part in SMALLER:
            size = (round(width * part / FACTOR) * FACTOR, round(height * part / FACTOR) * FACTOR)
            if min(size) >= SMALLEST and self.bytes(*size) <= most:
                return size
        return None


def release(error: BaseException) -> None:
    """Let go of what the frames of a failed computation still hold."""
    at: BaseException | None = error
    while at is not None:
        traceback.clear_frames(at.__traceback__)
        at = at.__cause__ or at.__context__
    gc.collect()


def shortage(width: int, height: int, needs: Needs | None, free: int) -> RestyleError:
    """5102, naming what would fit. ``needs`` is None where the model itself did not."""
    if needs is None:
        return RestyleError(
            Code.OUT_OF_MEMORY,
            f"the model does not fit into the {free // MIB} MiB that are free; nothing smaller of it would",
            field="MainModel.ModelCode",
        )
    text = f"a picture of {width} x {height} does not fit into memory"
    size = needs.smaller(width, height, free)
    if size is None:
        return RestyleError(Code.OUT_OF_MEMORY, f"{text}, and with {free // MIB} MiB free no smaller one would")
    return RestyleError(Code.OUT_OF_MEMORY, f"{text}; {size[0]} x {size[1]} would fit", field="Width")


def check(width: int, height: int, needs: Needs, free: int) -> None:
    """Raises RestyleError (5102) for a picture that needs more than there is: better than to be killed for it."""
    if needs.bytes(width, height) > free:
        raise shortage(width, height, needs, free)
