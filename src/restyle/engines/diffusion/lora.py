"""LoRAs (Hu et al. 2021) on a checkpoint: loaded once, kept, and switched on for the tasks that ask for them."""

import re
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.loaders import StableDiffusionLoraLoaderMixin, StableDiffusionXLLoraLoaderMixin
from diffusers.loaders.lora_base import set_adapters_for_text_encoder
from peft.tuners.tuners_utils import BaseTunerLayer

from restyle.engines.base import File
from restyle.engines.diffusion.architecture import Architecture
from restyle.engines.diffusion.components import Checkpoint, align
from restyle.engines.diffusion.files import broken, tensors

KEPT = 8
"""LoRAs that stay on one checkpoint; the least recently used makes room."""
DOWN = re.compile(r"[._](lora_down|lora_A|lora\.down|lora_linear_layer\.down)(\.default)?\.weight$")
"""One for each part of a network that a file changes."""


class LoraRack:
    """The LoRAs on one checkpoint. Outside :meth:`attached` none has a part in what the networks compute."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._names: OrderedDict[str, str] = OrderedDict()
        self._count = 0

    @contextmanager
    def attached(self, wanted: Sequence[File]) -> Iterator[None]:
        """Have these LoRAs work with their weights inside the block; a LoRA of weight 0 is left out.

        Raises RestyleError (5101) for files that do not fit.
        """
        heard = [file for file in wanted if file.weight != 0]
        if not heard:
            yield
            return
        named: dict[str, float] = {}
        for file in heard:
            name = self._loaded(file)
            named[name] = named.get(name, 0.0) + file.weight
        try:
            self._switch(named)
            yield
        finally:
            self._rest()

    def _loaded(self, file: File) -> str:
        """The name of the adapter of ``file``, loaded if it is not yet."""
        if file.sha256 not in self._names:
            self._count += 1
            name = f"lora{self._count}"
            try:
                self._load(file, name)
            except BaseException:
                self._forget(name)
                raise
            self._names[file.sha256] = name
            self._rest()
        self._names.move_to_end(file.sha256)
        return self._names[file.sha256]

    def trim(self) -> None:
        """Take off what has not been used for longest, down to KEPT."""
        while len(self._names) > KEPT:
            _, name = self._names.popitem(last=False)
            self._forget(name)

    def _load(self, file: File, name: str) -> None:
        checkpoint = self._checkpoint
        given = tensors(file)
        if any("dora_scale" in key for key in given):
            raise broken(file, "it is a DoRA, whose magnitudes are not applied")
        sdxl = checkpoint.architecture is Architecture.SDXL
        mixin: Any = StableDiffusionXLLoraLoaderMixin if sdxl else StableDiffusionLoraLoaderMixin
        wanted = sum(DOWN.search(key) is not None for key in given)
        with _quietly(), _refused(file):
            state, alphas, *_ = mixin.lora_state_dict(dict(given), unet_config=checkpoint.unet.config)
            if any(key.startswith("unet.") for key in state):
                mixin.load_lora_into_unet(state, alphas, checkpoint.unet, adapter_name=name)
            for index, encoder in enumerate(checkpoint.encoders):
                prefix = "text_encoder_2" if index else "text_encoder"
                if any(key.startswith(f"{prefix}.") for key in state):
                    mixin.load_lora_into_text_encoder(state, alphas, encoder, prefix=prefix, adapter_name=name)
        for network in self._networks_with(name):
            network.requires_grad_(False).eval()
            align(network)
        found = sum(self._layers(network, name) for network in self._networks_with(name))
        if found != wanted:
            raise broken(file, f"of its {wanted} parts {found} have a place in the main model")

    def _layers(self, network: Any, name: str) -> int:
        return sum(name in getattr(module, "lora_A", {}) for module in network.modules())

    def _networks(self) -> tuple[Any, ...]:
        return (self._checkpoint.unet, *self._checkpoint.encoders)

    def _networks_with(self, name: str) -> list[Any]:
        return [network for network in self._networks() if name in getattr(network, "peft_config", {})]

    def _switch(self, named: Mapping[str, float]) -> None:
        for network in self._networks():
            own = [name for name in named if name in getattr(network, "peft_config", {})]
            if not own:
                continue
            weights = [named[name] for name in own]
            if network is self._checkpoint.unet:
                network.set_adapters(own, weights)
                network.enable_lora()
            else:
                set_adapters_for_text_encoder(own, network, weights)
                _enable(network, True)

    def _rest(self) -> None:
        for network in self._networks():
            if getattr(network, "peft_config", None):
                _enable(network, False)

    def _forget(self, name: str) -> None:
        with _quietly():
            for network in self._networks_with(name):
                network.delete_adapters(name) if network is self._checkpoint.unet else network.delete_adapter(name)
        self._rest()


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what the library says of things that are meant: several LoRAs on a network, and taking one off."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`")
        warnings.filterwarnings("ignore", "Adapter .* was active which is now deleted")
        yield


@contextmanager
def _refused(file: File) -> Iterator[None]:
    """Have the libraries' complaints about a file say which file it is."""
    try:
        yield
    except (ValueError, RuntimeError, KeyError, IndexError) as error:
        raise broken(file, f"it does not fit the main model: {str(error)[:300]}") from error


def _enable(network: torch.nn.Module, on: bool) -> None:
    """Let all adapter layers of ``network`` work, or pass their input to the layer underneath alone."""
    for module in network.modules():
        if isinstance(module, BaseTunerLayer):
            module.enable_adapters(enabled=on)
