"""HDF5 of any program: opened only if what it holds lies in the file itself and fits in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from ..core.errors import ReadError
from .calibration import Calibration, calibrate
from .dataset import Dataset, array_axes, fits, no_image
from .hdf5_arrays import as_text, claimed_bytes, load_dataset
from .nexus import nexus_datasets
from .nion import hdf5_nion
from .vendors import missing_extra, vendor_datasets

HYPERSPY = ("Experiments", "Analysis")  # groups, which their reader goes through row by row where they are arrays
SMALLEST = 8  # pixels along the shorter side of what may be an image, where a file does not tell


def hdf5_datasets(path: Path) -> list[Dataset]:
    """Images of an HDF5 file by what is in it: HyperSpy, EMD, DigitalMicrograph 5, Nion Swift, or plain arrays.

    Raises
    ------
    ReadError
        If h5py is not installed, or the file refers to other files or claims more than it can hold.
    """
    with opened_hdf5(path) as file:
        if path.suffix.lower() in (".emd", ".hspy") or file.attrs.get("file_format") == "HyperSpy":
            datasets = None
        elif "origin" in file.attrs and "table" in file:
            refuse_table(path)
        elif "ImageList" in file:
            datasets = _digital_micrograph(path, file)
        elif "data" in file and (hasattr(file["data"], "shape") or path.suffix.lower() == ".nhdf"):
            datasets = hdf5_nion(path, file) if _has_properties(file["data"]) else _plain(path, file)
        else:
            datasets = nexus_datasets(path, file) or _plain(path, file)
    if datasets is None:
        return vendor_datasets(path)
    if not datasets:
        raise no_image(path)
    return datasets


@contextmanager
def opened_hdf5(path: Path) -> Iterator[Any]:
    """An HDF5 file that is open meanwhile, if all of it lies in it and fits.

    Raises
    ------
    ReadError
        As `hdf5_datasets`.
    """
    try:
        import h5py
    except ImportError as error:
        raise missing_extra(path) from error
    if not h5py.is_hdf5(path):
        raise ReadError(f"{path.name} is cut short or not an HDF5 file; copy or export it again from its source.")
    fits(claimed_bytes(path), path)
    with h5py.File(path, "r") as file:
        if any(hasattr(file.get(name), "shape") for name in HYPERSPY):
            raise ReadError(f"{path.name} has an array in the place of a group; copy or export it again.")
        yield file


def refuse_table(path: Path) -> NoReturn:
    """Say what to do with a table in HDF5, which early versions wrote.

    Raises
    ------
    ReadError
        Always.
    """
    raise ReadError(
        f"{path.name} is no table that can be read; one in HDF5 of an early version of napari-vae is read with h5py "
        "(its group “table”), and saved as .parquet."
    )


def _has_properties(data: Any) -> bool:
    items = [data] if hasattr(data, "shape") else list(data.values())
    return bool(items) and all("properties" in item.attrs for item in items)


def _digital_micrograph(path: Path, file: Any) -> list[Dataset]:
    """Images of a ``.dm5`` file but its thumbnails; spectra and spectrum images are passed over."""
    thumbnails = {int(item.attrs.get("ImageIndex", -1)) for item in file.get("Thumbnails", {}).values()}
    datasets = []
    for number, key in enumerate(file["ImageList"]):
        image = file["ImageList"][key]
        pixels, tags = image["ImageData/Data"], image.get("ImageTags/Meta Data")
        kind = "" if tags is None else as_text(tags.attrs.get("Format", "")) + as_text(tags.attrs.get("Signal", ""))
        if number in thumbnails or pixels.ndim not in (2, 3) or any(word in kind for word in ("Spectrum", "EELS")):
            continue
        steps = image["ImageData/Calibrations/Dimension"]
        columns, rows = (steps[f"[{axis}]"].attrs for axis in (0, 1))
        calibration = calibrate(
            [axis.get("Scale") for axis in (rows, columns)], [axis.get("Units") for axis in (rows, columns)]
        )
        name = as_text(image.attrs.get("Name", "")) or f"image {number}"
        load = partial(load_dataset, path, pixels.name)
        datasets.append(Dataset(name, "TYX"[-pixels.ndim :], pixels.shape, load, calibration))
    return datasets


def _plain(path: Path, file: Any) -> list[Dataset]:
    """Arrays of numbers that may be images, by their place in the file, without a scale."""
    note = "An HDF5 file of an unknown program; its array is taken as an image, its scale is not known."
    datasets: list[Dataset] = []

    def visit(name: str, item: Any) -> None:
        axes = array_axes(item.shape) if hasattr(item, "dtype") and item.dtype.kind in "iufcb" else None
        if axes and min(n for n, axis in zip(item.shape, axes, strict=True) if axis in "YX") >= SMALLEST:
            load = partial(load_dataset, path, name)
            datasets.append(Dataset(name, axes, item.shape, load, Calibration(note=note)))

    file.visititems(visit)
    return sorted(
        datasets, key=lambda dataset: [int(n) if n.isdigit() else n for n in re.split(r"(\d+)", dataset.name)]
    )
