"""A table of photographs redrawn with artworks."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from training.encoder import Encoder
from training.feedback import feedback, small_noise
from training.network import Brush, noise_planes


def write_sheet(network: Brush, eye: Encoder, photographs: Tensor, art: Tensor, file: Path, half: bool) -> None:
    """Every photograph (rows) with every artwork (columns), both float32 (N, 3, side, side), 0..1, as a JPEG."""
    side, device = photographs.shape[2], photographs.device
    generator, cpu = torch.Generator().manual_seed(0), torch.device("cpu")
    noise, first = noise_planes(1, side, side, cpu, generator), small_noise(1, side, cpu, generator)
    noise, first = ([plane.to(device) for plane in planes] for planes in (noise, first))
    rows = [torch.cat([torch.ones_like(photographs[:1]), *torch.split(art, 1)], 3)]
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=half):
        for photograph in torch.split(photographs, 1):
            row = [photograph]
            for one in torch.split(art, 1):
                corrections = feedback(network, eye, photograph, one, first)
                row.append(network(eye(photograph), eye(one), noise, corrections=corrections).clamp(0, 1))
            rows.append(torch.cat(row, 3))
    table = (torch.cat(rows, 2)[0] * 255 + 0.5).byte().permute(1, 2, 0).cpu().numpy()
    Image.fromarray(table).save(file, quality=88)
