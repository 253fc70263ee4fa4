"""Embeddings (textual inversion, Gal et al. 2022): vectors that stand where their trigger word stands.

They take the place of the text encoder's own input vectors while one prompt is encoded; tokenizer and encoder stay as
they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from restyle.engines.base import File
from restyle.engines.diffusion.files import Tensors, broken, tensors, unpickled

SDXL_NAMES = ("clip_l", "clip_g")


@dataclass(frozen=True, eq=False, slots=True)
class Embedding:
    """``vectors`` holds one tensor (tokens, width) for each text encoder, None for one that it was not trained for and
    that does not see its place at all. ``words`` wake it.
    """

    words: tuple[str, ...]
    vectors: tuple[torch.Tensor | None, ...]

    def __len__(self) -> int:
        return next(len(part) for part in self.vectors if part is not None)

    def size(self) -> int:
        """Bytes."""
        return sum(part.numel() * part.element_size() for part in self.vectors if part is not None)


def load(file: File, widths: tuple[int, ...]) -> Embedding:
    """The embedding of ``file`` for text encoders of those widths. Raises RestyleError (5101) where it does not fit.

    Files: the Stable Diffusion WebUI's ``string_to_param`` and ``emb_params``, diffusers' single tensor under the
    token's name, SDXL's ``clip_l`` and ``clip_g``.
    """
    content: Mapping[Any, Any] = unpickled(file) if file.format == "pt" else tensors(file)
    if isinstance(content.get("string_to_param"), Mapping):
        content = content["string_to_param"]
    found = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
    return of(file, words(file), found, widths)


def of(file: File, woken: tuple[str, ...], found: Tensors, widths: tuple[int, ...]) -> Embedding:
    """The embedding of the tensors ``found`` in ``file``, woken by the words ``woken``. Raises RestyleError (5101)."""
    parts: list[torch.Tensor | None]
    if any(name in found for name in SDXL_NAMES):
        parts = [found.get(name) for name in SDXL_NAMES]
    elif len(found) == 1 or "emb_params" in found:
        parts = [found.get("emb_params", next(iter(found.values())))]
    else:
        raise broken(file, f"it holds {sorted(found)[:4]} instead of one embedding")
    vectors = tuple(None if part is None else part.detach().float().reshape(-1, part.shape[-1]) for part in parts)
    there = [(part, width) for part, width in zip(vectors, widths, strict=False) if part is not None]
    fits = all(part.shape[-1] == width for part, width in there) and len({len(part) for part, _ in there}) == 1
    if len(vectors) != len(widths) or not fits:
        shapes = ", ".join(str(tuple(part.shape)) for part in vectors if part is not None)
        raise broken(file, f"its vectors are {shapes}; the text encoders are {widths} wide")
    return Embedding(woken, vectors)


def words(file: File) -> tuple[str, ...]:
    """What wakes it in a prompt: its trigger words, or its name where it has none."""
    return file.trigger_words or (file.name,)
