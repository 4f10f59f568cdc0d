"""Class labels from latents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_numeric_dtype

from .arguments import checks_arguments
from .arrays import as_numbers
from .errors import InputError
from .settings import AutoCount, Count, Seed, check_count

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture


_LATENT = re.compile(r"z\d+")
_OURS = "vae_"  # before the names of latents where a user's column has such a name
MOST_COMPONENTS = 16  # of the mixture that finds the number of classes itself
PATIENCE = 4  # numbers of components that are tried after the best one so far
MOST_ROWS = 5_000  # the mixture is fitted to at most so many, and then labels all
MOST_DENSE = 20_000  # of so many the density is estimated; the others are of the class of the nearest
STARTS = 3  # of each mixture, of which the best is kept
FEWEST = 5  # rows of a class found by density
LARGEST_LATENT = 1e100  # value whose square can still be computed with
FLOOR = 1e-3  # variance added to each column, against collapse on duplicates
VALLEY = 0.5  # of the lower of two hills; a saddle between them that is higher makes them one,
LEVEL = 0.1  # unless the lower is so low beside the higher: few atoms scattered about many are not of their kind
STEPS = 33  # in which the density is looked at on the way from one component to another
ENDS = 8.0  # logit of the first and last of them: beside a narrow component the way to a wide one is nearly over


@checks_arguments
def cluster(
    latents: pd.DataFrame | npt.ArrayLike,
    method: Literal["gmm", "kmeans", "hdbscan"] = "gmm",
    n: AutoCount = "auto",
    *,
    columns: Sequence[str] | None = None,
    symmetry: Count = 1,
    seed: Seed = 0,
) -> pd.Series:
    """Group images by their latents.

    Parameters
    ----------
    latents : DataFrame or array (N, k)
        Of a DataFrame the columns ``z1``, ``z2``, … are used as they are, or all numeric ones if it has none of these.
        Numeric columns and arrays are scaled to unit variance first.
    method : "gmm", "kmeans" or "hdbscan"
        Gaussian mixture, k-means, or density peaks (which finds `n` itself and labels outliers −1; of more
        than 20 000 rows in a sample of so many, whose nearest gives the others their class).
    n : int or "auto"
        Number of classes; ``"auto"`` takes the Gaussian mixture of 1 … 16 components with the lowest BIC (Schwarz
        1978), of which those that form one cloud are one class (`hills`).
    columns : sequence of str, optional
        Of a DataFrame, the columns to group by. Latents go in as they are, angles (``angle``, in degrees) as places on
        a circle, everything else is scaled to unit variance. Rows in which a value is missing get −1.
    symmetry : int
        Order of the motif's symmetry, modulo which angles are the same.
    seed : int
        Seed of the starting points.

    Returns
    -------
    Series of int
        Class of each row, numbered from 0 in the order of decreasing size; index as `latents`. Where the number was
        found, ``attrs["bic"]`` holds the BIC of every number of components that was tried.

    Raises
    ------
    InputError
        If there are fewer rows than classes, values are not finite, or the method is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.r_[np.random.default_rng(0).normal(0, 0.1, (30, 2)), np.ones((20, 2)) * [[5, 5]]]
    >>> cluster(z, n=2).value_counts().tolist()
    [30, 20]
    """
    if columns is not None:
        if not isinstance(latents, pd.DataFrame):
            raise InputError("Columns are chosen of a table; give a DataFrame, or leave `columns` out.")
        return _of_columns(latents, list(columns), method, n, symmetry, seed)
    values, index = _values(latents)
    return _grouped(values, index, method, n, seed)


def _grouped(
    values: npt.NDArray[np.float64], index: pd.Index, method: str, n: int | Literal["auto"], seed: int
) -> pd.Series:
    """Classes of rows (N, k) that are scaled as they are to count."""
    check_count("n", n, len(values))
    if len(values) == 1 and method in ("gmm", "kmeans"):
        labels: npt.NDArray[np.int64] | None = np.zeros(1, dtype=np.int64)
        bic: dict[int, float] = {}
    elif method == "hdbscan":
        labels = _dense(values, seed)
    else:
        sample = _some(values, MOST_ROWS, seed)
        mixture, bic = _mixture(sample, n, seed) if method == "gmm" or n == "auto" else (None, {})
        labels = None if mixture is None else _clouds(mixture, values) if n == "auto" else mixture.predict(values)
        if method == "kmeans":
            from sklearn.cluster import KMeans

            n_classes = n if labels is None else len(np.unique(labels))
            labels = KMeans(n_classes, n_init=5, random_state=seed).fit(sample).predict(values)
    found = pd.Series(_by_size(np.asarray(labels)), index=index, name="class")
    if method in ("gmm", "kmeans") and n == "auto":
        found.attrs["bic"] = bic
    return found


def components(latents: npt.ArrayLike, most: int) -> npt.NDArray[np.int64]:
    """Components of the Gaussian mixture of up to `most` with the lowest BIC that rows (N, k) are of, by size."""
    values, _ = _values(latents)
    mixture, _ = _mixture(_some(values, MOST_ROWS, seed=0), "auto", seed=0, most=most)
    return _by_size(mixture.predict(values))


def _clouds(mixture: GaussianMixture, values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The likeliest cloud of each row (N, k), be it of one component or of several."""
    hill = hills(mixture)
    found: npt.NDArray[np.int64] = (mixture.predict_proba(values) @ np.eye(hill.max() + 1)[hill]).argmax(1)
    return found


def _some(values: npt.NDArray[Any], most: int, seed: int) -> npt.NDArray[Any]:
    """All rows, or so many of them drawn by chance."""
    return values if len(values) <= most else values[np.random.default_rng(seed).choice(len(values), most, False)]


def _of_columns(
    table: pd.DataFrame, columns: list[str], method: Any, n: int | Literal["auto"], symmetry: int, seed: int
) -> pd.Series:
    """`cluster` by some columns of a table; rows with missing values are of no class."""
    values, known = coordinates(table, columns, symmetry)
    if len(values) < 2:
        raise InputError("Hardly any atom has a value in every chosen column; choose fewer or other columns.")
    grouped = _grouped(values, table.index[known], method, n, seed)
    classes = np.full(len(table), -1, dtype=np.int64)
    classes[known] = grouped.to_numpy()
    found = pd.Series(classes, index=table.index, name="class")
    found.attrs = dict(grouped.attrs)
    return found


def coordinates(
    table: pd.DataFrame, columns: list[str], symmetry: int = 1
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Columns as coordinates (M, k) between which distances count, and which rows (N,) have all of them.

    Latents go in as they are, angles modulo the symmetry as places on a circle, all else scaled to unit variance.

    Raises
    ------
    InputError
        If a column is missing, or holds no numbers.
    """
    missing = [name for name in columns if name not in table]
    if missing or not columns:
        raise InputError(f"There is no column {', '.join(missing) or 'chosen'}; choose columns of numbers to group by.")
    chosen = _numbers(table[columns])
    known = np.asarray(np.isfinite(chosen).all(axis=1))
    parts: list[npt.NDArray[np.float64]] = []
    for name, values in zip(columns, chosen[known].T, strict=True):
        name = name.removeprefix(_OURS)
        if name == "angle":
            turn = np.deg2rad(values) * symmetry
            parts += [np.cos(turn), np.sin(turn)]
        elif _LATENT.fullmatch(name) or not len(values):
            parts.append(values)
        else:
            parts.append((values - values.mean()) / (values.std() or 1.0))
    return np.column_stack(parts), known


def _values(latents: pd.DataFrame | npt.ArrayLike) -> tuple[npt.NDArray[np.float64], pd.Index]:
    if isinstance(latents, pd.DataFrame):
        table = latents.filter(regex=f"^{_LATENT.pattern}$")
        own_scale = table.shape[1] > 0  # the prior gives latents their scale; one that says nothing stays small
        table = table if own_scale else latents.select_dtypes("number")
        values, index = _numbers(table), latents.index
    else:
        values = as_numbers(latents, "latents")
        values, own_scale = values[:, None] if values.ndim == 1 else values, False
        index = pd.RangeIndex(len(values) if values.ndim else 0)
    if values.ndim != 2 or values.size == 0:
        raise InputError("There are no latents to cluster; give a table with z1, z2, … or an (N, k) array.")
    if not (np.abs(values) < LARGEST_LATENT).all():  # nor NaN
        raise InputError(f"The latents hold NaN or huge values (from {LARGEST_LATENT:g}); drop those rows first.")
    if not own_scale:
        sd = values.std(0)
        values = (values - values.mean(0)) / np.where(sd > 0, sd, 1)
    return values, index


def _numbers(table: pd.DataFrame) -> npt.NDArray[np.float64]:
    """The values of a table (N, k), NaN where they are missing."""
    words = [str(name) for name, kind in table.dtypes.items() if not is_numeric_dtype(kind)]
    if words:
        raise InputError(f"The column {', '.join(words)} holds no numbers; choose columns of numbers to group by.")
    return table.to_numpy(float, na_value=np.nan)


def _mixture(
    sample: npt.NDArray[np.float64], n: int | Literal["auto"], seed: int, most: int = MOST_COMPONENTS
) -> tuple[GaussianMixture, dict[int, float]]:
    """Gaussian mixture of `n` components, or of the number with the lowest BIC; and the BIC of every number tried."""
    from sklearn.mixture import GaussianMixture

    distinct = len(np.unique(sample, axis=0))
    most = max(1, min(most, len(sample) // 10, distinct))
    options = {"reg_covar": FLOOR, "init_params": "k-means++", "n_init": STARTS, "random_state": seed}
    best, bic = None, {}
    for number in range(1, most + 1) if n == "auto" else [min(n, distinct)]:
        fit = GaussianMixture(number, **options).fit(sample)
        bic[number] = float(fit.bic(sample))
        best = fit if best is None or bic[number] == min(bic.values()) else best
        if number - min(bic, key=bic.__getitem__) >= PATIENCE:
            break
    assert best is not None
    return best, bic


def _dense(values: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.int64]:
    """Classes of rows (N, k) by density, −1 for outliers."""
    from scipy.spatial import cKDTree
    from sklearn.cluster import HDBSCAN

    sample = _some(values, MOST_DENSE, seed)
    smallest = max(FEWEST, len(sample) // 100)
    if len(sample) < smallest:
        return np.full(len(values), -1)
    labels = HDBSCAN(min_cluster_size=smallest, copy=True).fit_predict(sample)
    found: npt.NDArray[np.int64] = labels if sample is values else labels[cKDTree(sample).query(values)[1]]
    return found


def _by_size(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Labels renumbered from 0 in the order of decreasing size; −1 stays."""
    names, counts = np.unique(labels[labels >= 0], return_counts=True)
    rank = np.full(labels.max(initial=0) + 1, -1)
    rank[names[np.argsort(-counts, kind="stable")]] = np.arange(len(names))
    return np.where(labels < 0, -1, rank[labels])


def hills(mixture: GaussianMixture) -> npt.NDArray[np.int64]:
    """The hill of the density that each component is of, numbered from 0.

    A cloud that is not Gaussian takes several components to describe, and the BIC rightly asks for them; but a group,
    to whoever looks at the plot, is a hill of the density with valleys around it.

    Components are joined along the highest ways between them (Kruskal 1956), unless both sides have a summit that
    stands out of the saddle: hills are known by their prominence, as in ToMATo (Chazal, Guibas, Oudot and Skraba 2013).
    A component whose middle lies far down the slope of another stays one: it is there because more points are scattered
    so far out than the other accounts for. A way from one component to another is their ridgeline, on which all summits
    and saddles of the two lie (Ray and Lindsay 2005).

    Parameters
    ----------
    mixture : GaussianMixture
        Of n components.

    Returns
    -------
    array (n,) of int

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.mixture import GaussianMixture
    >>> z = np.r_[np.random.default_rng(0).uniform(0, 1, (500, 2)), np.random.default_rng(1).uniform(5, 6, (500, 2))]
    >>> len(set(hills(GaussianMixture(6, random_state=0).fit(z))))
    2
    """
    n = len(mixture.means_)
    hill = np.arange(n)  # each is known by its highest component
    if n == 1:
        return hill
    summit = mixture.score_samples(mixture.means_)  # logarithms of the density
    pairs = np.array([(a, b) for a in range(n) for b in range(a + 1, n)])
    between = np.array([mixture.score_samples(_ridgeline(mixture, a, b)).min() for a, b in pairs])
    saddle = np.minimum(between, summit[pairs].min(1))
    for pair in np.lexsort([-between, -saddle]):  # what has no summit joins where it is uphill
        lower, higher = sorted(hill[pairs[pair]], key=lambda component: summit[component])
        valley = saddle[pair] < summit[lower] + np.log(VALLEY)
        if not valley and summit[lower] > summit[higher] + np.log(LEVEL):
            hill[hill == lower] = higher
    return np.unique(hill, return_inverse=True)[1].astype(np.int64)


def _ridgeline(mixture: GaussianMixture, a: int, b: int) -> npt.NDArray[np.float64]:
    """Points (STEPS, k) from the mean of one component to that of the other, without the ends."""
    share = 1 / (1 + np.exp(-np.linspace(-ENDS, ENDS, STEPS)[:, None, None]))
    ours, theirs = (1 - share) * mixture.precisions_[a], share * mixture.precisions_[b]
    pull = ours @ mixture.means_[a] + theirs @ mixture.means_[b]
    points: npt.NDArray[np.float64] = np.linalg.solve(ours + theirs, pull[..., None])[..., 0]
    return points
