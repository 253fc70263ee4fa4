"""A table of photographs redrawn with artworks."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from training.encoder import Encoder
from training.network import Brush, noise_planes


def write_sheet(network: Brush, eye: Encoder, photographs: Tensor, art: Tensor, file: Path, half: bool) -> None:
    """Every photograph (rows) with every artwork (columns), both float32 (N, 3, side, side), 0..1, as a JPEG."""
    height, width = photographs.shape[2:]
    device = photographs.device
    noise = [plane.to(device) for plane in noise_planes(1, height, width, torch.device("cpu"), _generator())]
    rows = [torch.cat([torch.ones_like(photographs[:1]), *torch.split(art, 1)], 3)]
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=half):
        styles = [eye(one) for one in torch.split(art, 1)]
        for photograph in torch.split(photographs, 1):
            content = eye(photograph)
            drawn = [network(content, style, noise).clamp(0, 1) for style in styles]
            rows.append(torch.cat([photograph, *drawn], 3))
    table = (torch.cat(rows, 2)[0] * 255 + 0.5).byte().permute(1, 2, 0).cpu().numpy()
    Image.fromarray(table).save(file, quality=88)


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
