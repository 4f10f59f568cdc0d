"""How far a result can be trusted, how sure a value is, which atoms are unusual; how good an embedding is."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.arrays import as_numbers
from ..core.errors import InputError
from ..core.settings import Count, Positive, Seed

ACTIVE = 0.1  # nats per image, below which a latent says next to nothing
UNUSUAL = ("elbo", "reconstruction_error")  # columns of how well the model does, the first that is there
_LOW_IS_BAD = {"elbo"}
_SURE = 0.5  # spread of a value, in its own spread over the atoms, that counts as half sure
Target = Literal["real", "angle", "class"]
_FLAT = 1e-10  # of the largest variance; directions of less are rounding
_SAME = 1e-9  # distance in spreads, below which points are the same


def active_latents(history: pd.DataFrame) -> pd.Series:
    """Information that each latent holds about an image, in nats (KL divergence from the prior), after the training.

    A latent below `ACTIVE` was not needed (Burda et al. 2016, "Importance weighted autoencoders", arXiv 1509.00519).

    Parameters
    ----------
    history : DataFrame
        Of a run.

    Examples
    --------
    >>> active_latents(pd.DataFrame({"kl_z1": [0.2, 2.0], "kl_z2": [0.1, 0.0]})).to_dict()
    {'z1': 2.0, 'z2': 0.0}
    """
    last = history.iloc[-1] if len(history) else pd.Series(dtype=float)
    found = {str(name).removeprefix("kl_"): float(value) for name, value in last.items() if str(name)[:4] == "kl_z"}
    return pd.Series(found, dtype=float)


def most_unusual(table: pd.DataFrame, n: int = 50) -> tuple[str, npt.NDArray[np.int64]]:
    """The rows that the model accounts for worst, the worst first, and the column that says so.

    Returns
    -------
    (str, array)
        ``("", [])`` where no column says so.
    """
    name = next((known for known in UNUSUAL if known in table), "")
    if not name:
        return "", np.zeros(0, dtype=np.int64)
    values = table[name].to_numpy(float)
    goodness = np.where(np.isfinite(values), values if name in _LOW_IS_BAD else -values, np.inf)
    worst = np.flatnonzero(goodness <= np.partition(goodness, n)[n]) if len(values) > n else np.arange(len(values))
    order = worst[np.argsort(goodness[worst], kind="stable")][:n]
    return name, order[np.isfinite(goodness[order])].astype(np.int64)


def certainty_of(table: pd.DataFrame, column: str) -> npt.NDArray[np.float64] | None:
    """How sure each value of a column is (N,), from 0 to 1; ``None`` where the table does not say.

    Of classes their probability. Of numbers with a standard deviation ``…_sd`` the share ``1 / (1 + (sd / spread)²)``,
    where the spread is half of the values' own over the atoms: 1/2 for a value that is known no better than that.
    """
    if column.startswith("class") and "class_probability" in table:
        return table["class_probability"].to_numpy(float)
    if f"{column}_sd" not in table:
        return None
    spread = _SURE * float(np.nanstd(table[column].to_numpy(float))) or 1.0
    sure: npt.NDArray[np.float64] = 1 / (1 + (table[f"{column}_sd"].to_numpy(float) / spread) ** 2)
    return sure


@checks_arguments
def knn_r2(
    z: npt.ArrayLike, y: npt.ArrayLike, k: Count = 10, *, target: Target = "real", period: Positive = 360.0
) -> float:
    """Share of a target's variance that the nearest neighbours in an embedding explain, every point left out in turn.

    1 where neighbours have the same value, about 0 where the embedding knows nothing of it (−1/k for pure noise).
    Distances are those of `z` as it is.

    Parameters
    ----------
    z : array (N, d) or (N,)
        Embedding.
    y : array (N,)
        Target.
    k : int
        Number of neighbours, whose mean predicts.
    target : "real", "angle" or "class"
        Angles are degrees on a circle, taken as (cos, sin). Of classes (numbers or words) the result is the *accuracy*
        of the neighbours' vote.
    period : float
        Degrees after which angles repeat: 360 divided by the order of the symmetry.

    Returns
    -------
    float
        R², at most 1; of classes the accuracy, within 0 … 1.

    Raises
    ------
    InputError
        If lengths differ, values are not finite, all points or all values are the same, or there are not more than `k`.

    Examples
    --------
    >>> x = np.linspace(0, 1, 100)
    >>> round(knn_r2(x, 3 * x, k=2), 3)
    1.0
    """
    points, values = _checked(z, y, k, target, period)
    index = _neighbours(points, k)[1]
    predicted = sum(values[column] for column in index.T) / k
    if target == "class":
        return float(np.mean(predicted.argmax(1) == values.argmax(1)))
    return float(1 - ((values - predicted) ** 2).sum() / ((values - values.mean(0)) ** 2).sum())


@checks_arguments
def roughness(
    z: npt.ArrayLike,
    y: npt.ArrayLike,
    k: Count = 10,
    *,
    target: Target = "real",
    period: Positive = 360.0,
    permutations: Count = 10,
    seed: Seed = 0,
) -> float:
    """How fast a target changes along an embedding, against the same target spread over it at random.

    The mean of ``|Δy| / |Δz|`` between every point and its `k` nearest in the *whitened* embedding (zero mean, unit
    covariance; directions without variance left out), divided by that of permuted `y`. Near 0 for a smooth target, 1
    for one that the embedding knows nothing of. Points at the same place make no edge.

    The roughness of a smooth target falls with the density of the points, as N^(−1/d): compare embeddings of the same
    points, with the same `k` and number of directions.

    Parameters
    ----------
    z, y, k, target, period
        As in `knn_r2`; between angles ``|Δy|`` is the chord on the circle, between classes whether they differ.
    permutations : int
        Permutations of `y`, over which the mean is taken.
    seed : int
        Seed of the permutations.

    Raises
    ------
    InputError
        As in `knn_r2`, or if every point has `k` others at its own place.

    Examples
    --------
    >>> x = np.random.default_rng(0).uniform(size=(500, 2))
    >>> roughness(x, x.sum(1)) < 0.2
    True
    """
    points, values = _checked(z, y, k, target, period)
    length, index = _neighbours(_whitened(points), k)
    start = np.repeat(np.arange(len(points)), k)
    apart = length.ravel() > _SAME
    start, end, length = start[apart], index.ravel()[apart], length.ravel()[apart]
    if not len(length):
        raise InputError(f"Every point of the embedding has {k} others at its own place; drop duplicates or raise k.")

    def slope(some: npt.NDArray[np.float64]) -> float:
        return float(np.mean(np.linalg.norm(some[end] - some[start], axis=1) / length))

    rng = np.random.default_rng(seed)
    return slope(values) / float(np.mean([slope(rng.permutation(values)) for _ in range(permutations)]))


def participation_ratio(z: npt.ArrayLike) -> float:
    """In how many directions an embedding spreads: (Σλ)² / Σλ² of the eigenvalues λ of its covariance.

    1 for a line, d for a cloud that is round in d dimensions.

    Parameters
    ----------
    z : array (N, d) or (N,)
        Embedding.

    Raises
    ------
    InputError
        If values are not finite or all points are the same.

    References
    ----------
    P. Gao et al., "A theory of multineuronal dimensionality, dynamics and measurement", bioRxiv 214262 (2017).

    Examples
    --------
    >>> participation_ratio([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [4.0, 8.0, 0.0]])
    1.0
    """
    variances = _variances(_points(z))[0]
    return float(variances.sum() ** 2 / (variances**2).sum())


def _points(z: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The embedding (N, d), which has at least two different points."""
    points = as_numbers(z, "embedding")
    points = points[:, None] if points.ndim == 1 else points
    if points.ndim != 2 or points.shape[1] == 0:
        raise InputError(f"An embedding is an (N, d) array with one row for each point, not of shape {points.shape}.")
    if not np.isfinite(points).all():
        raise InputError("The embedding holds NaN or infinite values; drop those rows first.")
    if len(points) < 2 or not np.ptp(points, axis=0).any():
        raise InputError("All points of the embedding are the same, so that nothing can be said of it.")
    return points


def _checked(
    z: npt.ArrayLike, y: npt.ArrayLike, k: int, target: str, period: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The embedding (N, d), and the target as vectors (N, m) whose means and distances say something."""
    points, given = _points(z), np.asarray(y)
    if given.shape != (len(points),):
        raise InputError(f"A target has one value for each of the {len(points)} points, not the shape {given.shape}.")
    if not 1 <= k < len(points):
        raise InputError(f"{k} neighbours of {len(points)} points are not possible; choose 1 … {len(points) - 1}.")
    if target == "class":
        if pd.isna(given).any():
            raise InputError("The target holds missing classes; drop those rows first.")
        names, number = np.unique(given, return_inverse=True)
        values = np.eye(len(names))[number]
    else:
        values = as_numbers(given, "values of the target")[:, None]
        if not np.isfinite(values).all():
            raise InputError("The target holds NaN or infinite values; drop those rows first.")
        if target == "angle":
            turn = 2 * np.pi * values / period
            values = np.hstack([np.cos(turn), np.sin(turn)])
    if not np.ptp(values, axis=0).any():
        raise InputError("All values of the target are the same, so that no embedding can order them.")
    return points, values


def _neighbours(points: npt.NDArray[np.float64], k: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Distances and rows (N, k) of the nearest other points."""
    from sklearn.neighbors import NearestNeighbors

    distance, index = NearestNeighbors(n_neighbors=k).fit(points).kneighbors()
    return distance, index


def _variances(points: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Variances (m,) along the principal axes that have any, and these axes (d, m)."""
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(points, rowvar=False)))
    some = variances > _FLAT * variances.max()
    return variances[some], axes[:, some]


def _whitened(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    variances, axes = _variances(points)
    white: npt.NDArray[np.float64] = (points - points.mean(0)) @ axes / np.sqrt(variances)
    return white
