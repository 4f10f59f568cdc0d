"""The spectrum image: a spectrum at every place, with the axis of its energies and the size of its pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import as_array, as_numbers
from .errors import InputError
from .micrograph import Micrograph, size_of_pixels
from .placement import KEPT

AT_ONCE = 8_000_000  # numbers of spectra that are in memory together


@dataclass(frozen=True, repr=False)
class SpectrumImage:
    """Spectra at the places of a map, such as those of EELS, EDS, cathodoluminescence or tunnelling.

    Parameters
    ----------
    data : numpy or dask array (Y, X, E)
        Real numbers. A dask array stays lazy.
    energy : array (E,), optional
        Value of every channel, which rises or falls all along; where it falls, it is turned round with the data. By
        default the number of the channel.
    energy_name, energy_units : str
        What that is, for example ``"Energy loss"`` in ``"eV"``.
    pixel_size : float or (float, float), optional
        Of the map along rows and columns, in `units`. ``None``: not known.
    units : str
        Unit of `pixel_size`.
    survey : Micrograph, optional
        Image that was taken along with the spectra.
    name : str
    metadata : dict
        Anything else that came with the file, in plain Python types.

    Raises
    ------
    InputError
        If the data are not three-dimensional real numbers, or the energies do not belong to them.

    Examples
    --------
    >>> import numpy as np
    >>> SpectrumImage(np.ones((4, 5, 100)), energy=np.linspace(-1, 1, 100), energy_units="V")
    <SpectrumImage “spectra”: 4 y × 5 x, 100 energies from -1 to 1 V, float64>
    """

    data: Any
    energy: Any = None
    energy_name: str = "energy"
    energy_units: str = ""
    pixel_size: Any = None
    units: str = "px"
    survey: Micrograph | None = None
    name: str = "spectra"
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        data = self.data if hasattr(self.data, "dask") else as_array(self.data, "spectra")
        if data.ndim != 3 or 0 in data.shape or data.dtype.kind not in "iufb":
            raise InputError(
                f"The spectra are {data.dtype} values of shape {tuple(data.shape)}; give real numbers (rows, columns, "
                "energies)."
            )
        energy = as_numbers(np.arange(data.shape[2]) if self.energy is None else self.energy, "energies")
        steps = np.diff(energy) if energy.ndim == 1 else np.zeros(1)
        if (
            energy.shape != data.shape[2:]
            or not np.isfinite(energy).all()
            or not ((steps > 0).all() or (steps < 0).all())
        ):
            raise InputError(
                f"The energies have the shape {energy.shape}; give one for each of the {data.shape[2]} channels, which "
                "rise or fall all along."
            )
        if len(steps) and steps[0] < 0:
            energy, data = energy[::-1], data[..., ::-1]
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "energy", energy)
        object.__setattr__(self, "pixel_size", size_of_pixels(self.pixel_size))
        object.__setattr__(self, "units", self.units if self.pixel_size is not None else "px")

    def __repr__(self) -> str:
        rows, columns, n = self.shape
        units = f" {self.energy_units}" if self.energy_units else ""
        return (
            f"<SpectrumImage “{self.name}”: {rows} y × {columns} x, {n} energies from {self.energy[0]:.4g} to "
            f"{self.energy[-1]:.4g}{units}, {self.data.dtype}>"
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (Y, X, E) of `data`."""
        rows, columns, energies = self.data.shape
        return rows, columns, energies

    @property
    def energy_label(self) -> str:
        """Name and unit of the energies, as at the axis of a plot."""
        return f"{self.energy_name} ({self.energy_units})" if self.energy_units else self.energy_name

    def covers(self, image: Micrograph) -> bool:
        """Whether the places are those of an image within 5 %: by the size of pixels if both have it, else in shape."""
        size = np.array(self.shape[:2]) / image.shape[-2:]
        if self.pixel_size and image.pixel_size and self.units == image.units:
            size = size * self.pixel_size / image.pixel_size
        else:
            size = size / size[0]
        return bool((np.abs(np.log(size)) < 0.05).all())

    def spectrum(self, row: int, column: int) -> npt.NDArray[np.float64]:
        """The spectrum (E,) of a place; only that is read of a lazy array."""
        return np.asarray(self.data[row, column], dtype=np.float64)

    def blocks(self) -> Iterator[tuple[slice, npt.NDArray[np.float64]]]:
        """The spectra some rows (n, X, E) at a time, each with where they are; a lazy array is read so."""
        rows = max(1, AT_ONCE // (self.shape[1] * self.shape[2]))
        for start in range(0, self.shape[0], rows):
            part = slice(start, min(start + rows, self.shape[0]))
            yield part, np.asarray(self.data[part], dtype=np.float64)

    def between(self, low: float, high: float) -> SpectrumImage:
        """The channels from one energy to another, these included.

        Raises
        ------
        InputError
            If there is none.
        """
        inside = np.flatnonzero((self.energy >= min(low, high)) & (self.energy <= max(low, high)))
        if not len(inside):
            raise InputError(f"No energy lies from {low:.4g} to {high:.4g}; {self!r}.")
        part = slice(int(inside[0]), int(inside[-1]) + 1)
        return replace(self, data=self.data[..., part], energy=self.energy[part])

    def mean(self) -> npt.NDArray[np.float64]:
        """Mean spectrum (E,) of all places where it is a number."""
        total, count = np.zeros(self.shape[2]), np.zeros(self.shape[2])
        for _, spectra in self.blocks():
            known = np.isfinite(spectra)
            total += np.where(known, spectra, 0).sum((0, 1))
            count += known.sum((0, 1))
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)

    def map(self, values: Any, name: str) -> Micrograph:
        """Values (Y, X), one for each place, as an image with the size of its pixels, in its place if that is known."""
        place = {KEPT: self.metadata[KEPT]} if KEPT in self.metadata else {}
        return Micrograph(np.asarray(values), self.pixel_size, self.units, name=name, metadata=place)
