"""The brush: any reference's style, and places of it, in one pass of a network that was trained here.

Around the network stand the painter's two ideas that have nothing to do with how one draws. *Coarse to fine*: large
strokes are drawn at a fixed base size, and every finer level adds only what the coarser one cannot show. *The weak end
meets the raw image*: what the network fails to redraw of the photograph itself fades out with the strength.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from restyle.engines.base import Description, Job, Machine, Report, Style
from restyle.engines.brush import colours, patches
from restyle.engines.brush.attention import Attention, Grouping
from restyle.engines.brush.decoder import DRESSED, Decoder, Dressing
from restyle.engines.brush.encoder import Encoder
from restyle.engines.brush.family import WEIGHTS
from restyle.engines.brush.feedback import SKETCH_FRAME, SMALLER, Correction, missed, sketch_size
from restyle.engines.brush.guided import Smoothing
from restyle.engines.brush.level import Level, Matching, Networks, Part, pieces
from restyle.engines.brush.reference import Reference, look, moments_of, view
from restyle.engines.brush.weights import Weights, read_weights
from restyle.engines.cache import Cache
from restyle.engines.octaves import level_sizes, octaves_above, with_coarse
from restyle.engines.processor import has_bfloat16_tiles
from restyle.images.guided import GuidedFilter, recoloured
from restyle.images.palette import picture_palette
from restyle.images.pixels import Floats, Pixels, unit
from restyle.images.resize import resized
from restyle.images.runtime import ov
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

BASE_SIDE = 512
"""Square root of the pixels at which large strokes are drawn."""
LEAST_STYLE_SIDE = 96
"""Of a reference as it is seen, which is otherwise as large as the photograph, or as the base level of a larger one."""
STYLE_JITTER = 0.12
"""Octaves by which a seed moves the size at which a reference is seen, or not."""
COLOUR_SHARE = 0.5
"""How far the colours of the whole drawing are brought to those of its reference, at strength 1."""
CACHED_BYTES = 120_000_000
"""Of references; one of 512 squared pixels takes 34 MB."""


def load(machine: Machine) -> "Brush":
    """The brush, with ``machine.threads``. Raises RestyleError 5101 where its weights are missing."""
    return Brush(read_weights(Path(str(files("restyle") / WEIGHTS.path))), machine.threads)


class Brush:
    """An engine (see ``engines.base``). Draws from several references and under masks; understands no prompts.

    ``width`` and ``key`` are its decoder's channels and the numbers by which places are compared.
    """

    def __init__(self, weights: Weights, threads: int) -> None:
        self.width, self.key = (len(weights[name]) for name in ("three0.bias", "attention.query"))
        core = ov.Core()
        options: dict[str, str | int] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            # Pinned, the threads of every process share the same cores.
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "bf16" if has_bfloat16_tiles() else "f32",
        }
        # Local moments are small differences of large numbers, so the eye that makes them is exact everywhere.
        exact = {**options, "INFERENCE_PRECISION_HINT": "f32"}
        self.networks = Networks(
            Encoder(core, options, weights, moments=False),
            Encoder(core, exact, weights, moments=True),
            Attention(core, options, weights),
            Grouping(core, options, weights),
            Decoder(core, options, weights),
            {layer: Dressing(core, options, weights, layer) for layer in DRESSED},
            weights.layers,
            {layer: weights[f"matching.{layer}"] for layer in DRESSED},
        )
        self._smoothing = Smoothing(core, options)
        self._follow = GuidedFilter(threads, radius=16, contrast=0.1)
        self._references: Cache[Reference] = Cache(CACHED_BYTES, lambda each: each.key.nbytes + each.values.nbytes)

    def describe(self, job: Job) -> Description:
        """Nothing: all that has a part in the picture is in the request."""
        return Description()

    def convert(self, job: Job, report: Report) -> Iterator[Pixels]:
        """Yield one image per seed. Strength 0 yields the raw image itself, and so does a mask of 0 where it is 0.

        Raises RestyleError (230) where no reference has a weight above 0.
        """
        styles = _counting(job.styles)
        for index, seed in enumerate(job.seeds):
            done = index / len(job.seeds)
            report(done)

            def tell(fraction: float, done: float = done) -> None:
                report(done + fraction / len(job.seeds))

            yield job.raw.copy() if job.strength == 0 else self._draw(job, styles, seed, tell)
        report(1.0)

    def _draw(self, job: Job, styles: Sequence[Style], seed: int, report: Report) -> Pixels:
        raw = unit(job.raw)
        height, width, _ = raw.shape
        sizes = level_sizes(width, height, octaves_above(width, height, BASE_SIDE))
        step = _Progress(report, _work(sizes, job.strength, len(styles))).step
        shares = _shares(styles, height, width)
        side, mirrored = _style_side(width, height, seed)
        references = [self._reference(each, side, mirrored, step) for each in styles]
        corrections = self._corrections(raw, sizes[0], styles, side, mirrored, seed, step)
        drawn, matchings, mappings = raw, list[Matching](), list[colours.Mapping]()
        for number, (wide, high) in enumerate(sizes):
            photograph = np.clip(resized(raw, wide, high), 0, 1)
            level = Level(self.networks, self._smoothing(photograph), step, own=job.strength < 1, base=number == 0)
            here = [None if share is None else np.clip(resized(share, wide, high), 0, 1) for share in shares]
            parts = [
                Part(reference, None if share is None else level.share_of(share))
                for reference, share in zip(references, here, strict=True)
            ]
            if number == 0:
                matchings = [level.matching(*each) for each in zip(references, corrections, strict=True)]
            finer = _blend(level, photograph, parts, matchings, job.strength, seed)
            if number == 0:
                # By each reference as if it were the only one, so that where it is, it looks like that.
                alone = (
                    [finer]
                    if len(parts) == 1
                    else [
                        _blend(level, photograph, [Part(part.reference)], [matching], job.strength, seed)
                        for part, matching in zip(parts, matchings, strict=True)
                    ]
                )
                gradings = [
                    _grading(x, photograph, reference, job.strength)
                    for x, reference in zip(alone, references, strict=True)
                ]
                mappings = [mapping for mapping, _ in gradings]
                drawn = _shared([mapping(finer) + change for mapping, change in gradings], here)
                del alone, gradings
            else:
                mapped = _shared([mapping(finer) for mapping in mappings], here)
                drawn = with_coarse(mapped, drawn, finest=1, times=2)
                del mapped
            del level, parts, photograph, finer  # before the next level's, which are larger
        if job.preserve_color:
            drawn = recoloured(np.clip(drawn, 0, 1), raw, self._follow)
        covered = _coverage(styles)
        if covered is not None:
            drawn = raw + covered * (drawn - raw)
        result: Pixels = (np.clip(drawn, 0, 1) * 255 + 0.5).astype(np.uint8)
        return result

    def _corrections(
        self,
        raw: Floats,
        base: tuple[int, int],
        styles: Sequence[Style],
        side: float,
        mirrored: bool,
        seed: int,
        step: Callable[[], None],
    ) -> list[Correction]:
        """What sketches by each reference, as if it were the only one, lack of its statistics."""
        wide, high = sketch_size(*base)
        photograph = self._smoothing(np.clip(resized(raw, wide, high), 0, 1))
        level = Level(self.networks, photograph, step, margin=SKETCH_FRAME)
        noise = level.noise(np.random.default_rng([seed, 3]))
        corrections = []
        for style in styles:
            reference = self._reference(style, side / SMALLER, mirrored, step)
            sketch = level.drawn([Part(reference)], [level.matching(reference)], noise, 1)
            mapping, change = _grading(sketch, photograph, reference, 1)
            seen = self.networks.looking(np.clip(mapping(sketch) + change, 0, 1))
            corrections.append(missed(moments_of(seen), reference.moments))
        return corrections

    def _reference(self, style: Style, side: float, mirrored: bool, step: Callable[[], None]) -> Reference:
        step()
        digest = hashlib.sha256(repr((style.pixels.shape, side, mirrored)).encode() + style.pixels.tobytes()).digest()

        def seen() -> Reference:
            picture = view(unit(style.pixels), side, mirrored=mirrored)
            return look(self.networks.looking, self.networks.attention, picture)

        return self._references.get(digest, seen)


class _Progress:
    """Tells how much of the work is done, a piece after the other."""

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._total, self._done = report, total, 0

    def step(self) -> None:
        """Another piece is about to begin."""
        self._report(self._done / self._total)
        self._done += 1


def _counting(styles: Sequence[Style]) -> list[Style]:
    """Those that have a part in the picture."""
    found = [style for style in styles if style.weight > 0]
    if not found:
        raise RestyleError(Code.PARAMETER_NOT_AVAILABLE, "no style reference has a weight above 0; give one a weight")
    return found


def _work(sizes: Sequence[tuple[int, int]], strength: float, styles: int) -> int:
    """Pieces of work of a picture: the references, for the sketches once more, these, looking, and drawing, below
    strength 1 twice; of the base level with several references each alone as well.
    """
    drawings = 1 if strength == 1 else 2
    counts = [pieces(height, width, own=strength < 1) for width, height in sizes]
    width, height = sketch_size(*sizes[0])
    look, draw = pieces(height, width, margin=SKETCH_FRAME)
    alone = drawings * styles * counts[0][1] if styles > 1 else 0
    return 2 * styles + look + styles * draw + sum(looks + drawings * draws for looks, draws in counts) + alone


def _style_side(width: int, height: int, seed: int) -> tuple[float, bool]:
    """At which size a reference is seen for a picture, and whether mirrored."""
    random = np.random.default_rng([seed, 1])
    factor = 2.0 ** (STYLE_JITTER * int(random.integers(-1, 2)))
    mirrored = bool(random.integers(2))
    return max(factor * min(math.sqrt(width * height), BASE_SIDE), LEAST_STYLE_SIDE), mirrored


def _blend(
    level: Level, photograph: Floats, parts: Sequence[Part], matchings: Sequence[Matching], strength: float, seed: int
) -> Floats:
    """The level drawn, and of what the network fails to redraw of the photograph as much as the strength leaves."""
    noise = level.noise(np.random.default_rng([seed, 2]))
    drawn = level.drawn(parts, matchings, noise, strength)
    if strength == 1:
        return drawn
    return drawn + (1 - strength) * (photograph - level.drawn(parts, matchings, noise, 0))


def _grading(
    drawn: Floats, photograph: Floats, reference: Reference, strength: float
) -> tuple[colours.Mapping, Floats]:
    """How the colours of a base level or sketch are mapped, and what is added after that for the sake of patches."""
    mapping = colours.mapping(picture_palette(drawn), reference.colours, COLOUR_SHARE * strength)
    return mapping, np.float32(strength) * patches.change(mapping(drawn), photograph, reference.patches)


def _shared(pictures: Sequence[Floats], shares: Sequence[Floats | None]) -> Floats:
    """One picture of several, by their shares of each place."""
    parts = [
        picture if share is None else share.reshape(*picture.shape[:2], 1) * picture
        for picture, share in zip(pictures, shares, strict=True)
    ]
    total: Floats = np.sum(parts, axis=0, dtype=np.float32) if len(parts) > 1 else parts[0]
    return total


def _shares(styles: Sequence[Style], height: int, width: int) -> list[Floats | None]:
    """How much of each place belongs to each reference, float32 (height, width, 1); None for a single one.

    By weight among those whose masks reach there, and by weight alone where none does.
    """
    if len(styles) == 1:
        return [None]
    weights = np.array([style.weight for style in styles], np.float32)
    reach = [np.ones((height, width, 1), np.float32) if s.mask is None else unit(s.mask)[..., None] for s in styles]
    total = sum(weight * mask for weight, mask in zip(weights, reach, strict=True))
    nowhere = total == 0
    total = np.where(nowhere, 1, total)
    return [
        np.where(nowhere, weight / weights.sum(), weight * mask / total).astype(np.float32)
        for weight, mask in zip(weights, reach, strict=True)
    ]


def _coverage(styles: Sequence[Style]) -> Floats | None:
    """How much of each pixel is drawn at all, float32 (height, width, 1), 0..1; None for all of every one."""
    masks = [style.mask for style in styles if style.mask is not None]
    if len(masks) < len(styles):
        return None
    return unit(np.maximum.reduce(masks))[..., None]
