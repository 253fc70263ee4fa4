"""Faults of the libraries that the engine works around. A test here fails when its fault is mended: then read its text,
take the workaround out, and the test with it.
"""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    DPMSolverSDEScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionXLPipeline,
)
from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel

from restyle.engines.diffusion import components
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.device import Device
from tests.support import checkpoints, ldm
from tests.support.checkpoints import SCHEDULER
from tests.support.library import pipeline
from tests.support.studio import SDXL, Studio


@pytest.fixture(scope="module")
def checkpoint(studio: Studio) -> Checkpoint:
    """For tests that leave it as it is, as the next."""
    return components.load(studio.file("sd15 folder"), Device.of(studio.machine))


@pytest.fixture(scope="module")
def large(studio: Studio) -> Checkpoint:
    return components.load(studio.file("sdxl folder"), Device.of(studio.machine))


def test_clip_skip_of_sd15_breaks_on_flat_text_encoders(checkpoint: Checkpoint) -> None:
    """diffusers 0.42.1 looks for ``text_model``, which transformers 5.6 took away; ``prompt`` reads layers itself."""
    with pytest.raises(AttributeError, match="text_model"):
        pipeline(checkpoint).encode_prompt("a fox", "cpu", 1, True, clip_skip=1)


@pytest.mark.filterwarnings("ignore:Should have t[ab]")
def test_dpm_sde_does_not_take_a_generator() -> None:
    """Its noise comes from a seed of its own, else from nowhere in particular; ``samplers`` gives it the image's."""

    def run(**options: Any) -> torch.Tensor:
        scheduler = DPMSolverSDEScheduler.from_config(SCHEDULER, **options)
        scheduler.set_timesteps(4)
        latents = torch.ones(1, 4, 8, 8)
        for timestep in scheduler.timesteps:
            latents = scheduler.step(0.1 * latents, timestep, latents).prev_sample
        return latents

    assert not torch.equal(run(), run())
    assert torch.equal(run(noise_sampler_seed=1), run(noise_sampler_seed=1))


def test_img2img_of_no_steps_crashes(checkpoint: Checkpoint) -> None:
    """``int(8 * 0.12)`` is none; ``samplers.whole_of`` always executes the steps asked for."""
    with pytest.raises(RuntimeError, match="0 elements"):
        pipeline(checkpoint)("a fox", image=torch.zeros(1, 4, 8, 8), strength=0.12, num_inference_steps=8)


def test_leading_spacing_does_not_reach_the_noise_of_long_schedules() -> None:
    """667 steps by whole numbers of timesteps end at 667; ``samplers.SPACING`` lays them out evenly instead."""
    scheduler = EulerDiscreteScheduler.from_config({**SCHEDULER, "timestep_spacing": "leading"})
    scheduler.set_timesteps(667)
    assert float(scheduler.timesteps[0]) < 700


def test_plms_loses_its_repeated_step_in_img2img() -> None:
    """Only the second timestep of a whole schedule is repeated; ``Schedule`` repeats that of the part it runs."""
    scheduler = PNDMScheduler.from_config(SCHEDULER)
    scheduler.set_timesteps(12)
    part = scheduler.timesteps[6:].tolist()
    assert len(part) == len(set(part))


def test_a_single_file_of_sdxl_is_read_by_the_width_of_its_encoder(studio: Studio, large: Checkpoint) -> None:
    """The second encoder gets the weights of the first where it has not OpenCLIP's real width; ``components`` goes by
    names.
    """
    loaded = StableDiffusionXLPipeline.from_single_file(
        str(studio.files / "sdxl.safetensors"), config=str(_with_tokenizers(studio, large)), local_files_only=True
    )
    expected = large.encoders[1].state_dict()
    found = loaded.text_encoder_2.state_dict()
    same = [name for name in expected if found[name].device.type != "meta" and torch.equal(found[name], expected[name])]
    assert len(same) < len(expected)


def _with_tokenizers(studio: Studio, large: Checkpoint) -> Path:
    """The folder that the library wants beside a single file."""
    folder = studio.files.parent / "sdxl-config"
    if not folder.exists():
        StableDiffusionXLPipeline(
            vae=large.vae,
            unet=large.unet,
            text_encoder=large.encoders[0],
            text_encoder_2=large.encoders[1],
            tokenizer=pipeline(large).tokenizer,
            tokenizer_2=pipeline(large).tokenizer_2,
            scheduler=EulerDiscreteScheduler.from_config(SCHEDULER),
        ).save_pretrained(folder)
    return folder


def test_a_text_encoder_with_missing_tensors_loads_with_random_ones(studio: Studio, tmp_path: Path) -> None:
    """transformers prints it and goes on; ``networks.from_folder`` looks at what it says was missing."""
    source = studio.files / "sd15" / "text_encoder"
    state = load_file(source / "model.safetensors")
    gone = next(name for name in state if "q_proj.weight" in name)
    del state[gone]
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    (tmp_path / "config.json").write_text((source / "config.json").read_text())
    assert isinstance(CLIPTextModel.from_pretrained(tmp_path, local_files_only=True), CLIPTextModel)


def adapted(studio: Studio, checkpoint: Checkpoint) -> Any:
    """A pipeline with an IP-Adapter, and a UNet of its own for it."""
    holder = pipeline(checkpoint)
    holder.unet = copy.deepcopy(checkpoint.unet)
    holder.load_ip_adapter(
        str(studio.files), subfolder="", weight_name="sd15-ip.safetensors", image_encoder_folder=None
    )
    return holder


def test_a_unet_with_an_ip_adapter_cannot_do_without_a_picture(studio: Studio, checkpoint: Checkpoint) -> None:
    """``ipadapter`` therefore puts its networks in for a task only."""
    holder = adapted(studio, checkpoint)
    with pytest.raises(TypeError, match="NoneType"):
        holder("a fox", image=torch.zeros(1, 4, 8, 8), num_inference_steps=4)


def test_the_style_block_of_sdxl_silences_an_adapter_of_sd15(studio: Studio, checkpoint: Checkpoint) -> None:
    """A block that is not there is passed over without a word; the recipes have one for each."""
    holder = adapted(studio, checkpoint)
    holder.set_ip_adapter_scale({"up": {"block_0": [0.0, 1.0, 0.0]}})
    scales = [processor.scale for processor in holder.unet.attn_processors.values() if hasattr(processor, "scale")]
    assert all(scale == [0.0] for scale in scales)


def test_an_embedding_of_sdxl_does_not_load_whole(studio: Studio, large: Checkpoint) -> None:
    """The library takes one encoder's vectors at a time; ``embeddings`` reads both, and adds no tokens."""
    with pytest.raises(ValueError, match="incorrect"):
        pipeline(large, own_words=True).load_textual_inversion(
            str(studio.files / "sdxl-word.safetensors"), token="zorp"
        )


def test_a_controlnet_of_sdxl_in_its_authors_layout_loses_a_part(studio: Studio) -> None:
    """The library passes over what tells it the picture's size; ``controlnet`` adds it."""
    network = checkpoints.controlnet_network(SDXL)
    state = ldm.controlnet(network.state_dict())
    found = convert_controlnet_checkpoint(state, network.config)
    assert {name for name in network.state_dict() if name not in found} == {
        f"add_embedding.linear_{index}.{kind}" for index in (1, 2) for kind in ("weight", "bias")
    }


def test_karras_timesteps_are_rounded_into_repetitions() -> None:
    """So ``Schedule`` counts steps by index, and tells the scheduler where it begins."""
    scheduler = DPMSolverMultistepScheduler.from_config(SCHEDULER, use_karras_sigmas=True)
    scheduler.set_timesteps(200)
    timesteps = scheduler.timesteps.tolist()
    assert len(set(timesteps)) < len(timesteps)


def test_an_unknown_dora_is_dropped_with_a_warning_only(studio: Studio, large: Checkpoint) -> None:
    """The library leaves magnitudes out and goes on; ``lora`` refuses the file."""
    state = load_file(studio.files / "sdxl-lora2.safetensors")
    first = next(iter(state)).split(".")[0]
    state[f"{first}.dora_scale"] = torch.ones(1)
    found = pipeline(large).lora_state_dict(state, unet_config=large.unet.config)[0]
    assert not any("dora" in name for name in found)
