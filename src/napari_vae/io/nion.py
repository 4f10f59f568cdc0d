"""Nion Swift: ``.ndata``, a zip archive of one array; ``.h5`` and ``.nhdf``, HDF5 with properties at its datasets."""

from __future__ import annotations

import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .archives import member
from .calibration import Calibration, calibrate
from .dataset import Dataset, fits
from .hdf5_arrays import load_dataset
from .json_files import parse_json

if TYPE_CHECKING:
    import h5py

PIXELS, PROPERTIES = "data.npy", "metadata.json"


def ndata_datasets(path: Path) -> list[Dataset]:
    """The image or movie of an ``.ndata`` file; nothing is unpacked to the disk, and only these two names are read."""
    with zipfile.ZipFile(path) as archive:
        properties = parse_json(_content(archive, archive.getinfo(PROPERTIES), path), path)
        shape, dtype, load = member(path, archive, archive.getinfo(PIXELS))
    return nion_datasets(path.stem, properties, shape, dtype, load)


def hdf5_nion(path: Path, file: h5py.File) -> list[Dataset]:
    """The images and movies of an open file of Nion Swift."""
    data = file["data"]
    items = [(path.stem, data)] if hasattr(data, "shape") else [(str(key), data[key]) for key in data]
    datasets = []
    for name, item in items:
        properties = parse_json(item.attrs["properties"], path)
        load = partial(load_dataset, path, item.name)
        datasets += nion_datasets(name, properties, item.shape, item.dtype, load)
    return datasets


def nion_datasets(
    name: str, properties: dict[str, Any], shape: tuple[int, ...], dtype: np.dtype[Any], load: Any
) -> list[Dataset]:
    """The dataset of an item of Nion Swift; none if it is a spectrum or a diffraction map."""
    source = (properties.get("data_sources") or [properties])[0]  # older versions keep it one level deeper
    coloured = dtype == np.uint8 and len(shape) > 2 and shape[-1] in (3, 4)
    sequence, plane = bool(source.get("is_sequence")), (0, 2)
    default = (0, min(len(shape) - coloured - sequence, 2))
    dimensions = tuple(
        source.get(f"{kind}_dimension_count", count)
        for kind, count in zip(("collection", "datum"), default, strict=True)
    )
    axes = "T" * sequence + "YX" + "S" * coloured
    if dimensions not in (plane, plane[::-1]) or len(axes) != len(shape):
        return []
    steps = source.get("dimensional_calibrations") or source.get("spatial_calibrations") or []
    steps = steps[sequence : sequence + 2]
    calibration = Calibration()
    if len(steps) == 2:
        calibration = calibrate([step.get("scale", 1) for step in steps], [step.get("units", "") for step in steps])
    title = str(properties.get("title") or source.get("title") or name)
    metadata = {"acquisition": source.get("metadata", {}), "intensity": source.get("intensity_calibration", {})}
    return [Dataset(title, axes, shape, partial(_as_rgb, load) if coloured else load, calibration, metadata)]


def _as_rgb(load: Any) -> Any:
    """Nion Swift keeps colours as blue, green, red."""
    return np.asarray(load())[..., 2::-1]


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> bytes:
    fits(info.file_size, path)
    with archive.open(info) as file:
        return file.read(info.file_size)
