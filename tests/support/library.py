"""Pipelines of diffusers, to compare with."""

import copy
from typing import Any

from diffusers import DDIMScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionXLImg2ImgPipeline

from restyle.engines.diffusion.architecture import Architecture
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.tokens import tokenizer
from tests.support.checkpoints import SCHEDULER


def pipeline(checkpoint: Checkpoint, scheduler: Any = None) -> Any:
    """The library's own img2img pipeline over the same networks."""
    scheduler = scheduler or DDIMScheduler.from_config({**SCHEDULER, "clip_sample": False})
    common = {"vae": checkpoint.vae, "unet": checkpoint.unet, "scheduler": scheduler}
    words = copy.deepcopy(tokenizer())
    if checkpoint.architecture is Architecture.SD15:
        return StableDiffusionImg2ImgPipeline(
            text_encoder=checkpoint.encoders[0],
            tokenizer=words,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
            **common,
        )
    second = copy.deepcopy(words)
    second.pad_token = "!"
    first_encoder, second_encoder = checkpoint.encoders
    return StableDiffusionXLImg2ImgPipeline(
        text_encoder=first_encoder, text_encoder_2=second_encoder, tokenizer=words, tokenizer_2=second, **common
    )
