"""CLIP's tokenizer, the same for every checkpoint of Stable Diffusion 1.5 and SDXL.

The byte pair merges are those of OpenAI's CLIP (``vocabulary/``, MIT licence): single-file checkpoints bring none.
"""

import gzip
from functools import cache
from importlib.resources import files

from transformers import CLIPTokenizer

START, END = 49406, 49407
"""Ids of the tokens that stand before and after every text."""
SIZE = 49408
CONTEXT = 77
"""Tokens that the encoder reads at once, START and END among them."""


def _bytes() -> list[str]:
    """A printable character for each byte: itself where it is printable, else one from U+0100 on (GPT-2's table)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(code) for code in printable] + [chr(256 + index) for index in range(256 - len(printable))]


@cache
def tokenizer() -> CLIPTokenizer:
    """The tokenizer, without a checkpoint."""
    packed = files("restyle.engines.diffusion").joinpath("vocabulary/clip_merges.txt.gz").read_bytes()
    pairs = [tuple(line.split()) for line in gzip.decompress(packed).decode().splitlines()]
    symbols = _bytes()
    words = [*symbols, *(symbol + "</w>" for symbol in symbols), *("".join(pair) for pair in pairs)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: index for index, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=pairs, model_max_length=CONTEXT)


def token_ids(text: str) -> list[int]:
    """The ids of ``text`` alone. Names of special tokens in it are read as the text they are."""
    # one text at a time: a batch would start threads, of which the library warns in every process forked later
    backend = tokenizer().backend_tokenizer
    backend.encode_special_tokens = True
    ids: list[int] = backend.encode(text, add_special_tokens=False).ids
    return ids
