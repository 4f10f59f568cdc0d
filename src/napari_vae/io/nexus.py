"""NeXus (``.nxs`` and other HDF5): groups whose attributes name a signal and the axes that belong to it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .calibration import Calibration, calibrate, spectral_axis
from .dataset import Dataset, array_axes
from .hdf5_arrays import as_text, load_dataset

if TYPE_CHECKING:
    import h5py


class Axis(NamedTuple):
    """What a group says of an axis of its signal; `values` are ``None`` where it gives none."""

    name: str
    units: str
    values: Any = None


def signals_of(file: h5py.File) -> list[tuple[str, Any, Any]]:
    """Name of every group of an open file that names a signal of real or complex numbers, the group, and the signal."""
    found = []

    def visit(name: str, item: Any) -> None:
        signal: Any = None if hasattr(item, "shape") else item.get(as_text(item.attrs.get("signal", "")) or "/")
        if hasattr(signal, "shape") and signal.dtype.kind in "iufcb":
            found.append((name, item, signal))

    visit("", file)
    file.visititems(visit)
    return found


def axes_of(group: Any, signal: Any) -> list[Axis]:
    """The axes of the signal of a group, in its order."""
    named = [as_text(name) for name in np.atleast_1d(group.attrs.get("axes", []))]
    axes = []
    for place in range(signal.ndim):
        name = named[place] if len(named) == signal.ndim and named[place] != "." else ""
        values: Any = group.get(name) if name else None
        is_line = hasattr(values, "shape") and values.shape == (signal.shape[place],)
        known = is_line and values.dtype.kind in "iuf"
        units = as_text(values.attrs.get("units", "")) if known else ""
        axes.append(Axis(name, units, values[()] if known else None))
    return axes


def nexus_datasets(path: Path, file: h5py.File) -> list[Dataset]:
    """The signals of an open file that are images or movies, each with the steps of its axes; none if it has none."""
    datasets = []
    for name, group, signal in signals_of(file):
        axes, sides = array_axes(signal.shape), axes_of(group, signal)
        if axes and spectral_axis([side[:2] for side in sides]) is None:
            title = as_text(signal.attrs.get("long_name", "")) or as_text(group.attrs["signal"])
            title = name.rpartition("/")[2] if title in ("data", "signal") else title
            metadata = {"intensity_unit": as_text(signal.attrs.get("units", ""))}
            calibration = _calibration([sides[axes.index(letter)] for letter in "YX"])
            load = partial(load_dataset, path, signal.name)
            datasets.append(Dataset(title, axes, signal.shape, load, calibration, metadata))
    return datasets


def _calibration(sides: list[Axis]) -> Calibration:
    """The steps between the first and last value of the axes of rows and columns."""
    if any(side.values is None or len(side.values) < 2 for side in sides):
        return Calibration()
    steps = [(float(side.values[-1]) - float(side.values[0])) / (len(side.values) - 1) for side in sides]
    return calibrate(steps, [side.units for side in sides])
