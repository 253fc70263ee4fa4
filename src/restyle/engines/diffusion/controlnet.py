"""ControlNets (Zhang et al. 2023): structure from the raw image, shown to a network beside the UNet."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import torch
from diffusers import ControlNetModel, ControlNetUnionModel
from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

from restyle.engines.base import File
from restyle.engines.diffusion import blueprint
from restyle.engines.diffusion.detectors import canny, lineart
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.files import Tensors, architecture_of, tensors, under, weights_in
from restyle.engines.diffusion.networks import built, from_folder, prepared
from restyle.images.pixels import Pixels

SIZE_EMBEDDING = {
    f"label_emb.0.{old}.{kind}": f"add_embedding.{new}.{kind}"
    for old, new in ((0, "linear_1"), (2, "linear_2"))
    for kind in ("weight", "bias")
}


TASKS = {"openpose": 0, "depth": 1, "softedge": 2, "canny": 3, "lineart": 3, "tile": 6}
"""What a ControlNet Union calls what it is shown, by its number: xinsir's models, of 6 tasks or, with tile, of 8."""


def load(file: File, device: Device) -> Any:
    """The ControlNet of ``file``. Raises RestyleError (5101)."""
    base = architecture_of(file)
    if "controls" in file.facts:
        # whatever a folder says of it: the tensors tell all but what all such models share
        source = device.source
        state = weights_in(file, "", source) if file.format == "folder" else tensors(file, source=source)
        shapes = blueprint.shapes(state)
        kind: type[Any] = ControlNetUnionModel
        network = built(kind, lambda: blueprint.union(shapes, base), lambda config: state, file, device.unet)
    elif file.format == "folder":
        network = from_folder(ControlNetModel, file, "", dtype=device.unet, source=device.source)
    else:
        whole = tensors(file, source=device.source)
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
    """What a ControlNet of that kind, one of ``detectors.FOUND``, is shown of a picture: float32 (1, 3, H, W), 0..1."""
    detectors: Mapping[str, Callable[[Pixels], Pixels]] = {"canny": canny, "lineart": lineart}
    return as_shown(pixels if kind == "tile" else detectors[kind](pixels))


def as_shown(picture: Pixels) -> torch.Tensor:
    """A map, uint8 (H, W, 3), as ControlNets read it: float32 (1, 3, H, W), 0..1."""
    shown = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]
    return shown.to(torch.float32) / 255
