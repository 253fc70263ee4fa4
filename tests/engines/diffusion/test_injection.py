"""Style injection: the inversion is DDIM's, and what is kept is put where it belongs."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDIMInverseScheduler

from restyle.engines.diffusion import components, injection, prompt
from restyle.engines.diffusion.architecture import Architecture
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.injection import Injection, Inverted, Noise
from restyle.engines.diffusion.prompt import Conditioning
from restyle.engines.diffusion.strength import INJECTION, at
from tests.support.checkpoints import SCHEDULER
from tests.support.studio import Studio, Sub


@pytest.fixture(scope="module")
def checkpoints(studio: Studio) -> dict[str, Checkpoint]:
    """By architecture; tests leave them as they are."""
    return {
        base: components.load(studio.file(f"{base} folder"), Device.of(studio.machine)) for base in ("sd15", "sdxl")
    }


@pytest.fixture
def checkpoint(checkpoints: dict[str, Checkpoint], base: str) -> Checkpoint:
    return checkpoints[base]


def clean(seed: int = 1) -> torch.Tensor:
    return torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


def empty(checkpoint: Checkpoint, studio: Studio) -> Conditioning:
    return prompt.encode(checkpoint, Device.of(studio.machine), "", "")[1]


def blocks(checkpoint: Checkpoint) -> tuple[str, ...]:
    return at(0.5, checkpoint.architecture.value, INJECTION).blocks


@torch.inference_mode()
def invert(
    checkpoint: Checkpoint, studio: Studio, latents: torch.Tensor, parts: str = "kv", steps: int = 3
) -> Inverted:
    sigma = Noise(checkpoint.scheduler).sigma(600)
    nothing = empty(checkpoint, studio)
    return injection.invert(
        checkpoint, latents, nothing, sigma, steps, parts, blocks(checkpoint), lambda fraction: None
    )


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_step_up_is_ddims(checkpoint: Checkpoint, studio: Studio, prediction: str) -> None:
    """Against the library's inverse scheduler, over one step from no noise to timestep 500."""
    config = {**SCHEDULER, "clip_sample": False, "prediction_type": prediction}
    predicting = replace(checkpoint, scheduler=config)
    nothing, latents = empty(checkpoint, studio), clean()
    noise = Noise(config)
    scheduler = DDIMInverseScheduler.from_config(config)
    scheduler.set_timesteps(2)
    with torch.inference_mode():
        own = injection.invert(
            predicting, latents, nothing, noise.sigma(500), 1, "q", blocks(checkpoint), lambda _: None
        )
        scaled = latents / (1 + noise.sigma(0) ** 2) ** 0.5
        predicted = injection._evaluate(checkpoint, scaled, 0.0, nothing)
        expected = scheduler.step(predicted, 500, scaled).prev_sample * (1 + noise.sigma(500) ** 2) ** 0.5
    assert torch.allclose(own.noisy, expected, atol=1e-4)


def test_timesteps_and_sigmas_are_each_others_inverse() -> None:
    noise = Noise(SCHEDULER)
    assert [noise.timestep(noise.sigma(t)) for t in (0, 1, 250.5, 999)] == pytest.approx([0, 1, 250.5, 999])
    assert noise.sigma(999) == pytest.approx(14.6, abs=0.1)


def test_an_inversion_keeps_what_each_layer_saw(checkpoint: Checkpoint, studio: Studio) -> None:
    found = invert(checkpoint, studio, clean())
    assert len(found.kept) == len(found.timesteps) == 4
    assert list(found.timesteps) == sorted(found.timesteps)
    attentions = 6 if checkpoint.architecture == Architecture.SD15 else 3
    assert len(found.kept[0]) == 2 * len(injection.layers(checkpoint.unet, blocks(checkpoint))) == 2 * attentions
    assert found.nearest(found.timesteps[2] + 1) is found.kept[2]
    assert found.size() == sum(value.numel() * 4 for kept in found.kept for value in kept.values())
    both = found.size() + invert(checkpoint, studio, clean(), "q").size()
    assert injection.kept_bytes(checkpoint.unet, blocks(checkpoint), 4, 3) * 64 * 64 == both
    again = invert(checkpoint, studio, clean())
    assert torch.equal(found.noisy, again.noisy)


def test_its_own_keys_and_values_change_only_by_the_temperature(
    checkpoint: Checkpoint, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture injected into itself at the timestep where it was kept is that picture."""
    monkeypatch.setattr(injection, "TEMPERATURE", 1.0)
    own, queries = invert(checkpoint, studio, clean()), invert(checkpoint, studio, clean(), "q")
    at = own.timesteps[-1]
    sigma = Noise(checkpoint.scheduler).sigma(600)
    seen = own.noisy / (1 + sigma**2) ** 0.5

    def predict(put: Injection | None = None) -> torch.Tensor:
        with torch.inference_mode(), put.attached() if put else nullcontext():
            return injection._evaluate(checkpoint, seen, at, empty(checkpoint, studio))

    def change(style: Inverted, gamma: float) -> float:
        put = Injection(checkpoint, style, queries, gamma, blocks(checkpoint))
        put.at(at)
        return float((predict(put) - plain).abs().max())

    plain = predict()
    assert change(own, 0.0) < 1e-5
    assert change(own, 0.75) < 1e-5
    assert change(invert(checkpoint, studio, clean(5)), 0.75) > 1e-4
    assert torch.equal(predict(), plain)


def test_the_start_takes_over_the_tone_and_hears_the_seed() -> None:
    raw, style = clean(1), clean(2) * 3 + 1
    kept = Inverted(raw + 2.0 * clean(3), (0.0, 600.0), ({}, {}))
    other = Inverted(style, (0.0, 600.0), ({}, {}))

    def start(noise: torch.Tensor, tone: float) -> torch.Tensor:
        return injection.start(raw, kept, other, noise, 2.0, tone, 0.3)

    full = start(clean(4), 1.0)
    assert np.allclose(full.mean((-2, -1)), style.mean((-2, -1)), atol=1e-4)
    assert np.allclose(full.std((-2, -1)), style.std((-2, -1)), atol=1e-4)
    assert not torch.equal(full, start(clean(5), 1.0))
    assert torch.allclose(start(clean(4), 0.5), (start(clean(4), 0.0) + full) / 2, atol=1e-5)


def test_what_is_known_of_either_picture_is_kept_for_later_tasks(studio: Studio) -> None:
    """Known by what it saves: later tasks report fewer evaluations. Another weight of a LoRA is another style."""
    style, one, other = np.random.default_rng(3).integers(0, 256, (3, 64, 64, 3), np.uint8)
    counts: list[int] = []
    for raw in (one, one, other):
        seen: list[float] = []
        studio.draw("sd15 folder", seen.append, raw=raw, style=style, seeds=(len(counts),))
        counts.append(len(seen))
    assert counts[1] < counts[2] < counts[0]
    first = studio.draw("sd15 folder", style=style, seeds=(2,))
    assert np.array_equal(first, studio.draw("sd15 folder", style=style, seeds=(2,)))
    changed = studio.draw("sd15 folder", style=style, seeds=(2,), subs=(Sub("sd15 lora 2", 0.5),))
    assert not np.array_equal(first, changed)
