"""What ControlNets are shown."""

import os
import subprocess
import sys

import cv2
import numpy as np

from restyle.engines.diffusion import controlnet
from tests.support.command import PYTHONPATH

TRACELESS = """
import os, numpy
from restyle.engines.diffusion import controlnet
before = dict(os.environ)
controlnet.canny(numpy.zeros((9, 9, 3), numpy.uint8))
assert dict(os.environ) == before, set(os.environ.items()) ^ set(before.items())
"""


def test_edges_are_those_of_the_detector_that_the_networks_learned_with() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    edges = controlnet.canny(picture)
    assert edges.shape == picture.shape
    for channel in range(3):
        assert np.array_equal(edges[..., channel], cv2.Canny(picture, 100, 200))
    assert np.array_equal(controlnet.canny(np.flip(np.flip(picture, 1), 1)), edges)


def test_finding_edges_leaves_the_environment_alone() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    for before in ({}, {"LD_LIBRARY_PATH": "/opt/lib"}):
        env = {**environment, "PYTHONPATH": PYTHONPATH, **before}
        subprocess.run([sys.executable, "-c", TRACELESS], check=True, env=env)
