"""What a deep kernel is fitted to and predicts: images, rows of numbers, or what a trained model infers of images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...core.arrays import as_array
from ...core.errors import InputError
from ...models.images import raw_images

Floats = npt.NDArray[np.float64]
INFERRED = ("turn", "circular", "orientation")


@dataclass(frozen=True, eq=False)
class Prepared:
    """Candidates as a model wants them; ``prepared[rows]`` are some of them.

    Attributes
    ----------
    values : array (N, F) or (N, C, H, W)
        Rows of numbers, or images, which stay as they were given until a batch of them is looked at.
    turn : array (N,) or None
        By how much the content of each image is turned, in radians, where a trained model infers that.
    circular : array (N, 4) or None
        The same as cos φ, sin φ, cos 2φ, sin 2φ: means over competing angles, so half a turn that leaves the image as
        it is leaves these as they are.
    orientation : array (N,) of int or None
        The coarse orientation in which a trained model saw each image, where its encoder is trained further.
    of_run : bool
        Whether the columns are those of a trained model: their sizes say how much they matter.
    """

    values: npt.NDArray[Any]
    turn: Floats | None = None
    circular: Floats | None = None
    orientation: npt.NDArray[np.int64] | None = None
    of_run: bool = False

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> Prepared:
        others: dict[str, Any] = {name: None if (of := getattr(self, name)) is None else of[rows] for name in INFERRED}
        return replace(self, values=self.values[rows], **others)


def plain_candidates(x: Any) -> Prepared:
    """Images (N, H, W) or (N, C, H, W), `Patches`, or rows (N, F), as they are.

    Raises
    ------
    InputError
        If they are no numbers, or not finite.
    """
    x = as_array(x, "candidates") if isinstance(x, list | tuple) else x
    if not hasattr(x, "atoms") and np.ndim(x) == 2:
        rows = as_array(x, "candidates")
        if rows.dtype.kind not in "fiub" or not np.isfinite(rows).all():
            raise InputError("The candidates hold values that are no finite numbers; leave those rows or columns out.")
        if not rows.shape[1]:
            raise InputError("The candidates have no columns; give at least one number for each.")
        return Prepared(rows)
    return Prepared(raw_images(x))


def limits(values: npt.NDArray[Any], *, scaled: bool = True) -> tuple[Floats, Floats]:
    """Centre and spread of every column, or of every channel of images; 0 and 1 where they stay as they are.

    In double precision, and without squares that overflow: a large offset is taken off before anything is rounded.
    """
    if not scaled:
        return np.zeros(1), np.ones(1)
    axes = (0,) if values.ndim == 2 else (0, 2, 3)
    given = np.asarray(values, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        centre = given.mean(axes, keepdims=True)
        away = given - centre
        largest = np.abs(away).max(axes, keepdims=True)
    unit = np.where(largest > 0, largest, 1.0)
    if not np.isfinite(largest).all():
        raise InputError("The candidates are too large to compute with; give them in another unit.")
    spread = (unit * np.sqrt(((away / unit) ** 2).mean(axes, keepdims=True)))[0]
    return centre[0], np.where(spread > 0, spread, 1.0)
