"""Between pixels and latents."""

from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL

from restyle.engines.base import File
from restyle.engines.diffusion.components import Latents, vae_of
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.files import architecture_of, tensors, under
from restyle.engines.diffusion.networks import from_folder, prepared
from restyle.images.pixels import Floats, Pixels

FACTOR = 8
"""Pixels per latent on a side."""
UNTILED = 1024
"""Longest side that is coded whole. At 2560 x 2560 whole, the decoder alone would take 17 GB."""
TILE = 768
OVERLAP = 0.25


def load(file: File, device: Device) -> Any:
    """The VAE of ``file``. Raises RestyleError (5101)."""
    base = architecture_of(file)
    if file.format == "folder":
        network = from_folder(AutoencoderKL, file, "", dtype=torch.float32, source=device.source)
    else:
        found = tensors(file, source=device.source)
        found = under("first_stage_model.", found) or found
        network = vae_of(found, file, base)
    prepared(network, file, device)
    return network


def padded(pixels: Pixels) -> Pixels:
    """Both sides rounded up to a multiple of 8, the border repeated."""
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((0, -height % FACTOR), (0, -width % FACTOR), (0, 0)), mode="edge")


def encode(vae: Any, pixels: Pixels, device: Device, form: Latents | None = None) -> torch.Tensor:
    """float32 (1, 4, H / 8, W / 8) of uint8 (H, W, 3), whose sides are multiples of 8; the most likely latents, in
    ``form``, or scaled as the VAE's configuration says.
    """
    picture = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].to(device.name)
    picture = picture.to(torch.float32) / 127.5 - 1
    with device.using(vae), _Tiled(vae, max(pixels.shape)):
        latents: torch.Tensor = vae.encode(picture).latent_dist.mode()
    if form is None:
        return latents * float(vae.config.scaling_factor)
    mean, deviation = _channels(form.mean, latents), _channels(form.deviation, latents)
    return (latents - mean) / deviation * form.scale


def decode(vae: Any, latents: torch.Tensor, device: Device, form: Latents | None = None) -> Floats:
    """float32 (H, W, 3), about 0..255, of latents (1, 4, H / 8, W / 8) in ``form``, as :func:`encode` gives them."""
    latents = latents.to(torch.float32)
    if form is None:
        latents = latents / float(vae.config.scaling_factor)
    else:
        latents = latents / form.scale * _channels(form.deviation, latents) + _channels(form.mean, latents)
    with device.using(vae), _Tiled(vae, max(latents.shape) * FACTOR):
        picture = vae.decode(latents).sample
    return np.ascontiguousarray(((picture[0].float() + 1) * 127.5).cpu().numpy().transpose(1, 2, 0))


def _channels(numbers: tuple[float, ...], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(numbers, dtype=like.dtype, device=like.device)[:, None, None]


class _Tiled:
    """Code in tiles inside the block where a side is longer than UNTILED pixels."""

    def __init__(self, vae: Any, side: int) -> None:
        self._vae = vae
        self._on = side > UNTILED

    def __enter__(self) -> None:
        if not self._on:
            return
        vae = self._vae
        self._before = (vae.tile_sample_min_size, vae.tile_latent_min_size, vae.tile_overlap_factor)
        vae.tile_sample_min_size, vae.tile_latent_min_size, vae.tile_overlap_factor = TILE, TILE // FACTOR, OVERLAP
        vae.enable_tiling()

    def __exit__(self, *_: object) -> None:
        if not self._on:
            return
        vae = self._vae
        vae.disable_tiling()
        vae.tile_sample_min_size, vae.tile_latent_min_size, vae.tile_overlap_factor = self._before
