"""What windows tell without a network: principal components, non-negative parts and mixtures, to compare a VAE with.

Each is made of the windows as they are, of the magnitudes of their Fourier transforms, which do not change when a
window moves, or of their Radon transforms: sums along lines of several directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.settings import Count, Seed
from ..patches.patches import Patches

Floats = npt.NDArray[np.float32]
Transform = Literal["raw", "fourier", "radon"]
Method = Literal["pca", "nmf", "gmm"]
TRANSFORMS: tuple[Transform, ...] = get_args(Transform)
METHODS: tuple[Method, ...] = get_args(Method)

MOST_FITTED = 5_000  # windows that a method learns from; all are described
DIRECTIONS = 18  # of lines
REDUCED = 10  # principal components that a mixture is made of


@checks_arguments
def baselines(
    patches: Patches,
    transforms: Sequence[Transform] = TRANSFORMS,
    methods: Sequence[Method] = METHODS,
    *,
    n: Count = 3,
    seed: Seed = 0,
) -> dict[str, pd.DataFrame]:
    """Describe windows by linear methods and mixtures, as a VAE's latents do, to see what it adds.

    Parameters
    ----------
    patches : Patches
        The windows.
    transforms : sequence of "raw", "fourier", "radon"
        What is made of each window first.
    methods : sequence of "pca", "nmf", "gmm"
        Principal components, non-negative matrix factorisation, or a Gaussian mixture of ten principal components.
    n : int
        Number of components, or classes of the mixture.
    seed : int
        Seed of starting points, and of the windows that are learnt from where there are more than 5000.

    Returns
    -------
    dict of str to DataFrame
        By ``"raw-pca"`` and so on, a row per window with the index of ``patches.atoms``: ``z1`` … of unit variance
        (``pca``) or weights of non-negative parts (``nmf``); of ``gmm`` the ``class``, and its probability.

    Raises
    ------
    InputError
        If there are fewer windows than components.

    Examples
    --------
    >>> from napari_vae import extract_patches
    >>> from napari_vae.patches import grid_positions
    >>> image = np.random.default_rng(0).random((64, 64))
    >>> patches = extract_patches(image, grid_positions(image, 8, window=16), window=16)
    >>> tables = baselines(patches, ["fourier"], ["pca", "gmm"])
    >>> [(name, list(table)) for name, table in tables.items()]
    [('fourier-pca', ['z1', 'z2', 'z3']), ('fourier-gmm', ['class', 'class_probability'])]
    """
    if len(patches) <= max(n, REDUCED):
        raise InputError(f"{len(patches)} windows are too few for {max(n, REDUCED)} components; give more.")
    rng = np.random.default_rng(seed)
    some = np.sort(rng.permutation(patches.whole)[:MOST_FITTED])
    found = {}
    for transform in dict.fromkeys(transforms):
        values = _transformed(patches.data, transform)
        for method in dict.fromkeys(methods):
            table = _described(values, some, method, n, seed)
            found[f"{transform}-{method}"] = table.set_index(patches.atoms.index)
    return found


def _transformed(windows: Floats, transform: Transform) -> Floats:
    """Windows (N, C, H, W) as rows (N, F), not negative."""
    if transform == "raw":
        return np.ascontiguousarray(windows.reshape(len(windows), -1))
    level = windows - windows.mean((2, 3), keepdims=True)
    if transform == "fourier":
        rows, columns = windows.shape[-2:]
        taper = np.outer(np.hanning(rows + 2)[1:-1], np.hanning(columns + 2)[1:-1]).astype(np.float32)
        return np.abs(np.fft.rfft2(level * taper)).astype(np.float32).reshape(len(windows), -1)
    lines = _lines((windows.shape[-2], windows.shape[-1]))
    sums = (level.reshape(-1, lines.shape[0]) @ lines).reshape(len(windows), -1)
    return np.asarray(sums - sums.min(), np.float32)


def _lines(shape: tuple[int, int]) -> Floats:
    """How much of each pixel (H·W) belongs to each line (directions · lines): the Radon transform as a matrix.

    Pixels outside the circle within the window count nowhere, so that lines of all directions are alike.
    """
    side = min(shape)
    y, x = (grid - (n - 1) / 2 for grid, n in zip(np.indices(shape), shape, strict=True))
    inside = np.hypot(y, x) <= side / 2
    matrix = np.zeros((shape[0] * shape[1], DIRECTIONS, side), np.float32)
    pixel = np.arange(len(matrix))
    for number, turn in enumerate(np.pi * np.arange(DIRECTIONS) / DIRECTIONS):
        place = (np.cos(turn) * x - np.sin(turn) * y + (side - 1) / 2).clip(0, side - 1).ravel()
        before = np.minimum(place.astype(int), side - 2)
        for line, share in ((before, 1 - (place - before)), (before + 1, place - before)):
            matrix[pixel, number, line] += share * inside.ravel()
    return matrix.reshape(len(matrix), -1)


def _described(values: Floats, some: npt.NDArray[np.int64], method: Method, n: int, seed: int) -> pd.DataFrame:
    """Components, parts or classes of rows, learnt from some of them."""
    from sklearn.decomposition import NMF, PCA
    from sklearn.mixture import GaussianMixture

    if method == "nmf":
        parts = NMF(n, init="nndsvda", max_iter=400, tol=1e-3, random_state=seed).fit(values[some].clip(0))
        return _components(parts.transform(values.clip(0)))
    number = n if method == "pca" else min(REDUCED, values.shape[1])
    reduced = PCA(min(number, values.shape[1]), whiten=method == "pca", random_state=seed).fit(values[some])
    places = reduced.transform(values)
    if method == "pca":
        return _components(places)
    mixture = GaussianMixture(n, reg_covar=1e-6, n_init=3, random_state=seed).fit(places[some].astype(float))
    chance = mixture.predict_proba(places.astype(float))
    return pd.DataFrame({"class": chance.argmax(1), "class_probability": chance.max(1)})


def _components(places: npt.NDArray[np.floating]) -> pd.DataFrame:
    return pd.DataFrame(places, columns=[f"z{number + 1}" for number in range(places.shape[1])])
