"""What the dock does in the background: reading a file, the mean spectrum, a map, the spectrum of a place."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...analysis.bands import iter_band_map
from ...core.micrograph import Micrograph
from ...core.spectra import SpectrumImage
from ...io.spectra import read_spectra
from ...layers.points import LayerData
from ...layers.spectra import Wanted, spectra_layers
from ..common.jobs import Step, Stop


def open_steps(stop: Stop, path: str) -> Generator[Step, None, list[LayerData]]:
    """The layers of a file: the image that came along, and the sum over a band."""
    yield Step(f"Reading {Path(path).name} …")
    spectra = read_spectra(path)
    yield Step("Making the first map …", 0.5)
    return spectra_layers(spectra)


def mean_steps(stop: Stop, spectra: SpectrumImage) -> Generator[Step, None, npt.NDArray[np.float64]]:
    """The mean spectrum."""
    yield Step("Finding the mean spectrum …")
    return spectra.mean()


def map_steps(stop: Stop, spectra: SpectrumImage, wanted: Wanted) -> Generator[Step, None, Micrograph | None]:
    """A map; ``None`` if another one is wanted before it is done."""
    steps: Any = iter_band_map(spectra, **asdict(wanted))
    while True:
        try:
            stage = next(steps)
        except StopIteration as end:
            made: Micrograph = end.value
            return made
        yield Step("Making the map …", stage.fraction)
        if stop():
            return None


def place_steps(stop: Stop, spectra: SpectrumImage, row: int, column: int) -> Generator[Step, None, Any]:
    """The spectrum of a place, of a file that is read only where it is looked at."""
    yield Step("")
    return row, column, spectra.spectrum(row, column)
