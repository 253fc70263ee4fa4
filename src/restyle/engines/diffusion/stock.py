"""Everything a worker keeps loaded, by the SHA-256 of its file, within bounds."""

from collections.abc import Callable
from typing import Any

import torch

from restyle.engines.diffusion import components, controlnet, embeddings, hypernetwork, vae
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.injection import Inverted
from restyle.engines.diffusion.ipadapter import ImageEncoder, IPAdapter
from restyle.engines.diffusion.lora import LoraRack
from restyle.engines.diffusion.shelf import Shelf
from restyle.images.pixels import Pixels
from restyle.models.catalogue import Entry

SMALL_BYTES = 512 * 1024 * 1024
"""For each of hypernetworks, embeddings, and references as IP-Adapters see them."""
STYLE_BYTES = 2 * 1024 * 1024 * 1024
"""For inverted references, on the CPU."""

Embeds = tuple[torch.Tensor, torch.Tensor]


class Loaded:
    """A checkpoint with what was put on it."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.loras = LoraRack(checkpoint)
        self.adapters: dict[str, IPAdapter] = {}

    def size(self) -> int:
        """Bytes."""
        return self.checkpoint.size() + sum(adapter.size() for adapter in self.adapters.values())


class Stock:
    """Loads on demand. ``limit`` bounds checkpoints, in bytes, and as much VAEs, ControlNets and image encoders."""

    def __init__(self, device: Device, limit: int) -> None:
        self._device = device
        self._checkpoints: Shelf[Loaded] = Shelf(limit, Loaded.size)
        self._networks: Shelf[Any] = Shelf(limit, components.size)
        self._encoders: Shelf[ImageEncoder] = Shelf(limit, lambda encoder: components.size(encoder.network))
        self._hypernetworks: Shelf[hypernetwork.Hypernetwork] = Shelf(SMALL_BYTES, hypernetwork.Hypernetwork.size)
        self._embeddings: Shelf[embeddings.Embedding] = Shelf(SMALL_BYTES, embeddings.Embedding.size)
        self._embeds: Shelf[Embeds] = Shelf(SMALL_BYTES, lambda pair: sum(part.numel() * 4 for part in pair))
        self.styles: Shelf[Inverted] = Shelf(STYLE_BYTES, Inverted.size)

    def checkpoint(self, entry: Entry) -> Loaded:
        """A main model."""
        return self._checkpoints.get(entry.sha256, lambda: Loaded(components.load(entry, self._device)))

    def holds(self, entry: Entry) -> bool:
        """Whether that main model is loaded."""
        return entry.sha256 in self._checkpoints

    def adapter(self, entry: Entry, loaded: Loaded) -> IPAdapter:
        """An IP-Adapter, made for the UNet of ``loaded``."""
        if entry.sha256 not in loaded.adapters:
            loaded.adapters = {entry.sha256: IPAdapter(entry, loaded.checkpoint.unet, self._device)}
        return loaded.adapters[entry.sha256]

    def vae(self, entry: Entry) -> Any:
        """A VAE registered on its own."""
        return self._network(entry, vae.load)

    def control(self, entry: Entry) -> Any:
        """A ControlNet."""
        return self._network(entry, controlnet.load)

    def _network(self, entry: Entry, load: Callable[[Entry, Device], Any]) -> Any:
        return self._networks.get((entry.sha256, entry.architecture), lambda: load(entry, self._device))

    def embedding(self, entry: Entry, widths: tuple[int, ...]) -> embeddings.Embedding:
        """An embedding, for text encoders of those widths."""
        key = (entry.sha256, entry.trigger_words, widths)
        return self._embeddings.get(key, lambda: embeddings.load(entry, widths))

    def hypernetwork(self, entry: Entry) -> hypernetwork.Hypernetwork:
        """A hypernetwork, on the device."""

        def load() -> hypernetwork.Hypernetwork:
            found = hypernetwork.load(entry)
            found.place(self._device.name, self._device.unet)
            return found

        return self._hypernetworks.get(entry.sha256, load)

    @torch.inference_mode()
    def embeds(self, encoder: Entry, style: Pixels, digest: bytes, *, plus: bool) -> Embeds:
        """``style``, of that SHA-256, as an IP-Adapter reads it: (negative, positive), on the CPU."""

        def read() -> Embeds:
            loaded = self._encoders.get(encoder.sha256, lambda: ImageEncoder(encoder, self._device))
            return loaded.embeds(style, plus=plus)

        return self._embeds.get((encoder.sha256, digest, plus), read)

    def clear(self) -> None:
        """Let go of everything, for the sake of its memory."""
        for shelf in (
            self._checkpoints,
            self._networks,
            self._encoders,
            self._hypernetworks,
            self._embeds,
            self.styles,
        ):
            shelf.clear()
        self._device.clear()
