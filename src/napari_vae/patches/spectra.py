"""Spectra as what models learn from: as signals, or as outputs that belong to windows of an image."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.errors import InputError
from ..core.micrograph import Micrograph
from ..core.normalization import Normalization
from ..core.positions import table_spacing
from ..core.settings import Level
from ..core.spectra import SpectrumImage
from ..core.square import pixel_sides, with_sides
from .patches import Patches, extract_patches

Floats = npt.NDArray[np.float32]
ENERGY = "energy"  # in the provenance of a run that learnt from spectra
MOST_CHANNELS = 4096  # of a signal, which a model keeps as the width of its window


def spectrum_patches(
    spectra: SpectrumImage, table: pd.DataFrame | None = None, normalization: Normalization | None = None
) -> Patches:
    """Spectra as windows of one row, for `fit` and `Run.encode`; their places are those of a regular grid.

    Parameters
    ----------
    spectra : SpectrumImage
        Those with NaN are left out.
    table : DataFrame, optional
        What is known of them besides: a row each, row by row of the map.
    normalization : Normalization, optional
        That of a model which they are for.

    Raises
    ------
    InputError
        If the table has another number of rows, or there are more channels than a model takes.
    """
    rows, columns, channels = spectra.shape
    if channels > MOST_CHANNELS:
        raise InputError(
            f"The spectra have {channels} channels, and a model takes at most {MOST_CHANNELS}; choose a band of them."
        )
    y, x = (index.ravel().astype(float) for index in np.indices((rows, columns)))
    places = pd.DataFrame({"frame": 0, "y": y, "x": x})
    if table is not None:
        places = places.join(_one_each(table, spectra).drop(columns=["frame", "y", "x"], errors="ignore"))
    data = np.asarray(spectra.data, np.float32).reshape(-1, 1, 1, channels)
    known = np.isfinite(data).all(axis=(1, 2, 3))
    if not known.any():
        raise InputError("All spectra hold NaN or infinite values; choose others.")
    places = _on_grid(places, 1.0)
    limits = Normalization.fit(data[known]) if normalization is None else normalization
    return Patches(
        data=limits.apply(data[known]),
        atoms=places.iloc[np.flatnonzero(known)],
        window=(1, channels),
        normalization=limits,
        dropped=places.iloc[np.flatnonzero(~known)],
        spacing=1.0,
        pixel_size=spectra.pixel_size,
        units=spectra.units,
        name=spectra.name,
        brightness=data[known].mean(axis=(2, 3)),
    )


def image_and_spectra(
    image: Micrograph,
    spectra: SpectrumImage,
    atoms: pd.DataFrame | None = None,
    window: Literal["auto"] | int = "auto",
    level: Level = "auto",
) -> tuple[Patches, Floats]:
    """Windows of an image and the spectra (N, E) that belong to them, for an encoder–decoder.

    Parameters
    ----------
    image : Micrograph
    spectra : SpectrumImage
        Of the same area; each belongs to the window about the middle of its place.
    atoms : DataFrame, optional
        Where the spectra belong instead: a row each, row by row of the map, positions in pixels of the image.
    window, level
        As in `extract_patches`.

    Raises
    ------
    InputError
        If the image shows another area, or the table has another number of rows.
    """
    places = places_on(spectra, image) if atoms is None else _one_each(atoms, spectra)
    patches = extract_patches(image, places, window=window, level=level)
    values = np.asarray(spectra.data, np.float32).reshape(-1, spectra.shape[2])
    return patches, values[patches.atoms.index.to_numpy()]


def places_on(spectra: SpectrumImage, image: Micrograph) -> pd.DataFrame:
    """Where the middles of the places of spectra lie on an image of the same area, in its pixels.

    Raises
    ------
    InputError
        If it is of another area.
    """
    if not spectra.covers(image):
        raise InputError(
            f"“{image.name}” and the spectra do not show the same area; give a table with the place of every spectrum "
            "on the image (--atoms), or correct the size of the pixels."
        )
    return middles(image, spectra.shape[:2])


def middles(image: Micrograph, shape: tuple[int, int]) -> pd.DataFrame:
    """Where the middles of so many equal parts of an image lie, along rows and columns, in its pixels."""
    sizes = np.array(image.shape[-2:]) / shape
    y, x = ((np.indices(shape) + 0.5) * sizes[:, None, None] - 0.5).reshape(2, -1)
    sides = pixel_sides(image.pixel_size)
    places = pd.DataFrame({"frame": 0, "y": y, "x": x})
    return with_sides(_on_grid(places, float(np.mean(sizes * sides))), sides)


def _on_grid(places: pd.DataFrame, spacing: float) -> pd.DataFrame:
    places.attrs["napari_vae"] = {"spacing": spacing, "method": "grid"}
    return places


def _one_each(table: pd.DataFrame, spectra: SpectrumImage) -> pd.DataFrame:
    count = spectra.shape[0] * spectra.shape[1]
    if len(table) != count:
        raise InputError(f"The table has {len(table)} rows and there are {count} spectra; give one row for each.")
    return table.reset_index(drop=True)


def describe_energy(spectra: SpectrumImage, atoms: pd.DataFrame) -> dict[str, Any]:
    """The axis of the spectra, and in pixels how far apart their places are, to be kept with a model."""
    step = table_spacing(atoms)
    kept = {"name": spectra.energy_name, "units": spectra.energy_units, "values": spectra.energy.tolist()}
    return kept | ({"step": step} if step > 0 else {})
