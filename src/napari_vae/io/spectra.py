"""Read a spectrum image: formats of microscope makers through RosettaSciIO, HyperSpy, NeXus and plain arrays of HDF5.

Which axis of an array is that of the energies is taken from what a file says of it, else from its name and unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..core.arguments import checks_arguments
from ..core.errors import ReadError
from ..core.folders import user_path
from ..core.micrograph import Micrograph
from ..core.spectra import SpectrumImage
from .calibration import Calibration, calibrate, clean_unit, spectral_axis
from .dataset import is_large, native
from .hdf5 import opened_hdf5
from .hdf5_arrays import as_text, load_dataset
from .nexus import axes_of, signals_of
from .reading import FORMATS, choose, one_sentence, read_all
from .regular import regular_file
from .vendors import plain, vendor_signals
from .zarr_files import checked_arrays, load_array, open_array

#: The RosettaSciIO reader of each file suffix.
READERS = {
    ".dm3": "digitalmicrograph",
    ".dm4": "digitalmicrograph",
    ".emd": "emd",
    ".ser": "tia",
    ".emi": "tia",
    ".bcf": "bruker",
    ".sur": "digitalsurf",
    ".msa": "msa",
}
#: Formats of which the spectra are unpacked one by one, which may take minutes.
PACKED = (".emd", ".bcf")
MOST_TEXT = 1 << 26  # bytes of a file of text, which is one spectrum


@dataclass(frozen=True)
class Spectra:
    """Spectra in a file under one name: their axes as RosettaSciIO has them, and what loads the numbers."""

    name: str
    shape: tuple[int, ...]
    axes: list[dict[str, Any]]
    load: Callable[[], Any]
    metadata: dict[str, Any]
    certain: bool = True  # that these are spectra, and no frames of a movie

    @property
    def spectral(self) -> int | None:
        """The axis of the energies; ``None`` if none is known to be it, or there are too many others."""
        if len(self.axes) != len(self.shape) or not 1 <= len(self.shape) <= 3:
            return None
        fixed = [n for n, axis in enumerate(self.axes) if not axis.get("navigate", True)]
        return (
            fixed[0]
            if len(fixed) == 1
            else spectral_axis([(axis.get("name"), axis.get("units")) for axis in self.axes])
        )

    @property
    def places(self) -> int:
        """How many spectra these are."""
        return math.prod(self.shape) // self.shape[self.spectral or 0]

    def image(self, path: Path) -> SpectrumImage:
        """The spectra with their calibration: in memory, or lazy where they are large."""
        place = self.spectral
        assert place is not None
        data = np.moveaxis(self.load(), place, -1)
        others = [axis for number, axis in enumerate(self.axes) if number != place]
        if [clean_unit(axis.get("name")).lower() for axis in others] == ["x", "y"]:
            data, others = data.swapaxes(0, 1), others[::-1]
        pixels = Calibration()
        if len(others) == 2:
            pixels = calibrate([_step(axis) for axis in others], [axis.get("units") for axis in others])
        data = data.reshape((1,) * (3 - data.ndim) + data.shape)
        return SpectrumImage(
            native(data if is_large(data.nbytes) else np.asarray(data)),
            _energies(self.axes[place], self.shape[place], path),
            clean_unit(self.axes[place].get("name")) or "channel",
            clean_unit(self.axes[place].get("units")),
            pixels.pixel_size,
            pixels.units,
            name=path.stem,
            metadata={
                **self.metadata,
                "path": str(path.resolve()),
                "dataset": self.name,
                "notes": [pixels.note] * bool(pixels.note),
            },
        )


@checks_arguments
def read_spectra(path: str | PathLike[str], *, dataset: str | int | None = None) -> SpectrumImage:
    """Read a spectrum image: the spectra, their energies, the size of its pixels, and the image taken along with it.

    From ``.dm3``, ``.dm4``, ``.emd``, ``.bcf``, ``.ser``, ``.emi``, ``.sur``, ``.msa`` (one spectrum), ``.hspy``,
    ``.zspy``, and HDF5 of NeXus (``.nxs``, ``.h5``, ``.hdf5``: a group that names its signal and axes) or any other
    program (an array with one of energies beside it). They need the extra ``napari-vae[formats]``. Nothing in a file is
    ever executed or unpickled, and axes that are given as a formula are refused.

    Parameters
    ----------
    path : path
        The file.
    dataset : str or int, optional
        Name or number of the spectra in a file with several. By default those of most places.

    Returns
    -------
    SpectrumImage
        Data (Y, X, E); a line of spectra has one row, a single one is 1 × 1. Those above 1 GiB stay lazy.

    Raises
    ------
    ReadError
        If the file is missing, cut short, of an unknown format, without spectra, or has no such dataset.

    Examples
    --------
    >>> from napari_vae.io import read_spectra
    >>> image = read_spectra("EELS.dm4")  # doctest: +SKIP
    >>> image.shape, image.energy_label, image.pixel_size  # doctest: +SKIP
    ((64, 64, 2048), 'Energy loss (eV)', (0.1, 0.1))
    """
    path = user_path(path)
    with one_sentence(path, SPECTRA):
        found = SPECTRA[path.suffix.lower()](path)
        if not found:
            raise ReadError(f"{path.name} holds no spectra, or it is not known which of its axes is that of energies.")
        names = [item.name for item in found]
        if dataset is None:
            chosen = max(found, key=lambda item: item.places)
        else:
            chosen = found[choose(names, dataset, path)]
        image = chosen.image(path)
    return replace(image, survey=_survey(path, image))


def holds_map(path: Path) -> bool:
    """Whether a file is known to hold a map of spectra, without unpacking any; other files hold what `read` finds."""
    suffix = path.suffix.lower()
    if suffix not in SPECTRA or suffix in PACKED:
        return False
    try:
        with one_sentence(path, SPECTRA):
            return any(item.places > 1 and item.certain for item in SPECTRA[suffix](path))
    except ReadError:
        return False


def _survey(path: Path, image: SpectrumImage) -> Micrograph | None:
    """The first image of the file, those of the area of the spectra before others."""
    if path.suffix.lower() not in FORMATS:
        return None
    try:
        images = read_all(path, movies=False)
    except ReadError:
        return None
    return min(images, key=lambda one: not image.covers(one), default=None)


def _vendor_spectra(path: Path) -> list[Spectra]:
    suffix = path.suffix.lower()
    if suffix == ".msa":
        regular_file(path, MOST_TEXT)
    selected: dict[str, Any] = {"select_type": "spectrum_image", "lazy": True} if suffix in PACKED else {}
    found = [_of_signal(signal) for signal in vendor_signals(path, READERS, **selected)]
    return [item for item in found if item.spectral is not None]


def _of_signal(signal: dict[str, Any]) -> Spectra:
    metadata = plain(signal.get("metadata", {}))
    name = str(metadata.get("General", {}).get("title") or "spectra")
    data = signal["data"]
    return Spectra(name, data.shape, signal["axes"], lambda: data, {"acquisition": metadata})


def _hdf5_spectra(path: Path) -> list[Spectra]:
    with opened_hdf5(path) as file:
        if "Experiments" in file:
            signals = file["Experiments"].items()
            found = [_hyperspy(group, name, partial(load_dataset, path)) for name, group in signals if "data" in group]
        else:
            found = _nexus(path, file) or _plain_arrays(path, file)
    return [item for item in found if item.spectral is not None]


def _zspy_spectra(path: Path) -> list[Spectra]:
    groups = [name.rpartition("/")[0] for name in checked_arrays(path) if name.endswith("/data")]
    signals = [(name, open_array(path, name)) for name in groups if name.startswith("Experiments/")]
    found = [_hyperspy(group, name.partition("/")[2], partial(load_array, path)) for name, group in signals]
    return [item for item in found if item.spectral is not None]


def _hyperspy(group: Any, name: str, load: Callable[[str], Any]) -> Spectra:
    """A signal as HyperSpy keeps it, in HDF5 and zarr alike."""
    data = group["data"]
    axes = []
    for number in range(data.ndim):
        held = group[f"axis-{number}"]
        axes.append(dict(held.attrs) | ({"values": held["axis"][...]} if "axis" in held else {}))
    metadata = {kind: plain(dict(group[f"metadata/{kind}"].attrs)) for kind in ("General", "Signal")}
    return Spectra(name, data.shape, axes, partial(load, data.name.strip("/")), {"acquisition": metadata})


def _nexus(path: Path, file: Any) -> list[Spectra]:
    """Groups whose attributes name a signal and its axes, of which one is that of energies."""
    found = []
    for name, group, signal in signals_of(file):
        axes = [axis._asdict() for axis in axes_of(group, signal)]
        title = name.rpartition("/")[2] or "spectra"
        found.append(Spectra(title, signal.shape, axes, partial(load_dataset, path, signal.name), {}))
    return found


def _plain_arrays(path: Path, file: Any) -> list[Spectra]:
    """Arrays whose last axis has the length of a list of numbers beside them, and others of three axes."""
    found: list[Spectra] = []

    def visit(name: str, item: Any) -> None:
        if getattr(item, "ndim", 0) not in (2, 3) or item.dtype.kind not in "iufb" or 0 in item.shape:
            return
        beside = {
            str(key).rpartition("/")[2]: one
            for key, one in item.parent.items()
            if getattr(one, "shape", None) == item.shape[-1:] and one.dtype.kind in "iuf"
        }
        named = [key for key, one in beside.items() if spectral_axis([(key, one.attrs.get("units"))]) is not None]
        energy: dict[str, Any] = {}
        if key := named[0] if named else next(iter(beside)) if len(beside) == 1 else "":
            energy = {"name": key, "units": as_text(beside[key].attrs.get("units", "")), "values": beside[key][()]}
        if energy or item.ndim == 3:
            axes = [{"navigate": True}] * (item.ndim - 1) + [{**energy, "navigate": False}]
            found.append(Spectra(name, item.shape, axes, partial(load_dataset, path, name), {}, bool(named)))

    file.visititems(visit)
    return found


def _step(axis: dict[str, Any]) -> Any:
    """Between two places along an axis."""
    values = axis.get("values")
    return axis.get("scale") if values is None or len(values) < 2 else float(np.ptp(values)) / (len(values) - 1)


def _energies(axis: dict[str, Any], count: int, path: Path) -> Any:
    """The value of every channel."""
    values = axis.get("values", axis.get("axis"))
    if values is not None:
        return np.asarray(values)
    if "expression" in axis:
        raise ReadError(f"{path.name} gives its energies as a formula, which is not computed; save them as numbers.")
    return float(axis.get("offset") or 0) + float(axis.get("scale") or 1) * np.arange(count)


SPECTRA: dict[str, Callable[[Path], list[Spectra]]] = {
    **dict.fromkeys(READERS, _vendor_spectra),
    **dict.fromkeys((".hspy", ".hdf5", ".h5", ".nxs"), _hdf5_spectra),
    ".zspy": _zspy_spectra,
}
