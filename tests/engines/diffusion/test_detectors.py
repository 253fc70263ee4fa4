"""The edges that ControlNets are shown."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from restyle.engines.diffusion import detectors
from tests.support.command import PYTHONPATH

TRACELESS = """
import os, numpy
from restyle.engines.diffusion import detectors
before = dict(os.environ)
detectors.canny(numpy.zeros((9, 9, 3), numpy.uint8))
assert dict(os.environ) == before, set(os.environ.items()) ^ set(before.items())
"""


def test_edges_are_those_of_the_detector_that_the_networks_learned_with() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    found = detectors.canny(picture)
    assert found.shape == picture.shape
    for channel in range(3):
        assert np.array_equal(found[..., channel], cv2.Canny(picture, 100, 200))
    assert np.array_equal(detectors.canny(np.flip(np.flip(picture, 1), 1)), found)


def test_edges_are_thin_lines_where_the_picture_changes() -> None:
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[10:30, 10:30] = 255
    found = detectors.canny(picture)
    assert set(np.unique(found)) == {0, 255}
    assert (found[20, :, 0] > 0).sum() == 2
    assert (found[:, 20, 0] > 0).sum() == 2
    assert np.flatnonzero(found[20, :, 0]) == pytest.approx([9.5, 29.5], abs=1)
    assert not detectors.canny(np.full((20, 20, 3), 90, np.uint8)).any()


def test_lines_are_those_of_the_published_formula() -> None:
    """The blur's difference to each channel, the least of them, its median above 8 drawn as 127."""
    picture = np.random.default_rng(2).integers(0, 256, (40, 56, 3), np.uint8)
    blurred = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 6.0)
    difference = np.min(blurred - picture.astype(np.float32), axis=2).clip(0, 255)
    wanted = (difference / max(16, float(np.median(difference[difference > 8]))) * 127).clip(0, 255)
    found = detectors.lineart(picture)
    assert np.abs(found[..., 0].astype(float) - wanted).max() <= 1
    assert not detectors.lineart(np.full((20, 20, 3), 90, np.uint8)).any()


def test_finding_edges_leaves_the_environment_alone() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    for before in ({}, {"LD_LIBRARY_PATH": "/opt/lib"}):
        env = {**environment, "PYTHONPATH": PYTHONPATH, **before}
        ran = subprocess.run([sys.executable, "-c", TRACELESS], env=env, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
