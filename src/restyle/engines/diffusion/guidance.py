"""The network under guidance: one evaluation, and the loop that makes a picture of them.

Classifier-free guidance: Ho and Salimans, 2022.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from restyle.engines.diffusion.prompt import Conditioning
from restyle.engines.diffusion.samplers import Schedule
from restyle.engines.diffusion.vae import FACTOR

Tick = Callable[[float], None]
"""Takes the fraction of the evaluations done, 0..1; may raise to stop."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the latents, in latents: rows ``top`` to ``top + height``, columns ``left`` to ``left + width``."""

    top: int
    left: int
    height: int
    width: int

    def of(self, latents: torch.Tensor) -> torch.Tensor:
        """That part of (1, C, H, W)."""
        return latents[..., self.top : self.top + self.height, self.left : self.left + self.width]

    def of_pixels(self, picture: torch.Tensor) -> torch.Tensor:
        """The same part of a picture (1, 3, 8 H, 8 W)."""
        top, left = self.top * FACTOR, self.left * FACTOR
        return picture[..., top : top + self.height * FACTOR, left : left + self.width * FACTOR]


class Denoiser(Protocol):
    """Predicts what the sampler asks for, of latents scaled for the network."""

    def __call__(self, seen: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor: ...


@dataclass(frozen=True, eq=False, slots=True)
class Control:
    """A ControlNet and the picture it reads: float (1, 3, H, W), 0..1. It acts down to the timestep ``until``;
    ``moment`` is which of the timesteps that it was trained at one of the UNet's is. ``task`` is the number of what a
    ControlNet Union is shown.
    """

    network: Any
    picture: torch.Tensor
    scale: float
    until: float = 0.0
    moment: Callable[[torch.Tensor], torch.Tensor] = lambda timestep: timestep
    task: int | None = None

    def shown(self, picture: torch.Tensor) -> dict[str, Any]:
        """Arguments of the network that say what it is shown: ``picture`` (N, 3, H, W), and as what."""
        if self.task is None:
            return {"controlnet_cond": picture}
        tasks = torch.zeros(len(picture), self.network.config.num_control_type, device=picture.device)
        tasks[:, self.task] = 1
        return {"controlnet_cond": [picture], "control_type": tasks, "control_type_idx": [self.task]}


@dataclass(frozen=True, eq=False, slots=True)
class Guided:
    """The UNet under both prompts. At ``cfg_scale`` 1 the negative prompt has no part, and is not evaluated.

    ``image_embeds`` (negative, positive), of an IP-Adapter, are (1, views, ...) each. ``beside`` (1, 5, H, W) is what
    an inpainting model sees beside the latents: the mask, and the latents of the picture without what is masked.
    """

    unet: Any
    positive: Conditioning
    negative: Conditioning
    cfg_scale: float
    control: Control | None = None
    image_embeds: tuple[torch.Tensor, torch.Tensor] | None = None
    beside: torch.Tensor | None = None

    def __call__(self, seen: torch.Tensor, timestep: torch.Tensor, window: Window | None = None) -> torch.Tensor:
        """The prediction for ``seen`` (1, 4, H, W), which is the part ``window`` of the picture where one is given."""
        sides = [self.negative, self.positive] if self.cfg_scale > 1 else [self.positive]
        hidden = torch.cat([side.hidden for side in sides])
        dtype = hidden.dtype
        batch = seen.to(dtype).expand(len(sides), -1, -1, -1)
        added = self._added(sides, seen)
        options: dict[str, Any] = {}
        if self.control is not None and self.control.scale > 0 and float(timestep) >= self.control.until:
            picture = self.control.picture if window is None else window.of_pixels(self.control.picture)
            down, middle = self.control.network(
                batch,
                self.control.moment(timestep),
                encoder_hidden_states=hidden,
                **self.control.shown(picture.to(dtype).expand(len(sides), -1, -1, -1)),
                conditioning_scale=self.control.scale,
                added_cond_kwargs=added,
                return_dict=False,
            )
            options = {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
        if self.image_embeds is not None:
            added = {**added, "image_embeds": [torch.cat(self.image_embeds[-len(sides) :])]}
        if self.beside is not None:
            beside = self.beside if window is None else window.of(self.beside)
            batch = torch.cat([batch, beside.to(dtype).expand(len(sides), -1, -1, -1)], dim=1)
        output: torch.Tensor = self.unet(
            batch, timestep, encoder_hidden_states=hidden, added_cond_kwargs=added, return_dict=False, **options
        )[0]
        output = output.float()
        if len(sides) == 1:
            return output[:1]
        without, under = output.chunk(2)
        guided: torch.Tensor = without + self.cfg_scale * (under - without)
        return guided

    def _added(self, sides: Sequence[Conditioning], seen: torch.Tensor) -> dict[str, Any]:
        if self.positive.pooled is None:
            return {}
        pooled = torch.cat([side.pooled for side in sides if side.pooled is not None]).to(sides[0].hidden.dtype)
        return {"text_embeds": pooled, "time_ids": time_ids(seen, pooled.dtype).expand(len(sides), -1)}


def time_ids(seen: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """SDXL's size conditioning (1, 6): a picture of this size, not cropped."""
    size = (seen.shape[-2] * FACTOR, seen.shape[-1] * FACTOR)
    return torch.tensor([[*size, 0, 0, *size]], dtype=dtype, device=seen.device)


def sample(denoiser: Denoiser, schedule: Schedule, latents: torch.Tensor, tick: Tick) -> torch.Tensor:
    """Run ``schedule`` on start latents of its scale; returns clean latents."""
    count = len(schedule.timesteps)
    for index, timestep in enumerate(schedule.timesteps):
        tick(index / count)
        output = denoiser(schedule.scaled(latents, timestep), timestep)
        latents = schedule.step(output, timestep, latents)
    tick(1.0)
    return latents
