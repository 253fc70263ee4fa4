"""Pictures for training: read once, kept on the device, cut at random."""

import io
import os
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.nn.functional as nn
from PIL import Image
from torch import Tensor

SUFFIXES = (".jpg", ".png", ".webp")
HELD_BACK = 12
"""Pictures of each kind that are never trained on."""


def read(places: Sequence[Path], side: int) -> list[Tensor]:
    """uint8 (3, h, w), the shorter side exactly ``side``, of every picture in folders or tar files, by their names.

    Raises ValueError where there are too few to hold some back.
    """
    blobs: list[bytes] = []
    for place in places:
        if place.suffix == ".tar":
            with tarfile.open(place) as tar:
                members = sorted((m for m in tar.getmembers() if m.isfile()), key=lambda m: m.name)
                blobs += [file.read() for m in members if (file := tar.extractfile(m))]
        else:
            blobs += [file.read_bytes() for file in sorted(place.iterdir()) if file.suffix in SUFFIXES]
    if len(blobs) < 2 * HELD_BACK:
        names = ", ".join(map(str, places))
        raise ValueError(f"{names}: {len(blobs)} pictures; at least {2 * HELD_BACK} are needed")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda blob: _decoded(blob, side), blobs))


def divided(pictures: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Those to train on, and :data:`HELD_BACK` others, evenly chosen."""
    held = {round(i) for i in np.linspace(0, len(pictures) - 1, HELD_BACK)}
    trained = [picture for number, picture in enumerate(pictures) if number not in held]
    return trained, [pictures[number] for number in sorted(held)]


def squares(pictures: Sequence[Tensor], side: int, device: torch.device) -> Tensor:
    """The middle squares, float32 (N, 3, side, side), 0..1."""
    return torch.cat([_sized(_middle(p)[None].to(device).float() / 255, side) for p in pictures])


def crops(source: Sequence[Tensor], count: int, side: int, widest: float, random: Random) -> Tensor:
    """``count`` random squares, mirrored at random, float32 (count, 3, side, side), 0..1, on the pictures' device.

    All of one batch are cut ``side`` to ``widest`` times as wide, as far as the pictures go, and then reduced.
    """
    chosen = random.choices(source, k=count)
    wide = min(round(side * random.uniform(1, widest)), *(min(p.shape[1:]) for p in chosen))
    cut = []
    for picture in chosen:
        top, left = (random.randint(0, length - wide) for length in picture.shape[1:])
        square = picture[:, top : top + wide, left : left + wide]
        cut.append(square.flip(2) if random.random() < 0.5 else square)
    return _sized(torch.stack(cut).float() / 255, side)


def _decoded(blob: bytes, side: int) -> Tensor:
    image = Image.open(io.BytesIO(blob)).convert("RGB")
    scale = side / min(image.size)
    size = (max(side, round(image.width * scale)), max(side, round(image.height * scale)))
    return torch.from_numpy(np.array(image.resize(size, Image.Resampling.LANCZOS))).permute(2, 0, 1).contiguous()


def _middle(picture: Tensor) -> Tensor:
    height, width = picture.shape[1:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[:, top : top + side, left : left + side]


def _sized(pictures: Tensor, side: int) -> Tensor:
    if pictures.shape[2] == side:
        return pictures
    return nn.interpolate(pictures, (side, side), mode="bilinear", antialias=True, align_corners=False)
