"""Checkpoints of the schedule EDM draw what the schedulers that diffusers has for them draw."""

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import EDMDPMSolverMultistepScheduler, EDMEulerScheduler
from safetensors.torch import load_file, save_file

from restyle.conversion.rehearsal import rehearsed
from restyle.engines.base import File, Role
from restyle.engines.diffusion import components, vae
from restyle.engines.diffusion.blueprint import SCHEDULER
from restyle.engines.diffusion.components import Latents
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.edm import Edm, of_config
from restyle.engines.diffusion.guidance import sample
from restyle.engines.diffusion.injection import Noise
from restyle.engines.diffusion.samplers import NAMES, SAMPLERS, Schedule
from restyle.models.detect import detect
from restyle.models.install import Wish, settled
from restyle.wire.errors import RestyleError
from tests.support import checkpoints
from tests.support.checkpoints import Tensors, edit, seeded
from tests.support.studio import RAW, SDXL, STEPS, Studio

COSXL = Edm(0.002, 120.0, 1.0, "exponential", predicts="v_prediction")
PLAYGROUND = Edm()
PLACES = (999, 666, 333, 0)
MEAN, DEVIATION = (-1.6, 1.9, -1.4, 2.5), (8.5, 5.9, 6.5, 5.2)


def library(kind: type[Any], edm: Edm) -> Any:
    ends = {"sigma_min": edm.least, "sigma_max": edm.most, "sigma_data": edm.data}
    return kind(**ends, sigma_schedule=edm.spacing, prediction_type=edm.predicts)


class Network(torch.nn.Module):
    """Quick, and different for every level of noise that it is told."""

    def forward(self, seen: torch.Tensor, told: torch.Tensor, **_: Any) -> tuple[torch.Tensor]:
        return (torch.tanh(seen * (1 + 0.3 * float(told))) + 0.1 * float(told),)


def ours(
    sampler: str, edm: Edm, network: torch.nn.Module, steps: int, noise: torch.Tensor, **more: Any
) -> torch.Tensor:
    made = Schedule(SAMPLERS[sampler], edm.scheduler(SCHEDULER), steps=steps, denoise=1.0, seed=1, device="cpu")
    start = made.start(torch.zeros_like(noise), noise)

    def denoiser(seen: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = network(seen, timestep, **more)[0]
        return output

    return sample(denoiser, made, start, lambda fraction: None)


def theirs(scheduler: Any, network: torch.nn.Module, noise: torch.Tensor, **more: Any) -> torch.Tensor:
    found: torch.Tensor = noise * scheduler.sigmas[0]
    for timestep in scheduler.timesteps:
        output = network(scheduler.scale_model_input(found, timestep), timestep, **more)[0]
        found = scheduler.step(output, timestep, found, return_dict=False)[0]
    return found


@pytest.mark.parametrize("edm", [COSXL, PLAYGROUND], ids=["cosxl", "playground"])
def test_samplers_draw_as_the_librarys_own_for_the_schedule(edm: Edm) -> None:
    """Within the roundings of a schedule that the library keeps in single precision: 1 part in 1,000."""
    plain, turned = Network(), Network()
    edm.turn(turned)
    with seeded(3):
        noise = torch.randn(1, 4, 8, 8)
    euler, solver = library(EDMEulerScheduler, edm), library(EDMDPMSolverMultistepScheduler, edm)
    euler.set_timesteps(len(PLACES))
    solver.set_timesteps(len(PLACES))
    # this sampler does not step to the lowest level before it ends
    solver.sigmas, solver.timesteps = torch.cat([solver.sigmas[:3], torch.zeros(1)]), solver.timesteps[:3]
    solver.num_inference_steps = 3
    pairs = [
        (ours("Euler", edm, turned, 4, noise), theirs(euler, plain, noise)),
        (ours("DPM++ 2M", edm, turned, 3, noise), theirs(solver, plain, noise)),
    ]
    for found, wanted in pairs:
        assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-3)
        assert float(wanted.std()) > 0.03


@pytest.mark.parametrize("name", NAMES)
def test_every_sampler_follows_the_schedule(name: str) -> None:
    turned = Network()
    COSXL.turn(turned)
    drawn = ours(name, COSXL, turned, 6, torch.ones(1, 4, 8, 8))
    assert torch.isfinite(drawn).all()


def test_levels_are_those_of_the_library() -> None:
    for edm in (COSXL, PLAYGROUND):
        reference = library(EDMEulerScheduler, edm)
        reference.set_timesteps(len(PLACES))
        noise = Noise(edm.scheduler(SCHEDULER))
        assert [noise.sigma(place) for place in PLACES] == pytest.approx(reference.sigmas[:-1].tolist(), rel=0.02)
        assert edm.levels()[list(PLACES)] == pytest.approx(reference.sigmas[:-1].numpy(), rel=1e-5)


def test_a_controlnet_is_told_the_timestep_with_as_much_noise_that_it_was_trained_at() -> None:
    noise, own = Noise(COSXL.scheduler(SCHEDULER)), Noise(SCHEDULER)
    for place in (400, 700):
        found = float(COSXL.elsewhere(torch.tensor(place)))
        assert own.sigma(found) == pytest.approx(noise.sigma(place), rel=0.01)
    assert float(COSXL.elsewhere(torch.tensor(999))) == 999


def cosxl(state: Tensors) -> Tensors:
    return {**state, "edm_vpred.sigma_max": torch.tensor(120.0), "edm_vpred.sigma_min": torch.tensor(0.002)}


def playground(state: Tensors) -> Tensors:
    numbers = {"edm_mean": MEAN, "edm_std": DEVIATION}
    return {**state, **{name: torch.tensor(each).reshape(1, 4, 1, 1) for name, each in numbers.items()}}


FOLDERS: Mapping[str, dict[str, Any]] = {
    "cosxl": {
        "_class_name": "EDMEulerScheduler",
        "sigma_max": 120.0,
        "sigma_data": 1.0,
        "sigma_schedule": "exponential",
        "prediction_type": "v_prediction",
    },
    "playground": {"_class_name": "EDMDPMSolverMultistepScheduler"},
}


def file(path: Path) -> File:
    found = settled(path, detect(path), Wish("x", architecture=SDXL))
    return File(Role.MAIN, path, path.name, path.name, found.format, SDXL, found.facts)


@pytest.mark.parametrize(("marked", "edm"), [(cosxl, COSXL), (playground, PLAYGROUND)])
def test_a_file_and_a_folder_say_the_same(
    studio: Studio, tmp_path: Path, marked: Callable[[Tensors], Tensors], edm: Edm
) -> None:
    device, name = Device.of(studio.machine), marked.__name__
    single, folder = tmp_path / "x.safetensors", tmp_path / "x"
    save_file(marked(load_file(studio.files / "sdxl.safetensors")), single)
    copytree(studio.files / "sdxl", folder)
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(FOLDERS[name]))
    if name == "playground":
        edit(folder / "vae" / "config.json", latents_mean=MEAN, latents_std=DEVIATION, scaling_factor=0.5)
    one, other = (components.load(file(path), device) for path in (single, folder))
    for found in (one, other):
        assert found.schedule is not None
        assert found.schedule.levels() == pytest.approx(edm.levels(), rel=1e-6)
        assert found.schedule.predicts == edm.predicts
        assert found.scheduler["trained_betas"] == pytest.approx(edm.scheduler(SCHEDULER)["trained_betas"], rel=1e-5)
        form = found.latents
        assert (form is None) is (name == "cosxl")
        if form is not None:
            assert form.mean == pytest.approx(MEAN)
            assert form.deviation == pytest.approx(DEVIATION)
            assert form.scale == 0.5
    context = {"encoder_hidden_states": torch.ones(1, 3, 64), "return_dict": False}
    context["added_cond_kwargs"] = {"text_embeds": torch.ones(1, 32), "time_ids": torch.ones(1, 6)}
    with seeded(3), torch.no_grad():
        noise = torch.randn(1, 4, 8, 8)
        reference = library(EDMEulerScheduler, edm)
        reference.set_timesteps(2)
        drawn = ours("Euler", edm, one.unet, 2, noise, **context)
        wanted = theirs(reference, checkpoints.unet(SDXL), noise, **context)
    assert torch.allclose(drawn, wanted, rtol=1e-3, atol=1e-3)


def test_a_folder_says_it_in_other_words_too() -> None:
    said = {"_class_name": "EulerDiscreteScheduler", "timestep_type": "continuous", "prediction_type": "v_prediction"}
    assert of_config({**said, "sigma_min": 0.002, "sigma_max": 120.0, "use_karras_sigmas": False}) == COSXL
    assert of_config(SCHEDULER) is None
    with pytest.raises(ValueError, match="no schedule of noise"):
        of_config({**FOLDERS["cosxl"], "sigma_schedule": "cosine"})


def test_latents_of_playground_are_made_and_read_by_its_means_and_deviations() -> None:
    network = copy.deepcopy(checkpoints.vae(SDXL)).requires_grad_(False)
    device, form = Device("cpu", torch.float32, torch.float32), Latents(0.5, MEAN, DEVIATION)
    plain, found = (vae.encode(network, RAW, device, each) for each in (None, form))
    bare = plain / network.config.scaling_factor
    mean, deviation = (torch.tensor(each).reshape(1, 4, 1, 1) for each in (MEAN, DEVIATION))
    assert torch.allclose(found, 0.5 * (bare - mean) / deviation, atol=1e-5)
    assert np.allclose(vae.decode(network, found, device, form), vae.decode(network, plain, device), atol=1e-2)


def test_they_are_added_and_draw(studio: Studio) -> None:
    """With a ControlNet, which was trained on Stable Diffusion's own schedule, beside."""
    for marked in (cosxl, playground):
        name = f"{marked.__name__}.safetensors"
        save_file(marked(load_file(studio.files / "sdxl.safetensors")), studio.files / name)
        with studio.registered(name), studio.registered("sdxl-control", control="tile", architecture=SDXL):
            assert rehearsed(studio.catalogue.get(name), studio.catalogue) == {}
            drawn = studio.draw(name, sampler="DPM++ 2M Karras", steps=STEPS)
            assert not np.array_equal(drawn, studio.once("sdxl file", sampler="DPM++ 2M Karras", steps=STEPS))


@pytest.mark.parametrize(
    ("marks", "reason"),
    [
        ({"edm_vpred.sigma_min": torch.tensor(0.002)}, "unknown noise schedule"),
        ({"edm_other": torch.tensor(1.0)}, "unknown noise schedule"),
        ({"edm_vpred.sigma_max": torch.tensor(0.001)}, "no schedule of noise from 0.002 to"),
        ({"edm_mean": torch.zeros(3), "edm_std": torch.ones(4)}, "each channel"),
    ],
)
def test_marks_that_are_none_are_refused_at_add(studio: Studio, tmp_path: Path, marks: Tensors, reason: str) -> None:
    path = tmp_path / "x.safetensors"
    save_file({**load_file(studio.files / "sdxl.safetensors"), **marks}, path)
    with pytest.raises(RestyleError, match=reason), studio.registered(str(path)):
        rehearsed(studio.catalogue.get(str(path)), studio.catalogue)
