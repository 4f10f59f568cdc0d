"""What is to be found or learned of every candidate: a column of the atoms, or what another layer shows under them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..analysis.circular import wrapped
from ..analysis.coloring import class_order, codes_of, is_angle, is_categorical
from ..analysis.labelling import class_under
from ..core.arrays import check_size
from ..core.class_colors import MOST_LABELS
from ..core.errors import InputError
from ..core.placement import Placement
from ..learning.config import FEWEST

Floats = npt.NDArray[np.float64]

FULL_TURN = 360.0
FINEST = 20  # samples along the radius of a disc
AT_ONCE = 2_000_000  # samples of the discs that are looked up together


@dataclass(frozen=True, eq=False)
class Target:
    """One number or class for every candidate.

    Parameters
    ----------
    name : str
        Of the column or the layer.
    values : array (N,) float64
        Numbers; of classes their position in `classes`. NaN where there is none.
    classes : tuple of str
        Names of the classes; empty for numbers.
    angle : bool
        Whether the numbers are degrees on a circle.

    Examples
    --------
    >>> column_target(pd.Series(["bulk", "edge", None, "bulk"], name="kind")).values.tolist()
    [0.0, 1.0, nan, 0.0]
    """

    name: str
    values: Floats
    classes: tuple[str, ...] = ()
    angle: bool = False

    @property
    def kind(self) -> str:
        """As `DeepKernelGP` has it: ``"class"``, ``"angle"`` or ``"real"``."""
        return "class" if self.classes else "angle" if self.angle else "real"

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which candidates have a value (N,)."""
        return np.isfinite(self.values)

    def at(self, rows: npt.ArrayLike) -> Target:
        """The target of some of the candidates."""
        return replace(self, values=self.values[np.asarray(rows)])

    def off(self, rows: npt.ArrayLike, mean: Floats) -> Floats:
        """By how much predictions (n,), or (n, K) of classes, miss some of the candidates; 1 for a wrong class."""
        truth = self.values[np.asarray(rows)]
        if self.classes:
            return np.asarray(mean.argmax(axis=1) != truth, dtype=np.float64)
        return wrapped(mean - truth, FULL_TURN) if self.angle else mean - truth

    def check(self) -> None:
        """Refuse what nothing can be learned from.

        Raises
        ------
        InputError
            If fewer than three values are known, all that are known are the same, or they cannot be computed with.
        """
        known = self.values[self.known]
        check_size(known)
        if len(self.classes) > MOST_LABELS:
            raise InputError(
                f"“{self.name}” has {len(self.classes)} classes, and at most {MOST_LABELS} can be told apart; choose "
                "another target."
            )
        if len(known) < FEWEST:
            raise InputError(
                f"“{self.name}” has {len(known) or 'no'} value{'s' if len(known) != 1 else ''} at these places, and at "
                f"least {FEWEST} are needed; choose another target."
            )
        if (known == known[0]).all():
            value = self.classes[int(known[0])] if self.classes else f"{known[0]:.4g}"
            raise InputError(
                f"“{self.name}” is {value} everywhere, so there is nothing to learn; choose another target."
            )


@dataclass(frozen=True, eq=False)
class LayerTarget:
    """A layer to be read under the candidates, once it is known where these are.

    Parameters
    ----------
    name : str
    pixels : array (Y, X) or (T, Y, X)
        Values, or labels.
    placement : Placement
        Of the layer, with as many axes as `pixels`.
    radius : float, optional
        Of the disc whose mean is taken, in pixels of the image of the candidates; ``None`` for labels.
    """

    name: str
    pixels: npt.NDArray[Any]
    placement: Placement
    radius: float | None = None

    def read(self, positions: Floats, ours: Placement) -> Target:
        """As `image_target`, or `labels_target`."""
        if self.radius is None:
            return labels_target(self.name, self.pixels, self.placement, positions, ours)
        return image_target(self.name, self.pixels, self.placement, positions, ours, self.radius)


def column_target(column: pd.Series) -> Target:
    """A column of a table as target: classes if it holds words, categories or true and false, numbers otherwise.

    Numbers of a column with “angle” in its name are degrees on a circle.
    """
    name = str(column.name)
    if not is_categorical(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return Target(name, np.where(np.isfinite(values), values, np.nan), angle=is_angle(name))
    classes = class_order(column)
    codes = codes_of(column, classes)
    return Target(name, np.where(codes >= 0, codes, np.nan), tuple(classes))


def image_target(
    name: str, pixels: npt.NDArray[Any], theirs: Placement, positions: Floats, ours: Placement, radius: float
) -> Target:
    """Mean of an image in a disc around every candidate, wherever and at whatever scale the image lies in the world.

    Parameters
    ----------
    name : str
    pixels : array (Y, X) or (T, Y, X)
        Values of the image; NaN where there is none.
    theirs : Placement
        Of that image.
    positions : array (N, n)
        Of the candidates, in pixels of the image that they belong to.
    ours : Placement
        Of that image, with n axes.
    radius : float
        Of the disc, in pixels of `ours`. 0 reads the pixel under the candidate.

    Returns
    -------
    Target
        NaN for candidates whose disc holds no pixel of the image.

    Raises
    ------
    InputError
        If the image has frames and the candidates do not.
    """
    if pixels.ndim > positions.shape[1]:
        raise InputError(f"“{name}” has more axes than the candidates; choose a layer of one picture.")
    centres = theirs.points_from(positions, ours)[:, -pixels.ndim :]
    return Target(name, _disc_means(pixels, centres, _disc(radius, theirs, ours)))


def labels_target(name: str, labels: npt.NDArray[Any], theirs: Placement, positions: Floats, ours: Placement) -> Target:
    """Class of every candidate by the label under it; 0 and beyond the picture is no class. Arguments: `image_target`.

    Labels that are under no candidate are classes too, so that the number of a class does not depend on the candidates.

    Raises
    ------
    InputError
        If the labels have frames and the candidates do not.
    """
    codes = class_under(labels, theirs.points_from(positions, ours), name)
    present = labels_in(labels)
    return Target(name, np.where(codes >= 0, np.searchsorted(present, codes + 1), np.nan), tuple(map(str, present)))


def labels_in(pixels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The labels of a picture, in order; 0 is none."""
    numbers = np.unique(pixels).astype(np.int64)
    return numbers[numbers > 0]


def _disc(radius: float, theirs: Placement, ours: Placement) -> Floats:
    """Places (K, 2) that fill a disc evenly, in pixels of the image that is read, two to a pixel of it."""
    pixel = np.abs(ours.last(2).points_from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]], theirs.last(2)))
    size = float(np.min([np.linalg.norm(side - pixel[0]) for side in pixel[1:]]))
    n = int(np.clip(np.ceil(2 * radius / size), 1, FINEST)) if radius > 0 else 0
    steps = (np.arange(-n, n + 1) / max(n, 1)) * radius
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
    inside = grid[np.hypot(*grid.T) <= radius * (1 + 1e-9)]
    origin = theirs.last(2).points_from(np.zeros((1, 2)), ours.last(2))
    return theirs.last(2).points_from(inside, ours.last(2)) - origin


def _disc_means(pixels: npt.NDArray[Any], centres: Floats, disc: Floats) -> Floats:
    means = np.full(len(centres), np.nan)
    size = max(1, AT_ONCE // len(disc))
    for start in range(0, len(centres), size):
        part = slice(start, start + size)
        places = np.repeat(centres[part, None], len(disc), axis=1)
        places[..., -2:] += disc
        index = np.rint(places).astype(np.int64)
        there = np.asarray(((index >= 0) & (index < np.array(pixels.shape))).all(axis=-1))
        values = np.where(there, pixels[tuple(np.where(there[..., None], index, 0).transpose(2, 0, 1))], np.nan)
        known = np.isfinite(values)
        count = known.sum(axis=1)
        total = np.where(known, values, 0.0).sum(axis=1, dtype=np.float64)
        means[part] = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    return means
