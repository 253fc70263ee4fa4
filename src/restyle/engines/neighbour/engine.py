"""The neighbour: every piece of the picture becomes the most alike piece of the reference.

Neural Neighbor Style Transfer (Kolkin, Kucera, Paris, Sykora, Shechtman, Shakhnarovich, 2022). From coarse to fine,
each place of the picture, as VGG16 sees it, is matched with the reference's most alike place, and the pixels are moved
until the network sees those places instead. Beyond the paper: the reference's statistics are drawn near as well, so
that the style arrives within few updates; total variation keeps flats calm; and the whole picture, once drawn, is given
the reference's contrast, matched anew and drawn on.
"""

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterator

import torch

from restyle.engines.base import Description, Job, Pixels, Report
from restyle.engines.neighbour.colour import with_colours_of, with_palette
from restyle.engines.neighbour.levels import levels
from restyle.engines.neighbour.memory import give_back, keep_blocks
from restyle.engines.neighbour.optimise import Goal, optimised
from restyle.engines.neighbour.pyramid import with_contrast
from restyle.engines.neighbour.reference import Reference, look
from restyle.engines.neighbour.vgg import VGG16, Tensor
from restyle.engines.neighbour.views import pixels, reference_views, resized, tensor
from restyle.engines.neighbour.weights import CONVOLUTIONS, read_weights, weight_file
from restyle.settings import Settings

CACHED_REFERENCES = 4
"""One reference up to 512; each may hold 120 MB."""
NOISE = 0.03
"""Deviation of the noise that a picture starts from, beside the photograph; pixels are 0..1."""


def load(settings: Settings) -> "Neighbour":
    """The engine with ``settings.threads`` and the weights in ``settings.data_dir``.

    Raises RestyleError 4004 where the weights are not installed, 5101 where they are not the right ones.
    """
    weights = read_weights(weight_file(settings.data_dir), CONVOLUTIONS.index("4_1") + 1)
    torch.set_num_threads(settings.threads or os.cpu_count() or 1)
    keep_blocks()
    return Neighbour(VGG16(weights, _device()))


class Neighbour:
    """An engine (see ``engines.base``). Honours Steps; prompts and sub-models are not understood."""

    def __init__(self, network: VGG16) -> None:
        self._network = network
        self._references: OrderedDict[tuple[bytes, int, float], Reference] = OrderedDict()

    def describe(self, job: Job) -> Description:
        """The steps have a part in the picture."""
        return Description(parameters={"Steps": job.inference.steps})

    def convert(self, job: Job, report: Report) -> Iterator[Pixels]:
        """Yield one image per seed. Strength 0 yields the raw image itself."""
        for index, seed in enumerate(job.seeds):
            done = index / len(job.seeds)
            report(done)

            def part(fraction: float, done: float = done) -> None:
                report(done + fraction / len(job.seeds))

            try:
                picture = job.raw.copy() if job.strength == 0 else self._draw(job, seed, part)
            finally:
                give_back()
            yield picture
        report(1.0)

    def _draw(self, job: Job, seed: int, report: Report) -> Pixels:
        raw, style = tensor(job.raw, self._network.device), tensor(job.style, self._network.device)
        if job.preserve_color:
            style = with_palette(style, raw).clamp(0, 1)
        digest = hashlib.sha256(repr((job.style.shape, job.preserve_color and job.raw.shape)).encode())
        digest.update(job.style.tobytes())
        digest.update(job.raw.tobytes() if job.preserve_color else b"")
        generator = torch.Generator().manual_seed(seed)
        plan = levels(job.raw.shape[1], job.raw.shape[0], job.inference.steps)
        total = sum(level.updates * level.width * level.height for level in plan)
        drawn, done = None, 0
        for level in plan:
            photograph = resized(raw, level.height, level.width)
            reference = self._reference(style, digest.digest(), seed, level.side)
            coloured = with_palette(photograph, reference.picture)
            if drawn is None:
                noise = torch.randn(coloured.shape, generator=generator).to(coloured)
                start = coloured + NOISE * job.strength * noise
            elif drawn.shape == coloured.shape:
                start = _sharpened(drawn, reference.picture, job.strength)
            else:
                start = _with_detail(drawn, coloured, 1 - job.strength)
            goal = Goal(photograph, reference, job.strength, first=drawn is None)
            work = level.width * level.height

            def update(fraction: float, done: int = done, work: int = level.updates * work) -> None:
                report((done + fraction * work) / total)

            drawn = optimised(self._network, start, goal, level, generator, update)
            done += level.updates * work
        assert drawn is not None
        return pixels(_finished(drawn, raw, reference.picture, job))

    def _reference(self, style: Tensor, digest: bytes, seed: int, side: float) -> Reference:
        key = (digest, seed, side)
        if key not in self._references:
            # A generator of its own: what is cached must not depend on what was drawn before.
            views = reference_views(style, side, torch.Generator().manual_seed(seed))
            while len(self._references) >= CACHED_REFERENCES:
                self._references.popitem(last=False)
            self._references[key] = look(self._network, views)
        self._references.move_to_end(key)
        return self._references[key]


def _sharpened(drawn: Tensor, style: Tensor, strength: float) -> Tensor:
    """``drawn`` with the reference's colours and contrast; matching averages fine lines, an engraving's most of all."""
    coloured = with_palette(drawn, style).clamp(0, 1)
    return with_palette(with_contrast(coloured, style, strength), style).clamp(0, 1)


def _finished(drawn: Tensor, raw: Tensor, style: Tensor, job: Job) -> Tensor:
    """Sharpened; then the photograph shows through where the strength is low."""
    sharpened = _sharpened(drawn, style, job.strength)
    if job.preserve_color:
        sharpened = with_colours_of(sharpened, raw)
    return raw + (1 - (1 - job.strength) ** 2) * (sharpened - raw)


def _with_detail(drawn: Tensor, coloured: Tensor, amount: float) -> Tensor:
    """``drawn`` enlarged, with ``amount`` (0..1) of what the photograph shows beyond that size."""
    height, width = coloured.shape[2:]
    enlarged = resized(drawn, height, width)
    if amount == 0:
        return enlarged
    broad = resized(resized(coloured, *drawn.shape[2:]), height, width)
    return enlarged + amount * (coloured - broad)


def _device() -> torch.device:
    """The fastest device there is."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
