"""How near a result is to its style reference, and how much of its photograph is left.

All numbers are made from uint8 (H, W, 3) sRGB pictures scaled to one size (:data:`SIZE` squared pixels), so results of
different resolutions are seen as pictures of the same size. Distances are relative: 0 is equal, about 1 is as far as
having nothing in common.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from skimage.color import rgb2lab
from skimage.feature import canny
from skimage.metrics import structural_similarity
from skimage.morphology import dilation, disk

from benchmarks import vgg
from restyle.images.luma import LUMA
from restyle.images.pixels import Pixels
from restyle.images.resize import resized

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

SIZE = 512
CONTENT_LAYER = "4_1"
PATCHES, PATCH_OCTAVES = 4096, 4
NAMES = {
    "moment": "style: VGG16 channel moments",
    "gram": "style: VGG16 Gram",
    "lab": "style: Lab Frechet",
    "content": "content: VGG16 relu4_1",
    "ssim": "content: SSIM of luma",
    "edges": "content: edge F1",
}
"""Every metric of :meth:`Scorer.score` and what it is called in tables; for the last two more is better."""


@dataclass(frozen=True, slots=True)
class Features:
    """What VGG16 saw in one picture.

    ``moments``: layer -> float32 (2, channels), mean and standard deviation over the picture; ``grams``: layer ->
    float32 (channels, channels), X^T X / pixels; ``content``: relu4_1, float32 (h, w, 512).
    """

    moments: Mapping[str, Floats]
    grams: Mapping[str, Floats]
    content: Floats


def scaled(image: Pixels, size: int = SIZE, shape: tuple[int, int] | None = None) -> Pixels:
    """``image`` enlarged or reduced (Lanczos) to ``shape`` (height, width), by default to ``size`` squared pixels."""
    if shape is None:
        scale = size / float(np.sqrt(image.shape[0] * image.shape[1]))
        shape = (max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale)))
    return resized(image, shape[1], shape[0])


def moment_distance(result: Mapping[str, Floats], style: Mapping[str, Floats]) -> float:
    """Mean over layers of ``|m(result) - m(style)| / |m(style)|``, m = channel means and deviations, Euclidean norm.

    The style loss of Huang & Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization"
    (ICCV 2017, equation 13), made relative so that layers of different scale count alike.
    """
    return _relative(result, style)


def gram_distance(result: Mapping[str, Floats], style: Mapping[str, Floats]) -> float:
    """Mean over layers of ``|G(result) - G(style)| / |G(style)|``, Frobenius norm.

    The style loss of Gatys, Ecker & Bethge, "Image Style Transfer Using Convolutional Neural Networks" (CVPR 2016),
    made relative.
    """
    return _relative(result, style)


def content_distance(result: Floats, raw: Floats) -> float:
    """``|F(result) - F(raw)| / |F(raw)|`` for relu4_1 activations F: the content loss of both papers, made relative."""
    return float(np.linalg.norm(result - raw) / np.linalg.norm(raw))


def ssim(result: Pixels, raw: Pixels) -> float:
    """Structural similarity of the lumas (BT.601), Gaussian window of deviation 1.5, as in Wang, Bovik, Sheikh &
    Simoncelli, "Image Quality Assessment" (IEEE TIP 2004). Both pictures have one shape.
    """
    value = structural_similarity(
        _luma(result), _luma(raw), data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    return float(value)


def edge_f1(result: Pixels, raw: Pixels) -> float:
    """F1 of the Canny edges of the result against those of the photograph; both pictures have one shape.

    Precision: which part of the result's edges lies near an edge of the photograph; recall: the other way round. Near
    is 3 pixels at 512 (0.6 % of the side), in the manner of the boundary benchmark of Martin, Fowlkes & Malik (PAMI
    2004).
    Beyond 512 smoothing, gradient thresholds and tolerance follow the size, so that the same edges are meant.
    """
    scale = max(1.0, float(np.sqrt(raw.shape[0] * raw.shape[1])) / SIZE)
    ours, theirs = (
        canny(_luma(image), sigma=scale, low_threshold=0.1 / scale, high_threshold=0.2 / scale)
        for image in (result, raw)
    )
    if not ours.any() or not theirs.any():
        return float(ours.any() == theirs.any())
    near = disk(round(3 * scale), decomposition="sequence")
    precision = (ours & dilation(theirs, near)).sum() / ours.sum()
    recall = (theirs & dilation(ours, near)).sum() / theirs.sum()
    return float(2 * precision * recall / max(precision + recall, np.finfo(float).tiny))


def lab_frechet(result: Pixels, style: Pixels) -> float:
    """Frechet distance between the colours of two pictures as Gaussians in CIE Lab, in units of Delta E.

    ``sqrt(|m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2))`` (Dowson & Landau 1982).
    """
    (m1, c1), (m2, c2) = (lab_moments(image) for image in (result, style))
    root = matrix_root(c1)
    squared = float(np.sum((m1 - m2) ** 2) + np.trace(c1 + c2 - 2 * matrix_root(root @ c2 @ root)))
    return float(np.sqrt(max(squared, 0.0)))  # rounding can leave -1e-14 for equal pictures


def patch_distance(result: Pixels, style: Pixels) -> float:
    """Sliced Wasserstein distance between 5x5 patches in CIE Lab, in Delta E, the mean over four octaves.

    No network has a part in it. Per octave :data:`PATCHES` patches of each picture are projected on random directions
    of length 1, the same in every call; the distance is that of the sorted projections (Rabin, Peyré, Delon & Bernot,
    "Wasserstein barycenter and its application to texture mixing", SSVM 2011). Both pictures are 64 pixels a side or
    more.
    """
    random = np.random.default_rng(0)
    ours, theirs = (rgb2lab(image).astype(np.float32) for image in (result, style))
    distances = []
    for _ in range(PATCH_OCTAVES):
        directions = random.normal(size=(75, 64)).astype(np.float32)
        directions /= np.linalg.norm(directions, axis=0)
        first, second = (np.sort(_patches(lab) @ directions, axis=0) for lab in (ours, theirs))
        distances.append(np.abs(first - second).mean())
        ours, theirs = _halved(ours), _halved(theirs)
    return float(np.mean(distances))


def lab_moments(image: Pixels) -> tuple[Doubles, Doubles]:
    """Mean (3,) and covariance (3, 3) of a picture's colours in CIE Lab."""
    lab = rgb2lab(image).reshape(-1, 3).astype(np.float64)
    return lab.mean(axis=0), np.cov(lab, rowvar=False, bias=True)


def matrix_root(matrix: Doubles) -> Doubles:
    """The symmetric square root of a symmetric matrix without negative eigenvalues beyond rounding."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    root: Doubles = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root


def retrieve(result: Mapping[str, Floats], references: Sequence[Mapping[str, Floats]]) -> int:
    """Index of the reference whose channel moments are nearest to the result's.

    The distance is :func:`moment_distance` divided by the norm of the *result's* moments, which is the same for all
    references; divided by the reference's own, pictures of strong contrast would attract everything.
    """
    return int(np.argmin([_relative(reference, result) for reference in references]))


class Scorer:
    """Scores results; remembers what VGG16 saw in photographs and references, in memory and, if told, in a folder.

    ``size``: pictures are scaled to ``size`` squared pixels before anything is measured.
    """

    def __init__(self, network: vgg.VGG16, size: int = SIZE, folder: Path | None = None) -> None:
        self.size = size
        self._network = network
        self._folder = folder
        self._seen: dict[str, Features] = {}

    def score(self, result: Pixels, raw: Pixels, style: Pixels) -> dict[str, float]:
        """All of :data:`NAMES` for one result, its photograph and its reference (any sizes; result shaped like raw)."""
        return self.score_with_features(result, raw, style)[0]

    def score_with_features(self, result: Pixels, raw: Pixels, style: Pixels) -> tuple[dict[str, float], Features]:
        """:meth:`score`, and what VGG16 saw in the result (for :func:`retrieve`)."""
        raw, style = scaled(raw, self.size), scaled(style, self.size)
        result = scaled(result, self.size, (raw.shape[0], raw.shape[1]))
        seen, of_raw, of_style = self.look(result), self.remember(raw), self.remember(style)
        values = {
            "moment": moment_distance(seen.moments, of_style.moments),
            "gram": gram_distance(seen.grams, of_style.grams),
            "lab": lab_frechet(result, style),
            "content": content_distance(seen.content, of_raw.content),
            "ssim": ssim(result, raw),
            "edges": edge_f1(result, raw),
        }
        return values, seen

    def look(self, image: Pixels) -> Features:
        """What VGG16 sees in a picture as it is."""
        moments: dict[str, Floats] = {}
        grams: dict[str, Floats] = {}
        content: list[Floats] = []

        def keep(layer: str, activations: Floats) -> None:
            flat = activations.reshape(-1, activations.shape[2])
            grams[layer] = flat.T @ flat / np.float32(len(flat))
            mean = flat.mean(axis=0)
            moments[layer] = np.stack([mean, np.sqrt(np.maximum(np.diag(grams[layer]) - mean**2, 0))])
            if layer == CONTENT_LAYER:
                content.append(activations)

        self._network.visit(image, keep)
        return Features(moments, grams, content[0])

    def remember(self, image: Pixels) -> Features:
        """:meth:`look` at a picture :func:`scaled` to this scorer's size, once."""
        image = scaled(image, self.size)
        key = hashlib.sha256(f"{image.shape}".encode() + np.ascontiguousarray(image).tobytes()).hexdigest()
        if key not in self._seen:
            path = self._folder and self._folder / f"{key}.npz"
            if path and path.exists():
                self._seen[key] = _load(path)
            else:
                self._seen[key] = self.look(image)
                if path:
                    _save(path, self._seen[key])
        return self._seen[key]


@cache
def default_scorer(size: int = SIZE) -> Scorer:
    """The scorer with the pinned VGG16, remembering in the user's cache folder."""
    return Scorer(vgg.load(), size, vgg.cache_dir() / "features")


def score(result: Pixels, raw: Pixels, style: Pixels) -> dict[str, float]:
    """All of :data:`NAMES` for one result, its photograph and its reference; downloads VGG16 once."""
    return default_scorer().score(result, raw, style)


def _patches(lab: Floats) -> Floats:
    """float32 (PATCHES, 75): 5x5 patches at places drawn evenly, the same for equal shapes."""
    windows = np.lib.stride_tricks.sliding_window_view(lab, (5, 5), axis=(0, 1))
    rows, columns = windows.shape[:2]
    places = np.random.default_rng(1).integers(0, rows * columns, PATCHES)
    found: Floats = windows[places // columns, places % columns].reshape(PATCHES, -1)
    return found


def _halved(lab: Floats) -> Floats:
    """Means of 2x2 pixels; an odd last row or column is left out."""
    height, width = lab.shape[0] // 2 * 2, lab.shape[1] // 2 * 2
    blocks = lab[:height, :width].reshape(height // 2, 2, width // 2, 2, 3)
    found: Floats = blocks.mean(axis=(1, 3))
    return found


def _relative(found: Mapping[str, Floats], wanted: Mapping[str, Floats]) -> float:
    return float(np.mean([np.linalg.norm(found[k] - wanted[k]) / np.linalg.norm(wanted[k]) for k in vgg.LAYERS]))


def _luma(image: Pixels) -> Doubles:
    return image @ (LUMA.astype(np.float64) / 255)


def _save(path: Path, features: Features) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f"moments_{k}": v for k, v in features.moments.items()}
    arrays |= {f"grams_{k}": v for k, v in features.grams.items()}
    temporary = path.with_suffix(".part.npz")
    np.savez(temporary, content=features.content, allow_pickle=False, **arrays)
    temporary.replace(path)


def _load(path: Path) -> Features:
    with np.load(path) as file:
        moments = {k: file[f"moments_{k}"] for k in vgg.LAYERS}
        return Features(moments, {k: file[f"grams_{k}"] for k in vgg.LAYERS}, file["content"])
