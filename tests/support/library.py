"""Pipelines of diffusers, to compare with."""

import copy
from functools import cache
from typing import Any

from diffusers import DDIMScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionXLImg2ImgPipeline

from restyle.engines.diffusion.architecture import Architecture
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.tokens import tokenizer
from tests.support.checkpoints import SCHEDULER


def pipeline(checkpoint: Checkpoint, scheduler: Any = None, *, own_words: bool = False) -> Any:
    """The library's own img2img pipeline over the same networks; with ``own_words`` its tokenizers may be changed."""
    scheduler = scheduler or DDIMScheduler.from_config({**SCHEDULER, "clip_sample": False})
    common = {"vae": checkpoint.vae, "unet": checkpoint.unet, "scheduler": scheduler}
    words, second = copy.deepcopy(_tokenizers()) if own_words else _tokenizers()
    if checkpoint.architecture is Architecture.SD15:
        return StableDiffusionImg2ImgPipeline(
            text_encoder=checkpoint.encoders[0],
            tokenizer=words,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
            **common,
        )
    first_encoder, second_encoder = checkpoint.encoders
    return StableDiffusionXLImg2ImgPipeline(
        text_encoder=first_encoder, text_encoder_2=second_encoder, tokenizer=words, tokenizer_2=second, **common
    )


@cache
def _tokenizers() -> tuple[Any, Any]:
    """Of the first text encoder, and of the second, made once: copying them takes most of a second."""
    words = copy.deepcopy(tokenizer())
    second = copy.deepcopy(words)
    second.pad_token = "!"
    return words, second
