"""Samplers: one table of the Stable Diffusion WebUI's names, and how each runs over the last part of a schedule.

The table itself needs none of the heavy libraries, so that the service can refuse a name it does not hold.
"""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from restyle.engines.base import sampler_key
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

if TYPE_CHECKING:
    import torch

KARRAS = {"use_karras_sigmas": True}
EXPONENTIAL = {"use_exponential_sigmas": True}
BETA = {"use_beta_sigmas": True}
SDE = {"algorithm_type": "sde-dpmsolver++"}
TRAILING = {"timestep_spacing": "trailing"}
"""From the very end of the schedule, as few-step models were trained (Lin et al. 2024)."""

SPACING = {False: {"timestep_spacing": "linspace"}, True: {"timestep_spacing": "leading"}}
"""Where the timesteps of a schedule lie: as that program lays them, by whether the sampler is ``even``."""
TRAINED_STEPS = 1000
"""Timesteps that Stable Diffusion 1.5 and SDXL were trained with."""
DISTILLED_STEPS = 50
"""Timesteps of the schedule that consistency models are distilled to (Luo et al. 2023)."""


@dataclass(frozen=True, slots=True)
class Sampler:
    """``scheduler`` is a class of diffusers, or ``module:class`` of one of ours; ``options`` replace values of the
    checkpoint's scheduler configuration.

    ``own_noise``: it draws its noise from a seed of its own instead of the generator. ``even``: it steps by a whole
    number of timesteps, always the same. ``distilled``: its schedule is a part of the one that consistency models
    learned. ``note`` says how it differs from the program that the name is from, or what it costs.
    """

    name: str
    scheduler: str
    options: Mapping[str, Any] = field(default_factory=dict)
    own_noise: bool = False
    even: bool = False
    distilled: bool = False
    note: str = ""


TWICE = "evaluates the network twice a step"
SINGLESTEP = "restyle.engines.diffusion.singlestep:DPMSolverSinglestepAncestral"

SAMPLERS: Mapping[str, Sampler] = {
    sampler.name: sampler
    for sampler in (
        Sampler("Euler", "EulerDiscreteScheduler"),
        Sampler("Euler a", "EulerAncestralDiscreteScheduler"),
        Sampler("LMS", "LMSDiscreteScheduler"),
        Sampler("LMS Karras", "LMSDiscreteScheduler", KARRAS),
        Sampler("Heun", "HeunDiscreteScheduler", note=TWICE),
        Sampler("DPM2", "KDPM2DiscreteScheduler", note=TWICE),
        Sampler("DPM2 Karras", "KDPM2DiscreteScheduler", KARRAS, note=TWICE),
        Sampler("DPM2 a", "KDPM2AncestralDiscreteScheduler", note=TWICE),
        Sampler("DPM2 a Karras", "KDPM2AncestralDiscreteScheduler", KARRAS, note=TWICE),
        Sampler("DPM++ 2S a", SINGLESTEP, note=TWICE),
        Sampler("DPM++ 2S a Karras", SINGLESTEP, KARRAS, note=TWICE),
        Sampler("DPM++ 2S", "DPMSolverSinglestepScheduler", note="the solver of DPM++ 2S a without its fresh noise"),
        Sampler("DPM++ 2S Karras", "DPMSolverSinglestepScheduler", KARRAS, note="as DPM++ 2S"),
        Sampler("DPM++ 2M", "DPMSolverMultistepScheduler"),
        Sampler("DPM++ 2M Karras", "DPMSolverMultistepScheduler", KARRAS),
        Sampler("DPM++ 2M Exponential", "DPMSolverMultistepScheduler", EXPONENTIAL),
        Sampler("DPM++ 2M Beta", "DPMSolverMultistepScheduler", BETA),
        Sampler("DPM++ SDE", "DPMSolverSDEScheduler", own_noise=True, note=TWICE),
        Sampler("DPM++ SDE Karras", "DPMSolverSDEScheduler", KARRAS, own_noise=True, note=TWICE),
        Sampler("DPM++ 2M SDE", "DPMSolverMultistepScheduler", SDE),
        Sampler("DPM++ 2M SDE Karras", "DPMSolverMultistepScheduler", {**SDE, **KARRAS}),
        Sampler("DPM++ 2M SDE Exponential", "DPMSolverMultistepScheduler", {**SDE, **EXPONENTIAL}),
        Sampler("DPM++ 2M SDE Heun", "DPMSolverMultistepScheduler", {**SDE, "solver_type": "heun"}),
        Sampler("DPM++ 2M SDE Heun Karras", "DPMSolverMultistepScheduler", {**SDE, **KARRAS, "solver_type": "heun"}),
        Sampler("DPM++ 3M SDE", "DPMSolverMultistepScheduler", {**SDE, "solver_order": 3}),
        Sampler("DPM++ 3M SDE Karras", "DPMSolverMultistepScheduler", {**SDE, **KARRAS, "solver_order": 3}),
        Sampler("DPM++ 3M SDE Exponential", "DPMSolverMultistepScheduler", {**SDE, **EXPONENTIAL, "solver_order": 3}),
        Sampler("DDIM", "DDIMScheduler", even=True),
        Sampler("DDPM", "DDPMScheduler"),
        Sampler("PLMS", "PNDMScheduler", {"skip_prk_steps": True}, even=True, note="evaluates twice in its first step"),
        Sampler("UniPC", "UniPCMultistepScheduler"),
        Sampler("DEIS", "DEISMultistepScheduler"),
        Sampler("SA-Solver", "SASolverScheduler"),
        Sampler("Euler trailing", "EulerDiscreteScheduler", TRAILING, note="for few-step models"),
        Sampler("LCM", "LCMScheduler", distilled=True, note="for LCM checkpoints and LoRAs"),
        Sampler("TCD", "TCDScheduler", distilled=True, note="for TCD and Hyper checkpoints and LoRAs"),
    )
}

NAMES = tuple(SAMPLERS)
"""Names a request may give."""

LONG = {
    "eulerancestral": "Euler a",
    "dpm2ancestral": "DPM2 a",
    "dpmpp2s": "DPM++ 2S",
    "dpmpp2sancestral": "DPM++ 2S a",
    "dpmpp2msdegpu": "DPM++ 2M SDE",
    "dpmpp3msdegpu": "DPM++ 3M SDE",
    "dpmppsdegpu": "DPM++ SDE",
    "pndm": "PLMS",
    "unipcmultistep": "UniPC",
    "dpmsolverpp": "DPM++ 2M",
    "dpmsolvermultistep": "DPM++ 2M",
    "dpmsolversde": "DPM++ SDE",
}
"""What other programs call a sampler, by letters and digits."""
NEAREST = {"dpmfast": "DPM++ 2S", "dpmadaptive": "DPM++ 2S", "restart": "Heun"}
"""Samplers of that program that do not exist here, by letters and digits -> the one that is drawn most alike."""
SCHEDULES = {"": "", "automatic": "", "normal": "", "karras": " Karras", "exponential": " Exponential", "beta": " Beta"}
"""What they call its schedule, which they give apart, and what stands of it in a name here."""


def _aliases() -> dict[str, str]:
    plain = {sampler_key(name): name for name in SAMPLERS}
    found: dict[str, str] = {}
    for stem, name in {**plain, **LONG}.items():
        for said, ending in SCHEDULES.items():
            if f"{name}{ending}" in SAMPLERS:
                found |= {f"{beginning}{stem}{said}": f"{name}{ending}" for beginning in ("", "k", "sample")}
    return {alias: name for alias, name in found.items() if alias not in plain}


ALIASES = _aliases()
"""Further names of samplers, by letters and digits: ``k_euler_a``, ``DPM++ 2M, Automatic``, ``dpmpp_2m_sde_gpu``."""


def whole_of(sampler: Sampler, steps: int, denoise: float) -> int:
    """Steps of the whole schedule of which the last ``steps`` make up about the part ``denoise`` (0..1).

    Executed are always ``steps``: the schedule is made longer instead, at most to the timesteps that the models were
    trained with, which bounds the part from below.
    """
    if sampler.even:
        stride = max(1, round(denoise * TRAINED_STEPS / steps))
        return max(steps, TRAINED_STEPS // stride)
    return min(max(round(steps / max(denoise, steps / TRAINED_STEPS)), steps), TRAINED_STEPS)


def trained(timesteps: Sequence[int], denoise: float) -> tuple[int, ...]:
    """Of the timesteps that a few-step model was trained at, those in the part ``denoise`` (0..1), at least one."""
    return tuple(each for each in timesteps if each < denoise * TRAINED_STEPS) or tuple(timesteps[-1:])


@lru_cache(maxsize=128)
def _untouched(name: str, config: str, options: str) -> Any:
    """A scheduler of the library, to be copied; ``config`` and ``options`` are JSON. Some take most of a second to
    make, since they compute the whole training schedule first.
    """
    return _kind(name).from_config(json.loads(config), **json.loads(options))


@lru_cache(maxsize=128)
def _laid(name: str, config: str, options: str, device: str, laid: str) -> Any:
    """The same with its timesteps set, by ``laid``, which is JSON. A long schedule, as weak strengths have, takes some
    of them as long again.
    """
    scheduler = deepcopy(_untouched(name, config, options))
    scheduler.set_timesteps(device=device, **json.loads(laid))
    return scheduler


def _kind(name: str) -> Any:
    """The class of that name."""
    import diffusers

    return resolve_name(name) if ":" in name else getattr(diffusers, name)


class Schedule:
    """The last ``steps`` of a sampler's schedule for one image, from the noise level ``denoise`` down to none.

    ``config`` is the checkpoint's scheduler configuration; with ``timesteps``, which a few-step model was trained at,
    those in that part are the steps. Holds the state of one run: make one for each image.
    """

    def __init__(
        self,
        sampler: Sampler,
        config: Mapping[str, Any],
        *,
        steps: int,
        denoise: float,
        seed: int,
        device: str,
        timesteps: Sequence[int] = (),
    ) -> None:
        """Raises RestyleError (230) for a sampler that cannot be held to given ``timesteps``."""
        import torch

        options: dict[str, Any] = {**SPACING[sampler.even], **sampler.options}
        whole, before = whole_of(sampler, steps, denoise), 0
        if timesteps:
            laid = _trained(sampler, trained(timesteps, denoise))
        elif sampler.distilled:
            laid = _distilled(steps, steps / whole)
        else:
            laid, before = {"num_inference_steps": whole}, whole - steps
        known = (sampler.scheduler, json.dumps(dict(config)), json.dumps(options), device, json.dumps(laid))
        self.scheduler: Any = deepcopy(_laid(*known))
        begin = before * self.scheduler.order
        if sampler.own_noise:
            self.scheduler.noise_sampler_seed = seed
        if sampler.scheduler == "PNDMScheduler":
            # its second evaluation repeats the second timestep, wherever the schedule begins
            distinct = torch.unique(self.scheduler.timesteps).flip(0)[begin:]
            self.timesteps = torch.cat([distinct[:2], distinct[1:2], distinct[2:]])
        else:
            self.timesteps = self.scheduler.timesteps[begin:]
        if hasattr(self.scheduler, "set_begin_index"):
            self.scheduler.set_begin_index(begin)
        self._generator = torch.Generator("cpu").manual_seed(seed)
        self._begin = begin
        self._takes_generator = _takes_generator(self.scheduler)

    def until(self, part: float) -> float:
        """The timestep at which the first ``part`` (0..1) of the steps ends, the step's own included."""
        return float(self.timesteps[max(0, ceil(part * len(self.timesteps)) - 1)])

    @property
    def sigma(self) -> float:
        """Noise level at the start, as the standard deviation of noise added to an unscaled image."""
        if getattr(self.scheduler, "sigmas", None) is not None:
            return float(self.scheduler.sigmas[self._begin])
        alpha = float(self.scheduler.alphas_cumprod[int(self.timesteps[0])])
        return float(((1 - alpha) / alpha) ** 0.5)

    def noise(self, like: torch.Tensor) -> torch.Tensor:
        """Standard normal noise of the shape of ``like``, drawn on the CPU from the image's seed."""
        import torch

        drawn = torch.randn(like.shape, generator=self._generator, dtype=torch.float32)
        return drawn.to(like.device, like.dtype)

    def start(self, clean: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """``clean`` latents under ``noise`` at the first noise level, scaled as the sampler wants them."""
        noisy: torch.Tensor = self.scheduler.add_noise(clean, noise, self.timesteps[:1])
        return noisy

    def scaled(self, latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        """``latents`` as the network wants to see them."""
        seen: torch.Tensor = self.scheduler.scale_model_input(latents, timestep)
        return seen

    def step(self, output: torch.Tensor, timestep: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """The latents after one step, given the network's output."""
        extra = {"generator": self._generator} if self._takes_generator else {}
        with warnings.catch_warnings():
            # the Brownian motion's ends are rounded, and its library minds the last digit
            warnings.filterwarnings("ignore", r"Should have t[ab]")
            following: torch.Tensor = self.scheduler.step(output, timestep, latents, return_dict=False, **extra)[0]
        return following


def _trained(sampler: Sampler, timesteps: tuple[int, ...]) -> dict[str, Any]:
    """What those very timesteps are set by. Raises RestyleError (230) for a sampler that cannot be held to them."""
    takes = "timesteps" in inspect.signature(_kind(sampler.scheduler).set_timesteps).parameters
    if not takes or any(sampler.options.get(f"use_{name}_sigmas") for name in ("karras", "exponential", "beta")):
        raise RestyleError(
            Code.PARAMETER_NOT_AVAILABLE,
            f"Sampler {sampler.name} cannot be held to the timesteps that this model was trained at; take "
            "Euler trailing, LCM or TCD",
            field="Sampler",
        )
    return {"timesteps": list(timesteps)}


def _distilled(steps: int, denoise: float) -> dict[str, Any]:
    """What steps out of the distilled schedule, or of a finer one where that holds too few below the noise level, are
    set by.
    """
    original = DISTILLED_STEPS
    while int(original * denoise) < steps and original < TRAINED_STEPS:
        original = min(original * 2, TRAINED_STEPS)
    part = min(1.0, max(denoise, (steps + 0.5) / original))
    return {"num_inference_steps": steps, "original_inference_steps": original, "strength": part}


def _takes_generator(scheduler: Any) -> bool:
    return "generator" in inspect.signature(scheduler.step).parameters
