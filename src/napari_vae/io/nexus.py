"""NeXus (``.nxs`` and other HDF5): groups whose attributes name a signal and the axes that belong to it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .calibration import Calibration, calibrate
from .dataset import Dataset, array_axes
from .hdf5_arrays import as_text, load_dataset

if TYPE_CHECKING:
    import h5py


def nexus_datasets(path: Path, file: h5py.File) -> list[Dataset]:
    """The signals of an open file that are images or movies, each with the steps of its axes; none if it has none."""
    datasets = []

    def visit(name: str, item: Any) -> None:
        signal: Any = None if hasattr(item, "shape") else item.get(as_text(item.attrs.get("signal", "")) or "/")
        if hasattr(signal, "shape") and signal.dtype.kind in "iufcb" and (axes := array_axes(signal.shape)):
            title = as_text(signal.attrs.get("long_name", "")) or as_text(item.attrs["signal"])
            title = name.rpartition("/")[2] if title in ("data", "signal") else title
            metadata = {"intensity_unit": as_text(signal.attrs.get("units", ""))}
            calibration = _calibration(item, signal, axes)
            load = partial(load_dataset, path, signal.name)
            datasets.append(Dataset(title, axes, signal.shape, load, calibration, metadata))

    visit("", file)
    file.visititems(visit)
    return datasets


def _calibration(group: Any, signal: Any, axes: str) -> Calibration:
    """The steps between the first and last value of the axes of rows and columns."""
    named = [as_text(name) for name in np.atleast_1d(group.attrs.get("axes", []))]
    steps, units = [], []
    for letter in "YX":
        place = axes.index(letter)
        values: Any = group.get(named[place]) if len(named) == len(axes) and named[place] not in ("", ".") else None
        is_line = hasattr(values, "shape") and values.shape == (signal.shape[place],) and values.shape[0] > 1
        if not is_line or values.dtype.kind not in "iuf":
            return Calibration()
        steps.append((float(values[-1]) - float(values[0])) / (values.shape[0] - 1))
        units.append(as_text(values.attrs.get("units", "")))
    return calibrate(steps, units)
