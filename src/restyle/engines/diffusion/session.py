"""One job at work: what its images share, prepared once, and the drawing of each."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from restyle.engines.cache import Cache
from restyle.engines.diffusion import controlnet, injection, prompt
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.files import identity
from restyle.engines.diffusion.guidance import Control, Denoiser, Guided, Tick, sample
from restyle.engines.diffusion.hires import Injected, Tiled, enlarged, refine_steps
from restyle.engines.diffusion.injection import Injection, Inverted
from restyle.engines.diffusion.progress import Progress
from restyle.engines.diffusion.prompt import Conditioning
from restyle.engines.diffusion.recipe import Recipe, control_of
from restyle.engines.diffusion.samplers import SAMPLERS, Schedule
from restyle.engines.diffusion.stock import Embeds
from restyle.engines.diffusion.vae import FACTOR, decode, encode, padded
from restyle.images.pixels import Floats, Pixels
from restyle.images.resize import resized
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

Opened = np.ndarray[Any, np.dtype[np.bool_]]
"""Where a mask is open: (H, W)."""
OPEN = 128
"""From which a mask, 0..255, is open for a model that knows open and closed alone."""
INPAINTING = 9
"""Channels that the UNet of an inpainting model reads: latents, a mask, and latents of the picture around it."""


@dataclass(frozen=True, eq=False, slots=True)
class Tools:
    """The networks of a recipe, loaded, its sub-models attached to them."""

    checkpoint: Checkpoint
    vae: Any
    control: Any | None
    embeddings: tuple[Any, ...]
    image_embeds: Embeds | None
    inversions: Cache[Inverted]


def digest(pixels: Pixels) -> bytes:
    """SHA-256 of a picture."""
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()


class Session:
    """Draws the images of one job, each as if it were alone."""

    def __init__(self, recipe: Recipe, tools: Tools, device: Device, progress: Progress) -> None:
        self._recipe = recipe
        self._tools = tools
        self._device = device
        self._progress = progress
        self._levels = [padded(resized(recipe.job.raw, *size)) for size in recipe.plan.sizes]
        self._sides = 2 if recipe.cfg_scale > 1 else 1
        with torch.inference_mode():
            self._prompts = self._encode(recipe.positive, recipe.negative)
        progress.total = self._cost()

    def _encode(self, positive: str, negative: str) -> tuple[Conditioning, Conditioning]:
        return prompt.encode(
            self._tools.checkpoint,
            self._device,
            positive,
            negative,
            self._recipe.job.inference.clip_skip,
            self._tools.embeddings,
        )

    def _cost(self) -> float:
        """Evaluations of the UNet, weighed by their pixels."""
        steps = self._recipe.steps
        refining = self._refine_steps * sum(level.size for level in self._levels[1:])
        images = len(self._recipe.job.seeds) * self._sides * (steps * self._levels[0].size + refining)
        inverting = 0 if self._tools.image_embeds else 2 * self._recipe.moved.inversion_steps * self._levels[0].size
        return float(images + inverting)

    @property
    def _refine_steps(self) -> int:
        return refine_steps(self._recipe.job.inference.steps, self._recipe.moved.refine)

    @torch.inference_mode()
    def draw(self, seed: int) -> Floats:
        """The picture of that seed: float32 (H, W, 3), about 0..255, exactly of the raw image's size."""
        drawn = self._first(seed)
        for level in range(1, len(self._levels)):
            drawn = self._refined(drawn, level, seed)
        height, width = self._recipe.job.raw.shape[:2]
        drawn = drawn[:height, :width]
        if self._recipe.moved.given_back > 0:
            drawn = drawn + self._recipe.moved.given_back * self._lost
        return drawn

    def _first(self, seed: int) -> Floats:
        """The drawing near native size."""
        moved = self._recipe.moved
        schedule = self._schedule(self._recipe.job.inference.steps, moved.denoise, seed)
        clean = self._clean
        if self._tools.image_embeds is not None:
            tick = self._progress.stage(self._sides * self._recipe.steps * self._levels[0].size)
            return self._run(self._guided(0, schedule), schedule, schedule.start(clean, schedule.noise(clean)), tick)
        style, raw = self._style, self._raw
        tick = self._progress.stage(self._sides * self._recipe.steps * self._levels[0].size)
        noisy = injection.start(clean, raw, style, schedule.noise(clean), schedule.sigma, moved.tone, moved.seed_share)
        put = Injection(self._tools.checkpoint, style, raw, moved.gamma, moved.blocks)
        with put.attached():
            start = schedule.start(noisy, torch.zeros_like(noisy))
            return self._run(Injected(self._guided(0, schedule), put), schedule, start, tick)

    def _refined(self, drawn: Floats, level: int, seed: int) -> Floats:
        """The next larger picture of one drawn at the level below."""
        size = self._recipe.plan.sizes[level]
        raw = self._levels[level]
        below_width, below_height = self._recipe.plan.sizes[level - 1]
        small = _pixels(drawn[:below_height, :below_width])
        base = padded(enlarged(small, raw[: size[1], : size[0]], size, self._recipe.moved.texture))
        clean = self._latents(base)
        schedule = self._schedule(self._refine_steps, self._recipe.moved.refine, seed)
        tick = self._progress.stage(self._sides * self._refine_steps * raw.size)
        side = self._tools.checkpoint.native // FACTOR
        tiled = Tiled(self._guided(level, schedule), clean.shape[-2], clean.shape[-1], side, self._progress.beat)
        start = schedule.start(clean, schedule.noise(clean))
        if self._tools.image_embeds is not None:
            return self._run(tiled, schedule, start, tick)
        put = Injection(self._tools.checkpoint, self._style, None, 0, self._recipe.moved.blocks)
        with put.attached():
            return self._run(Injected(tiled, put), schedule, start, tick)

    def _schedule(self, steps: int, denoise: float, seed: int) -> Schedule:
        sampler = SAMPLERS[self._recipe.job.inference.sampler]
        config = self._tools.checkpoint.scheduler
        timesteps = self._recipe.moved.timesteps
        return Schedule(
            sampler, config, steps=steps, denoise=denoise, seed=seed, device=self._device.name, timesteps=timesteps
        )

    def _guided(self, level: int, schedule: Schedule) -> Guided:
        control = None
        if self._tools.control is not None and self._recipe.control is not None:
            kind = control_of(self._recipe.control)
            shown = self._shown(kind, level).to(self._device.name)
            moved = self._recipe.moved
            until, moment = schedule.until(moved.control_end), self._tools.checkpoint.moment
            task = controlnet.TASKS[kind] if "controls" in self._recipe.control.facts else None
            control = Control(self._tools.control, shown, moved.control, until, moment, task)
        embeds = self._tools.image_embeds
        if embeds is not None:
            negative, positive = (part.to(self._device.name, self._device.unet) for part in embeds)
            embeds = (negative, positive)
        positive_prompt, negative_prompt = self._prompts
        cfg_scale = self._recipe.cfg_scale
        unet, beside = self._tools.checkpoint.unet, self._beside(self._levels[level], self._opened(level))
        return Guided(unet, positive_prompt, negative_prompt, cfg_scale, control, embeds, beside)

    def _shown(self, kind: str, level: int) -> torch.Tensor:
        """What the ControlNet sees at a level: the client's map, or what is found in the raw image."""
        given = self._recipe.job.control
        if given is None:
            return controlnet.condition(kind, self._levels[level])
        return controlnet.as_shown(padded(resized(given, *self._recipe.plan.sizes[level])))

    def _opened(self, level: int) -> Opened | None:
        """Where the client's mask is open, at a level; None without one."""
        mask = self._recipe.job.mask
        if mask is None:
            return None
        wide = resized(np.repeat(mask[..., None], 3, axis=2), *self._recipe.plan.sizes[level])
        return np.asarray(padded(wide)[..., 0] >= OPEN)

    def _beside(self, pixels: Pixels, opened: Opened | None = None) -> torch.Tensor | None:
        """What an inpainting model sees beside the latents of ``pixels``: where the mask is ``opened``, everywhere
        without one, and the latents of what is left, grey under the mask.
        """
        if self._tools.checkpoint.unet.config.in_channels != INPAINTING:
            return None
        if opened is None:
            opened = np.ones(pixels.shape[:2], bool)
        left = self._latents(np.where(opened[..., None], np.uint8(128), pixels))
        # as such models are drawn with everywhere: each latent by the first of its pixels
        seen = torch.from_numpy(opened[::FACTOR, ::FACTOR].astype(np.float32)).to(left)
        return torch.cat([seen[None, None], left], dim=1)

    def _run(self, denoiser: Denoiser, schedule: Schedule, start: torch.Tensor, tick: Any) -> Floats:
        networks = [self._tools.checkpoint.unet, *([self._tools.control] if self._tools.control is not None else [])]
        with self._device.using(*networks):
            latents = sample(denoiser, schedule, start, tick)
        drawn = self._pixels(latents)
        if not np.isfinite(drawn).all():
            raise RestyleError(
                Code.ENGINE_FAILED,
                f"{self._recipe.main.name} drew no numbers (NaN or infinite) in {self._device.unet}. Its weights, "
                "those of a sub-model or the precision are at fault; the setting diffusion_precision float32 is safest",
            )
        return drawn

    def _latents(self, pixels: Pixels) -> torch.Tensor:
        return encode(self._tools.vae, pixels, self._device, self._tools.checkpoint.latents)

    def _pixels(self, latents: torch.Tensor) -> Floats:
        return decode(self._tools.vae, latents, self._device, self._tools.checkpoint.latents)

    @cached_property
    def _clean(self) -> torch.Tensor:
        """The raw image's latents at the first level."""
        return self._latents(self._levels[0])

    @cached_property
    def _lost(self) -> Floats:
        """What the VAE alone loses of the raw image."""
        raw = self._recipe.job.raw
        height, width = raw.shape[:2]
        back = self._pixels(self._clean if len(self._levels) == 1 else self._latents(self._levels[-1]))
        return raw.astype(np.float32) - back[:height, :width]

    @cached_property
    def _raw(self) -> Inverted:
        """The raw image on its way to noise, with its queries; kept for later tasks."""
        return self._kept("q", self._levels[0], lambda: self._clean)

    @cached_property
    def _style(self) -> Inverted:
        """The reference on its way to noise, with its keys and values; kept for later tasks."""
        height, width = self._levels[0].shape[:2]
        style = whole(self._recipe.job.style, height * width)
        return self._kept("kv", style, lambda: self._latents(style))

    def _kept(self, parts: str, pixels: Pixels, latents: Callable[[], torch.Tensor]) -> Inverted:
        """The inversion of ``pixels``, which prompts, seed, sampler and guidance have no part in."""
        recipe = self._recipe
        key = (
            parts,
            digest(pixels),
            identity(recipe.main),
            recipe.vae.sha256 if recipe.vae else "",
            tuple((file.sha256, file.weight) for file in (*recipe.loras, *recipe.hypernetworks)),
            recipe.moved.inversion_steps,
            recipe.moved.blocks,
            recipe.job.inference.clip_skip,
            self._sigma,
        )
        tick = self._progress.stage(recipe.moved.inversion_steps * self._levels[0].size)
        if key in self._tools.inversions:
            tick(1.0)
        return self._tools.inversions.get(key, lambda: self._inverted(latents(), parts, tick, pixels))

    def _inverted(self, latents: torch.Tensor, parts: str, tick: Tick, pixels: Pixels) -> Inverted:
        moved, checkpoint = self._recipe.moved, self._tools.checkpoint
        steps, blocks, beside, empty = moved.inversion_steps, moved.blocks, self._beside(pixels), self._empty
        with self._device.using(checkpoint.unet):
            return injection.invert(checkpoint, latents, empty, self._sigma, steps, parts, blocks, tick, beside)

    @cached_property
    def _empty(self) -> Conditioning:
        """No words, under which pictures are inverted."""
        return self._encode("", "")[1]

    @cached_property
    def _sigma(self) -> float:
        """Noise level at which the first drawing starts."""
        return self._schedule(self._recipe.job.inference.steps, self._recipe.moved.denoise, 0).sigma


def whole(style: Pixels, area: int) -> Pixels:
    """All of a reference at about ``area`` pixels, both sides multiples of 8: strokes as large as the picture's."""
    height, width = style.shape[:2]
    scale = (area / (width * height)) ** 0.5
    return resized(style, *(max(FACTOR, round(side * scale / FACTOR) * FACTOR) for side in (width, height)))


def _pixels(picture: Floats) -> Pixels:
    pixels: Pixels = np.clip(picture + 0.5, 0, 255).astype(np.uint8)
    return pixels
