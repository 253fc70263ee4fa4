"""IP-Adapters (Ye et al. 2023): a picture as a prompt, heard where style is made (InstantStyle, Wang et al. 2024)."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from restyle.engines.base import File
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.files import Tensors, broken, tensors, under, unpickled
from restyle.engines.diffusion.networks import align, fill, from_folder, prepared, unfilled
from restyle.images.pixels import Floats, Pixels

MOST_VIEWS = 8
SQUARE = 1.1
"""Pictures no longer than so many times their width count as square."""
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
"""Of CLIP's training pictures, 0..1."""


class ImageEncoder:
    """CLIP's image encoder, as an IP-Adapter reads it."""

    def __init__(self, file: File, device: Device) -> None:
        """Raises RestyleError (5101)."""
        kind = CLIPVisionModelWithProjection
        if file.format == "folder":
            part = "image_encoder" if (file.path / "image_encoder").is_dir() else ""
            self.network = from_folder(kind, file, part, dtype=device.text, source=device.source)
        else:
            self.network = _from_file(file, device)
        self._device = device
        prepared(self.network, file, device)

    def embeds(self, style: Pixels, *, plus: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """(negative, positive) for the whole of ``style``, each (1, views, ...) on the CPU.

        Classic adapters read the projected embedding, and zeros against it; "plus" ones the last but one hidden state,
        and that of a black picture against it.
        """
        side = int(self.network.config.image_size)
        pictures = np.stack([_seen(view, side) for view in views(style)])
        with self._device.using(self.network):
            positive = self._read(pictures, plus)
            negative = self._read(np.zeros_like(pictures), plus) if plus else torch.zeros_like(positive)
        return negative[None], positive[None]

    def _read(self, pictures: Floats, plus: bool) -> torch.Tensor:
        given = torch.from_numpy(pictures).to(self._device.name, self._device.text)
        output = self.network(given, output_hidden_states=plus)
        found: torch.Tensor = output.hidden_states[-2] if plus else output.image_embeds
        return found.float().cpu()


def _from_file(file: File, device: Device) -> Any:
    facts = file.facts
    config = CLIPVisionConfig(
        hidden_size=facts["hidden"],
        projection_dim=facts["projection"],
        num_hidden_layers=facts["layers"],
        num_attention_heads=facts["heads"],
        patch_size=facts["patch"],
        image_size=facts["image_size"],
        intermediate_size=facts["intermediate"],
        hidden_act=facts["activation"],
    )
    with unfilled():
        network = CLIPVisionModelWithProjection(config)
    state = {
        name: value for name, value in tensors(file, source=device.source).items() if not name.endswith("position_ids")
    }
    try:
        fill(network, state, device.text)
    except RuntimeError as error:
        raise broken(file, f"it is another image encoder than it says: {error}") from error
    return network


def views(style: Pixels) -> list[Pixels]:
    """Overlapping squares along the longer side that together show all of ``style``.

    The encoder sees squares alone: cut to one, a reference loses its ends; filled up to one, the filling leaks into the
    style. References longer than eight squares are seen in eight stretched parts.
    """
    height, width = style.shape[:2]
    long, short = max(height, width), min(height, width)
    if long <= SQUARE * short:
        return [style]
    side = max(short, math.ceil(long / MOST_VIEWS))
    count = math.ceil(long / side)
    starts = [round(index * (long - side) / (count - 1)) for index in range(count)]
    return [style[:, at : at + side] if width >= height else style[at : at + side] for at in starts]


def _seen(view: Pixels, side: int) -> Floats:
    """A view as CLIP is shown it: float32 (3, side, side)."""
    small = np.asarray(Image.fromarray(view).resize((side, side), Image.Resampling.BICUBIC), np.float32) / 255
    return np.ascontiguousarray(((small - MEAN) / DEVIATION).transpose(2, 0, 1))


class IPAdapter:
    """An adapter's networks for one UNet, put into it only while a task runs: the UNet cannot do without them then."""

    def __init__(self, file: File, unet: Any, device: Device) -> None:
        """Raises RestyleError (5101)."""
        self.plus = bool(file.facts.get("plus"))
        before = _State(unet)
        try:
            unet._load_ip_adapter_weights(_state_of(file, device.source), low_cpu_mem_usage=False)
            self._attached = _State(unet)
        except (KeyError, RuntimeError, ValueError) as error:
            raise broken(file, f"it does not fit the UNet: {error}") from error
        finally:
            before.restore(unet)
        for network in self._attached.networks():
            network.requires_grad_(False).eval()
            network.to(device.name, device.unet)
            align(network)

    @contextmanager
    def attached(self, unet: Any, blocks: tuple[str, ...], scale: float) -> Iterator[None]:
        """Be heard at ``scale`` in the layers whose names begin so, and in no others, inside the block."""
        before = _State(unet)
        try:
            self._attached.restore(unet)
            for name, processor in self._attached.processors.items():
                if hasattr(processor, "to_k_ip"):
                    processor.scale = [scale if name.startswith(blocks) else 0.0]
            yield
        finally:
            before.restore(unet)

    def size(self) -> int:
        """Bytes of its weights."""
        return sum(
            weight.numel() * weight.element_size()
            for network in self._attached.networks()
            for weight in network.parameters()
        )


class _State:
    """What an IP-Adapter changes in a UNet."""

    def __init__(self, unet: Any) -> None:
        # a resampler in the projection has processors of its own, which come and go with it
        self.processors: Mapping[str, Any] = {
            name: processor
            for name, processor in unet.attn_processors.items()
            if not name.startswith("encoder_hid_proj.")
        }
        self._projection = unet.encoder_hid_proj
        self._kind = unet.config.encoder_hid_dim_type

    def restore(self, unet: Any) -> None:
        unet.encoder_hid_proj = None
        unet.set_attn_processor(dict(self.processors))
        unet.encoder_hid_proj = self._projection
        unet.register_to_config(encoder_hid_dim_type=self._kind)

    def networks(self) -> list[torch.nn.Module]:
        found = [processor for processor in self.processors.values() if isinstance(processor, torch.nn.Module)]
        return [*found, self._projection]


def _state_of(file: File, source: str) -> dict[str, Tensors]:
    """``image_proj`` and ``ip_adapter``, whether the file keeps them apart or in its names."""
    if file.format == "pt":
        content: Mapping[Any, Any] = unpickled(file, source)
        if isinstance(content.get("image_proj"), Mapping):
            return {part: dict(content[part]) for part in ("image_proj", "ip_adapter")}
    found = tensors(file, source=source)
    return {part: under(f"{part}.", found) for part in ("image_proj", "ip_adapter")}
