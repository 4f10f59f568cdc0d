"""Spectra as a file of HyperSpy."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.folders import replacing, user_path
from ..core.spectra import SpectrumImage
from .vendors import missing_extra


@checks_arguments
def write_spectra(spectra: SpectrumImage, path: str | PathLike[str]) -> Path:
    """Write spectra as a file that HyperSpy and `read_spectra` open, with energies and the size of pixels.

    Parameters
    ----------
    spectra : SpectrumImage
        Its survey is not written.
    path : path
        The file, which ends in ``.hspy``; an existing one is replaced when the new one is complete.

    Raises
    ------
    InputError
        If the name ends otherwise, or RosettaSciIO is not installed.
    """
    path = user_path(path)
    if path.suffix.lower() != ".hspy":
        raise InputError(f"Spectra are written as .hspy; let the name {path.name} end so.")
    try:
        from rsciio.hspy import file_writer
    except ImportError as error:
        raise missing_extra(path) from error
    with replacing(path) as temporary:
        file_writer(str(temporary), _signal(spectra), show_progressbar=False)
    return path


def _signal(spectra: SpectrumImage) -> dict[str, Any]:
    """As the writers of RosettaSciIO take it."""
    rows, columns, count = spectra.shape
    step = spectra.pixel_size or (1.0, 1.0)
    axes = [
        {"name": name, "size": size, "scale": scale, "offset": 0.0, "units": spectra.units, "navigate": True}
        for name, size, scale in (("y", rows, step[0]), ("x", columns, step[1]))
    ]
    energy = {"name": spectra.energy_name, "size": count, "units": spectra.energy_units, "navigate": False}
    axes = [{**axis, "_type": "UniformDataAxis"} for axis in axes]
    axes.append({**energy, **_steps(spectra.energy)})
    return {
        "data": spectra.data,
        "axes": [{**axis, "index_in_array": number} for number, axis in enumerate(axes)],
        "metadata": {"General": {"title": spectra.name}, "Signal": {"signal_type": ""}},
        "original_metadata": {},
        "tmp_parameters": {},
        "package_info": {"package": "napari-vae", "package_version": ""},
        "learning_results": {},
        "models": {},
        "attributes": {"_lazy": hasattr(spectra.data, "dask"), "ragged": False},
    }


def _steps(energy: Any) -> dict[str, Any]:
    """Energies as first one and step, if these are even; else all of them."""
    step = float(energy[-1] - energy[0]) / max(1, len(energy) - 1) or 1.0
    even = energy[0] + step * np.arange(len(energy))
    if np.abs(even - energy).max() < 1e-6 * abs(step):
        return {"scale": step, "offset": float(energy[0]), "_type": "UniformDataAxis"}
    return {"axis": energy, "_type": "DataAxis"}
