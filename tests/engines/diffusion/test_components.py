"""Checkpoints as they load: every tensor in its place, or an error that says which is not."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
from diffusers import EulerDiscreteScheduler
from safetensors.torch import load_file, save_file

from restyle.engines.base import File, Machine, Role
from restyle.engines.diffusion import components, controlnet, vae
from restyle.engines.diffusion.blueprint import NATIVE_SIDE
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.device import Device
from restyle.models.kinds import Architecture
from restyle.models.scan import scan
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError
from tests.support import checkpoints, ldm
from tests.support.studio import SD15, Studio


def file(path: Path, architecture: str, role: Role = Role.MAIN, **facts: Any) -> File:
    form = "folder" if path.is_dir() else "pt" if path.suffix in (".pt", ".ckpt") else "safetensors"
    return File(role, path, "0" * 64, path.name, form, architecture, facts)


@pytest.fixture(scope="module")
def device() -> Device:
    return Device.of(Machine(device="cpu", precision="float32"))


@pytest.fixture(scope="module")
def whole(studio: Studio, device: Device) -> Callable[[str], Checkpoint]:
    """A checkpoint of the studio by the name of its file, loaded once, for tests that leave it as it is."""

    @cache
    def loaded(name: str) -> Checkpoint:
        return components.load(file(studio.files / name, name.removesuffix(".safetensors")), device)

    return loaded


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_file_and_folder_hold_the_same_networks(whole: Callable[[str], Checkpoint], base: str) -> None:
    architecture = Architecture(base)
    from_folder, from_file = whole(base), whole(f"{base}.safetensors")
    for one, other in zip(from_folder.networks(), from_file.networks(), strict=True):
        assert same(one, other)
    assert same(from_file.unet, checkpoints.unet(architecture))
    assert from_folder.native == checkpoints.NATIVE
    assert from_file.native == NATIVE_SIDE[from_file.architecture]
    assert from_file.vae is not None
    assert from_file.vae.config.scaling_factor == checkpoints.SCALING[architecture]


def test_a_checkpoint_of_torch_save_loads(studio: Studio, device: Device, tmp_path: Path) -> None:
    path = tmp_path / "old.ckpt"
    torch.save({"state_dict": load_file(studio.files / "sd15.safetensors"), "global_step": 1}, path)
    found = components.load(file(path, SD15), device)
    assert same(found.unet, checkpoints.unet(SD15))


def test_what_means_nothing_here_is_left_alone(
    studio: Studio, device: Device, whole: Callable[[str], Checkpoint], base: str, tmp_path: Path
) -> None:
    """The projection of OpenAI's encoder, as some programs save it, and what training keeps of a schedule."""
    state = load_file(studio.files / f"{base}.safetensors")
    first = "cond_stage_model." if base == "sd15" else "conditioner.embedders.0."
    state |= {f"{first}transformer.text_projection.weight": torch.eye(checkpoints.HIDDEN)}
    state |= {f"{first}logit_scale": torch.tensor(4.6), f"{first}transformer.logit_scale": torch.tensor(4.6)}
    state |= {f"{first}transformer.text_model.embeddings.position_ids": torch.arange(77)[None]}
    state["sqrt_recip_alphas_cumprod"] = torch.tensor([torch.inf])
    path = tmp_path / "more.safetensors"
    save_file(state, path)
    scan(path)
    plain = whole(f"{base}.safetensors")
    more = components.load(file(path, base), device)
    assert all(same(*pair) for pair in zip(plain.networks(), more.networks(), strict=True))


def test_weights_of_eight_bits_are_scaled(
    studio: Studio, device: Device, whole: Callable[[str], Checkpoint], tmp_path: Path
) -> None:
    state = load_file(studio.files / "sd15.safetensors")
    name = next(name for name in state if name.endswith("attn1.to_q.weight"))
    weight = state[name]
    scale = weight.abs().max() / 448
    state[name] = (weight / scale).to(torch.float8_e4m3fn)
    state |= {name.replace(".weight", ".scale_weight"): scale, name.replace(".weight", ".scale_input"): torch.ones(())}
    state["model.diffusion_model.scaled_fp8"] = torch.zeros(2).to(torch.float8_e4m3fn)
    path = tmp_path / "eight.safetensors"
    save_file(state, path)
    plain = whole("sd15.safetensors").unet.state_dict()
    found = components.load(file(path, SD15), device).unet.state_dict()
    other = [key for key in plain if not torch.equal(plain[key], found[key])]
    assert len(other) == 1
    assert torch.equal(found[other[0]], state[name].float() * scale)
    assert torch.allclose(found[other[0]], weight, atol=float(weight.abs().max()) / 16)


def test_a_folder_of_pickles_is_the_folder(
    studio: Studio, device: Device, whole: Callable[[str], Checkpoint], base: str, tmp_path: Path
) -> None:
    folder = tmp_path / base
    copytree(studio.files / base, folder)
    for weights in sorted(folder.rglob("*.safetensors")):
        stem = {"model": "pytorch_model"}.get(weights.stem, weights.stem)
        torch.save(load_file(weights), weights.with_name(f"{stem}.bin"))
        weights.unlink()
    found = components.load(file(folder, base), device)
    assert all(same(*pair) for pair in zip(whole(base).networks(), found.networks(), strict=True))


def test_a_file_that_leaves_no_signal_at_its_noisiest_says_so(studio: Studio, device: Device) -> None:
    path = studio.files / "sdxl.safetensors"
    found = components.load(file(path, "sdxl", prediction_type="v_prediction", zero_snr=True), device)
    wanted = {**checkpoints.SCHEDULER, "prediction_type": "v_prediction", "rescale_betas_zero_snr": True}
    noise = [EulerDiscreteScheduler.from_config(dict(config)).alphas_cumprod for config in (found.scheduler, wanted)]
    assert torch.equal(*noise)
    assert float(noise[0][-1]) < 1e-6


@pytest.mark.parametrize(("form", "completing"), [("ldm", ""), ("bare", ".safetensors"), ("diffusers", ".safetensors")])
def test_a_unet_alone_is_completed_by_its_base(
    studio: Studio,
    device: Device,
    whole: Callable[[str], Checkpoint],
    base: str,
    tmp_path: Path,
    form: str,
    completing: str,
) -> None:
    """Of whatever form the one and the other are: they are read apart."""
    architecture = Architecture(base)
    unet = checkpoints.unet(architecture, 99)
    state = unet.state_dict() if form == "diffusers" else ldm.unet(unet.state_dict())
    if form == "bare":
        state = {name.removeprefix("model.diffusion_model."): value for name, value in state.items()}
    path = tmp_path / "unet.safetensors"
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    rest = file(studio.files / f"{base}{completing}", architecture)
    alone = replace(file(path, architecture, prediction_type="v_prediction"), base=rest)
    found = components.load(alone, device)
    assert same(found.unet, unet)
    assert all(
        same(*pair) for pair in zip(found.networks()[1:], whole(f"{base}{completing}").networks()[1:], strict=True)
    )
    assert found.scheduler["prediction_type"] == "v_prediction"


def test_half_precision_files_are_brought_to_the_devices(studio: Studio, device: Device, tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    save_file({name: value.half() for name, value in load_file(studio.files / "sd15.safetensors").items()}, path)
    found = components.load(file(path, SD15), device)
    assert {weight.dtype for network in found.networks() for weight in network.parameters()} == {torch.float32}
    half = Device.of(Machine(device="cpu", precision="bfloat16"))
    assert next(components.load(file(path, SD15), half).unet.parameters()).dtype == torch.bfloat16


@pytest.mark.parametrize("lost", ["attn2.to_k.weight", "quant_conv.bias", "text_model.encoder.layers.3.mlp.fc1.weight"])
def test_a_file_that_lacks_a_tensor_is_refused(studio: Studio, device: Device, tmp_path: Path, lost: str) -> None:
    state = load_file(studio.files / "sd15.safetensors")
    del state[next(name for name in state if name.endswith(lost))]
    path = tmp_path / "cut.safetensors"
    save_file(state, path)
    with pytest.raises(RestyleError, match=r"cut\.safetensors") as caught:
        components.load(file(path, SD15), device)
    assert caught.value.code == Code.ENGINE_FAILED


def test_a_folder_that_lacks_a_tensor_is_refused(device: Device, tmp_path: Path) -> None:
    folder = checkpoints.folder(tmp_path / "cut", SD15)
    weights = folder / "text_encoder" / "model.safetensors"
    state = load_file(weights)
    del state[next(name for name in state if "layers.4.self_attn.q_proj.weight" in name)]
    save_file(state, weights, {"format": "pt"})
    with pytest.raises(RestyleError, match="q_proj"):
        components.load(file(folder, SD15), device)


def test_a_file_that_vanished_is_named(device: Device, tmp_path: Path) -> None:
    with pytest.raises(RestyleError, match=r"gone\.safetensors"):
        components.load(file(tmp_path / "gone.safetensors", SD15), device)


def test_vaes_and_controlnets_load_from_every_form(studio: Studio, device: Device, base: str, tmp_path: Path) -> None:
    architecture = Architecture(base)
    network = checkpoints.vae(architecture, 20)
    named, plain = tmp_path / "named.safetensors", tmp_path / "plain.safetensors"
    save_file(ldm.vae(network.state_dict()), named)
    save_file(network.state_dict(), plain)
    for path in (studio.files / f"{base}-vae.safetensors", named, plain, studio.files / base / "vae"):
        found = vae.load(file(path, architecture, Role.VAE), device)
        assert same(found, network) is not path.is_dir()
        assert found.config.scaling_factor == checkpoints.SCALING[architecture]
    folder = studio.files / f"{base}-control"
    single = folder / "diffusion_pytorch_model.safetensors"
    role = Role.CONTROLNET
    whole = controlnet.load(file(folder, architecture, role), device)
    assert same(whole, controlnet.load(file(single, architecture, role), device))
    theirs = tmp_path / "control.safetensors"
    save_file(ldm.controlnet(whole.state_dict()), theirs)
    assert same(whole, controlnet.load(file(theirs, architecture, role), device))


def test_pixels_survive_the_way_to_latents_and_back_in_shape(studio: Studio, device: Device) -> None:
    network = deepcopy(checkpoints.vae(SD15)).requires_grad_(False)
    pixels = vae.padded(studio.job("sd15 folder").raw[:50, :41])
    latents = vae.encode(network, pixels, device)
    assert latents.shape == (1, 4, 7, 6)
    assert vae.decode(network, latents, device).shape == (56, 48, 3)
    assert (pixels[49] == pixels[55]).all()


def test_large_pictures_are_coded_in_tiles_and_the_network_is_as_before(device: Device) -> None:
    network = deepcopy(checkpoints.vae(SD15)).requires_grad_(False)
    before = (network.use_tiling, network.tile_sample_min_size, network.tile_latent_min_size)
    shapes = []
    network.decoder.register_forward_hook(lambda module, given, output: shapes.append(output.shape[-2:]))
    drawn = vae.decode(network, torch.zeros(1, 4, 8, 160), device)
    assert drawn.shape == (64, 1280, 3)
    assert max(max(shape) for shape in shapes) <= vae.TILE
    assert (network.use_tiling, network.tile_sample_min_size, network.tile_latent_min_size) == before


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(RestyleError, match="diffusion_device"):
        Device.of(Machine(device="cuda:99"))
