"""The painter: an arbitrary style in one picture, on any processor, in a fraction of a second.

Four ideas stand around the network. *Feedback*: the drawn picture is shown to the style predictor, and the code is
corrected by what is missing, as long as the picture's edges survive. *Coarse to fine*: large strokes are drawn at a
fixed base size, and every finer level adds only what the coarser one cannot show, so a style looks the same at every
size. *Quiet flats*: faint noise of the photograph is smoothed first, since the network draws hatching on it.
*Room for strokes*: a small picture is drawn larger and reduced, and a large one is smoothed along its strokes.
"""

import hashlib
import math
from collections.abc import Iterator

import numpy as np

from restyle.engines.base import Description, Job, Machine, Report
from restyle.engines.cache import Cache
from restyle.engines.octaves import level_sizes, octaves_above, with_coarse
from restyle.engines.painter.predictor import Predictor
from restyle.engines.painter.strokes import Strokes
from restyle.engines.painter.transformer import Transformer
from restyle.engines.painter.views import StyleCodes, Views, of_side, style_codes
from restyle.engines.processor import has_bfloat16_tiles
from restyle.images.guided import GuidedFilter, recoloured
from restyle.images.luma import luma
from restyle.images.palette import Palette, with_palette
from restyle.images.pixels import Floats, Pixels
from restyle.images.pixels import unit as _unit
from restyle.images.resize import resized
from restyle.images.runtime import ov

BASE_SIDE = 512
"""Square root of the pixels at which large strokes are drawn; a seed moves it by BASE_JITTER octaves, or not."""
BASE_JITTER = 0.15
LEAST_SIDE = 384
"""Square root of the pixels below which strokes have no room: smaller pictures are drawn at this size and reduced."""
LARGE_SIDE = 1024
"""Square root of the pixels from which on the finest strokes come out as grain, which is smoothed along them."""
STROKE_SPREAD = 1 / 512
"""Of that smoothing, as a share of the square root of the pixels; reached at LARGE_SIDE and a quarter."""
FEEDBACK_ROUNDS = 2
FEEDBACK_RATE = 0.7
LEAST_EDGES = 0.93
"""Feedback must keep this part of the correlation between the drawn picture's edges and the photograph's."""
CACHED_STYLES = 32


def load(machine: Machine) -> "Painter":
    """The painter, with ``machine.threads``. Raises RestyleError 5101 when weights are missing."""
    return Painter(machine.threads)


class Painter:
    """An engine (see ``engines.base``). Prompts and sub-models are not understood."""

    def __init__(self, threads: int) -> None:
        core = ov.Core()
        options: dict[str, str | int] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            # Pinned, the threads of every process share the same cores: two painters took 236 ms a picture, not 184.
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "bf16" if has_bfloat16_tiles() else "f32",
        }
        self.transformer = Transformer(core, options)
        self.predictor = Predictor(core, options)
        self._quieten = GuidedFilter(threads, radius=8, contrast=0.03)
        self._follow = GuidedFilter(threads, radius=16, contrast=0.1)
        self._strokes = Strokes(threads)
        self._styles: Cache[StyleCodes] = Cache(CACHED_STYLES)

    def describe(self, job: Job) -> Description:
        """Nothing: all that has a part in the picture is in the request."""
        return Description()

    def convert(self, job: Job, report: Report) -> Iterator[Pixels]:
        """Yield one image per seed. Strength 0 yields the raw image itself."""
        digest = hashlib.sha256(repr(job.style.shape).encode() + job.style.tobytes()).digest()
        for index, seed in enumerate(job.seeds):
            done = index / len(job.seeds)
            report(done)

            def part(fraction: float, done: float = done) -> None:
                report(done + fraction / len(job.seeds))

            yield job.raw.copy() if job.strength == 0 else self._draw(job, seed, digest, part)
        report(1.0)

    def _draw(self, job: Job, seed: int, digest: bytes, report: Report) -> Pixels:
        raw = _unit(job.raw)
        height, width, _ = raw.shape
        enlarge = max(1.0, LEAST_SIDE / math.sqrt(height * width))
        photograph = resized(raw, round(width * enlarge), round(height * enlarge))
        drawn = self._drawn(photograph, job, seed, digest, report)
        drawn = self._smoothed(drawn, photograph, job.strength)
        if job.preserve_color:
            drawn = recoloured(drawn, photograph, self._follow)
        if enlarge > 1:
            # What of the photograph is lost on the way there and back fades out with strength.
            lost = raw - resized(photograph, width, height)
            drawn = resized(drawn, width, height) + np.float32(1 - job.strength) * lost
        result: Pixels = (np.clip(drawn, 0, 1) * 255 + 0.5).astype(np.uint8)
        return result

    def _drawn(self, raw: Floats, job: Job, seed: int, digest: bytes, report: Report) -> Floats:
        """``raw`` redrawn, coarse to fine."""
        sizes = _level_sizes(raw.shape[1], raw.shape[0], seed)
        total = sum(width * height for width, height in sizes)
        base = math.sqrt(sizes[0][0] * sizes[0][1])
        views = Views.of(job.style.shape[0], job.style.shape[1], base, seed, closer=len(sizes) > 1)
        # By what is looked at and not by the size drawn at, so that photographs of nearly one size share it.
        codes = self._styles.get((digest, views), lambda: style_codes(self.predictor, _unit(job.style), views))
        report(0.1)
        drawn, done = raw, 0
        full, own = codes.start, codes.start
        for level, (width, height) in enumerate(sizes):
            photograph = resized(raw, width, height)
            quiet = self._quieten(photograph, luma(photograph))
            if level == 0:
                full = self._feedback(quiet, codes, base)
                own = self.predictor(of_side(quiet, 0.75 * base)) if job.strength < 1 else full
            step = codes.closer if level else np.zeros_like(codes.closer)
            finer = self._blend(photograph, quiet, full + step, own, job.strength)
            drawn = with_coarse(finer, drawn, finest=2) if level else self._graded(finer, codes.palette, job.strength)
            done += width * height
            report(0.1 + 0.8 * done / total)
        return drawn

    def _smoothed(self, drawn: Floats, photograph: Floats, strength: float) -> Floats:
        """A large picture without grain; what of the photograph shows through at this ``strength`` stays as it is."""
        spread = _stroke_spread(drawn.shape[1], drawn.shape[0])
        if spread == 0:
            return drawn
        if strength == 1:
            return self._strokes(drawn, drawn, spread)
        kept = np.float32(1 - strength) * photograph
        return kept + self._strokes(drawn - kept, drawn, spread)

    def _feedback(self, quiet: Floats, codes: StyleCodes, base: float) -> Floats:
        """The code under which the drawn picture comes nearest to the target code without losing its edges."""
        small = of_side(quiet, 0.75 * base)
        code, rate = codes.start, FEEDBACK_RATE
        drawn = self.transformer(small, code)
        edges = _gradients(luma(small))
        least = LEAST_EDGES * _edge_correlation(drawn, edges)
        for _ in range(FEEDBACK_ROUNDS):
            candidate = code + rate * (codes.target - self.predictor(drawn))
            redrawn = self.transformer(small, candidate)
            if _edge_correlation(redrawn, edges) < least:
                rate /= 2
            else:
                code, drawn = candidate, redrawn
        return code

    def _blend(self, photograph: Floats, quiet: Floats, code: Floats, own: Floats, strength: float) -> Floats:
        """Between the photograph's own code and ``code``; what its own code fails to redraw fades out with strength."""
        if strength == 1:
            return self.transformer(quiet, code)
        drawn = self.transformer(quiet, (1 - strength) * own + strength * code)
        return drawn + (1 - strength) * (photograph - self.transformer(quiet, own))

    def _graded(self, drawn: Floats, wanted: Palette, strength: float) -> Floats:
        """Nearer the reference's palette: the colour map's shift, smoothed along the drawn edges, so without haloes."""
        shift = with_palette(drawn, wanted) - drawn
        graded: Floats = np.clip(drawn + strength * self._follow(shift, luma(drawn)), 0, 1)
        return graded


def _level_sizes(width: int, height: int, seed: int) -> list[tuple[int, int]]:
    """Sizes from the base to the whole picture, at most doubling; one level where the picture is hardly larger."""
    jitter = BASE_JITTER * np.random.default_rng([seed, 1]).integers(-1, 2)
    return level_sizes(width, height, octaves_above(width, height, BASE_SIDE) - jitter)


def _stroke_spread(width: int, height: int) -> float:
    """How far, in pixels, strokes of a picture of that size are smoothed along themselves."""
    side = math.sqrt(width * height)
    return STROKE_SPREAD * side * min(max(4 * (side / LARGE_SIDE - 1), 0.0), 1.0)


def _edge_correlation(drawn: Floats, edges: Floats) -> float:
    """Correlation, -1..1, of the drawn picture's luma gradient magnitudes with ``edges``."""
    own = _gradients(luma(drawn))
    product = float(np.vdot(own, edges)) / edges.size
    scale = math.sqrt(float(np.vdot(own, own)) * float(np.vdot(edges, edges))) / edges.size
    return product / max(scale, 1e-12)


def _gradients(lightness: Floats) -> Floats:
    """Gradient magnitudes less their mean, float32 (H - 1, W - 1)."""
    across = np.diff(lightness, axis=1)[:-1]
    down = np.diff(lightness, axis=0)[:, :-1]
    magnitude = np.sqrt(across * across + down * down)
    result: Floats = magnitude - magnitude.mean()
    return result
