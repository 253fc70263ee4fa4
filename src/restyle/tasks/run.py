"""One run of one task: from its stored images to its stored results."""

from collections.abc import Callable

from restyle.engines.base import Job
from restyle.images.decode import decode
from restyle.images.encode import encode_png
from restyle.images.fit import ResizeMode, fit
from restyle.images.limits import Limits
from restyle.settings import Settings
from restyle.storage import Storage, result_key
from restyle.tasks.engines import Engines
from restyle.tasks.parameters import parameters
from restyle.tasks.spec import Claim

PREPARED = 0.04
"""Progress once the images are decoded and fitted."""

DRAWN = 0.9
"""Of what then remains, the part that is drawing; the rest is encoding and storing."""


def run(claim: Claim, engines: Engines, storage: Storage, settings: Settings, report: Callable[[float], None]) -> None:
    """Draw the task's images and store each, as it is done, under its :func:`restyle.storage.result_key`.

    ``report`` takes the fraction done, 0..1, and raises to stop the run. Raises :class:`restyle.errors.RestyleError`
    (4003, 4004), and whatever the engine raises.
    """
    spec, count = claim.spec, len(claim.seeds)
    model = engines.model(spec.model_code)
    engine = engines.engine(model.family)
    report(0)
    limits = Limits.of(settings)
    raw = decode(storage.get(spec.raw), limits, field="RawImageIndex")
    report(PREPARED / 2)
    raw = fit(raw, spec.width, spec.height, ResizeMode(spec.resize_mode))
    style = decode(storage.get(spec.style), limits, field="StyleImageIndex")
    job = Job(
        raw=raw,
        style=style,
        strength=spec.strength,
        seeds=claim.seeds,
        preserve_color=spec.preserve_color,
        positive_prompts=spec.positive_prompts,
        negative_prompts=spec.negative_prompts,
    )
    drawn, stored = 0.0, 0

    def tell() -> None:
        report(PREPARED + (1 - PREPARED) * (DRAWN * drawn + (1 - DRAWN) * stored / count))

    def draw(fraction: float) -> None:
        nonlocal drawn
        drawn = fraction
        tell()

    tell()
    for pixels, seed in zip(engine.convert(job, draw), claim.seeds, strict=True):
        if pixels.shape != (spec.height, spec.width, 3):
            raise RuntimeError(f"{model.family.name} drew {pixels.shape} instead of {(spec.height, spec.width, 3)}")
        png = encode_png(pixels, parameters(spec, model, seed))
        storage.put(result_key(claim.uid, claim.claim, stored), png)
        stored += 1
        tell()
