"""The toy: the raw image moves towards the mean colour of the style, and a grain of the seed's comes over it."""

from collections.abc import Iterator

import numpy as np

from restyle.engines.base import Description, Job, Machine, Pixels, Report


def load(machine: Machine) -> "Toy":
    return Toy()


class Toy:
    """An engine of two lines of arithmetic."""

    def describe(self, job: Job) -> Description:
        return Description(parameters={"Steps": job.inference.steps})

    def convert(self, job: Job, report: Report) -> Iterator[Pixels]:
        colour = job.style.reshape(-1, 3).mean(0)
        for seed in job.seeds:
            grain = np.random.default_rng(seed).normal(0, job.inference.steps, job.raw.shape)
            drawn = job.raw + job.strength * (colour - job.raw + grain)
            report(1.0)
            yield drawn.round().clip(0, 255).astype(np.uint8)
