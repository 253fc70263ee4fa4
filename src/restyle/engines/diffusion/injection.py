"""Style injection: a checkpoint alone takes the style of one picture over, without training.

Chung, Hyun, Heo: Style Injection in Diffusion (StyleID, CVPR 2024). Raw image and style image are inverted to noise; on
the way back the late self-attention layers of the decoder look at the style's keys and values with queries blended
from the raw image's, and the start takes over the latent statistics of the style (AdaIN, Huang and Belongie 2017). The
share of the raw image's queries falls over the steps.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.guidance import Tick, time_ids
from restyle.engines.diffusion.prompt import Conditioning
from restyle.engines.diffusion.vae import FACTOR

TEMPERATURE = 1.5

Kept = Mapping[str, torch.Tensor]


@dataclass(frozen=True, eq=False, slots=True)
class Inverted:
    """An inversion: the ``noisy`` latents (of an unscaled image) at its end, and what was ``kept`` at each timestep."""

    noisy: torch.Tensor
    timesteps: tuple[float, ...]
    kept: tuple[Kept, ...]

    def nearest(self, timestep: float) -> Kept:
        """What was kept at the timestep nearest to this one."""
        index = min(range(len(self.timesteps)), key=lambda i: abs(self.timesteps[i] - timestep))
        return self.kept[index]

    def size(self) -> int:
        """Bytes."""
        return sum(tensor.numel() * tensor.element_size() for kept in self.kept for tensor in kept.values())


def layers(unet: Any, blocks: tuple[str, ...]) -> dict[str, Any]:
    """The self-attention layers that are injected into, by name: those whose names begin so."""
    found = {name: layer for name, layer in unet.named_modules() if name.endswith(".attn1") and name.startswith(blocks)}
    if not found:
        raise ValueError(f"no self-attention in {blocks}")
    return found


def kept_bytes(unet: Any, blocks: tuple[str, ...], number: int, steps: int) -> float:
    """Bytes per pixel of a drawing that both inversions keep: queries of one, keys and values of the other.

    ``number`` is the size in bytes of the network's numbers.
    """
    depth = len(unet.config.block_out_channels)
    per_pixel = 0.0
    for name, layer in layers(unet, blocks).items():
        side = FACTOR * 2 ** (depth - 1 - int(name.split(".")[1]))  # pixels that one token stands for
        per_pixel += layer.to_q.out_features / side**2
    return 3 * number * (steps + 1) * per_pixel


class Noise:
    """The training noise of a checkpoint: between timesteps and sigmas (of noise added to an unscaled image)."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        from diffusers import DDPMScheduler

        alphas = DDPMScheduler.from_config(dict(config)).alphas_cumprod.double().numpy()
        alphas = np.maximum(alphas, 1e-8)  # a schedule of zero terminal SNR ends in noise alone
        self._logs = np.log((1 - alphas) / alphas) / 2
        self._timesteps = np.arange(len(alphas))
        self.predicts_v = config.get("prediction_type") == "v_prediction"

    def sigma(self, timestep: float) -> float:
        return float(np.exp(np.interp(timestep, self._timesteps, self._logs)))

    def timestep(self, sigma: float) -> float:
        return float(np.interp(math.log(max(sigma, 1e-10)), self._logs, self._timesteps))


def invert(
    checkpoint: Checkpoint,
    latents: torch.Tensor,
    empty: Conditioning,
    sigma: float,
    steps: int,
    parts: str,
    blocks: tuple[str, ...],
    tick: Tick,
    beside: torch.Tensor | None = None,
) -> Inverted:
    """Follow clean ``latents`` (1, 4, H, W) up to the noise level ``sigma`` in ``steps`` under an empty prompt.

    DDIM inversion (Song, Meng, Ermon 2021), which on unscaled images is Euler's method for dx/dsigma = noise.
    ``parts`` are those of "qkv" to keep of the layers in ``blocks``, on the CPU, in the network's precision. ``beside``
    is what an inpainting model sees beside the latents.
    """
    noise = Noise(checkpoint.scheduler)
    timesteps = tuple(float(t) for t in np.linspace(0, noise.timestep(sigma), steps + 1))
    sigmas = [*(noise.sigma(t) for t in timesteps[:-1]), sigma]
    kept: list[Kept] = []
    found = latents.float()
    with _keeping(layers(checkpoint.unet, blocks), parts, kept.append) as collect:
        for index, timestep in enumerate(timesteps):
            tick(index / (steps + 1))
            seen = found / math.sqrt(1 + sigmas[index] ** 2)
            predicted = _evaluate(checkpoint, seen, timestep, empty, beside)
            collect()
            if index == steps:
                break
            if noise.predicts_v:
                predicted = (predicted + sigmas[index] * seen) / math.sqrt(1 + sigmas[index] ** 2)
            found = found + (sigmas[index + 1] - sigmas[index]) * predicted
    tick(1.0)
    return Inverted(found, timesteps, tuple(kept))


def _evaluate(
    checkpoint: Checkpoint,
    seen: torch.Tensor,
    timestep: float,
    empty: Conditioning,
    beside: torch.Tensor | None = None,
) -> torch.Tensor:
    added: dict[str, Any] = {}
    if empty.pooled is not None:
        pooled = empty.pooled.to(empty.hidden.dtype)
        added = {"text_embeds": pooled, "time_ids": time_ids(seen, pooled.dtype)}
    if beside is not None:
        seen = torch.cat([seen, beside.to(seen.dtype)], dim=1)
    output: torch.Tensor = checkpoint.unet(
        seen.to(empty.hidden.dtype),
        timestep,
        encoder_hidden_states=empty.hidden,
        added_cond_kwargs=added,
        return_dict=False,
    )[0]
    return output.float()


@contextmanager
def _keeping(attentions: Mapping[str, Any], parts: str, keep: Callable[[Kept], None]) -> Iterator[Callable[[], None]]:
    """Inside the block, the call yielded keeps what the layers' projections gave since the last."""
    current: dict[str, torch.Tensor] = {}

    def listen(place: str) -> Callable[..., None]:
        def hook(module: Any, given: Any, output: torch.Tensor) -> None:
            current[place] = output.detach().to("cpu", copy=True)

        return hook

    def collect() -> None:
        keep(dict(current))
        current.clear()

    hooks = [
        getattr(attention, f"to_{part}").register_forward_hook(listen(f"{name}.{part}"))
        for name, attention in attentions.items()
        for part in parts
    ]
    try:
        yield collect
    finally:
        for hook in hooks:
            hook.remove()


class Injection:
    """The style's keys and values, and a share of the raw image's queries, put into the network while it samples."""

    def __init__(
        self, checkpoint: Checkpoint, style: Inverted, raw: Inverted | None, gamma: float, blocks: tuple[str, ...]
    ) -> None:
        """``gamma`` is the share at the first step and falls to half of it; without ``raw`` no queries are blended.
        ``blocks`` are the layers that either inversion kept.
        """
        self._layers = layers(checkpoint.unet, blocks)
        self._style = style
        self._raw = raw
        self._first = gamma
        self._now: dict[str, torch.Tensor] = {}
        self._gamma = 0.0

    def at(self, timestep: float) -> None:
        """Inject what belongs to this timestep from now on."""
        start = self._style.timesteps[-1] or 1.0
        done = min(1.0, max(0.0, 1 - timestep / start))
        self._gamma = self._first * (1 - 0.25 * (1 - math.cos(math.pi * done)))
        self._now = {**self._style.nearest(timestep), **(self._raw.nearest(timestep) if self._raw else {})}

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Inject inside the block."""
        hooks = [
            getattr(attention, f"to_{part}").register_forward_hook(
                self._blend(f"{name}.q") if part == "q" else self._replace(f"{name}.{part}")
            )
            for name, attention in self._layers.items()
            for part in "qkv"
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            self._now = {}

    def _blend(self, place: str) -> Callable[..., torch.Tensor]:
        def hook(module: Any, given: Any, output: torch.Tensor) -> torch.Tensor:
            if self._raw is not None:
                own = self._now[place].to(output.device, output.dtype)
                output = self._gamma * own + (1 - self._gamma) * output
            return output * TEMPERATURE

        return hook

    def _replace(self, place: str) -> Callable[..., torch.Tensor]:
        def hook(module: Any, given: Any, output: torch.Tensor) -> torch.Tensor:
            return self._now[place].to(output.device, output.dtype).expand(len(output), -1, -1)

        return hook


def start(
    clean: torch.Tensor,
    raw: Inverted,
    style: Inverted,
    noise: torch.Tensor,
    sigma: float,
    tone: float,
    seed_share: float,
) -> torch.Tensor:
    """Noisy latents (of an unscaled image): the raw image's, with some of the seed's noise and the style's tone."""
    own = (raw.noisy - clean) / sigma
    mixed = clean + sigma * (math.sqrt(1 - seed_share**2) * own + seed_share * noise)
    return mixed + tone * (_adain(mixed, style.noisy) - mixed)


def _adain(latents: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """``latents`` with the mean and deviation of each channel of ``like``."""
    axes = (-2, -1)
    normal = (latents - latents.mean(axes, keepdim=True)) / latents.std(axes, keepdim=True).clamp_min(1e-6)
    return normal * like.std(axes, keepdim=True) + like.mean(axes, keepdim=True)
