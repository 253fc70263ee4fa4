"""The style predictor: a picture's style as a code of 100 numbers (MobileNetV2, Ghiasi et al. 2017)."""

import numpy as np

from restyle.engines.painter.weights import PREDICTOR, weight_file, without_activation_rounding
from restyle.images.pixels import Floats
from restyle.images.runtime import ov

CODE_LENGTH = 100


class Predictor:
    """Takes pictures of any size and shape: the network averages over all positions."""

    def __init__(self, core: ov.Core, options: dict[str, str | int]) -> None:
        model = core.read_model(weight_file(PREDICTOR))
        without_activation_rounding(model)
        model.reshape([1, -1, -1, 3])
        # Depthwise layers gain nothing from half precision, and codes are what everything else is steered by.
        exact = {**options, "INFERENCE_PRECISION_HINT": "f32"}
        self._request = core.compile_model(model, "CPU", exact).create_infer_request()

    def __call__(self, picture: Floats) -> Floats:
        """float32 (H, W, 3), 0..1, to a style code float32 (100,)."""
        output = self._request.infer([np.ascontiguousarray(picture)[None]], share_inputs=True)[0]
        return np.array(output, np.float32).reshape(CODE_LENGTH)
