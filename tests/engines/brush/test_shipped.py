"""What the brush was taught: the weights that ship, looked at through the pictures that they draw."""

from collections.abc import Callable
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.color import rgb2lab

from restyle.engines.base import Job, Machine, Style
from restyle.engines.brush import feedback
from restyle.engines.brush.engine import Brush, load
from restyle.engines.brush.reference import moments_of
from restyle.images.pixels import Floats, Pixels, unit

Draw = Callable[..., Pixels]


def reference(name: str) -> Pixels:
    with Image.open(str(files("restyle") / "styles" / "pictures" / f"{name}.jpg")) as image:
        return np.asarray(image.convert("RGB").resize((256, 256), Image.Resampling.LANCZOS))


def photograph(side: int) -> Pixels:
    return np.asarray(Image.fromarray(data.astronaut()).resize((side, side), Image.Resampling.LANCZOS))


def blocks(picture: Pixels, side: int = 8) -> Floats:
    """The mean colour of each."""
    height, width = (edge // side for edge in picture.shape[:2])
    means: Floats = picture.reshape(height, side, width, side, 3).astype(np.float32).mean((1, 3))
    return means


@pytest.fixture(scope="module")
def brush() -> Brush:
    return load(Machine(threads=1))


@pytest.fixture(scope="module")
def draw(brush: Brush) -> Draw:
    def call(raw: Pixels, style: Pixels, strength: float = 1.0) -> Pixels:
        return next(iter(brush.convert(Job(raw, (Style(style),), strength, (1,)), lambda fraction: None)))

    return call


@pytest.mark.parametrize("name", ["bay-woodcut", "desert-screenprint", "wheat-oil"])
def test_no_frame_is_drawn_around_a_sky(draw: Draw, name: str) -> None:
    """In the middle of its own mirror images it has no border there."""
    down, across = np.mgrid[:160, :160]
    raw = np.stack([120 + 60 * down / 160, 150 + 40 * down / 160, 200 + 20 * across / 160], 2).astype(np.uint8)
    style = reference(name)
    mirrored = np.pad(raw, ((64, 64), (64, 64), (0, 0)), "reflect")
    apart = np.abs(blocks(draw(raw, style)) - blocks(draw(mirrored, style)[64:-64, 64:-64])).mean(2)
    inside = apart[4:-4, 4:-4].mean()
    border = np.concatenate([apart[0], apart[-1], apart[:, 0], apart[:, -1]]).mean()
    assert border < 2 * inside


@pytest.mark.parametrize("name", ["desert-screenprint", "river-inkwash", "wheat-oil"])
def test_a_picture_has_the_colours_of_its_reference(draw: Draw, name: str) -> None:
    raw, style = photograph(160), reference(name)
    wanted, before, after = (rgb2lab(each).reshape(-1, 3).mean(0) for each in (style, raw, draw(raw, style)))
    assert np.linalg.norm(after - wanted) < 0.6 * np.linalg.norm(before - wanted)


def test_a_sketch_brings_the_statistics_of_the_reference_nearer(
    brush: Brush, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, names = photograph(256), ["desert-screenprint", "river-inkwash", "wheat-oil"]

    def seen(picture: Pixels) -> Floats:
        found = moments_of(brush.networks.looking(unit(picture)))
        return np.concatenate([np.concatenate(pair) for pair in found.values()])

    def apart() -> float:
        pairs = [(seen(draw(raw, style)), seen(style)) for style in map(reference, names)]
        return sum(float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)) for ours, theirs in pairs)

    corrected = apart()
    monkeypatch.setattr(feedback, "SHARE", 0.0)
    assert corrected < 0.95 * apart()


def test_what_the_photograph_shows_stays_where_it_is(draw: Draw) -> None:
    """At half strength light and shade of the face are those of the photograph."""
    raw = photograph(160)
    drawn = draw(raw, reference("wheat-oil"), 0.5)
    first, second = (blocks(each, 4).mean(2).ravel() for each in (raw, drawn))
    assert np.corrcoef(first, second)[0, 1] > 0.8
