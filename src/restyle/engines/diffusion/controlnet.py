"""ControlNets (Zhang et al. 2023): structure from the raw image, shown to a network beside the UNet."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from diffusers import ControlNetModel
from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint
from scipy import ndimage

from restyle.engines.base import File
from restyle.engines.diffusion import blueprint
from restyle.engines.diffusion.components import built, from_folder, prepared
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.files import Tensors, architecture_of, tensors, under
from restyle.images.luma import luma
from restyle.images.pixels import Pixels

SIZE_EMBEDDING = {
    f"label_emb.0.{old}.{kind}": f"add_embedding.{new}.{kind}"
    for old, new in ((0, "linear_1"), (2, "linear_2"))
    for kind in ("weight", "bias")
}
SMOOTHING = 1.4
LOW, HIGH = 100, 200
"""Canny's thresholds, on gradients of a Sobel filter over 0..255: those that the ControlNet was trained with."""


def load(file: File, device: Device) -> Any:
    """The ControlNet of ``file``. Raises RestyleError (5101)."""
    base = architecture_of(file)
    if file.format == "folder":
        network = from_folder(ControlNetModel, file, "", dtype=device.unet)
    else:
        whole = tensors(file)
        found = under("control_model.", whole) or whole

        def convert(config: Mapping[str, Any]) -> Tensors:
            state = cast(Tensors, convert_controlnet_checkpoint(found, config))
            # the library forgets these of SDXL
            return {**state, **{new: found[old] for old, new in SIZE_EMBEDDING.items() if old in found}}

        network = built(
            ControlNetModel,
            lambda: blueprint.controlnet(blueprint.shapes(found), base),
            convert,
            file,
            device.unet,
        )
    prepared(network, file, device)
    return network


def condition(kind: str, pixels: Pixels) -> torch.Tensor:
    """What a ControlNet of that kind (``tile`` or ``canny``) is shown: float32 (1, 3, H, W), 0..1."""
    picture = canny(pixels) if kind == "canny" else pixels
    shown = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]
    return shown.to(torch.float32) / 255


def canny(pixels: Pixels) -> Pixels:
    """Edges as white lines one pixel wide on black (Canny 1986), uint8 (H, W, 3)."""
    grey = ndimage.gaussian_filter(luma(pixels.astype(np.float32)), SMOOTHING)
    down, across = ndimage.sobel(grey, axis=0), ndimage.sobel(grey, axis=1)
    strength = np.hypot(down, across)
    padded = np.pad(strength, 1)
    height, width = strength.shape

    def neighbour(rows: int, columns: int) -> Any:
        return padded[1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]

    # keep what is no weaker than both neighbours in the gradient's direction, of four
    angle = np.round(np.arctan2(down, across) / (np.pi / 4)).astype(int) % 4
    ridge = np.zeros(strength.shape, bool)
    for direction, (rows, columns) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        crest = (strength >= neighbour(rows, columns)) & (strength > neighbour(-rows, -columns))
        ridge |= (angle == direction) & crest
    weak = ridge & (strength > LOW)
    labels, _ = ndimage.label(weak, np.ones((3, 3)))
    kept = np.unique(labels[weak & (strength > HIGH)])
    edges = np.isin(labels, kept[kept > 0])
    return np.repeat((edges * np.uint8(255))[..., None], 3, axis=2)
