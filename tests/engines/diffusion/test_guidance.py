"""The loop: step for step what the library's own pipelines compute."""

import copy
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image
from safetensors.torch import load_file, save_file

from restyle.engines.diffusion import components, prompt
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.guidance import Guided, sample
from restyle.engines.diffusion.ipadapter import IPAdapter
from restyle.engines.diffusion.samplers import SAMPLERS, SPACING, Schedule
from tests.support.library import pipeline
from tests.support.studio import RAW, SD15, Studio

SEED = 11
SAMPLED = ("Euler a", "DPM++ 2M Karras", "DPM++ 2M SDE", "Heun", "DDIM")


@pytest.fixture(scope="module")
def loaded(studio: Studio) -> dict[str, Checkpoint]:
    """By architecture, for tests that leave them as they are."""
    return {
        base: components.load(studio.file(f"{base} folder"), Device.of(studio.machine)) for base in ("sd15", "sdxl")
    }


@pytest.mark.parametrize(
    ("base", "name", "cfg_scale"),
    [
        ("sd15", "Euler", 1.0),
        ("sdxl", "Euler", 1.0),
        ("sdxl", "Euler a", 5.0),
        *(("sd15", name, 5.0) for name in SAMPLED),
    ],
)
def test_latents_are_those_of_the_librarys_img2img(
    studio: Studio, loaded: dict[str, Checkpoint], base: str, name: str, cfg_scale: float
) -> None:
    """Every sampler by one architecture: none knows whose latents it steps."""
    device, checkpoint = Device.of(studio.machine), loaded[base]
    clean = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    steps, part = 4, 0.5  # solvers of several steps take a first, two in between and a last
    sampler = SAMPLERS[name]
    schedule = Schedule(sampler, checkpoint.scheduler, steps=steps, denoise=part, seed=SEED, device="cpu")
    options: dict[str, Any] = {**SPACING[sampler.even], **sampler.options}
    scheduler = getattr(diffusers, sampler.scheduler).from_config(dict(checkpoint.scheduler), **options)
    with torch.inference_mode():
        found, against = prompt.encode(checkpoint, device, "a fox", "blurry")
        guided = Guided(checkpoint.unet, found, against, cfg_scale)
        own = sample(guided, schedule, schedule.start(clean, schedule.noise(clean)), lambda fraction: None)
    expected = pipeline(checkpoint, scheduler)(
        "a fox",
        image=clean,
        strength=part,
        num_inference_steps=round(steps / part),
        guidance_scale=cfg_scale,
        negative_prompt="blurry",
        generator=torch.Generator().manual_seed(SEED),
        output_type="latent",
    ).images
    assert torch.equal(own, expected)


@pytest.mark.parametrize("form", ["ip", "ip-plus"])
def test_an_attached_ip_adapter_is_the_librarys(studio: Studio, loaded: dict[str, Checkpoint], form: str) -> None:
    """Up to roundings: the library's weights lie elsewhere in memory, on which some processors' kernels depend."""
    device, checkpoint = Device.of(studio.machine), loaded["sd15"]
    library = copy.deepcopy(checkpoint.unet)
    name = f"sd15-{form}.safetensors"
    shape = (1, 2, 32) if form == "ip" else (1, 2, 17, 32)
    embeds = tuple(torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    seen, timestep = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3)), torch.tensor(500)
    with studio.registered(name, architecture=SD15) as file:
        adapter = IPAdapter(file, checkpoint.unet, device)
        holder = pipeline(checkpoint)
        holder.unet = library
        holder.load_ip_adapter(str(file.path.parent), subfolder="", weight_name=name, image_encoder_folder=None)
    holder.set_ip_adapter_scale({"up": {"block_1": [0.7, 0.7, 0.7]}})
    with torch.inference_mode():
        found, against = prompt.encode(checkpoint, device, "a fox", "")
        plain = Guided(checkpoint.unet, found, against, 5.0)(seen, timestep)
        with adapter.attached(checkpoint.unet, ("up_blocks.1.",), 0.7):
            own = Guided(checkpoint.unet, found, against, 5.0, None, embeds)(seen, timestep)  # type: ignore[arg-type]
        expected = Guided(library, found, against, 5.0, None, embeds)(seen, timestep)  # type: ignore[arg-type]
        assert torch.equal(Guided(checkpoint.unet, found, against, 5.0)(seen, timestep), plain)
    assert torch.allclose(own, expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(own, plain, rtol=1e-2, atol=1e-2)


def test_an_inpainting_model_sees_the_clients_mask_as_diffusers_shows_it(studio: Studio) -> None:
    state = load_file(studio.files / "sd15.safetensors")
    name = "model.diffusion_model.input_blocks.0.0.weight"
    state[name] = torch.cat([state[name], torch.ones(len(state[name]), 5, 3, 3)], dim=1)
    path = studio.files / "inpainting.safetensors"
    save_file(state, path)
    mask = np.zeros(RAW.shape[:2], np.uint8)
    mask[:, 21:] = 255
    seen: list[torch.Tensor] = []
    with studio.registered(path.name):
        checkpoint = studio.engine.checkpoint(studio.file(path.name))
        hook = checkpoint.unet.register_forward_pre_hook(lambda module, given: seen.append(given[0].clone()))
        try:
            studio.draw(path.name, own_vae=True, mask=mask, steps=1)
        finally:
            hook.remove()
    processor = VaeImageProcessor()
    opened = VaeImageProcessor(do_normalize=False, do_binarize=True, do_convert_grayscale=True).preprocess(
        Image.fromarray(mask)
    )
    left = processor.preprocess(Image.fromarray(RAW)) * (opened < 0.5)
    assert checkpoint.vae is not None
    with torch.no_grad():
        latents = checkpoint.vae.encode(left).latent_dist.mode() * checkpoint.vae.config.scaling_factor
    beside = seen[-1][:1, 4:]
    assert torch.equal(beside[:, :1], torch.nn.functional.interpolate(opened, size=(8, 8)))
    # half a level of grey apart: 127.5 is no picture's
    assert torch.allclose(beside[:, 1:], latents, atol=0.02)


@pytest.mark.parametrize("heard", [0.0, 0.3])
def test_an_inpainting_model_sees_a_mask_over_all(studio: Studio, heard: float) -> None:
    """One that does not listen to it draws what the model draws that it was made of, up to roundings."""
    state = load_file(studio.files / "sd15.safetensors")
    name = "model.diffusion_model.input_blocks.0.0.weight"
    more = heard * torch.randn(len(state[name]), 5, 3, 3, generator=torch.Generator().manual_seed(1))
    state[name] = torch.cat([state[name], more], dim=1)
    path = studio.files / f"inpainting {heard}.safetensors"
    save_file(state, path)
    with studio.registered(path.name) as file:
        drawn, plain = (studio.once(name, own_vae=True).astype(int) for name in (file.name, "sd15 file"))
    assert bool(np.abs(drawn - plain).max() <= 1) is (heard == 0)
