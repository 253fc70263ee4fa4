"""Engines that behave as told, for tests of what surrounds an engine.

Name ``REGISTRY`` in ``RESTYLE_REGISTRY``; ask for the model ``Obedient``. The positive prompts are its orders: ``draw
0.5`` reports for half a second, ``deaf 5`` works without reporting, ``burn 5`` keeps all cores busy, ``die`` kills the
worker, ``die once <file>`` only where the file is not there yet, ``touch <file>`` shows that it is at work, ``until
<file>`` reports until the file is there (``deaf until <file>`` does not report), ``raise``, ``memory``, ``short`` (of
memory, but all given back), ``wrong size``, ``say <hex>`` sends the service these bytes as a message (``say once <file>
<hex>`` only where the file is not there yet).

The model ``Thorough`` draws alike, says every parameter of the page that reaches it, and takes the sub-models ``ink``
(LoRA), ``wash`` (hypernetwork) and ``charm`` (embedding). ``Toy`` is the engine of ``tests/support/toy``.
"""

import hashlib
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from restyle.conversion.models import MainModel, SubModel
from restyle.conversion.registry import Registry
from restyle.engines.base import Description, Family, Feature, Job, Machine, Report, Role
from restyle.engines.families import FAMILIES
from restyle.images.pixels import Pixels
from restyle.models.catalogue import Entry
from restyle.models.kinds import Kind
from restyle.settings import Settings
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support.toy import family as toy

OBEDIENT = "Obedient"
THOROUGH = "Thorough"
SUB_MODELS = Path(__file__).with_name("files")
SAMPLERS = ("Euler", "Euler a", "DDIM")
HERE = "tests.support.engines"
REGISTRY = f"{HERE}:registry"
OBEDIENT_FAMILY = Family("obedient", f"{HERE}:load", 1.0, frozenset({Feature.TEXT}))
THOROUGH_FAMILY = Family(
    "thorough", f"{HERE}:load_thorough", 0.2, frozenset(Feature), samplers=dict.fromkeys(SAMPLERS, "")
)
PATIENT_FAMILY = Family("patient", f"{HERE}:load_later", 1.0, frozenset({Feature.TEXT}))
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


class Thorough(Obedient):
    """Says every parameter that reaches it."""

    def describe(self, job: Job) -> Description:
        inference = job.inference
        subs = [file for file in job.files if file.role in (Role.LORA, Role.HYPERNETWORK, Role.EMBEDDING)]
        parameters = {
            "Steps": inference.steps,
            "Sampler": inference.sampler,
            "CFG scale": inference.cfg_scale,
            "Clip skip": inference.clip_skip,
            **{file.name: f"{file.role} {file.weight:g} of {file.path.read_text()}" for file in subs},
        }
        told = super().describe(job)
        return Description(told.positive, told.negative, parameters, (f"drawn in {inference.steps} steps",))


def obey(order: str, report: Report) -> None:
    match order.split(maxsplit=2):
        case ["draw", seconds]:
            end = time.monotonic() + float(seconds)
            while (rest := end - time.monotonic()) > 0:
                report(1 - rest / float(seconds))
                time.sleep(min(rest, 0.01))
        case ["deaf", "until", file]:
            while not Path(file).exists():
                time.sleep(0.01)
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
        case ["say", "once", rest]:
            file, text = rest.split()
            if not Path(file).exists():
                Path(file).touch()
                say(text)
        case ["say", text]:
            say(text)
        case ["raise"]:
            raise RuntimeError("the engine's own secret")
        case ["memory"]:
            raise MemoryError
        case ["short"]:
            raise RestyleError(Code.OUT_OF_MEMORY, "64 x 64 would fit")
        case ["unprepared"]:
            raise RuntimeError("could not create a primitive")
        case ["short", "unprepared"]:
            cause = RuntimeError("could not create a primitive")
            raise RestyleError(Code.OUT_OF_MEMORY, "64 x 64 would fit") from cause


def say(text: str) -> None:
    """Send the service these bytes, in hexadecimal, as a message, and say no more."""
    channel = socket.socket(fileno=os.dup(int(sys.argv[1])))
    channel.sendall(bytes.fromhex(text))
    channel.close()
    time.sleep(3000)


loaded: Counter[str] = Counter()
"""How often an engine was loaded in this process, by the name of its model."""


def load(machine: Machine) -> Obedient:
    assert machine.threads >= 1
    loaded[OBEDIENT] += 1
    return Obedient()


def load_thorough(machine: Machine) -> Thorough:
    return Thorough()


def load_never(machine: Machine) -> Obedient:
    raise RuntimeError(f"no weights for {machine.threads} threads")


def load_later(machine: Machine) -> Obedient:
    """Loading takes until a file is there."""
    while not (Path(os.environ["RESTYLE_DATA_DIR"]) / "engine-may-load").exists():
        time.sleep(0.01)
    return Obedient()


def patient_registry(settings: Settings) -> Registry:
    """The obedient model, with an engine that takes long to load."""
    return Registry(settings, main=[MainModel(OBEDIENT, OBEDIENT, PATIENT_FAMILY, is_official=True)])


def registry(settings: Settings) -> Registry:
    """The shipped models without their engine (their tests are elsewhere); the obedient one; the thorough one with a
    sub-model of each kind; and, with the one line more that a new engine takes, the toy."""
    defaults = {"Steps": 30, "Sampler": "DDIM"}
    thorough = MainModel(THOROUGH, THOROUGH, THOROUGH_FAMILY, is_official=True, defaults=defaults)
    codes = (*Registry(settings).mains, OBEDIENT)
    return Registry(
        settings,
        main=[
            *(MainModel(code, code, OBEDIENT_FAMILY, is_official=True) for code in codes),
            thorough,
        ],
        sub=[
            SubModel(entry("ink", Kind.LORA, LoraWeight=0.6)),
            SubModel(entry("wash", Kind.HYPERNETWORK)),
            SubModel(entry("charm", Kind.EMBEDDING)),
        ],
        families=(*FAMILIES, toy.FAMILY),
    )


def entry(code: str, kind: Kind, **defaults: float) -> Entry:
    """A registered file that holds its own code."""
    path = SUB_MODELS / f"{code}.file"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Entry(code, code.title(), kind, None, path, "pt", digest, path.stat().st_size, defaults=defaults)


def broken_registry(settings: Settings) -> Registry:
    """Models whose engine cannot be loaded."""
    codes = (*Registry(settings).mains, OBEDIENT)
    return Registry(settings, main=[MainModel(code, code, BROKEN_FAMILY, is_official=True) for code in codes])
