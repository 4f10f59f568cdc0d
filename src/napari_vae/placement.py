"""Where the pixels of a layer lie in the world; copied from the source to everything made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .micrograph import Micrograph

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Placement:
    """Transform, units and axis labels of a layer of n dimensions.

    Parameters
    ----------
    scale, translate : array (n,)
        Pixel size and position of the first pixel, in `units`.
    rotate : array (n, n)
        Rotation matrix.
    shear : array (n (n − 1) / 2,) or (n, n)
        As napari has it: the part above the diagonal, or a triangular matrix.
    affine : array (n + 1, n + 1)
        Applied after the others.
    units, axis_labels : tuple of str
        One per axis.
    """

    scale: Floats
    translate: Floats
    rotate: Floats
    shear: Floats
    affine: Floats
    units: tuple[str, ...]
    axis_labels: tuple[str, ...]

    @classmethod
    def of_layer(cls, layer: Any) -> Placement:
        """Placement of a napari layer."""
        return cls(
            scale=np.array(layer.scale, float),
            translate=np.array(layer.translate, float),
            rotate=np.array(layer.rotate, float),
            shear=np.array(layer.shear, float),
            affine=np.array(layer.affine.affine_matrix, float),
            units=tuple(str(unit) for unit in layer.units),
            axis_labels=tuple(layer.axis_labels),
        )

    @classmethod
    def of_micrograph(cls, micrograph: Micrograph) -> Placement:
        """Placement of calibrated size for what is made from a micrograph, its first pixel at the origin.

        A channel axis is dropped, a frame axis kept.
        """
        axes = micrograph.axes.removeprefix("C")
        n = len(axes)
        unit = _known_unit(micrograph.units)
        return cls(
            scale=np.array([1.0] * (n - 2) + list(micrograph.scale)),
            translate=np.zeros(n),
            rotate=np.eye(n),
            shear=np.zeros(n * (n - 1) // 2),
            affine=np.eye(n + 1),
            units=("pixel",) * (n - 2) + (unit, unit),
            axis_labels=tuple(axes.lower()),
        )

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.scale)

    def last(self, n: int) -> Placement:
        """The placement without its leading axes, for what has only the last `n`."""
        shear = self.shear if self.shear.ndim == 2 else _shear_matrix(self.shear, self.ndim)[-n:, -n:][_above(n)]
        return Placement(
            scale=self.scale[-n:],
            translate=self.translate[-n:],
            rotate=self.rotate[-n:, -n:],
            shear=shear if shear.ndim == 1 else shear[-n:, -n:],
            affine=self.affine[-n - 1 :, -n - 1 :],
            units=self.units[-n:],
            axis_labels=self.axis_labels[-n:],
        )

    def stacked(self, label: str) -> Placement:
        """The placement with one more axis in front, of steps that have no unit."""
        n = self.ndim + 1

        def block(matrix: Floats) -> Floats:
            larger = np.eye(len(matrix) + 1)
            larger[1:, 1:] = matrix
            return larger

        return Placement(
            scale=np.r_[1.0, self.scale],
            translate=np.r_[0.0, self.translate],
            rotate=block(self.rotate),
            shear=block(_shear_matrix(self.shear, self.ndim))[_above(n)],
            affine=block(self.affine),
            units=("pixel", *self.units),
            axis_labels=(label, *self.axis_labels),
        )

    def beside(self, offset: npt.ArrayLike) -> Placement:
        """The placement moved by `offset` (n,) pixels of the layer; its scale, translate and units stay as they are."""
        move = np.eye(self.ndim + 1)
        move[:-1, -1] = self._linear() @ np.asarray(offset, float)
        return Placement(**{**vars(self), "affine": self.affine @ move})

    def coarser(self, step: float, first: npt.ArrayLike) -> Placement:
        """The placement of a picture with one pixel every `step` pixels of the last two axes, from `first` (n,) on."""
        factor = np.r_[np.ones(self.ndim - 2), step, step]
        start = self.translate + self._linear() @ np.asarray(first, float)
        return Placement(**{**vars(self), "scale": self.scale * factor, "translate": start})

    def kwargs(self) -> dict[str, Any]:
        """Keyword arguments for a layer."""
        return dict(vars(self))

    def to_world(self) -> Floats:
        """Matrix (n + 1, n + 1) from pixels to the world."""
        local = np.eye(self.ndim + 1)
        local[:-1, :-1] = self._linear()
        local[:-1, -1] = self.translate
        return np.asarray(self.affine @ local)

    def points_from(self, points: npt.ArrayLike, other: Placement) -> Floats:
        """Positions (N, m) given in pixels of `other`, in pixels of this placement.

        A placement of fewer axes than the other is met by the last axes.

        Returns
        -------
        array (N, min(m, n))
        """
        n = min(self.ndim, other.ndim)
        ours, theirs = self.last(n).to_world(), other.last(n).to_world()
        given = np.asarray(points, float)[:, -n:]
        if np.allclose(ours, theirs, rtol=1e-12, atol=0):
            return given
        matrix = np.linalg.solve(ours, theirs)
        return np.asarray(given @ matrix[:-1, :-1].T + matrix[:-1, -1])

    def _linear(self) -> Floats:
        return np.asarray(self.rotate @ _shear_matrix(self.shear, self.ndim) @ np.diag(self.scale))


def _above(n: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    rows, columns = np.triu_indices(n, 1)
    return rows, columns


def _shear_matrix(shear: Floats, n: int) -> Floats:
    if shear.ndim == 2:
        return shear
    matrix = np.eye(n)
    matrix[_above(n)] = shear
    return matrix


def _known_unit(name: str) -> str:
    """The unit if pint, which napari reads units with, knows it; else ``"pixel"``."""
    if name in ("", "px"):
        return "pixel"
    import pint

    try:
        return str(pint.get_application_registry().Unit(name))
    except Exception:  # pint raises many kinds for text that is not a unit, such as "<unspecified>"
        return "pixel"
