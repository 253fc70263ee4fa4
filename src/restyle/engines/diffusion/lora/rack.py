"""LoRAs on a checkpoint: read once, kept, and put to work for the tasks that ask for them."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from restyle.engines.base import File
from restyle.engines.diffusion import embeddings
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.embeddings import Embedding
from restyle.engines.diffusion.files import broken
from restyle.engines.diffusion.lora import names
from restyle.engines.diffusion.lora.file import Change, read
from restyle.engines.diffusion.lora.forms import LowRank, differences, low_rank

KEPT = 8
"""LoRAs that stay on one checkpoint; the least recently used makes room."""


@dataclass(frozen=True, eq=False, slots=True)
class Lora:
    """A file made for a checkpoint: ``beside`` works beside layers, ``within`` changes their weights.

    ``left_out`` are the names in the file that have no place in the checkpoint.
    """

    beside: Mapping[torch.nn.Module, LowRank]
    within: Mapping[torch.nn.Module, Change]
    embeddings: tuple[Embedding, ...]
    left_out: tuple[str, ...]


class LoraRack:
    """The LoRAs on one checkpoint. Outside :meth:`attached` none has a part in what the networks compute."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        networks = (checkpoint.unet, *checkpoint.encoders)
        self._parts = [names.parts(network, which) for which, network in enumerate(networks)]
        self._kept: OrderedDict[str, Lora] = OrderedDict()

    @contextmanager
    def attached(self, wanted: Sequence[File]) -> Iterator[tuple[Embedding, ...]]:
        """Have these LoRAs work with their weights inside the block; a LoRA of weight 0 is left out.

        Yields the embeddings that came with them. Raises RestyleError (5101) for files that do not fit.
        """
        heard: dict[Lora, float] = {}
        for file in wanted:
            if file.weight != 0:
                lora = self.loaded(file)
                heard[lora] = heard.get(lora, 0.0) + file.weight
        with ExitStack() as stack:
            self._put_within(heard, stack)
            self._put_beside(heard, stack)
            yield tuple(embedding for lora in heard for embedding in lora.embeddings)

    def loaded(self, file: File) -> Lora:
        """The LoRA of ``file``, read if it is not yet. Raises RestyleError (5101)."""
        if file.sha256 not in self._kept:
            self._kept[file.sha256] = self._read(file)
        self._kept.move_to_end(file.sha256)
        return self._kept[file.sha256]

    def size(self) -> int:
        """Bytes of those that are kept."""
        kept: list[LowRank | Change] = []
        for lora in self._kept.values():
            kept += [*lora.beside.values(), *lora.within.values()]
        return sum(tensor.numel() * tensor.element_size() for each in kept for tensor in each.held())

    def trim(self) -> None:
        """Let go of what has not been used for longest, down to KEPT."""
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def _read(self, file: File) -> Lora:
        found = read(file)
        beside: dict[torch.nn.Module, LowRank] = {}
        within: dict[torch.nn.Module, Change] = {}
        left_out = list(found.unread)
        for stem, change in found.changes.items():
            network, name = names.place(stem)
            layer = self._parts[network].get(name) if network < len(self._parts) else None
            if layer is None:
                left_out.append(stem)
                continue
            if layer in beside or layer in within:
                raise broken(file, f"it changes {stem} twice, under two names")
            small = low_rank(change, layer)
            if small is not None:
                beside[layer] = small
                continue
            try:
                _dry(change, layer)
            except (KeyError, ValueError, RuntimeError) as error:
                reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
                raise broken(file, f"{stem} does not fit the main model: {reason[:200]}") from error
            within[layer] = change
        widths = tuple(int(encoder.config.hidden_size) for encoder in self._checkpoint.encoders)
        brought = tuple(embeddings.of(file, (word,), parts, widths) for word, parts in found.bundled.items())
        if not (beside or within or brought):
            raise broken(
                file, f"none of its parts, {', '.join(left_out[:3])} among them, has a place in the main model"
            )
        if not brought and not any(change.acts() for change in found.changes.values()):
            raise broken(file, "all of its numbers are zero: it changes nothing")
        return Lora(beside, within, brought, tuple(left_out))

    def _put_beside(self, heard: Mapping[Lora, float], stack: ExitStack) -> None:
        chains: dict[Any, list[tuple[LowRank, float]]] = defaultdict(list)
        for lora, weight in heard.items():
            for layer, small in lora.beside.items():
                chains[layer].append((small, small.factor(weight)))
        for layer, chain in chains.items():
            stack.callback(layer.register_forward_hook(_added(chain)).remove)
            for small, _ in chain:
                # offloaded networks wait elsewhere than they work
                stack.callback(small.to, layer.weight.device)

    def _put_within(self, heard: Mapping[Lora, float], stack: ExitStack) -> None:
        """Change weights, and put the very tensors back after it; they wait in the processor's memory."""
        chains: dict[torch.nn.Module, list[tuple[Change, float]]] = defaultdict(list)
        for lora, weight in heard.items():
            for layer, change in lora.within.items():
                chains[layer].append((change, weight))
        with torch.no_grad():
            for layer, chain in chains.items():
                _change(layer, chain, stack)


def _change(layer: Any, chain: Sequence[tuple[Change, float]], stack: ExitStack) -> None:
    added: dict[str, torch.Tensor] = {}
    for change, weight in chain:
        for name, difference in differences(change, layer.weight, layer.bias).items():
            added[name] = added[name] + weight * difference if name in added else weight * difference
    for name, difference in added.items():
        parameter: torch.nn.Parameter = getattr(layer, name)
        device, own = parameter.device, parameter.data
        parameter.data = (own.float() + difference).to(own.dtype)
        stack.callback(_put_back, parameter, own.cpu() if device.type != "cpu" else own)


def _put_back(parameter: torch.nn.Parameter, own: torch.Tensor) -> None:
    parameter.data = own.to(parameter.device)


def _dry(change: Change, layer: Any) -> None:
    """Raises what working out ``change`` would raise; nothing is worked out."""
    bias = layer.bias
    differences(change, layer.weight.to("meta"), None if bias is None else bias.to("meta"))


def _added(chain: Sequence[tuple[LowRank, float]]) -> Any:
    def hook(layer: torch.nn.Module, given: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        for small, factor in chain:
            output = output + small(layer, given[0]) * factor
        return output

    return hook
