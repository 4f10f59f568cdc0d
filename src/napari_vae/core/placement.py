"""Where the pixels of a layer lie in the world; copied from the source to everything made from it.

All lengths and positions in the world are computed here. Units are converted as napari does on the canvas: where the
axes of two layers are of the same kind. Otherwise it shows the bare numbers, and so are they taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .errors import ReadError
from .units import known_unit, short_unit, unit_factors

if TYPE_CHECKING:
    from .micrograph import Micrograph

Floats = npt.NDArray[np.float64]
NUMBERS = ("scale", "translate", "rotate", "shear", "affine")
SAME = 1e-9  # of a pixel, within which two places are the same
LARGEST_ENTRY = 1e50  # number in a place that is kept
KEY = "napari_vae"  # where our provenance lies in the metadata of a layer
OWN_UNITS = "own_units"  # of a layer that has those of the active image as long as it is hidden
KEPT = "placement"  # where the origin and rotation of an image are kept in its metadata, and in provenance


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
    bare : bool
        Whether the canvas shows numbers without regard to units, as it does once layers are of different kinds.
    frame : int
        Of a movie that is in view, to which points without a frame belong.
    """

    scale: Floats
    translate: Floats
    rotate: Floats
    shear: Floats
    affine: Floats
    units: tuple[str, ...]
    axis_labels: tuple[str, ...]
    bare: bool = False
    frame: int = 0

    @classmethod
    def of_layer(cls, layer: Any) -> Placement:
        """Placement of a napari layer."""
        return cls(
            scale=np.array(layer.scale, float),
            translate=np.array(layer.translate, float),
            rotate=np.array(layer.rotate, float),
            shear=np.array(layer.shear, float),
            affine=np.array(layer.affine.affine_matrix, float),
            units=tuple(layer.metadata.get(KEY, {}).get(OWN_UNITS) or map(str, layer.units)),
            axis_labels=tuple(layer.axis_labels),
        )

    @classmethod
    def of_canvas(cls, viewer: Any) -> Placement:
        """Placement of the numbers that a viewer gives for places, such as ``dims.point``."""
        units, n = viewer.layers.units, viewer.dims.ndim
        return cls(
            scale=np.ones(n),
            translate=np.zeros(n),
            rotate=np.eye(n),
            shear=np.zeros(n * (n - 1) // 2),
            affine=np.eye(n + 1),
            units=("pixel",) * n if units is None else tuple(map(str, units)),
            axis_labels=tuple(viewer.dims.axis_labels),
            bare=units is None,
        )

    @classmethod
    def of_micrograph(cls, micrograph: Micrograph) -> Placement:
        """Placement of what is made from a micrograph: a channel axis is dropped, a frame axis kept.

        Its first pixel lies at the origin, unless the micrograph is of a layer that lay elsewhere.
        """
        axes = micrograph.axes.removeprefix("C")
        n = len(axes)
        if KEPT in micrograph.metadata:
            return cls.from_dict(micrograph.metadata[KEPT]).last(n)
        unit = known_unit(micrograph.units)
        return cls(
            scale=np.array([1.0] * (n - 2) + list(micrograph.scale)),
            translate=np.zeros(n),
            rotate=np.eye(n),
            shear=np.zeros(n * (n - 1) // 2),
            affine=np.eye(n + 1),
            units=("pixel",) * (n - 2) + (unit, unit),
            axis_labels=tuple(axes.lower()),
        )

    @classmethod
    def from_dict(cls, kept: Any) -> Placement:
        """Read what `to_dict` wrote.

        Raises
        ------
        ReadError
            If it is something else.
        """
        try:
            numbers: dict[str, Any] = {name: np.array(kept[name], float) for name in NUMBERS}
            units, labels = (tuple(map(str, kept[name])) for name in ("units", "axis_labels"))
            n = len(units)
            shapes = [(n,), (n,), (n, n), (n * (n - 1) // 2,), (n + 1, n + 1)]
            sound = [array.shape for array in numbers.values()] == shapes and len(labels) == n > 1
            if not sound or not all((np.abs(array) < LARGEST_ENTRY).all() for array in numbers.values()):
                raise ValueError("shapes")
            placement = cls(**numbers, units=tuple(map(known_unit, units)), axis_labels=labels)
            np.linalg.inv(placement.to_world())
        except (TypeError, KeyError, ValueError) as error:
            raise ReadError("The place of the image in the world is damaged; make the file again.") from error
        return placement

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON has."""
        shear = self.shear if self.shear.ndim == 1 else self.shear[_above(self.ndim)]
        return {name: np.asarray(value).tolist() for name, value in self.kwargs().items()} | {"shear": shear.tolist()}

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.scale)

    def last(self, n: int) -> Placement:
        """The placement without its leading axes, for what has only the last `n`."""
        return replace(
            self,
            scale=self.scale[-n:],
            translate=self.translate[-n:],
            rotate=self.rotate[-n:, -n:],
            shear=_shear_matrix(self.shear, self.ndim)[-n:, -n:][_above(n)],
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

        return replace(
            self,
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
        return replace(self, affine=self.affine @ move)

    def coarser(self, step: npt.ArrayLike, first: npt.ArrayLike) -> Placement:
        """The placement of a picture with one pixel every `step` (2,) pixels of the last axes, from `first` (n,) on."""
        factor = np.r_[np.ones(self.ndim - 2), np.broadcast_to(step, 2)]
        start = self.translate + self._linear() @ np.asarray(first, float)
        return replace(self, scale=self.scale * factor, translate=start)

    def carried(self, before: Placement, now: Placement) -> Placement:
        """Where something lies that was made on an image at `before`, when the image lies at `now`."""
        if self.ndim > before.ndim:  # a stack on an image
            before, now = before.stacked(self.axis_labels[0]), now.stacked(self.axis_labels[0])
        old, new = before.last(self.ndim), now.last(self.ndim)
        on_image = np.linalg.solve(old.to_world(), self.to_world())
        if _is_identity(on_image):
            return new
        draft = replace(new, scale=new.scale * self.scale / old.scale)
        moved = new.to_world() @ on_image @ np.linalg.inv(replace(draft, affine=np.eye(self.ndim + 1)).to_world())
        return replace(draft, affine=moved)

    def kwargs(self) -> dict[str, Any]:
        """Keyword arguments for a layer."""
        return {name: getattr(self, name) for name in (*NUMBERS, "units", "axis_labels")}

    def pixel_size(self) -> tuple[tuple[float, float] | None, str]:
        """Length of a pixel along rows and columns, and its unit, that of the last axis; ``(None, "px")`` without one.

        It is that of the whole way to the world; to be rotated or sheared changes no length.
        """
        unit = self.units[-1]
        if unit in ("pixel", "dimensionless") or unit_factors((unit, unit), self.units[-2:]) is None:
            return None, "px"
        return self._lengths(), short_unit(unit)

    def resized(self, below: Placement, columns: float, unit: str) -> Placement:
        """Where this is to lie when pixels of the image `below` are given another length along columns."""
        factor = columns / below._lengths()[1]
        rows, one = self._factors_to(below.units[-1])
        grow = np.r_[np.ones(self.ndim - 2), factor * one, factor * one]
        affine = self.affine.copy()
        affine[-3] *= rows / one
        affine[:-1, -1] *= grow
        units = (*self.units[:-2], unit, unit)
        return replace(self, scale=self.scale * grow, translate=self.translate * grow, affine=affine, units=units)

    def heightened(self, rows: float) -> Placement:
        """The same with pixels of another length along rows, in the unit of `pixel_size`; the first one stays."""
        grow = np.ones(self.ndim)
        grow[-2] = rows / self._lengths()[0]
        return replace(self, scale=self.scale * grow)

    def side(self) -> float:
        """The shorter side of a pixel, in the unit of `pixel_size`; of one without a size 1."""
        size, _ = self.pixel_size()
        return 1.0 if size is None else min(size)

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
        matrix = self.matrix_from(other)
        given = np.asarray(points, float)[:, 1 - len(matrix) :]
        if _is_identity(matrix):
            return given
        return np.asarray(given @ matrix[:-1, :-1].T + matrix[:-1, -1])

    def matrix_from(self, other: Placement) -> Floats:
        """Matrix (n + 1, n + 1) from pixels of `other` to pixels of this placement, over the axes that both have."""
        n = min(self.ndim, other.ndim)
        ours, theirs = self.last(n), other.last(n)
        factors = None if self.bare or other.bare else unit_factors(ours.units, theirs.units)
        world = theirs.to_world()
        if factors is not None:
            world[:-1] *= factors[:, None]
        return np.asarray(np.linalg.solve(ours.to_world(), world))

    def shares_units(self, other: Placement) -> bool:
        """Whether rows and columns are of the same kind as those of another: lengths, or bare pixels."""
        return unit_factors(self.units[-2:], other.units[-2:]) is not None

    def lies_like(self, other: Placement) -> bool:
        """Whether pixels of both lie at the same place."""
        return self.ndim == other.ndim and _is_identity(self.matrix_from(other))

    def _lengths(self) -> tuple[float, float]:
        """Of a pixel along rows and columns, in the unit of the last axis."""
        linear = self._factors_to(self.units[-1])[:, None] * self.last(2).to_world()[:2, :2]
        rows, columns = np.abs(np.diag(np.linalg.qr(linear)[1]))
        return float(rows), float(columns)

    def _factors_to(self, unit: str) -> Floats:
        """What the last two axes are multiplied by to be in that unit; 1 where they are of another kind."""
        factors = unit_factors((unit, unit), self.units[-2:])
        return np.ones(2) if factors is None else factors

    def _linear(self) -> Floats:
        return np.asarray(self.rotate @ _shear_matrix(self.shear, self.ndim) @ np.diag(self.scale))


def _is_identity(matrix: npt.NDArray[np.floating]) -> bool:
    return bool(np.allclose(matrix, np.eye(len(matrix)), rtol=0, atol=SAME))


def _above(n: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    rows, columns = np.triu_indices(n, 1)
    return rows, columns


def _shear_matrix(shear: Floats, n: int) -> Floats:
    if shear.ndim == 2:
        return shear
    matrix = np.eye(n)
    matrix[_above(n)] = shear
    return matrix
