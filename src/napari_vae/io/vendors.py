"""Formats of microscope makers through RosettaSciIO (the ``formats`` extra)."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from ..core.errors import ReadError
from .calibration import Calibration, calibrate
from .dataset import Dataset, is_large
from .vendor_checks import check_file

#: The RosettaSciIO reader of each file suffix.
READERS = {
    ".dm3": "digitalmicrograph",
    ".dm4": "digitalmicrograph",
    ".emd": "emd",
    ".ser": "tia",
    ".emi": "tia",
    ".mrc": "mrc",
    ".hspy": "hspy",
    ".bcf": "bruker",
    ".sur": "digitalsurf",
    ".hdf5": "hspy",
}
#: What selects images, which skips the decoding of spectrum images: it takes minutes.
IMAGES = {".emd": "images", ".bcf": "image"}


def vendor_datasets(path: Path) -> list[Dataset]:
    """Images and movies in a file of a microscope maker; spectra and diffraction maps are passed over.

    Raises
    ------
    ReadError
        If RosettaSciIO is not installed or the file holds no image.
    """
    suffix = path.suffix.lower()
    selected = {"select_type": IMAGES[suffix]} if suffix in IMAGES else {}
    signals = vendor_signals(path, READERS, **selected)
    datasets = [dataset for index, signal in enumerate(signals) if (dataset := signal_dataset(signal, index))]
    if not datasets:
        remedy = "put the .ser files beside it" if suffix == ".emi" else "choose a file with an image or a movie"
        raise ReadError(f"{path.name} holds no image, only other data such as spectra; {remedy}.")
    return datasets


def vendor_signals(path: Path, readers: dict[str, str], **options: Any) -> list[dict[str, Any]]:
    """What the reader of RosettaSciIO makes of a file, which was looked into before.

    Raises
    ------
    ReadError
        If RosettaSciIO is not installed, or the file is damaged so that it would go on without end.
    """
    suffix = path.suffix.lower()
    try:
        reader = importlib.import_module(f"rsciio.{readers[suffix]}")
    except ImportError as error:
        raise missing_extra(path) from error
    order = check_file(path)
    options.setdefault("lazy", is_large(path.stat().st_size))
    if suffix == ".mrc":
        options["endianness"] = order
    signals: list[dict[str, Any]] = reader.file_reader(str(path), **options)
    return signals


def missing_extra(path: Path, package: str = "RosettaSciIO") -> ReadError:
    """What to say where the packages of the extra are not installed."""
    return ReadError(
        f'Reading {path.suffix.lower()} files needs {package}; install it with: pip install "napari-vae[formats]"'
    )


def signal_dataset(signal: dict[str, Any], index: int) -> Dataset | None:
    """The dataset of a signal as HyperSpy and RosettaSciIO have it, or ``None`` when it is not an image or a movie."""
    data, axes, metadata = signal["data"], signal["axes"], plain(signal.get("metadata", {}))
    kind = metadata.get("Signal", {}).get("signal_type", "")
    spectral = kind.startswith(("EELS", "EDS", "CL")) or sum(not axis.get("navigate") for axis in axes) < 2
    if data.ndim not in (2, 3) or len(axes) != data.ndim or spectral or min(data.shape[-2:]) < 2:
        return None
    rows, columns = axes[-2:]
    letters = "TYX"[-data.ndim :]
    if (str(rows.get("name")).lower(), str(columns.get("name")).lower()) == ("x", "y"):
        # RosettaSciIO transposes NCEM files, also those that were written row by row.
        rows, columns = columns, rows
        data = data.swapaxes(-1, -2)
    return Dataset(
        name=str(metadata.get("General", {}).get("title") or f"image {index}"),
        axes=letters,
        shape=tuple(data.shape),
        load=lambda: data,
        calibration=_calibration(rows, columns),
        metadata={"acquisition": metadata},
    )


def _calibration(rows: dict[str, Any], columns: dict[str, Any]) -> Calibration:
    return calibrate([axis.get("scale") for axis in (rows, columns)], [axis.get("units") for axis in (rows, columns)])


def plain(value: Any) -> Any:
    """Metadata as plain Python types; long arrays and binary blobs are left out."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value[:100]]
    if hasattr(value, "tolist"):
        return plain(value.tolist()) if getattr(value, "size", 1) <= 100 else None
    return value if isinstance(value, str | int | float | bool | None) else str(value)[:200]
