"""From prompts to what the network reads: weights, chunks of 75 tokens, ClipSkip, embeddings.

Without weights, ClipSkip and embeddings the result is the library's own ``encode_prompt``, bit for bit.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from restyle.engines.diffusion.architecture import Architecture
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.embeddings import Embedding
from restyle.engines.diffusion.emphasis import parse
from restyle.engines.diffusion.tokens import CONTEXT, END, START, token_ids
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

CHUNK = CONTEXT - 2
BACKTRACK = 20
"""A chunk that fills up ends at a comma of its last so many tokens, if there is one."""
COMMA = 267
BRACKETS = re.compile(r"[()\[\]]")
OPEN_CLIP_PADDING = 0
FAINT = 1e-3
"""A mean smaller than this part of the deviation counts as zero."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token under a weight. Of an embedding, ``row`` says which of its vectors stands here."""

    id: int
    weight: float
    embedding: Embedding | None = None
    row: int = 0

    def seen_by(self, encoder: int) -> bool:
        """Whether the text encoder of that number reads it."""
        return self.embedding is None or self.embedding.vectors[encoder] is not None


@dataclass(frozen=True, eq=False, slots=True)
class Conditioning:
    """``hidden`` is (1, 77 n, context); ``pooled`` is (1, projection) for SDXL, else None."""

    hidden: torch.Tensor
    pooled: torch.Tensor | None


def texts(positive: Sequence[str], negative: Sequence[str], trigger_words: Sequence[str]) -> tuple[str, str]:
    """The two prompts as one text each: joined with commas, LoRAs' trigger words added where they do not stand yet."""
    wanted = [prompt for prompt in positive if prompt.strip()]
    for word in trigger_words:
        if not holds(", ".join(wanted), word):
            wanted.append(word)
    return ", ".join(wanted), ", ".join(prompt for prompt in negative if prompt.strip())


def holds(text: str, word: str) -> bool:
    """Whether ``word`` stands in ``text`` as a word of its own, in whatever case."""
    return bool(_pattern([word]).search(text))


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in longest_first), re.IGNORECASE)


def chunks(text: str, embeddings: Sequence[Embedding] = ()) -> list[list[Token]]:
    """The tokens of a prompt in chunks of at most 75; at least one chunk."""
    found: list[list[Token]] = [[]]
    for piece in parse(_plain(text, embeddings)):
        if piece.breaks:
            found.append([])
            continue
        for unit in _units(piece.text, piece.weight, embeddings):
            if len(found[-1]) + len(unit) > CHUNK:
                found.append(_carried(found[-1]) if len(unit) == 1 else [])
            found[-1] += unit
    # a BREAK at the end begins a chunk only if something follows, which nothing does
    return found[:-1] if len(found) > 1 and not found[-1] else found


def _plain(text: str, embeddings: Sequence[Embedding]) -> str:
    """``text`` with the brackets in embeddings' own words as characters, not as weights."""
    words = [word for embedding in embeddings for word in embedding.words if BRACKETS.search(word)]
    if not words:
        return text
    return _pattern(words).sub(lambda match: BRACKETS.sub(r"\\\g<0>", match[0]), text)


def _carried(full: list[Token]) -> list[Token]:
    """Take from a full chunk what follows its last comma, unless that is far back."""
    for index in range(len(full) - 1, max(0, len(full) - 1 - BACKTRACK), -1):
        if full[index].id == COMMA and full[index].embedding is None:
            carried = full[index + 1 :]
            del full[index + 1 :]
            return carried
    return []


def _units(text: str, weight: float, embeddings: Sequence[Embedding]) -> Iterator[list[Token]]:
    """Tokens that stay in one chunk: each of the text alone, those of an embedding together."""
    named = {word.lower(): embedding for embedding in embeddings for word in embedding.words}
    at = 0
    for match in _pattern(list(named)).finditer(text) if named else ():
        yield from ([Token(id, weight)] for id in token_ids(text[at : match.start()]))
        embedding = named[match[0].lower()]
        for first in range(0, len(embedding), CHUNK):
            rows = range(first, min(first + CHUNK, len(embedding)))
            yield [Token(OPEN_CLIP_PADDING, weight, embedding, row) for row in rows]
        at = match.end()
    yield from ([Token(id, weight)] for id in token_ids(text[at:]))


def encode(
    checkpoint: Checkpoint,
    device: Device,
    positive: str,
    negative: str,
    clip_skip: int = 1,
    embeddings: Sequence[Embedding] = (),
) -> tuple[Conditioning, Conditioning]:
    """Both prompts encoded, as many chunks each.

    ``clip_skip`` counts layers from the end as the Stable Diffusion WebUI does: 1 is the last. SDXL was made for the
    last but one of both encoders, so that 1 and 2 are the same there. An empty negative prompt of SDXL is zero, as in
    that program and in diffusers.

    Raises RestyleError (230) where the text encoders have no such layer.
    """
    wanted, unwanted = chunks(positive, embeddings), chunks(negative, embeddings)
    count = max(len(wanted), len(unwanted))
    with device.using(*checkpoint.encoders):
        found = _encode(checkpoint, device, wanted + [[]] * (count - len(wanted)), clip_skip)
        if checkpoint.architecture is Architecture.SDXL and not negative:
            assert found.pooled is not None
            return found, Conditioning(torch.zeros_like(found.hidden), torch.zeros_like(found.pooled))
        if positive == negative:
            return found, found
        against = _encode(checkpoint, device, unwanted + [[]] * (count - len(unwanted)), clip_skip)
    return found, against


def _encode(checkpoint: Checkpoint, device: Device, text: list[list[Token]], clip_skip: int) -> Conditioning:
    hidden, pooled = [], None
    for index, encoder in enumerate(checkpoint.encoders):
        seen = [[token for token in chunk if token.seen_by(index)] for chunk in text]
        ids = torch.tensor([_ids(chunk, OPEN_CLIP_PADDING if index else END) for chunk in seen], device=device.name)
        with _replaced(encoder, seen, index):
            output = encoder(ids, output_hidden_states=True)
        hidden.append(_emphasised(_layer(checkpoint, encoder, output, clip_skip), seen))
        pooled = output.text_embeds[:1] if index else None
    joined = torch.cat(hidden, dim=-1)
    return Conditioning(joined.reshape(1, -1, joined.shape[-1]).to(device.unet), pooled)


def _ids(chunk: list[Token], padding: int) -> list[int]:
    ids = [START, *(token.id for token in chunk), END]
    return ids + [padding] * (CONTEXT - len(ids))


def _layer(checkpoint: Checkpoint, encoder: Any, output: Any, clip_skip: int) -> torch.Tensor:
    back = max(clip_skip, 2) if checkpoint.architecture is Architecture.SDXL else clip_skip
    states = output.hidden_states
    if back > len(states):
        field = "MainModel.InferenceParams.ClipSkip"
        raise RestyleError(
            Code.PARAMETER_NOT_AVAILABLE,
            f"parameter {field} not available: it is {clip_skip}, and the text encoder of this model has "
            f"{len(states) - 1} layers",
            field=field,
        )
    layer: torch.Tensor = states[-back]
    # SD 1.5 was trained on normalised states, SDXL on bare ones
    if checkpoint.architecture is Architecture.SD15:
        layer = encoder.final_layer_norm(layer)
    return layer


def _emphasised(layer: torch.Tensor, text: list[list[Token]]) -> torch.Tensor:
    """Each token's state times its weight, and each chunk brought back to its mean, as that program does.

    Not where the mean is as good as zero: the quotient of two such is anything.
    """
    weights = [[1.0, *(token.weight for token in chunk), *[1.0] * (CONTEXT - 1 - len(chunk))] for chunk in text]
    if all(weight == 1.0 for row in weights for weight in row):
        return layer
    weighed = layer * torch.tensor(weights, device=layer.device, dtype=layer.dtype)[..., None]
    before, after = (states.mean((1, 2), keepdim=True) for states in (layer, weighed))
    faint = torch.minimum(before.abs(), after.abs()) < FAINT * layer.std((1, 2), keepdim=True)
    return weighed * torch.where(faint, torch.ones_like(before), before / after)


@contextmanager
def _replaced(encoder: Any, text: list[list[Token]], index: int) -> Iterator[None]:
    """Have embeddings' vectors stand in the encoder's input inside the block."""
    places = [
        (row, column, vectors[token.row])
        for row, chunk in enumerate(text)
        for column, token in enumerate(chunk, start=1)
        if token.embedding is not None and (vectors := token.embedding.vectors[index]) is not None
    ]

    def replace(module: torch.nn.Module, given: Any, vectors: torch.Tensor) -> torch.Tensor:
        vectors = vectors.clone()
        for row, column, vector in places:
            vectors[row, column] = vector.to(vectors.device, vectors.dtype)
        return vectors

    if not places:
        yield
        return
    hook = encoder.get_input_embeddings().register_forward_hook(replace)
    try:
        yield
    finally:
        hook.remove()
