"""Embeddings (textual inversion, Gal et al. 2022): vectors that stand where their trigger word stands.

They take the place of the text encoder's own input vectors while one prompt is encoded; tokenizer and encoder stay as
they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from restyle.engines.base import File
from restyle.engines.diffusion.files import broken, tensors, unpickled

SDXL_NAMES = ("clip_l", "clip_g")


@dataclass(frozen=True, eq=False, slots=True)
class Embedding:
    """``vectors`` holds one tensor (tokens, width) for each text encoder; ``words`` wake it."""

    words: tuple[str, ...]
    vectors: tuple[torch.Tensor, ...]

    def __len__(self) -> int:
        return len(self.vectors[0])

    def size(self) -> int:
        """Bytes."""
        return sum(part.numel() * part.element_size() for part in self.vectors)


def load(file: File, widths: tuple[int, ...]) -> Embedding:
    """The embedding of ``file`` for text encoders of those widths. Raises RestyleError (5101) where it does not fit.

    Files: the Stable Diffusion WebUI's ``string_to_param`` and ``emb_params``, diffusers' single tensor under the
    token's name, SDXL's ``clip_l`` and ``clip_g``.
    """
    content: Mapping[Any, Any] = unpickled(file) if file.format == "pt" else tensors(file)
    if isinstance(content.get("string_to_param"), Mapping):
        content = content["string_to_param"]
    found = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
    if all(name in found for name in SDXL_NAMES):
        parts = [found[name] for name in SDXL_NAMES]
    elif len(found) == 1 or "emb_params" in found:
        parts = [found.get("emb_params", next(iter(found.values())))]
    else:
        raise broken(file, f"it holds {sorted(found)[:4]} instead of one embedding")
    vectors = tuple(part.detach().float().reshape(-1, part.shape[-1]) for part in parts)
    if tuple(part.shape[-1] for part in vectors) != widths or len({len(part) for part in vectors}) != 1:
        shapes = ", ".join(str(tuple(part.shape)) for part in vectors)
        raise broken(file, f"its vectors are {shapes}; the text encoders are {widths} wide")
    return Embedding(words(file), vectors)


def words(file: File) -> tuple[str, ...]:
    """What wakes it in a prompt: its trigger words, or its name where it has none."""
    return file.trigger_words or (file.name,)
