"""Checkpoints of another noise schedule: EDM (Karras et al. 2022), as CosXL and Playground 2.5 are.

Such a UNet sees latents scaled for its own levels of noise, is told the level by a quarter of its logarithm, and what
it says is neither noise nor v. Here it is turned into a network as all others are: its levels are laid out as a
schedule of training timesteps, and what goes in and comes out of it is translated on the way, exactly. So every
sampler, the inversion and all that is put on a UNet serve it as they are.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler

from restyle.engines.base import File
from restyle.engines.diffusion import blueprint
from restyle.engines.diffusion.files import broken, tensors

LEVELS = 1000
"""Timesteps that the levels of noise are laid out in."""
MARKS = ("edm_vpred.sigma_max", "edm_vpred.sigma_min", "edm_mean", "edm_std")
"""Tensors that say so in a single file: of CosXL the ends of its schedule, of Playground the form of its latents."""
SPACINGS = ("karras", "exponential")
PREDICTIONS = ("epsilon", "v_prediction")


LATENTS = 4
"""Channels that are latents; what an inpainting model sees beside them is not scaled."""
LEAST = 0.002
"""Of the levels of noise, where a checkpoint does not say it."""
ENDS = {"sigma_min": "least", "sigma_max": "most"}
NAMES = {**ENDS, "sigma_data": "data", "sigma_schedule": "spacing", "rho": "rho", "prediction_type": "predicts"}
"""What a folder's scheduler calls it -> what it is called here."""


@dataclass(frozen=True, slots=True)
class Edm:
    """Levels of noise from ``least`` to ``most``, as standard deviations of noise added to a latent whose own is
    ``data``; ``spacing`` is how steps lie between (``karras``, by ``rho``, or ``exponential``). ``predicts`` is the
    sign of what the network says: ``epsilon``, or ``v_prediction``.
    """

    least: float = LEAST
    most: float = 80.0
    data: float = 0.5
    spacing: str = "karras"
    rho: float = 7.0
    predicts: str = "epsilon"

    def levels(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The level of each timestep, rising."""
        ramp = np.linspace(0, 1, LEVELS)
        if self.spacing == "exponential":
            found = np.exp(math.log(self.least) + ramp * (math.log(self.most) - math.log(self.least)))
        else:
            low, high = self.least ** (1 / self.rho), self.most ** (1 / self.rho)
            found = (low + ramp * (high - low)) ** self.rho
        return np.asarray(found, np.float64)

    def scheduler(self, base: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration of samplers for it: ``base`` with these levels. The network, turned, predicts v."""
        kept = 1 / (1 + self.levels() ** 2)
        betas = 1 - kept / np.concatenate([[1.0], kept[:-1]])
        return {
            **base,
            "trained_betas": betas.tolist(),
            "num_train_timesteps": LEVELS,
            "prediction_type": PREDICTIONS[1],
        }

    def elsewhere(self, timestep: torch.Tensor) -> torch.Tensor:
        """The timestep of Stable Diffusion's own schedule that has as much noise, or its nearest."""
        log, logs = np.interp(float(timestep), np.arange(LEVELS), np.log(self.levels())), _stable_diffusion()
        there = float(np.interp(log, logs, np.arange(len(logs))))
        return torch.tensor(there, dtype=torch.float32, device=timestep.device)

    def turn(self, unet: torch.nn.Module) -> None:
        """Have ``unet`` take latents as they are scaled elsewhere, with timesteps of :meth:`levels`, and say v."""
        logs, places = np.log(self.levels()), np.arange(LEVELS)

        def within(module: torch.nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
            seen, timestep, *rest = given
            level = math.exp(np.interp(float(timestep), places, logs))
            latents = seen[:, :LATENTS] * math.sqrt((1 + level**2) / (self.data**2 + level**2))
            told = torch.tensor(math.log(level) / 4, dtype=torch.float32, device=seen.device)
            return torch.cat([latents, seen[:, LATENTS:]], dim=1), told, *rest

        def without(module: torch.nn.Module, given: tuple[Any, ...], output: Any) -> Any:
            seen, level = given[0][:, :LATENTS].float(), math.exp(4 * float(given[1]))
            spread = self.data**2 + level**2
            # of x, and of what the network says of it, in v = (alpha x - clean) / sigma
            own = level * (1 - self.data**2) / spread * math.sqrt(spread / (1 + level**2))
            said = self.data * math.sqrt((1 + level**2) / spread) * (1 if self.predicts == PREDICTIONS[1] else -1)
            return (said * output[0].float() + own * seen).to(output[0].dtype), *output[1:]

        unet.register_forward_pre_hook(within)
        unet.register_forward_hook(without)


@cache
def _stable_diffusion() -> np.ndarray[Any, np.dtype[np.float64]]:
    """The logarithms of the levels of its timesteps, rising."""
    kept = DDPMScheduler.from_config(dict(blueprint.SCHEDULER)).alphas_cumprod.double().numpy()
    return np.asarray(np.log((1 - kept) / kept) / 2, np.float64)


def of_config(config: Mapping[str, Any]) -> Edm | None:
    """The schedule that a folder's scheduler says; None for those of Stable Diffusion.

    Raises ValueError for what cannot be one.
    """
    if str(config.get("_class_name", "")).startswith("EDM"):
        found = Edm(**{own: config[name] for name, own in NAMES.items() if name in config})
    elif config.get("timestep_type") == "continuous" and config.get("prediction_type") == PREDICTIONS[1]:
        spacing = SPACINGS[0] if config.get("use_karras_sigmas") else SPACINGS[1]
        ends = {own: config[name] for name, own in ENDS.items() if config.get(name) is not None}
        found = Edm(**ends, data=1.0, spacing=spacing, predicts=PREDICTIONS[1])
    else:
        return None
    return _checked(found)


def of_file(file: File) -> Edm:
    """The schedule that a single file's marks say. Raises RestyleError (5101)."""
    marks = {name: float(value) for name, value in tensors(file, lambda name: name in MARKS[:2]).items()}
    try:
        if not marks:
            return Edm()
        # CosXL: v against latents of deviation 1, as the samplers that it was published with are configured
        return _checked(Edm(marks.get(MARKS[1], LEAST), marks[MARKS[0]], 1.0, SPACINGS[1], predicts=PREDICTIONS[1]))
    except (KeyError, ValueError) as error:
        raise broken(file, f"its marks of a noise schedule are wrong: {error}") from error


def _checked(found: Edm) -> Edm:
    ends = (found.least, found.most, found.data, found.rho)
    numbers = all(type(each) in (int, float) and 0 < each < 1e6 for each in ends)
    if not numbers or found.least >= found.most or found.spacing not in SPACINGS or found.predicts not in PREDICTIONS:
        raise ValueError(f"no schedule of noise from {found.least} to {found.most} ({found.spacing}, {found.predicts})")
    return found
