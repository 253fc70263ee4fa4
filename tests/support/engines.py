"""Engines that behave as told, for tests of what surrounds an engine.

Name ``tests.support.engines:registry`` in ``RESTYLE_REGISTRY``; ask for the model ``Obedient``. The positive prompts
are its orders: ``draw 0.5`` reports for half a second, ``deaf 5`` works without reporting, ``burn 5``
keeps all cores busy, ``die`` kills the worker,
``die once <file>`` only where the file is not there yet, ``raise``, ``memory``,
``short`` (of memory, but all given back), ``wrong size``.

The model ``Thorough`` of ``thorough_registry`` draws alike, says every parameter of the page that reaches it, and takes
the sub-models ``ink`` (LoRA), ``wash`` (hypernetwork) and ``charm`` (embedding).
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from restyle.engines.base import Description, Family, Feature, Job, Machine, Report, Role
from restyle.images.pixels import Pixels
from restyle.models.registry import MainModel, Registry, SubModel
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

OBEDIENT = "Obedient"
THOROUGH = "Thorough"
SAMPLERS = ("Euler", "Euler a", "DDIM")
HERE = "tests.support.engines"
OBEDIENT_FAMILY = Family("obedient", f"{HERE}:load", 1.0, frozenset({Feature.TEXT}))
THOROUGH_FAMILY = Family(
    "thorough", f"{HERE}:load_thorough", 0.2, frozenset(Feature), samplers=dict.fromkeys(SAMPLERS, "")
)
BROKEN_FAMILY = Family("broken", f"{HERE}:load_never", 1.0)


class Obedient:
    """Mixes the raw image with a colour drawn from the seed."""

    def describe(self, job: Job) -> Description:
        return Description(", ".join(job.positive_prompts), ", ".join(job.negative_prompts))

    def convert(self, job: Job, report: Report) -> Iterator[Pixels]:
        for number, seed in enumerate(job.seeds):
            for order in job.positive_prompts:
                obey(order, lambda part, done=number: report((done + part) / len(job.seeds)))  # type: ignore[misc]
            colour = np.random.default_rng(seed).integers(0, 256, 3)
            mixed = job.raw * (1 - job.strength) + colour * job.strength
            report((number + 1) / len(job.seeds))
            wrong = "wrong size" in job.positive_prompts
            yield mixed.round().astype(np.uint8)[: -1 if wrong else None]


def obey(order: str, report: Report) -> None:
    match order.split(maxsplit=2):
        case ["draw", seconds]:
            end = time.monotonic() + float(seconds)
            while (rest := end - time.monotonic()) > 0:
                report(1 - rest / float(seconds))
                time.sleep(min(rest, 0.01))
        case ["deaf", seconds]:
            time.sleep(float(seconds))
        case ["burn", seconds]:
            end = time.monotonic() + float(seconds)
            matrix = np.random.default_rng(0).random((1000, 1000), np.float32)
            while time.monotonic() < end:
                matrix @ matrix
        case ["die"]:
            os.kill(os.getpid(), signal.SIGKILL)
        case ["die", "once", file]:
            if not Path(file).exists():
                Path(file).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        case ["raise"]:
            raise RuntimeError("the engine's own secret")
        case ["memory"]:
            raise MemoryError
        case ["short"]:
            raise RestyleError(Code.OUT_OF_MEMORY, "64 x 64 would fit")


class Thorough(Obedient):
    """Draws alike, and says every parameter that reaches it."""

    def describe(self, job: Job) -> Description:
        inference, vae = job.inference, job.one_of(Role.VAE)
        subs = [file for role in (Role.LORA, Role.EMBEDDING, Role.HYPERNETWORK) for file in job.all_of(role)]
        parameters = {
            "Steps": inference.steps,
            "Sampler": inference.sampler,
            "CFG scale": inference.cfg_scale,
            "Clip skip": inference.clip_skip,
            "VAE": vae.name if vae else "own",
            **{file.name: f"{file.role} {file.weight:g}" for file in subs},
        }
        words = super().describe(job)
        return Description(words.positive, words.negative, parameters, (f"drawn in {inference.steps} steps",))


def load(machine: Machine) -> Obedient:
    assert machine.threads >= 1
    return Obedient()


def load_thorough(machine: Machine) -> Thorough:
    return Thorough()


def load_never(machine: Machine) -> Obedient:
    raise RuntimeError(f"no weights for {machine.threads} threads")


def registry(settings: Settings) -> Registry:
    """The shipped models without their engine (their tests are elsewhere), and the obedient one."""
    codes = (*Registry(settings).mains, OBEDIENT)
    return Registry(settings, main=[MainModel(code, code, OBEDIENT_FAMILY, is_official=True) for code in codes])


def thorough_registry(settings: Settings) -> Registry:
    """One main model that honours everything, and a sub-model of each kind."""
    return Registry(
        settings,
        main=[MainModel(THOROUGH, THOROUGH, THOROUGH_FAMILY, defaults={"Steps": 30, "Sampler": "DDIM"})],
        sub=[
            SubModel("ink", "Ink", Feature.LORA, defaults={"LoraWeight": 0.6}),
            SubModel("wash", "Wash", Feature.HYPERNETWORK),
            SubModel("charm", "Charm", Feature.EMBEDDING),
        ],
    )


def broken_registry(settings: Settings) -> Registry:
    """Models whose engine cannot be loaded."""
    return Registry(
        settings, main=[MainModel(code, code, BROKEN_FAMILY, is_official=True) for code in Registry(settings).mains]
    )
