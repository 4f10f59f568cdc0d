"""Spectra that a model predicts from an image, as a spectrum image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.micrograph import as_micrograph
from ..core.placement import KEPT, Placement
from ..core.progress import Stage
from ..core.spectra import SpectrumImage
from ..core.square import pixel_sides
from ..patches.grid import grid_cells, grid_positions
from ..patches.patches import extract_patches
from ..patches.spectra import ENERGY, middles
from ..runs.run import Run
from .atoms import check_grid


@checks_arguments
def predict_spectra(
    run: Run,
    micrograph: Any,
    *,
    atoms: pd.DataFrame | None = None,
    grid: float | str | None = None,
    progress: Callable[[Stage], None] | None = None,
) -> tuple[SpectrumImage, SpectrumImage]:
    """Predict the spectra of an image with an encoder–decoder that was trained on another.

    Parameters
    ----------
    run : Run
        The model.
    micrograph : Micrograph or array
        One image (Y, X), or its channels, of pixels of the same size.
    atoms : DataFrame, optional
        Where spectra are wanted, positions in pixels; they come as a line, in the order of the table.
    grid : float or str, optional
        Step of a regular grid of places instead, in pixels or with a unit; by default that of the training.
    progress : callable, optional
        Called with a `Stage` as the work goes on.

    Returns
    -------
    mean, sd : SpectrumImage
        The expected spectra, and the standard deviations of measured ones about them; NaN where there is none.

    Raises
    ------
    InputError
        If the model predicts no spectra, or the image does not fit it.
    """
    say = progress or (lambda stage: None)
    check_grid(grid, atoms)
    image = as_micrograph(micrograph)
    if not run.model_config.knows.predicts or len(run.scale.shape) != 1:
        raise InputError(
            "This model predicts no spectra; train an encoder-decoder with spectra as outputs (--outputs)."
        )
    if image.n_frames > 1:
        raise InputError("Spectra are predicted of one image; give a single frame of the movie.")
    kept = run.provenance.get(ENERGY, {})
    if atoms is not None:
        places = atoms
    elif grid is not None:
        places = grid_positions(image, grid, window=run.window)
    else:
        step = kept.get("step", min(run.window)) / np.array(pixel_sides(image.pixel_size))
        places = middles(image, tuple(np.maximum(1, np.rint(np.array(image.shape[-2:]) / step)).astype(int).tolist()))
    say(Stage("predict"))
    patches = extract_patches(image, places, levels=run.levels, **run.cutting)
    mean, sd = run.predict(patches)
    named = {"energy_name": kept.get("name", "channel"), "energy_units": kept.get("units", "")}
    pixels: dict[str, Any] = {}
    if atoms is None:
        cells, place = grid_cells(patches.atoms, Placement.of_micrograph(image).last(2))
        size = None if image.pixel_size is None else tuple(place.scale.tolist())
        pixels = {"pixel_size": size, "units": image.units, "metadata": {KEPT: place.to_dict()}}
    else:
        cells = np.full((1, len(atoms)), -1)
        cells[0, atoms.index.get_indexer(patches.atoms.index)] = np.arange(len(patches))
    result = SpectrumImage(
        _placed(mean, cells), kept.get("values"), **named, **pixels, name=f"predicted of {image.name}"
    )
    say(Stage("predict", 1.0, f"{len(patches)} spectra"))
    return result, replace(result, data=_placed(sd, cells), name=f"uncertainty of {image.name}")


def _placed(values: Any, cells: Any) -> Any:
    """Spectra (N, E) at the cells of a picture; NaN where there is none."""
    data = np.full((*cells.shape, values.shape[1]), np.nan, np.float32)
    data[cells >= 0] = values[cells[cells >= 0]]
    return data
