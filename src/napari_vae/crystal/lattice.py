"""A lattice: its vectors, angle and spacing with their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.square import SQUARE
from .neighbours import lattice_shell, symmetry_order

Array = npt.NDArray[np.float64]

SHELL = 1.25  # times the shortest: neighbours that count for the spacing
_AS_SHORT = 1.01  # times the longer of two vectors, for a third that may be taken instead
_STRETCHED = 0.25  # of the shortest vector, that a symmetric lattice may be distorted by the scan
_ACUTE, _OBTUSE = 70.0, 125.0  # degrees, between the vectors that are reported: 120° for a hexagonal lattice, not 60°


@dataclass(frozen=True)
class Lattice:
    """The mean lattice of a crystal, in pixels.

    Attributes
    ----------
    a, b : (float, float)
        Lattice vectors (y, x), two of the shortest. `a` is the one most nearly to the right, and `b` lies
        counter-clockwise from it on screen, by 70° to 125°.
    a_err, b_err : (float, float)
        Their standard errors, which follow also from slow distortion and not from noise alone.
    spacing, spacing_err : float
        Distance of neighbouring atoms, whatever their sublattice, and its standard error.
    angle, angle_err : float
        From `a` to `b`, in degrees.
    residual : float
        Root mean square distance of the atoms from the lattice (static displacements, noise and slow distortion).
    n_atoms : int
        How many atoms it was fitted to; the others are joined to too few, or lie apart.
    sides : (float, float)
        Sides of a pixel along rows and columns in units of the shorter one, which lengths, spacing and residual are in.
    """

    a: tuple[float, float]
    b: tuple[float, float]
    a_err: tuple[float, float]
    b_err: tuple[float, float]
    spacing: float
    spacing_err: float
    angle: float
    angle_err: float
    residual: float
    n_atoms: int
    sides: tuple[float, float] = SQUARE

    @property
    def vectors(self) -> Array:
        """`a` and `b` as the rows of a (2, 2) array, (y, x)."""
        return np.array([self.a, self.b])

    @property
    def square_vectors(self) -> Array:
        """The same (2, 2) in units of the shorter side of a pixel."""
        vectors: Array = self.vectors * self.sides
        return vectors

    @property
    def lengths(self) -> Array:
        """Lengths (2,) of `a` and `b`."""
        length: Array = np.linalg.norm(self.square_vectors, axis=1)
        return length

    @property
    def length_errors(self) -> Array:
        """Standard errors (2,) of the lengths."""
        errors = np.array([self.a_err, self.b_err]) * self.sides
        error: Array = np.linalg.norm(self.square_vectors * errors, axis=1) / self.lengths
        return error

    def scaled(self, pixel_size: tuple[float, float]) -> Lattice:
        """The same lattice in the unit of the pixel size, given for rows and columns."""
        vectors, errors = self.vectors * pixel_size, np.array([self.a_err, self.b_err]) * pixel_size
        mean = float(np.sqrt(np.prod(pixel_size) / np.prod(self.sides)))  # the shorter side
        return Lattice(
            a=pair(vectors[0]),
            b=pair(vectors[1]),
            a_err=pair(errors[0]),
            b_err=pair(errors[1]),
            spacing=self.spacing * mean,
            spacing_err=self.spacing_err * mean,
            angle=angle_between(vectors),
            angle_err=angle_error(vectors, errors),
            residual=self.residual * mean,
            n_atoms=self.n_atoms,
        )

    def turn_from(self, other: Lattice) -> tuple[float, float]:
        """By how many degrees it is turned from another, counter-clockwise on screen, and modulo which symmetry.

        >>> square, turned = Lattice.ideal((0, 8), (-8, 0)), Lattice.ideal((-4.8, 6.4), (-6.4, -4.8))
        >>> [round(degrees, 2) for degrees in turned.turn_from(square)]
        [36.87, 90.0]
        """
        shells = [lattice_shell(lattice.square_vectors) for lattice in (self, other)]
        orders = [symmetry_order(shell, _STRETCHED) for shell in shells]
        sizes = [abs(np.linalg.det(lattice.square_vectors)) for lattice in (self, other)]
        alike = max(sizes) < (1 + _STRETCHED) * min(sizes)
        order = max(orders) if alike else min(orders)  # of two that are alike, the less distorted one tells
        phases = []
        for shell in shells:
            turns = (shell[:, 1] - 1j * shell[:, 0]) ** order  # rows run down
            phases.append(np.angle((turns / np.abs(turns) ** (1 + 2 / order)).sum()))  # by 1 / length²
        difference = (phases[0] - phases[1] + np.pi) % (2 * np.pi) - np.pi
        return float(np.degrees(difference) / order), 360.0 / order

    def describe(self, unit: str = "px") -> str:
        """The lattice in words, for lengths in `unit`.

        >>> print(Lattice.ideal((0, 8), (-8, 0)).describe())
        a = 8 px
        b = 8 px
        angle = 90°
        mean distance of neighbours = 8 px
        """
        a, b = (with_error(*known) for known in zip(self.lengths, self.length_errors, strict=True))
        angle, spacing = with_error(self.angle, self.angle_err), with_error(self.spacing, self.spacing_err)
        return f"a = {a} {unit}\nb = {b} {unit}\nangle = {angle}°\nmean distance of neighbours = {spacing} {unit}"

    @classmethod
    @checks_arguments
    def ideal(cls, a: tuple[float, float], b: tuple[float, float]) -> Lattice:
        """A lattice that is known, without errors, for example as the reference for strain.

        Raises
        ------
        InputError
            If the vectors are collinear or not finite.
        """
        vectors = np.array([a, b], dtype=float)
        if not (np.isfinite(vectors).all() and abs(sine(*vectors)) > 1e-6):
            raise InputError(f"The vectors {a} and {b} make no lattice; give two that are not collinear.")
        vectors = reduced(vectors)
        lengths = np.linalg.norm(lattice_shell(vectors), axis=1)
        spacing = float(lengths[lengths <= SHELL * lengths.min()].mean())
        return cls(
            pair(vectors[0]), pair(vectors[1]), (0.0, 0.0), (0.0, 0.0), spacing, 0.0, angle_between(vectors),
            0.0, 0.0, 0,
        )  # fmt: skip


def reduced(vectors: Array) -> Array:
    """The shortest basis of the same lattice, `a` most nearly to the right and `b` counter-clockwise from it."""
    a, b = sorted(vectors, key=lambda v: float(v @ v))
    while True:
        b = b - np.rint(a @ b / (a @ a)) * a
        if b @ b >= (1 - 1e-9) * (a @ a):
            break
        a, b = b, a
    short = [a, b]
    for third in (a + b, a - b):  # of a nearly hexagonal lattice
        if np.linalg.norm(third) <= _AS_SHORT * np.linalg.norm(b):
            short.append(third)
    short += [-v for v in short]
    pairs = [np.array([one, other]) for one in short for other in short if sine(one, other) > 1e-6]
    usual = [pair for pair in pairs if _ACUTE <= angle_between(pair) <= _OBTUSE] or pairs
    return max(usual, key=lambda pair: float(pair[0, 1] / np.linalg.norm(pair[0])))


def sine(a: Array, b: Array) -> float:
    """Sine of the angle from a to b, counter-clockwise on screen, where rows run down."""
    return float((a[0] * b[1] - a[1] * b[0]) / (np.linalg.norm(a) * np.linalg.norm(b)))


def angle_between(vectors: Array) -> float:
    """Angle between the vectors in degrees."""
    a, b = vectors
    return float(np.degrees(np.arctan2(abs(a[0] * b[1] - a[1] * b[0]), a @ b)))


def angle_error(vectors: Array, errors: Array) -> float:
    """Standard error in degrees of the angle between vectors (2, 2) whose components have `errors` (2, 2)."""
    across = vectors[:, ::-1] * [1, -1] / (vectors**2).sum(axis=1, keepdims=True)  # radians per pixel
    return float(np.degrees(np.linalg.norm(across * errors)))


def with_error(value: float, error: float) -> str:
    """A value and its standard error, to two digits of the error.

    >>> with_error(0.246123, 0.00021), with_error(90.0, 0.0)
    ('0.24612 ± 0.00021', '90')
    """
    if not (np.isfinite(error) and error > 0):
        return f"{value:.4g}"
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def pair(values: Array) -> tuple[float, float]:
    """Two numbers as a tuple."""
    return float(values[0]), float(values[1])
