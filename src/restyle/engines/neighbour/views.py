"""Pictures as tensors, and how a reference is looked at: whole, mirrored, a little turned and scaled by a seed."""

import math

import numpy as np
import torch
import torch.nn.functional as nn

from restyle.engines.neighbour.vgg import Tensor
from restyle.images.pixels import Pixels
from restyle.images.resize import resized

LARGEST_TURN = math.radians(6)
LARGEST_OCTAVE = 0.12
LEAST_SIDE = 16


def tensor(pixels: Pixels, device: torch.device) -> Tensor:
    """uint8 (H, W, 3) to float32 (1, 3, H, W), 0..1."""
    # A copy in memory of its own, which begins where all of its memory does: products of matrices may round by that.
    return torch.tensor(pixels.astype(np.float32) / np.float32(255)).permute(2, 0, 1)[None].to(device)


def pixels(picture: Tensor) -> Pixels:
    """float32 (1, 3, H, W), cut to 0..1, to uint8 (H, W, 3)."""
    result: Pixels = (picture[0].clamp(0, 1).permute(1, 2, 0) * 255 + 0.5).to(torch.uint8).cpu().numpy()
    return np.ascontiguousarray(result)


def at_size(picture: Tensor, height: int, width: int) -> Tensor:
    """float32 (1, 3, H, W) at that size, by the house's one ``resized``. Values may leave 0..1 a little."""
    if picture.shape[2:] == (height, width):
        return picture
    planes = picture[0].permute(1, 2, 0).cpu().numpy()
    return torch.tensor(resized(planes, width, height)).permute(2, 0, 1)[None].to(picture.device)


def reference_views(style: Tensor, side: float, generator: torch.Generator) -> list[Tensor]:
    """The whole reference at an area of about ``side`` squared pixels, never enlarged, and a turned mirror image."""
    jitter, turn = (torch.rand(2, generator=generator) * 2 - 1).tolist()
    own = math.sqrt(style.shape[2] * style.shape[3])
    scale = min(1.0, side * 2 ** (LARGEST_OCTAVE * jitter) / own)
    height, width = (max(LEAST_SIDE, round(edge * scale)) for edge in style.shape[2:])
    upright = at_size(style, height, width).clamp(0, 1).contiguous()
    return [upright, _turned(upright.flip(3), LARGEST_TURN * turn)]


def _turned(picture: Tensor, angle: float) -> Tensor:
    """Turned about its middle; what comes in at the corners is mirrored from the picture."""
    height, width = picture.shape[2:]
    sine, cosine = math.sin(angle), math.cos(angle)
    matrix = picture.new_tensor([[[cosine, -sine * height / width, 0], [sine * width / height, cosine, 0]]])
    places = nn.affine_grid(matrix, [1, 3, height, width], align_corners=False)
    return nn.grid_sample(picture, places, mode="bilinear", padding_mode="reflection", align_corners=False)
