"""The drawing of one task's images, in a worker or in a program of one's own."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from restyle.engines.base import Description, Engine, Feature, Job, Report
from restyle.images.fit import ResizeMode, fit
from restyle.images.pixels import Pixels
from restyle.models.registry import MainModel
from restyle.prompts.translator import Translation
from restyle.queue.engines import Engines
from restyle.queue.parameters import parameters
from restyle.queue.spec import Spec


@dataclass(frozen=True, slots=True)
class Drawing:
    """A job with the engine that draws it. ``notices`` are what turned out only here."""

    spec: Spec
    model: MainModel
    engine: Engine
    job: Job
    description: Description
    notices: tuple[str, ...]

    @classmethod
    def of(cls, spec: Spec, seeds: tuple[int, ...], raw: Pixels, style: Pixels, engines: Engines) -> Self:
        """Fit ``raw`` to the result's size and describe the job. Both are uint8 (H, W, 3).

        Raises RestyleError (4004) where the model is gone, and what the engine raises.
        """
        model = engines.registry.main(spec.model_code)
        engine = engines.engine(model.family)
        positive, negative = _prompts(spec, model, engines)
        job = Job(
            raw=fit(raw, spec.width, spec.height, ResizeMode(spec.resize_mode)),
            style=style,
            strength=spec.strength,
            seeds=seeds,
            preserve_color=spec.preserve_color,
            positive_prompts=positive.prompts,
            negative_prompts=negative.prompts,
            model=model.code,
            inference=spec.inference,
            adapters=spec.adapters,
            main_model_vae=spec.main_model_vae,
        )
        description = engine.describe(job)
        notices = (*positive.notices, *negative.notices, *description.notices)
        return cls(spec, model, engine, job, description, notices)

    def images(self, report: Report) -> Iterator[tuple[Pixels, str]]:
        """One image per seed, each with the text that says how it was made."""
        size = (self.spec.height, self.spec.width, 3)
        for pixels, seed in zip(self.engine.convert(self.job, report), self.job.seeds, strict=True):
            if pixels.shape != size:
                raise RuntimeError(f"{self.model.family.name} drew {pixels.shape} instead of {size}")
            yield pixels, parameters(self.spec, self.description, seed)


def _prompts(spec: Spec, model: MainModel, engines: Engines) -> tuple[Translation, Translation]:
    """Positive and negative prompts in the language the engine reads."""
    if not spec.translate_prompts or Feature.TEXT not in model.family.honours:
        return Translation(spec.positive_prompts), Translation(spec.negative_prompts)
    subs = engines.registry.subs
    # An embedding is called by its trigger words or, without any, by its code.
    protected = [
        word for one in spec.adapters if one.code in subs for word in (*subs[one.code].trigger_words, one.code)
    ]
    return (
        engines.translator.translate(spec.positive_prompts, protected),
        engines.translator.translate(spec.negative_prompts, protected),
    )
