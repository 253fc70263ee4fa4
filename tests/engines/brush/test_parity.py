"""What the engine draws is what was trained: OpenVINO beside torch, on the same random weights."""

from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest

from restyle.engines.brush.engine import Brush
from restyle.engines.brush.feedback import missed
from restyle.engines.brush.level import MARGIN, Level, Part
from restyle.engines.brush.reference import look, moments_of, view
from restyle.engines.brush.weights import Weights
from restyle.images.pixels import Floats
from tests.support.pictures import picture

if find_spec("torch") is None:
    pytest.skip("torch is not installed", allow_module_level=True)

import torch

from training import encoder, export, feedback
from training.checkpoint import Checkpoint
from training.guided import calmed
from training.network import Brush as Trained

SCALES = [1.5, 0.7, 2.0, 1.0, 0.5, 1.2, 3.0, 0.8]


def unit(height: int, width: int, seed: int = 0) -> Floats:
    return picture(height, width, seed=seed).astype(np.float32) / np.float32(255)


@pytest.fixture(scope="module")
def eye() -> encoder.Encoder:
    generator = torch.Generator().manual_seed(5)
    channels = [3, 8, 8, 12, 12, 16, 16, 16, 24]
    kernels = [
        torch.randn(outer, inner, 3, 3, generator=generator) * (2 / (9 * inner)) ** 0.5
        for inner, outer in pairwise(channels)
    ]
    kernels[0] /= 255
    biases = [0.1 * torch.randn(outer, generator=generator) for outer in channels[1:]]
    return encoder.Encoder(kernels, biases, SCALES)


@pytest.fixture(scope="module")
def trained(eye: encoder.Encoder) -> Trained:
    torch.manual_seed(3)
    network = Trained(eye.channels, width=16, key=8)
    with torch.no_grad():
        for amount in network.matching.values():
            amount.normal_()
        for noise in network.noises.values():
            noise.normal_(std=0.1)
        for each in (*network.tints.parameters(), *network.skips.parameters()):
            each.normal_(std=0.1)
    return network.eval()


@pytest.fixture(scope="module")
def brush(trained: Trained, eye: encoder.Encoder) -> Brush:
    checkpoint = Checkpoint(eye.channels, 16, 8, SCALES, trained.state_dict())
    tensors = export.tensors(checkpoint, eye)
    # In full precision, so that nothing but the arithmetic differs.
    return Brush(Weights({name: value.float().numpy() for name, value in tensors.items()}), 1)


def half(module: torch.nn.Module) -> None:
    """What the export rounds, rounded here as well."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(parameter.half().float())


@pytest.mark.parametrize(("strength", "groups"), [(1.0, 1500), (1.0, 20), (0.4, 1500), (0.0, 1500)])
def test_the_engine_draws_what_was_trained(
    brush: Brush,
    trained: Trained,
    eye: encoder.Encoder,
    strength: float,
    groups: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However coarsely the places of one colour are gathered."""
    for module in ("restyle.engines.brush.attention", "training.attention"):
        monkeypatch.setattr(f"{module}.GROUPS", groups)
    half(trained)
    half(eye)
    photograph, style = unit(45, 70), view(unit(60, 50, seed=7), 56, mirrored=False)
    level = Level(brush.networks, photograph, lambda: None, own=strength < 1)
    reference = look(brush.networks.looking, brush.networks.attention, style)
    noise = level.noise(np.random.default_rng(1))
    random = np.random.default_rng(2)
    corrections = {
        layer: (random.uniform(0.7, 1.4, count).astype(np.float32), random.normal(0, 0.1, count).astype(np.float32))
        for layer, count in eye.channels.items()
    }
    drawn = level.drawn([Part(reference)], [level.matching(reference, corrections)], noise, strength)
    framed = np.pad(photograph, ((MARGIN, MARGIN + -45 % 8), (MARGIN, MARGIN + -70 % 8), (0, 0)), "reflect")
    with torch.no_grad():
        seen = [eye(torch.from_numpy(x.copy()).permute(2, 0, 1)[None]) for x in (framed, style)]
        given = {
            layer: (torch.from_numpy(factor).view(1, -1, 1, 1), torch.from_numpy(shift).view(1, -1, 1, 1))
            for layer, (factor, shift) in corrections.items()
        }
        planes = [torch.from_numpy(plane) for plane in noise]
        inside = (..., slice(MARGIN, MARGIN + 48), slice(MARGIN, MARGIN + 72))
        free = trained.drawn(seen[0], seen[1], planes, strength, given)
        calm = calmed(free[inside], torch.from_numpy(framed.copy()).permute(2, 0, 1)[None][inside])
        wanted = calm[0].permute(1, 2, 0).numpy()[:45, :70]
    np.testing.assert_allclose(drawn, wanted, atol=2e-3)
    assert wanted.std() > 0.01


def test_the_engine_misses_what_training_misses(brush: Brush, eye: encoder.Encoder) -> None:
    half(eye)
    pictures = [unit(48, 64), unit(40, 56, seed=7) ** 3]
    ours = missed(*(moments_of(brush.networks.looking(each)) for each in pictures))
    with torch.no_grad():
        theirs = feedback.missed(*(eye(torch.from_numpy(x).permute(2, 0, 1)[None]) for x in pictures))
    for layer, pair in theirs.items():
        for found, wanted in zip(ours[layer], pair, strict=True):
            np.testing.assert_allclose(found, wanted.flatten().numpy(), atol=2e-3)
            assert wanted.std() > 0.01
