"""Which sublattice an atom belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.micrograph import as_micrograph
from ..core.positions import check_table, frame_numbers, median_nearest
from ..core.settings import AutoCount
from ..core.square import on_pixels_of, square_points
from .brightness import brightness_of, local_contrast
from .sites import sites_in_cell

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_FEWEST = 12
_SMALLEST_SHARE, _SMALLEST = 0.1, 10  # of the atoms, and how many of them, are in a sublattice; fewer are dopants
_APART = 3.5  # Ashman's D from which two groups of brightness count as separate; an even spread, cut in parts, has 3.46
_MOST = 4
_QUANTILES = 200  # of the brightness, from whose groups the fit of Gaussians begins
_NO_CONTRAST = 0.02  # atoms whose brightness differs by less than 2 % are all of one kind
_BORDER = 0.5  # of the nearest distance, from the outermost atoms; within it columns may be cut by the edge


@checks_arguments
def assign_sublattices(
    atoms: pd.DataFrame,
    image: Any = None,
    n: AutoCount = "auto",
    *,
    by: Literal["auto", "brightness", "position", "class"] = "auto",
) -> pd.DataFrame:
    """Tell the sublattices of a crystal apart, by brightness or by position in the unit cell.

    The brightness of each atom relative to its surroundings is grouped by a Gaussian mixture. Equally bright atoms
    (graphene, dumbbells of silicon) are told apart by where, modulo the measured lattice vectors, their neighbours
    lie; the numbers then hold within a grain.

    Parameters
    ----------
    atoms : pandas.DataFrame
        Table of `detect_atoms`; of a movie, each frame is treated by itself.
    image : Micrograph or array, optional
        Where the table has no amplitudes (points set by hand), brightness is measured in it.
    n : int or "auto"
        Number of sublattices; ``"auto"`` takes as many as are clearly apart.
    by : {"auto", "brightness", "position", "class"}
        What tells them apart. ``"auto"``: brightness where it does, else the position in the cell. ``"class"``: the
        position, but sites that a rotation or mirror of the crystal leads to each other are one.

    Returns
    -------
    pandas.DataFrame
        A copy of `atoms` with the column ``sublattice`` (int; by brightness, 0 is the brightest).

    Raises
    ------
    InputError
        Without positions, with neither amplitudes nor an image unless by position, for a number of sublattices below
        1, or where the positions make another number of sublattices than asked for.

    Examples
    --------
    >>> from napari_vae import samples, detect_atoms
    >>> image, _ = samples.micrograph("perovskite", size=256)
    >>> assign_sublattices(detect_atoms(image))["sublattice"].nunique()
    2
    """
    check_table(atoms)
    frames = frame_numbers(atoms, None if image is None else as_micrograph(image).n_frames)
    atoms = on_pixels_of(atoms, image)
    labels = np.zeros(len(atoms), dtype=np.int64)
    for number in np.unique(frames):
        here = frames == number
        labels[here] = _one_frame(atoms[here], image, int(number), n, by)
    result = atoms.assign(sublattice=labels)
    result.attrs = dict(atoms.attrs)
    return result


def _one_frame(atoms: pd.DataFrame, image: Any, number: int, n: int | str, by: str) -> Ints:
    position = square_points(atoms)
    if by in ("position", "class"):
        return _by_position(position, n, classes=by == "class")
    brightness = brightness_of(atoms, position, image, number)
    if n == 1 or len(position) < max(_FEWEST, 3 * (n if isinstance(n, int) else 1)):
        return np.zeros(len(position), dtype=np.int64)
    contrast, whole = local_contrast(position, brightness), _away_from_border(position)
    groups = _separate_groups(contrast, whole)
    if groups is None and by == "auto":
        sites = sites_in_cell(position, contrast)
        if n in ("auto", sites.max() + 1):
            return _ordered(contrast, sites)
    if n == "auto":
        return np.zeros(len(position), dtype=np.int64) if groups is None else groups
    return _ordered(contrast, _mixture(contrast[whole], int(n)).labels(contrast))


def _by_position(position: Array, n: int | str, *, classes: bool) -> Ints:
    sites = np.zeros(len(position), dtype=np.int64) if n == 1 else sites_in_cell(position, classes=classes)
    found = int(sites.max(initial=0)) + 1
    if len(position) and n not in ("auto", found):
        raise InputError(f'By their positions the atoms make {found} sublattices, not {n}; take n="auto".')
    return sites


def _away_from_border(position: Array) -> npt.NDArray[np.bool_]:
    """Atoms that are not among the outermost, which the edge of the image may cut; all, if too few are left."""
    margin = _BORDER * median_nearest(position)
    low, high = position.min(axis=0) + margin, position.max(axis=0) - margin
    whole = ((position >= low) & (position <= high)).all(axis=1)
    return whole if whole.sum() >= _FEWEST else np.ones(len(position), dtype=bool)


@dataclass(frozen=True)
class _Mixture:
    """Gaussians on a line, in increasing order: `mean`, `variance`, `weight` (n,)."""

    mean: Array
    variance: Array
    weight: Array

    @classmethod
    def of(cls, values: Array, share: Array, least: float) -> _Mixture:
        """The likeliest for values (N,) whose shares (N, n) are known, no narrower than a `least` variance."""
        total = np.maximum(share.sum(axis=0), 1e-9)
        mean = (share * values[:, None]).sum(axis=0) / total
        variance = (share * (values[:, None] - mean) ** 2).sum(axis=0) / total + least
        return cls(mean, variance, total / len(values))

    def shares(self, values: Array) -> Array:
        """How likely each value comes from each of the Gaussians (N, n)."""
        log = np.log(self.weight / np.sqrt(self.variance)) - 0.5 * (values[:, None] - self.mean) ** 2 / self.variance
        share = np.exp(log - log.max(axis=1, keepdims=True))
        result: Array = share / share.sum(axis=1, keepdims=True)
        return result

    def labels(self, values: Array) -> Ints:
        """The likeliest Gaussian of each value (N,)."""
        return np.argmax(self.shares(values), axis=1).astype(np.int64)


def _mixture(values: Array, n: int, steps: int = 100) -> _Mixture:
    """Fit n Gaussians by expectation and maximisation, from Ward's groups of quantiles: groups may be of any sizes."""
    from scipy.cluster.hierarchy import cut_tree, ward

    least = 1e-4 * max(float(values.var()), np.finfo(float).tiny)
    few = np.quantile(values, np.linspace(0, 1, _QUANTILES))
    mixture = _Mixture.of(few, np.eye(n)[cut_tree(ward(few[:, None]), n)[:, 0]], least)
    for _ in range(steps):
        mixture = _Mixture.of(values, mixture.shares(values), least)
    order = np.argsort(mixture.mean)
    return _Mixture(mixture.mean[order], mixture.variance[order], mixture.weight[order])


def _separate_groups(values: Array, whole: npt.NDArray[np.bool_]) -> Ints | None:
    """Labels of the largest number of groups that are all big and apart; None when there is one group only.

    The groups are those of the values of `whole` atoms, the others are sorted in.
    """
    if np.ptp(values[whole]) < _NO_CONTRAST:
        return None
    for n in range(_MOST, 1, -1):
        mixture = _mixture(values[whole], n)
        apart = np.diff(mixture.mean) / np.sqrt((mixture.variance[1:] + mixture.variance[:-1]) / 2)
        smallest = max(_SMALLEST_SHARE, _SMALLEST / int(whole.sum()))
        if mixture.weight.min() >= smallest and apart.min() >= _APART:
            return _ordered(values, mixture.labels(values))
    return None


def _ordered(values: Array, labels: npt.NDArray) -> Ints:
    """Renumber groups so that 0 is the brightest."""
    names = np.unique(labels)
    rank = np.argsort(np.argsort([-values[labels == name].mean() for name in names]))
    return np.asarray(rank[np.searchsorted(names, labels)], dtype=np.int64)
