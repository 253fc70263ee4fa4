"""The neighbour: every piece of the picture becomes the most alike piece of the reference.

Neural Neighbor Style Transfer (Kolkin, Kucera, Paris, Sykora, Shechtman, Shakhnarovich, 2022). From coarse to fine,
each place of the picture, as VGG16 sees it, is matched with the reference's most alike place, and the pixels are moved
until the network sees those places instead. Beyond the paper: the photograph is matched in the reference's
distribution, and what relu4_1 sees of it is kept in place, and so is how its lightness goes in small windows; the
reference's statistics are drawn near as well, so that the style arrives within few updates; total variation keeps calm
what is flat in the photograph; and the whole picture, once drawn, is given the reference's contrasts, matched anew and
drawn on. Every level but the first begins with what only it shows of the brush's picture.
"""

import hashlib
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager

import torch

from restyle.engines.base import Description, File, Job, Machine, Report, Role, Style
from restyle.engines.brush.engine import load as load_brush
from restyle.engines.cache import Cache
from restyle.engines.memory import give_back
from restyle.engines.neighbour.colour import with_colours_of, with_palette
from restyle.engines.neighbour.levels import levels
from restyle.engines.neighbour.memory import keep_blocks
from restyle.engines.neighbour.optimise import Goal, optimised
from restyle.engines.neighbour.pyramid import with_contrast
from restyle.engines.neighbour.reference import Reference, look
from restyle.engines.neighbour.vgg import VGG16, Tensor
from restyle.engines.neighbour.views import at_size, pixels, reference_views, tensor
from restyle.engines.neighbour.weights import CONVOLUTIONS, read_weights
from restyle.engines.torch_mode import checked, torch_mode, within
from restyle.images.pixels import Pixels

CACHED_REFERENCES = 6
"""One reference at all levels up to 2560, for the next photograph of that size; each may hold 120 MB."""
NOISE = 0.03
"""Deviation of the noise that a picture starts from, beside the photograph; pixels are 0..1."""
BRUSH_UPDATES = 2
"""Updates of the whole picture that take about as long as the brush does."""


def load(machine: Machine) -> "Neighbour":
    """The engine; its weights are read when they are first needed.

    Raises RestyleError (5000) where the device is not there.
    """
    if machine.own_process:
        keep_blocks()
    return Neighbour(machine)


class Neighbour:
    """An engine (see ``engines.base``). Honours Steps; prompts and sub-models are not understood.

    Draws with the file of role WEIGHTS: a VGG16 (:mod:`restyle.engines.neighbour.weights`).
    """

    def __init__(self, machine: Machine) -> None:
        self._threads = machine.threads
        self._device = torch.device(_fastest() if machine.device == "auto" else checked(machine.device))
        self._networks: Cache[VGG16] = Cache(1)
        self._references: Cache[Reference] = Cache(CACHED_REFERENCES)

    def describe(self, job: Job) -> Description:
        """The steps have a part in the picture."""
        return Description(parameters={"Steps": job.inference.steps})

    def convert(self, job: Job, report: Report) -> Iterator[Pixels]:
        """Yield one image per seed. Strength 0 yields the raw image itself.

        Raises RestyleError: 4004 where the weights are gone, 5101 where they, or the brush's, are not the right ones.
        """
        return within(self._mode, self._images(job, report))

    def _mode(self) -> AbstractContextManager[None]:
        return torch_mode(self._threads, self._device.type)

    def _images(self, job: Job, report: Report) -> Generator[Pixels, None, None]:
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
        weights = job.needed(Role.WEIGHTS)
        network = self._networks.get(weights.sha256, lambda: self._network(weights))
        raw, style = tensor(job.raw, self._device), tensor(job.style, self._device)
        if job.preserve_color:
            style = with_palette(style, raw).clamp(0, 1)
        digest = hashlib.sha256(repr((weights.sha256, job.style.shape, job.preserve_color and job.raw.shape)).encode())
        digest.update(job.style.tobytes())
        digest.update(job.raw.tobytes() if job.preserve_color else b"")
        generator = torch.Generator().manual_seed(seed)
        plan = levels(job.raw.shape[1], job.raw.shape[0], job.inference.steps)
        total = sum(level.updates * level.width * level.height for level in plan)
        drawn, brushed, done = None, None, 0
        if plan[0].side < plan[-1].side:
            brush = BRUSH_UPDATES * job.raw.shape[0] * job.raw.shape[1]
            total += brush
            brushed = self._brushed(job, pixels(style), seed, lambda fraction: report(fraction * brush / total))
            done = brush
        for level in plan:
            photograph = at_size(raw, level.height, level.width)
            reference = self._reference(network, style, digest.digest(), seed, level.side)
            if drawn is None:
                coloured = with_palette(photograph, reference.picture)
                noise = torch.randn(coloured.shape, generator=generator).to(coloured)
                start = coloured + NOISE * job.strength * noise
            elif brushed is None or drawn.shape == photograph.shape:
                start = _sharpened(drawn, reference.picture, job.strength)
            else:
                start = _with_detail(drawn, at_size(brushed, level.height, level.width))
            goal = Goal(photograph, reference, job.strength, first=drawn is None)
            work = level.width * level.height

            def update(fraction: float, done: int = done, work: int = level.updates * work) -> None:
                report((done + fraction * work) / total)

            drawn = optimised(network, start, goal, level, generator, update)
            done += level.updates * work
        assert drawn is not None
        return pixels(_finished(drawn, raw, reference.picture, job))

    def _brushed(self, job: Job, style: Pixels, seed: int, report: Report) -> Tensor:
        """The brush's picture, float32 (1, 3, H, W)."""
        # Loaded for it alone, which takes a second: at 512 it would keep 400 MB. By one thread, since several round
        # otherwise, and every update after it would tell.
        brush = load_brush(Machine(threads=1))
        [picture] = brush.convert(Job(job.raw, (Style(style),), job.strength, (seed,)), report)
        del brush
        give_back()
        return tensor(picture, self._device)

    def _network(self, weights: File) -> VGG16:
        return VGG16(read_weights(weights.path, CONVOLUTIONS.index("4_1") + 1, weights.sha256), self._device)

    def _reference(self, network: VGG16, style: Tensor, digest: bytes, seed: int, side: float) -> Reference:
        def seen() -> Reference:
            # A generator of its own: what is cached must not depend on what was drawn before.
            return look(network, reference_views(style, side, torch.Generator().manual_seed(seed)))

        return self._references.get((digest, seed, side), seen)


def _sharpened(drawn: Tensor, style: Tensor, strength: float) -> Tensor:
    """``drawn`` with the reference's colours and contrasts; matching averages fine lines, most of all engraved ones."""
    coloured = with_palette(drawn, style).clamp(0, 1)
    return with_palette(with_contrast(coloured, style, strength), style).clamp(0, 1)


def _finished(drawn: Tensor, raw: Tensor, style: Tensor, job: Job) -> Tensor:
    """Sharpened; then the photograph shows through where the strength is low."""
    sharpened = _sharpened(drawn, style, job.strength)
    if job.preserve_color:
        sharpened = with_colours_of(sharpened, raw)
    return raw + (1 - (1 - job.strength) ** 2) * (sharpened - raw)


def _with_detail(drawn: Tensor, brushed: Tensor) -> Tensor:
    """``drawn`` enlarged to the size of ``brushed``, with what that shows beyond the size of ``drawn``."""
    height, width = brushed.shape[2:]
    broad = at_size(at_size(brushed, *drawn.shape[2:]), height, width)
    return at_size(drawn, height, width) + brushed - broad


def _fastest() -> str:
    """The fastest device there is."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
