"""An engine in someone else's process leaves it as it is, calls nobody, and draws the same whatever was set there."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name

import pytest

from restyle.engines.base import Engine, Inference, Job, Machine, Style
from tests.support.pictures import picture
from tests.support.silence import silent

CALLER = """
import hashlib, json, os, pickle, random, sys

environment = dict(os.environ)
file, *names = sys.argv[1:]

import numpy
libraries = []
if "diffusion" in names:
    import diffusers, transformers
    libraries = [diffusers.utils.logging, transformers.utils.logging]
if uses_torch := bool({"neighbour", "diffusion"}.intersection(names)):
    import torch
    torch.set_num_threads(3)
    torch.set_default_dtype(torch.float64)
    torch.backends.cudnn.benchmark = True
    torch.set_grad_enabled(False)
for library in libraries:
    library.set_verbosity_info()

def of_torch():
    return uses_torch and [
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.deterministic,
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_default_dtype(),
        hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest(),
    ]

def state():
    return repr([
        "torch" in sys.modules,
        of_torch(),
        hashlib.sha256(repr((random.getstate(), numpy.random.get_state(legacy=False))).encode()).hexdigest(),
        [(library.get_verbosity(), library.is_progress_bar_enabled()) for library in libraries],
        {key: value for key, value in os.environ.items() if environment.get(key) != value},
        [key for key in environment if key not in os.environ],
    ])

from pkgutil import resolve_name
from restyle.engines.base import Machine

def stop(fraction):
    raise KeyError("stopped")

found = {}
for name, (load, job) in pickle.loads(open(file, "rb").read()).items():
    states = [state()]
    engine = resolve_name(load)(Machine(device="cpu", precision="float32"))
    states.append(state())
    engine.describe(job)
    states.append(state())
    drawn = hashlib.sha256()
    images = engine.convert(job, lambda fraction: None)
    for image in images:
        states.append(state())
        drawn.update(image.tobytes())
    states.append(state())
    images = engine.convert(job, lambda fraction: None)
    next(images)
    images.close()
    states.append(state())
    try:
        list(engine.convert(job, stop))
    except KeyError:
        states.append(state())
    found[name] = {"states": states, "drawn": drawn.hexdigest()}
print(json.dumps(found))
"""
LIBRARIES = {"neighbour": "h5py", "diffusion": "diffusers"}


def job(name: str, request: pytest.FixtureRequest) -> Job:
    if name == "diffusion":
        made: Job = request.getfixturevalue("studio").job("sd15 folder", seeds=(1, 2), preserve_color=True)
        return made
    files = (request.getfixturevalue("few_channels"),) if name == "neighbour" else ()
    styles = (Style(picture(64, 80)[::-1].copy()),)
    return Job(picture(64, 64), styles, 0.7, (1, 2), preserve_color=True, inference=Inference(6), files=files)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context")
@pytest.mark.parametrize("several", [("painter", "brush"), ("neighbour", "diffusion")], ids=["light", "torch"])
def test_a_callers_process_is_left_as_it_is(
    several: tuple[str, ...], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """By one engine after the other, those that may not load torch in a process of their own."""
    names = [name for name in several if find_spec(LIBRARIES.get(name, "numpy"))]
    if not names:
        pytest.skip("none of their libraries is installed")
    where = {name: f"restyle.engines.{name}.engine:load" for name in names} | {"brush": "tests.support.brushes:load"}
    asked = {name: job(name, request) for name in names}
    file = tmp_path / "jobs"
    file.write_bytes(pickle.dumps({name: (where[name], asked[name]) for name in names}))
    with silent(tmp_path) as silence:
        ran = subprocess.run(
            [sys.executable, "-c", CALLER, str(file), *names],
            env={**os.environ, **silence},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert list(told) == names
    (before,) = {found["states"][0] for found in told.values()}
    for name, found in told.items():
        assert found["states"] == [before] * 8, name
        engine: Engine = resolve_name(where[name])(Machine(device="cpu", precision="float32"))
        drawn = hashlib.sha256(
            b"".join(image.tobytes() for image in engine.convert(asked[name], lambda fraction: None))
        )
        assert found["drawn"] == drawn.hexdigest(), name
