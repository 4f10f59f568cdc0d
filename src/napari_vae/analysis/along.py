r"""Where latents change along a covariate: temperature, bias, time, dose.

The distribution of the latents at one value of the covariate is described by how near its windows lie, on average, to
some places in the space of latents, each with a Gaussian kernel as wide as these are apart: an embedding of the
distribution. Of the few largest principal components of that over the values, each is described by a straight line, or
by two that meet nowhere, the first up to a change and the second from there on. With Zellner's g-prior (g = number of
values, Jeffreys' prior of the noise) the evidence of either is known in closed form (Liang et al. 2008),

.. math:: \log p(y \mid k) = \tfrac12 (n - 1 - p) \log(1 + g) - \tfrac12 (n - 1) \log(1 + g (1 - R_k^2)),

and the components multiply. A change between any two values is as probable beforehand as between any others, and one
at all as probable as none. The scatter from frame to frame, also that of domains that move, is the noise; a gradual
trend is no change.

References
----------
F. Liang et al., "Mixtures of g priors for Bayesian variable selection", J. Am. Stat. Assoc. 103 (2008) 410.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_numeric_dtype

from ..core.arguments import checks_arguments
from ..core.clusters import coordinates
from ..core.errors import InputError
from ..core.settings import Count, Seed
from .coloring import is_categorical

Array = npt.NDArray[np.float64]

PLACES = 24  # in the space of latents
FINER = (1, 3)  # kernels: as wide as the places are apart, and finer ones
MOST_FITTED = 5_000  # windows that these are chosen by
FEWEST_VALUES = 6  # of the covariate
COMPONENTS, LEAST_SHARE = 3, 0.1  # principal components that are looked at: how many, and least share of the variance
LEVEL = 0.95


@dataclass(frozen=True)
class Change:
    """Where latents change along a covariate.

    Attributes
    ----------
    covariate : str
        Its name.
    table : DataFrame
        A row for every value of the covariate, rising: that value in the column `covariate`, ``windows``, and
        ``probability``, that the change lies between the row before and this one, if there is one. For a movie also
        ``frame``, the first with this value.
    after : float
        First value of the covariate after the likeliest change.
    low, high : float
        Values between which the change lies with 95 % probability.
    probability : float
        That there is a change at all beside a gradual trend.
    """

    covariate: str
    table: pd.DataFrame
    after: float
    low: float
    high: float
    probability: float

    @property
    def before(self) -> float:
        """Last value of the covariate before the likeliest change."""
        values = self.table[self.covariate].to_numpy()
        return float(values[np.flatnonzero(values == self.after)[0] - 1])

    def sentence(self) -> str:
        """What was found, in words."""
        if self.probability < 1 / 2:
            return f"Nothing changes abruptly along {self.covariate} (a change has {self.probability:.0%} probability)."
        return (
            f"The latents change most between {self.covariate} {self.before:g} and {self.after:g} "
            f"({LEVEL:.0%}: between {self.low:g} and {self.high:g})."
        )


@checks_arguments
def change_along(
    latents: pd.DataFrame,
    covariate: str,
    *,
    columns: Sequence[str] | None = None,
    symmetry: Count = 1,
    seed: Seed = 0,
) -> Change:
    """Find where the distribution of latents changes most along a covariate, such as temperature.

    Parameters
    ----------
    latents : DataFrame
        A row per window, with a column of the covariate, or ``frame``.
    covariate : str
        That column. Frames of the same value are taken together; of a loop, give the branches one by one.
    columns : sequence of str, optional
        What is looked at: numbers, or one column of classes. By default latents and angles.
    symmetry : int
        Order of the motif's symmetry, modulo which angles are the same.
    seed : int
        Seed of the places in the space of latents.

    Returns
    -------
    Change

    Raises
    ------
    InputError
        If a column is missing, or the covariate has fewer than six values.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> frame = np.repeat(np.arange(12), 50)
    >>> latents = pd.DataFrame({"frame": frame, "z1": rng.normal(2.0 * (frame >= 7), 1)})
    >>> change_along(latents, "frame").sentence()
    'The latents change most between frame 6 and 7 (95%: between 6 and 7).'
    """
    if lack := lacks_covariate(latents, covariate):
        raise InputError(lack)
    places, known = _places(latents, columns, symmetry)
    steps = latents[covariate].to_numpy(float)
    places, known = places[np.isfinite(steps[known])], known & np.isfinite(steps)
    values, step, total = np.unique(steps[known], return_inverse=True, return_counts=True)
    if len(values) < FEWEST_VALUES:
        raise InputError(f"{covariate} has {len(values)} values with latents; give at least {FEWEST_VALUES}.")
    order = np.argsort(step, kind="stable")
    parts = np.split(places[order], np.cumsum(total)[:-1])
    evidence = _evidence(_components(_embedded(parts, seed)), values)
    relative = np.exp(evidence - evidence.max())  # none, then between every two
    changes = relative[1:].mean()
    chance = relative[1:] / relative[1:].sum()
    table = pd.DataFrame({covariate: values, "windows": total, "probability": np.r_[0.0, chance]})
    if covariate != "frame" and "frame" in latents and "file" not in latents:
        table["frame"] = latents["frame"][known].groupby(step).min().to_numpy()
    first, last = _shortest(chance)
    return Change(
        covariate,
        table,
        after=float(values[chance.argmax() + 1]),
        low=float(values[first]),
        high=float(values[last + 1]),
        probability=float(changes / (changes + relative[0])),
    )


def lacks_covariate(table: pd.DataFrame, covariate: str) -> str:
    """What a table lacks for changes along a covariate, and what to do; empty if nothing."""
    if covariate not in table:
        return f"The table has no column {covariate or 'of a covariate'}; give one with its value at every frame."
    if is_categorical(table[covariate]) or not is_numeric_dtype(table[covariate]):
        return f"The column {covariate} holds no numbers; give the covariate as numbers."
    n = table[covariate].nunique()
    return "" if n >= FEWEST_VALUES else f"{covariate} has {n} values; a change is looked for among {FEWEST_VALUES}."


def _places(latents: pd.DataFrame, columns: Sequence[str] | None, symmetry: int) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Coordinates (M, k) of rows, of classes 0 and 1 for each of them, and which rows have these."""
    if columns is None:
        columns = [str(name) for name in latents.filter(regex=r"^(z\d+|angle)$")]
        if not columns:
            raise InputError("The table has no latents z1, z2 …; choose the columns to look at.")
    if len(columns) == 1 and columns[0] in latents:
        (column,) = columns
        if column == "class" or is_categorical(latents[column]):
            codes, names = pd.factorize(latents[column].replace(-1, np.nan))
            return np.eye(len(names))[codes[codes >= 0]], codes >= 0
    places, known = coordinates(latents, list(columns), symmetry)
    if not len(places):
        raise InputError("No row has a value in every chosen column; choose fewer or other columns.")
    return places, known


def _embedded(parts: Sequence[Array], seed: int) -> Array:
    """How near (n, K) the places of each part lie to some that are spread over all of them."""
    from scipy.spatial.distance import cdist, pdist
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(seed)
    share = MOST_FITTED / sum(map(len, parts))
    sample = np.concatenate([rng.permutation(part)[: max(1, round(share * len(part)))] for part in parts])
    number = min(PLACES, len(np.unique(sample, axis=0)))
    middles = KMeans(number, n_init=1, random_state=seed).fit(sample).cluster_centers_
    width = float(np.median(pdist(middles))) if number > 1 else 1.0
    apart = [cdist(part, middles, "sqeuclidean") / (2 * width**2) for part in parts]
    return np.array([np.concatenate([np.exp(-(factor**2) * far).mean(0) for factor in FINER]) for far in apart])


def _components(embedded: Array) -> Array:
    """The principal components (K, n) of rows (n, places) that hold most of their variance."""
    left, size, _ = np.linalg.svd(embedded - embedded.mean(0), full_matrices=False)
    part = size**2 / max(float((size**2).sum()), 1e-300)
    kept = [number for number in range(min(COMPONENTS, len(size))) if part[number] >= LEAST_SHARE]
    found: Array = (left[:, kept] * size[kept]).T
    return found


def _evidence(components: Array, values: Array) -> Array:
    """Logarithm of the evidence (n,) of no change, and of one between each value and the next."""
    n = len(values)
    t = (values - values.mean()) / values.std()
    found = np.zeros(n)
    for change in range(n):
        later = (np.arange(n) >= change).astype(float)
        terms = [t] if change == 0 else [t, later, later * (t - t[change])]
        base = np.column_stack(terms)
        left, size, _ = np.linalg.svd(base - base.mean(0), full_matrices=False)
        left = left[:, size > 1e-9 * size[0]]
        for y in components:
            explained = float(((left.T @ y) ** 2).sum() / max(float(y @ y), 1e-300))
            unexplained = max(0.0, 1 - explained)
            found[change] += (n - 1 - left.shape[1]) * np.log1p(n) - (n - 1) * np.log1p(n * unexplained)
    return found / 2


def _shortest(chance: Array) -> tuple[int, int]:
    """First and last of the fewest neighbours that hold 95 % together, the likeliest of these."""
    total = np.r_[0.0, np.cumsum(chance)]
    for width in range(1, len(chance) + 1):
        held = total[width:] - total[:-width]
        if held.max() >= LEVEL * total[-1]:
            return int(held.argmax()), int(held.argmax()) + width - 1
    return 0, len(chance) - 1
