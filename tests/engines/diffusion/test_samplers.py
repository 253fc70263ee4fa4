"""Samplers: every name runs the steps asked for, repeats, and follows its seed."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from restyle.engines.diffusion.blueprint import SCHEDULER
from restyle.engines.diffusion.family import FAMILY
from restyle.engines.diffusion.guidance import Window, sample
from restyle.engines.diffusion.samplers import NAMES, SAMPLERS, Sampler, Schedule, whole_of
from tests.support.studio import RAW, SD15, Studio


def solver(sampler: Sampler) -> tuple[Any, ...]:
    """What a sampler steps by, however it lays its steps."""
    return sampler.scheduler, *(pair for pair in sampler.options.items() if pair[0] not in LAYING)


LAYING = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "timestep_spacing")
SOLVERS = {solver(sampler): sampler.name for sampler in reversed(list(SAMPLERS.values()))}
"""For each the first name that has it."""


@pytest.mark.parametrize("name", SOLVERS.values())
def test_every_solver_draws(studio: Studio, name: str) -> None:
    """With an IP-Adapter, since style injection would invert both pictures for each level of noise."""
    with studio.registered("encoder"), studio.registered("sd15-ip.safetensors", architecture=SD15):
        drawn = studio.draw("sd15 folder", sampler=name)
    assert not np.array_equal(drawn, RAW)
    assert len(np.unique(drawn)) > 50


@pytest.mark.parametrize("name", NAMES)
def test_every_sampler_repeats_and_follows_its_seed(name: str) -> None:
    """Over more steps than some look back, with a network that is quick."""

    def shrinking(seen: torch.Tensor, timestep: torch.Tensor, window: Window | None = None) -> torch.Tensor:
        return seen / 3

    drawn = []
    clean = torch.linspace(-1, 1, 4 * 8 * 8).reshape(1, 4, 8, 8)
    for seed in (1, 1, 2):
        with torch.inference_mode():
            made = schedule(name, 6, 0.5, seed)
            drawn.append(sample(shrinking, made, made.start(clean, made.noise(clean)), lambda fraction: None))
    assert torch.isfinite(drawn[0]).all()
    assert not torch.allclose(drawn[0], clean, atol=0.1)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def schedule(name: str, steps: int, denoise: float, seed: int = 1) -> Schedule:
    return Schedule(SAMPLERS[name], SCHEDULER, steps=steps, denoise=denoise, seed=seed, device="cpu")


@pytest.mark.parametrize("name", NAMES)
def test_steps_are_executed_steps_and_more_denoising_starts_in_more_noise(name: str) -> None:
    for steps, denoise in ((6, 0.001), (20, 0.85), (100, 0.5)):
        made = schedule(name, steps, denoise)
        order = made.scheduler.order
        # PLMS repeats one; those that evaluate twice a step do it once in the last
        assert len(made.timesteps) in (steps, steps * order, steps * order - 1, steps + (name == "PLMS"))
        timesteps = np.asarray(made.timesteps.tolist())
        assert (np.diff(timesteps) <= 1).all()  # some are rounded
        assert timesteps.min() >= 0
        assert timesteps.max() < 1000
    sigmas = [schedule(name, 10, denoise).sigma for denoise in (0.05, 0.2, 0.4, 0.6, 0.85)]
    assert sigmas == sorted(sigmas)
    assert sigmas[0] < 0.5
    assert sigmas[-1] > 3


def test_the_part_of_the_schedule_is_about_what_is_asked() -> None:
    for name in ("Euler", "DDIM"):
        for steps in (6, 20, 50):
            for denoise in (0.3, 0.55, 0.85):
                found = steps / whole_of(SAMPLERS[name], steps, denoise)
                assert found == pytest.approx(denoise, abs=0.5 * denoise * denoise / steps + 0.03)


def test_names_are_those_of_the_web_ui_and_the_default_is_among_them() -> None:
    assert {"Euler", "Euler a", "DPM++ 2M Karras", "DPM++ SDE Karras", "DDIM", "UniPC", "LCM"} <= set(NAMES)
    assert not {"DPM fast", "DPM adaptive", "Restart"} & set(NAMES)
    for missing, nearest in {"DPM fast": "DPM++ 2S", "dpm_adaptive": "DPM++ 2S", "Restart": "Heun"}.items():
        assert FAMILY.sampler(missing) is None
        assert f"{nearest} is nearest to it" in FAMILY.other_samplers(missing)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_dpm_2s_a_is_its_published_solver(prediction: str) -> None:
    """Lu et al. 2022 in data prediction and half a step of log-SNR, to the lower end of an ancestral step."""
    config = {**SCHEDULER, "prediction_type": prediction}
    made = Schedule(SAMPLERS["DPM++ 2S a"], config, steps=5, denoise=1.0, seed=3, device="cpu")
    noise = torch.linspace(-1, 1, 4 * 8 * 8).reshape(1, 4, 8, 8)
    start = made.start(torch.zeros_like(noise), noise)
    found = sample(lambda seen, timestep: torch.tanh(2 * seen), made, start, lambda fraction: None)

    def clean(x: torch.Tensor, sigma: float) -> torch.Tensor:
        root = (1 + sigma**2) ** 0.5
        said = torch.tanh(2 * x / root)
        return x - sigma * said if prediction == "epsilon" else x / root**2 - sigma / root * said

    generator = torch.Generator("cpu").manual_seed(3)
    sigmas = [*(float(sigma) for sigma in made.scheduler.sigmas[0::2][:5]), 0.0]
    wanted = start
    for sigma, lower in pairwise(sigmas):
        up = (lower**2 * (sigma**2 - lower**2) / sigma**2) ** 0.5
        down = (lower**2 - up**2) ** 0.5
        if lower == 0:
            wanted = clean(wanted, sigma)
            break
        step = math.log(sigma / down)
        middle = math.exp(-step / 2) * wanted - math.expm1(-step / 2) * clean(wanted, sigma)
        wanted = math.exp(-step) * wanted - math.expm1(-step) * clean(middle, sigma * math.exp(-step / 2))
        wanted = wanted + up * torch.randn(wanted.shape, generator=generator)
    assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("euler a", "Euler a"),
        ("Euler A", "Euler a"),
        ("k_euler_a", "Euler a"),
        ("k_euler_ancestral", "Euler a"),
        ("sample_euler_ancestral", "Euler a"),
        ("dpmpp_2m", "DPM++ 2M"),
        ("DPM++2M Karras", "DPM++ 2M Karras"),
        ("DPM++ 2M, Karras", "DPM++ 2M Karras"),
        ("DPM++ 2M (Automatic)", "DPM++ 2M"),
        ("dpmpp_2m_sde_gpu karras", "DPM++ 2M SDE Karras"),
        ("k_dpm_2_ancestral", "DPM2 a"),
        ("uni_pc", "UniPC"),
        ("ddim", "DDIM"),
        ("DPM++ 2S a", "DPM++ 2S a"),
        ("k_dpmpp_2s_ancestral", "DPM++ 2S a"),
        ("Euler Karras", None),
        ("", None),
    ],
)
def test_names_that_people_send(given: str, meant: str | None) -> None:
    assert FAMILY.sampler(given) == meant


def test_every_name_means_itself() -> None:
    assert [FAMILY.sampler(name) for name in NAMES] == list(NAMES)
    assert {FAMILY.sampler(name.upper()) for name in NAMES} == set(NAMES)
