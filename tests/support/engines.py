"""Engines that behave as told, for tests of what surrounds an engine.

Name ``tests.support.engines:registry`` in ``RESTYLE_REGISTRY``; ask for the model ``Obedient``. The positive prompts
are its orders: ``draw 0.5`` reports for half a second, ``deaf 5`` works without reporting, ``burn 5``
keeps all cores busy, ``die`` kills the worker,
``die once <file>`` only where the file is not there yet, ``touch <file>`` shows that it is at work, ``until <file>``
reports until the file is there, ``raise``, ``memory``, ``short`` (of memory, but all given back), ``wrong size``, ``say
<hex>`` sends the service these bytes as a message.

The model ``Thorough`` of ``thorough_registry`` draws alike, says every parameter of the page that reaches it, and takes
the sub-models ``ink`` (LoRA), ``wash`` (hypernetwork) and ``charm`` (embedding).
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from restyle.engines.base import Description, Feature, Job, Pixels, Report
from restyle.models.registry import EngineFamily, MainModel, Registry, SubModel
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

OBEDIENT = "Obedient"
THOROUGH = "Thorough"
SAMPLERS = ("Euler", "Euler a", "DDIM")


class Obedient:
    """Mixes the raw image with a colour drawn from the seed."""

    def describe(self, job: Job) -> Description:
        positive, negative = ", ".join(job.positive_prompts), ", ".join(job.negative_prompts)
        if job.model != THOROUGH:
            return Description(positive, negative)
        inference = job.inference
        parameters = {
            "Steps": inference.steps,
            "Sampler": inference.sampler,
            "CFG scale": inference.cfg_scale,
            "Clip skip": inference.clip_skip,
            "VAE": "own" if job.main_model_vae else "default",
            **{adapter.code: f"{adapter.kind} {adapter.weight:g}" for adapter in job.adapters},
        }
        return Description(positive, negative, parameters, (f"drawn in {inference.steps} steps",))

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
        case ["touch", file]:
            Path(file).touch()
        case ["until", file]:
            while not Path(file).exists():
                report(0.5)
                time.sleep(0.01)
        case ["say", text]:
            channel = socket.socket(fileno=os.dup(int(sys.argv[1])))
            channel.sendall(bytes.fromhex(text))
            channel.close()
            time.sleep(3000)
        case ["raise"]:
            raise RuntimeError("the engine's own secret")
        case ["memory"]:
            raise MemoryError
        case ["short"]:
            raise RestyleError(Code.OUT_OF_MEMORY, "64 x 64 would fit")


def load(settings: Settings) -> Obedient:
    assert settings.threads >= 0
    return Obedient()


def load_never(settings: Settings) -> Obedient:
    raise RuntimeError(f"no weights for {settings.threads} threads")


def load_later(settings: Settings) -> Obedient:
    """Loading takes until a file is there."""
    while not (settings.data_dir / "engine-may-load").exists():
        time.sleep(0.01)
    return Obedient()


def patient_registry(settings: Settings) -> Registry:
    """The obedient model, with an engine that takes long to load."""
    family = EngineFamily("patient", "tests.support.engines:load_later", 1.0, frozenset({Feature.TEXT}))
    return Registry(settings, main=[MainModel(OBEDIENT, OBEDIENT, family, is_official=True)])


def registry(settings: Settings) -> Registry:
    """The shipped models without their engine (their tests are elsewhere), and the obedient one."""
    family = EngineFamily("obedient", "tests.support.engines:load", 1.0, frozenset({Feature.TEXT}))
    codes = (*Registry(settings).mains, OBEDIENT)
    return Registry(settings, main=[MainModel(code, code, family, is_official=True) for code in codes])


def thorough_registry(settings: Settings) -> Registry:
    """One main model that honours everything, and a sub-model of each kind."""
    family = EngineFamily("thorough", "tests.support.engines:load", 0.2, frozenset(Feature), SAMPLERS)
    return Registry(
        settings,
        main=[MainModel(THOROUGH, THOROUGH, family, defaults={"Steps": 30, "Sampler": "DDIM"})],
        sub=[
            SubModel("ink", "Ink", Feature.LORA, defaults={"LoraWeight": 0.6}),
            SubModel("wash", "Wash", Feature.HYPERNETWORK),
            SubModel("charm", "Charm", Feature.EMBEDDING),
        ],
    )


def broken_registry(settings: Settings) -> Registry:
    """Models whose engine cannot be loaded."""
    family = EngineFamily("broken", "tests.support.engines:load_never", 1.0)
    return Registry(
        settings, main=[MainModel(code, code, family, is_official=True) for code in Registry(settings).mains]
    )
