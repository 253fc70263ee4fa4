"""Every relative of LoRA against its formula, layer by layer, and against PEFT where that reads the file."""

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from safetensors.torch import save_file
from torch.nn import functional

from restyle.engines.base import File, Role
from restyle.engines.diffusion import components
from restyle.engines.diffusion.components import Checkpoint
from restyle.engines.diffusion.device import Device
from restyle.engines.diffusion.lora.rack import LoraRack
from restyle.wire.errors import RestyleError
from tests.support.checkpoints import Tensors, seeded
from tests.support.studio import Studio

ATTENTION = "up_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
FORWARD = "up_blocks.1.attentions.0.transformer_blocks.0.ff.net.0.proj"
CONV = "up_blocks.1.resnets.0.conv1"
POINT = "up_blocks.1.attentions.0.proj_in"
NORM = "up_blocks.1.attentions.0.transformer_blocks.0.norm1"
RANK = 3


@pytest.fixture(scope="module")
def checkpoint(studio: Studio) -> Checkpoint:
    return components.load(studio.file("sd15 folder"), Device.of(studio.machine))


@pytest.fixture
def rack(checkpoint: Checkpoint) -> LoraRack:
    return LoraRack(checkpoint)


def written(path: Path, state: Tensors, said: dict[str, str] | None = None, weight: float = 1.0) -> File:
    """A LoRA's file, as the engine gets it."""
    if path.suffix == ".bin":
        torch.save(state, path)
    else:
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, path, said)
    form = "pt" if path.suffix == ".bin" else "safetensors"
    return File(Role.LORA, path, path.name, path.name, form, "sd15", weight=weight)


def stem(place: str) -> str:
    return f"lora_unet_{place.replace('.', '_')}"


def close(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether both are the same but for roundings."""
    return torch.allclose(one, other, rtol=1e-4, atol=1e-5)


def numbers(*shape: int, seed: int = 1) -> torch.Tensor:
    with seeded(seed + sum(shape)):
        return torch.randn(*shape) * 0.3


def product(layer: Any, rank: int = RANK, *, alpha: float | None = None) -> Tensors:
    """The tensors of a plain LoRA for ``layer``, by their ends in kohya's names."""
    weight = layer.weight
    down = numbers(rank, *weight.shape[1:])
    up = numbers(weight.shape[0], rank, *[1] * (weight.ndim - 2), seed=2)
    return {"lora_down.weight": down, "lora_up.weight": up, **({} if alpha is None else {"alpha": torch.tensor(alpha)})}


def under(place: str, tensors: Tensors) -> Tensors:
    return {f"{stem(place)}.{name}": tensor for name, tensor in tensors.items()}


@contextmanager
def changed(layer: Any, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Iterator[None]:
    """``layer`` with what is added to its parameters, for reference."""
    before = {name: each.data for name, each in layer.named_parameters()}
    layer.weight.data = before["weight"] + weight.reshape(before["weight"].shape)
    if bias is not None:
        layer.bias.data = before["bias"] + bias
    yield
    for name, value in before.items():
        getattr(layer, name).data = value


def seen(layer: Any) -> torch.Tensor:
    """What ``layer`` makes of some input."""
    width = layer.weight.shape[1] if layer.weight.ndim > 1 else layer.weight.shape[0]
    given = numbers(2, width, 6, 6) if layer.weight.ndim == 4 else numbers(2, 5, width)
    with torch.no_grad():
        made: torch.Tensor = layer(given)
    return made


def matrix(tensors: Tensors, scale: float = 1.0) -> torch.Tensor:
    up, down = tensors["lora_up.weight"], tensors["lora_down.weight"]
    return scale * (up.flatten(1) @ down.flatten(1))


Case = tuple[Tensors, torch.Tensor, torch.Tensor | None]


def plain(layer: Any) -> Case:
    found = product(layer, alpha=6.0)
    return found, matrix(found, 2.0), None


def without_alpha(layer: Any) -> Case:
    found = product(layer)
    return found, matrix(found), None


def other_kernel(layer: Any) -> Case:
    """Of a convolution of size 1 for a linear layer, and the other way round."""
    found = product(layer, alpha=3.0)
    shape = (..., None, None) if layer.weight.ndim == 2 else (..., 0, 0)
    return {name: each if name == "alpha" else each[shape] for name, each in found.items()}, matrix(found), None


def core(layer: Any) -> Case:
    """Three convolutions, one after the other, make the one that is added."""
    outer, inner, *kernel = layer.weight.shape
    down, middle, up = numbers(RANK, inner, 1, 1), numbers(RANK, RANK, *kernel), numbers(outer, RANK, 1, 1)
    impulses = torch.zeros(inner, inner, 5, 5)
    impulses[range(inner), range(inner), 2, 2] = 1
    chained = functional.conv2d(functional.conv2d(functional.conv2d(impulses, down), middle, padding=1), up)
    # a convolution's answer to an impulse is its kernel turned round
    added = chained[:, :, 1:4, 1:4].flip(2, 3).transpose(0, 1)
    found = {"lora_down.weight": down, "lora_mid.weight": middle, "lora_up.weight": up, "alpha": torch.tensor(6.0)}
    return found, 2 * added, None


def loha(layer: Any) -> Case:
    outer, inner = layer.weight.shape[0], layer.weight[0].numel()
    found = {
        f"hada_w{index}_{part}": numbers(*shape, seed=index)
        for index in (1, 2)
        for part, shape in (("a", (outer, RANK)), ("b", (RANK, inner)))
    }
    pairs = [found[f"hada_w{index}_a"].numpy() @ found[f"hada_w{index}_b"].numpy() for index in (1, 2)]
    return {**found, "alpha": torch.tensor(1.5)}, torch.from_numpy(0.5 * pairs[0] * pairs[1]), None


def loha_around_cores(layer: Any) -> Case:
    outer, inner, *kernel = layer.weight.shape
    found, factors = {"alpha": torch.tensor(3.0)}, []
    for index in (1, 2):
        left, right = numbers(RANK, outer, seed=index), numbers(RANK, inner, seed=index)
        middle = numbers(RANK, RANK, *kernel, seed=index)
        found |= {f"hada_w{index}_a": left, f"hada_w{index}_b": right, f"hada_t{index}": middle}
        factors.append(np.einsum("aikl,ao,ij->ojkl", middle.numpy(), left.numpy(), right.numpy()))
    return found, torch.from_numpy(factors[0] * factors[1]), None


def lokr(layer: Any) -> Case:
    """Both factors whole: what alpha says is not divided by anything."""
    outer, inner, *kernel = layer.weight.shape
    first, second = numbers(4, 2), numbers(outer // 4, inner // 2, *kernel)
    found = {"lokr_w1": first, "lokr_w2": second, "alpha": torch.tensor(99.0)}
    return found, torch.from_numpy(np.kron(first.numpy().reshape(4, 2, *[1] * len(kernel)), second.numpy())), None


def lokr_apart(layer: Any) -> Case:
    outer, inner = layer.weight.shape[0], layer.weight[0].numel()
    first, left, right = numbers(4, 2), numbers(outer // 4, RANK), numbers(RANK, inner // 2)
    found = {"lokr_w1": first, "lokr_w2_a": left, "lokr_w2_b": right, "alpha": torch.tensor(6.0)}
    return found, torch.from_numpy(2 * np.kron(first.numpy(), (left @ right).numpy())), None


def lokr_around_a_core(layer: Any) -> Case:
    outer, inner, *kernel = layer.weight.shape
    pair, left, right = (numbers(4, RANK), numbers(RANK, 2)), numbers(RANK, outer // 4), numbers(RANK, inner // 2)
    middle = numbers(RANK, RANK, *kernel)
    second = np.einsum("aikl,ao,ij->ojkl", middle.numpy(), left.numpy(), right.numpy())
    found = {"lokr_w1_a": pair[0], "lokr_w1_b": pair[1], "lokr_w2_a": left, "lokr_w2_b": right, "lokr_t2": middle}
    return found, torch.from_numpy(np.kron((pair[0] @ pair[1]).numpy()[..., None, None], second)), None


def whole(layer: Any) -> Case:
    weight, bias = numbers(*layer.weight.shape), numbers(*layer.bias.shape)
    return {"diff": weight, "diff_b": bias}, weight, bias


def factors_and_whole(layer: Any) -> Case:
    """As trainers of LyCORIS write where they extract a model and keep what its factors miss."""
    found, weight, bias = whole(layer)
    assert bias is not None
    factors = product(layer, alpha=6.0)
    return {**factors, **found}, weight + matrix(factors, 2.0).reshape(weight.shape), bias


def norm(layer: Any) -> Case:
    weight, bias = numbers(*layer.weight.shape), numbers(*layer.bias.shape, seed=2)
    return {"w_norm": weight, "b_norm": bias}, weight, bias


def dora(layer: Any) -> Case:
    """Rows of the changed matrix, each as long as its magnitude."""
    found, own = product(layer, alpha=3.0), layer.weight.detach().flatten(1)
    directed = own + matrix(found)
    magnitude = numbers(len(own)).abs() + 0.5
    merged = directed / directed.norm(dim=1, keepdim=True) * magnitude[:, None]
    kept = magnitude.reshape(-1, *[1] * (layer.weight.ndim - 1))
    return {**found, "dora_scale": kept}, merged - own, None


def dora_of_columns(layer: Any) -> Case:
    found, own = product(layer), layer.weight.detach()
    directed = own + matrix(found)
    magnitude = numbers(1, own.shape[1]).abs() + 0.5
    return {**found, "dora_scale": magnitude}, directed / directed.norm(dim=0, keepdim=True) * magnitude - own, None


FORMS: list[tuple[Callable[[Any], Case], str]] = [
    (plain, ATTENTION),
    (plain, CONV),
    (without_alpha, POINT),
    (other_kernel, FORWARD),
    (other_kernel, POINT),
    (core, CONV),
    (loha, ATTENTION),
    (loha, CONV),
    (loha_around_cores, CONV),
    (lokr, ATTENTION),
    (lokr, CONV),
    (lokr_apart, ATTENTION),
    (lokr_apart, CONV),
    (lokr_around_a_core, CONV),
    (whole, CONV),
    (whole, FORWARD),
    (factors_and_whole, FORWARD),
    (factors_and_whole, CONV),
    (norm, NORM),
    (dora, ATTENTION),
    (dora, CONV),
    (dora_of_columns, FORWARD),
]


@pytest.mark.parametrize(("form", "place"), FORMS, ids=[f"{form.__name__} {place}" for form, place in FORMS])
def test_a_form_does_what_its_formula_says(
    checkpoint: Checkpoint, rack: LoraRack, tmp_path: Path, form: Callable[[Any], Case], place: str
) -> None:
    layer = checkpoint.unet.get_submodule(place)
    tensors, weight, bias = form(layer)
    before = seen(layer)
    for factor in (1.0, -0.4):
        with changed(layer, factor * weight, None if bias is None else factor * bias):
            wanted = seen(layer)
        file = written(tmp_path / "x.safetensors", under(place, tensors), weight=factor)
        with rack.attached([file]):
            assert close(seen(layer), wanted)
        assert not close(before, wanted)
    assert torch.equal(seen(layer), before)


def test_alpha_and_rank_are_each_parts_own(checkpoint: Checkpoint, rack: LoraRack, tmp_path: Path) -> None:
    """As in files that were resized, extracted, or trained with weights for blocks."""
    state: Tensors = {}
    scales: Tensors = {}
    for number, part in enumerate(("to_q", "to_k", "to_v")):
        place = ATTENTION.replace("to_q", part)
        found = product(checkpoint.unet.get_submodule(place), rank=2 + number, alpha=float(3 * number + 1))
        state |= under(place, found)
        scales[place] = matrix(found, (3 * number + 1) / (2 + number))
    for place, added in scales.items():
        layer = checkpoint.unet.get_submodule(place)
        with changed(layer, added):
            wanted = seen(layer)
        with rack.attached([written(tmp_path / "x.safetensors", state)]):
            assert close(seen(layer), wanted)


def test_several_files_on_one_layer_add_up(checkpoint: Checkpoint, rack: LoraRack, tmp_path: Path) -> None:
    layer = checkpoint.unet.get_submodule(ATTENTION)
    cases = [form(layer) for form in (plain, loha, dora)]
    files = [
        written(tmp_path / f"{n}.safetensors", under(ATTENTION, case[0]), weight=0.5) for n, case in enumerate(cases)
    ]
    with changed(layer, 0.5 * sum((case[1].reshape(layer.weight.shape) for case in cases), torch.zeros(()))):
        wanted = seen(layer)
    with rack.attached(files):
        assert close(seen(layer), wanted)


PEFT = {"lora_A.weight": "lora_down.weight", "lora_B.weight": "lora_up.weight"}


@pytest.mark.parametrize("how", ["metadata", "patterns", "rank-stabilised", "beside", "neither", "dora"])
def test_files_of_diffusers_are_read_as_diffusers_reads_them(
    checkpoint: Checkpoint, rack: LoraRack, tmp_path: Path, how: str
) -> None:
    places = [ATTENTION, ATTENTION.replace("to_q", "to_k")]
    state: Tensors = {}
    settings: dict[str, Any] = {"r": RANK, "lora_alpha": 2, "rank_pattern": {}, "alpha_pattern": {}}
    settings |= {"target_modules": places, "use_dora": how == "dora", "lora_bias": False}
    for place in places:
        found = product(checkpoint.unet.get_submodule(place))
        state |= {f"unet.{place}.{end}": found[kohya] for end, kohya in PEFT.items()}
        if how == "beside":
            state[f"unet.{place}.alpha"] = torch.tensor(2.0)
        if how == "dora":
            rows = checkpoint.unet.get_submodule(place).weight.shape[0]
            state[f"unet.{place}.lora_magnitude_vector"] = numbers(rows).abs() + 0.5
    if how == "patterns":
        settings["alpha_pattern"] = {"attn1.to_k": 5}
    settings["use_rslora"] = how == "rank-stabilised"
    told = how in ("metadata", "patterns", "rank-stabilised", "dora")
    said = {"lora_adapter_metadata": json.dumps({f"unet.{key}": value for key, value in settings.items()})}
    file = written(tmp_path / "x.safetensors", state, said if told else None)
    network = copy.deepcopy(checkpoint.unet)
    if how == "beside":  # the library knows alphas in kohya's files alone
        settings["lora_alpha"], told = 2, True
    given = {name: tensor for name, tensor in state.items() if not name.endswith(".alpha")}
    metadata = {f"unet.{key}": value for key, value in settings.items()} if told else None
    StableDiffusionLoraLoaderMixin.load_lora_into_unet(given, {}, network, adapter_name="x", metadata=metadata)
    for place in places:
        with rack.attached([file]):
            own = seen(checkpoint.unet.get_submodule(place))
        theirs = network.get_submodule(place)
        width = theirs.base_layer.weight.shape[1]
        with torch.no_grad():
            assert close(own, theirs(numbers(2, 5, width)))


def test_what_changes_nothing_is_refused(checkpoint: Checkpoint, rack: LoraRack, tmp_path: Path) -> None:
    found = product(checkpoint.unet.get_submodule(ATTENTION))
    found["lora_up.weight"] = torch.zeros_like(found["lora_up.weight"])
    with pytest.raises(RestyleError, match="changes nothing"):
        rack.loaded(written(tmp_path / "zero.safetensors", under(ATTENTION, found)))
    with pytest.raises(RestyleError, match=r"none of its parts.*nowhere"):
        rack.loaded(written(tmp_path / "x.safetensors", under("nowhere.attn1", product(torch.nn.Linear(4, 4)))))


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"lora_down.weight": numbers(2, 999), "lora_up.weight": numbers(64, 2)}, "for a layer of"),
        ({"hada_w1_a": numbers(64, 2), "hada_w1_b": numbers(2, 64)}, "'hada_w2_a' is missing"),
        ({"lokr_w1": numbers(4, 2)}, "'lokr_w2_a' is missing"),
        ({"diff": numbers(64, 63)}, "for a layer of"),
        ({"diff_b": numbers(64)}, "the bias of a layer that has none"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name(
    rack: LoraRack, tmp_path: Path, tensors: Tensors, reason: str
) -> None:
    with pytest.raises(RestyleError, match=f"attn1_to_q does not fit the main model: .*{reason}"):
        rack.loaded(written(tmp_path / "x.safetensors", under(ATTENTION, tensors)))
