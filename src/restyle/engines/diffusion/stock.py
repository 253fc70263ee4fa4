"""Everything that stays loaded between jobs, by the SHA-256 of its file, within bounds."""

from collections.abc import Callable
from typing import Any

import torch

from restyle.engines.base import File
from restyle.engines.cache import Cache
from restyle.engines.diffusion import components, controlnet, embeddings, hypernetwork, networks, vae
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.files import identity
from restyle.engines.diffusion.injection import Inverted
from restyle.engines.diffusion.ipadapter import ImageEncoder, IPAdapter
from restyle.engines.diffusion.lora.rack import LoraRack
from restyle.images.pixels import Pixels

SMALL_BYTES = 512 * 1024 * 1024
"""For each of hypernetworks, embeddings, and references as IP-Adapters see them."""
INVERSION_BYTES = 2 * 1024 * 1024 * 1024
"""For inverted raw images and references, on the CPU."""

Embeds = tuple[torch.Tensor, torch.Tensor]


class Loaded:
    """A checkpoint with what was put on it."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.loras = LoraRack(checkpoint)
        self.adapters: dict[str, IPAdapter] = {}

    def size(self) -> int:
        """Bytes."""
        adapters = sum(adapter.size() for adapter in self.adapters.values())
        return self.checkpoint.size() + self.loras.size() + adapters


class Stock:
    """Loads on demand. ``limit`` bounds checkpoints, in bytes, and as much VAEs, ControlNets and image encoders."""

    def __init__(self, device: Device, limit: int) -> None:
        self._device = device
        self._checkpoints: Cache[Loaded] = Cache(limit, Loaded.size)
        self._networks: Cache[Any] = Cache(limit, networks.size)
        self._encoders: Cache[ImageEncoder] = Cache(limit, lambda encoder: networks.size(encoder.network))
        self._hypernetworks: Cache[hypernetwork.Hypernetwork] = Cache(SMALL_BYTES, hypernetwork.Hypernetwork.size)
        self._embeddings: Cache[embeddings.Embedding] = Cache(SMALL_BYTES, embeddings.Embedding.size)
        self._embeds: Cache[Embeds] = Cache(SMALL_BYTES, lambda pair: sum(part.numel() * 4 for part in pair))
        self.inversions: Cache[Inverted] = Cache(INVERSION_BYTES, Inverted.size)

    def checkpoint(self, file: File) -> Loaded:
        """A main model."""
        return self._checkpoints.get(identity(file), lambda: Loaded(components.load(file, self._device)))

    def hold(self, file: File, checkpoint: Checkpoint) -> None:
        """Take a main model's networks as they are, without loading; for measuring."""
        self._checkpoints.get(identity(file), lambda: Loaded(checkpoint))

    def holds(self, file: File) -> bool:
        """Whether that main model is loaded."""
        return identity(file) in self._checkpoints

    def adapter(self, file: File, loaded: Loaded) -> IPAdapter:
        """An IP-Adapter, made for the UNet of ``loaded``."""
        if file.sha256 not in loaded.adapters:
            loaded.adapters = {file.sha256: IPAdapter(file, loaded.checkpoint.unet, self._device)}
            self._checkpoints.trim()
        return loaded.adapters[file.sha256]

    def vae(self, file: File) -> Any:
        """A VAE on its own."""
        return self._network(file, vae.load)

    def control(self, file: File) -> Any:
        """A ControlNet."""
        return self._network(file, controlnet.load)

    def _network(self, file: File, load: Callable[[File, Device], Any]) -> Any:
        return self._networks.get(identity(file), lambda: load(file, self._device))

    def embedding(self, file: File, widths: tuple[int, ...]) -> embeddings.Embedding:
        """An embedding, for text encoders of those widths."""
        key = (file.sha256, embeddings.words(file), widths)
        return self._embeddings.get(key, lambda: embeddings.load(file, widths))

    def hypernetwork(self, file: File) -> hypernetwork.Hypernetwork:
        """A hypernetwork, on the device."""

        def load() -> hypernetwork.Hypernetwork:
            found = hypernetwork.load(file)
            found.place(self._device.name, self._device.unet)
            return found

        return self._hypernetworks.get(file.sha256, load)

    @torch.inference_mode()
    def embeds(self, encoder: File, style: Pixels, digest: bytes, *, plus: bool) -> Embeds:
        """``style``, of that SHA-256, as an IP-Adapter reads it: (negative, positive), on the CPU."""

        def read() -> Embeds:
            loaded = self._encoders.get(encoder.sha256, lambda: ImageEncoder(encoder, self._device))
            return loaded.embeds(style, plus=plus)

        return self._embeds.get((encoder.sha256, digest, plus), read)

    def clear(self) -> None:
        """Let go of everything, for the sake of its memory."""
        for cache in (
            self._checkpoints,
            self._networks,
            self._encoders,
            self._hypernetworks,
            self._embeds,
            self.inversions,
        ):
            cache.clear()
        self._device.clear()
