import numpy as np
import numpy.typing as npt
import pytest

from benchmarks import vgg
from restyle.engines.neighbour.weights import CONVOLUTIONS
from restyle.images.pixels import Floats
from tests.support.networks import random_vgg, random_weights
from tests.support.pictures import picture

Doubles = npt.NDArray[np.float64]


def convolve(x: Doubles, kernel: Floats, bias: Floats) -> Doubles:
    """The definition, pixel by pixel."""
    height, width, _ = x.shape
    padded = np.zeros((height + 2, width + 2, x.shape[2]))
    padded[1:-1, 1:-1] = x
    out = np.empty((height, width, kernel.shape[3]))
    for top in range(height):
        for left in range(width):
            patch = padded[top : top + 3, left : left + 3]
            out[top, left] = [np.sum(patch * kernel[..., channel]) for channel in range(kernel.shape[3])]
    result: Doubles = np.maximum(out + bias, 0)
    return result


def pool(x: Doubles) -> Doubles:
    height, width, _ = x.shape
    return np.array(
        [
            [x[top : top + 2, left : left + 2].max(axis=(0, 1)) for left in range(0, width, 2)]
            for top in range(0, height, 2)
        ]
    )


@pytest.mark.parametrize(("height", "width"), [(16, 24), (11, 17), (3, 9)])
def test_layers_are_those_of_the_definition(height: int, width: int) -> None:
    image = picture(height, width)
    found = random_vgg().features(image)
    x = image[..., ::-1] - np.array([104.007, 116.669, 122.679])
    expected = {}
    for name, (kernel, bias) in zip(CONVOLUTIONS, random_weights(), strict=False):
        if name in ("2_1", "3_1", "4_1"):
            x = pool(x)
        x = convolve(x, kernel, bias)
        expected[name] = x
    assert list(found) == ["1_1", "2_1", "3_1", "4_1"]
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-3, atol=1e-2)


def test_a_picture_of_many_bands_equals_its_parts() -> None:
    """Rows far from the cut do not notice where the picture was cut into bands."""
    network, tall = random_vgg(), picture(3000, 64)
    whole, top = network.features(tall)["1_1"], network.features(tall[:100])["1_1"]
    np.testing.assert_allclose(whole[:99], top[:99], rtol=1e-4, atol=1e-3)


def test_the_number_of_weights_is_checked() -> None:
    with pytest.raises(ValueError, match="7 convolutions given, 8 to 10 needed"):
        vgg.VGG16(random_weights()[:-1])
