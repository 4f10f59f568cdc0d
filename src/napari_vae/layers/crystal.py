"""What was measured of a crystal as napari layer data: arrows, missing atoms, columns; needs neither napari nor Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.placement import Placement
from ..core.positions import table_spacing
from ..core.provenance import data_hash
from .points import KEY, LayerData, add_latents, blank_row

if TYPE_CHECKING:
    from ..crystal.description import Crystal

VACANCY_COLOR = "#ff3d7f"
ARROWS = {"displacements": "displacement", "polarisations": "polarisation"}  # kind of layer: columns without _y, _x
_POLARISATION = ("polarisation_y", "polarisation_x")  # of an earlier measurement, when sublattices were told apart
_LONG = 0.5  # of the spacing, that the longer arrows are drawn with


def crystal_layers(
    crystal: Crystal, placement: Placement, *, source: str, factor: float | None = None
) -> list[LayerData]:
    """Arrows of the displacements and polarisations and points on the missing atoms, as far as they were measured.

    Parameters
    ----------
    crystal : Crystal
        As of `describe_crystal`.
    placement : Placement
        Of the image or of the points that the positions are in pixels of.
    source : str
        Name of the layer with the atoms.
    factor : float, optional
        How many times as long as they are arrows are drawn; found from the arrows by default. It is the ``length`` of
        the layer, whose data stay as measured, and in its metadata.
    """
    made = []
    for kind, column in ARROWS.items():
        if f"{column}_y" in crystal.atoms and crystal.atoms[f"{column}_y"].notna().any():
            made.append(arrows(crystal.atoms, kind, placement, source=source, factor=factor))
    for _, options, _ in made[:-1]:
        options["visible"] = False  # one kind of arrow at a time, the polarisations where there are any
    if crystal.vacancies is not None and len(crystal.vacancies):
        made.append(vacancies_to_points(crystal.vacancies, placement, table_spacing(crystal.atoms), source=source))
    return made


def arrows(
    atoms: pd.DataFrame, kind: str, placement: Placement, *, source: str, factor: float | None = None
) -> LayerData:
    """Vectors layer data of one of `ARROWS`, coloured by direction: 0° to the right, 90° up on screen."""
    names = [f"{ARROWS[kind]}_{axis}" for axis in "yx"]
    known = atoms.dropna(subset=names)
    vector = known[names].to_numpy(dtype=float)
    length = np.linalg.norm(vector, axis=1)
    features = pd.DataFrame({"length": length, "direction": np.degrees(np.arctan2(-vector[:, 0], vector[:, 1]))})
    spacing = table_spacing(atoms)
    factor = factor or fitting_factor(length, spacing)
    data = np.stack([_with_frame(known, known[["y", "x"]].to_numpy(dtype=float), placement.ndim)] * 2, axis=1)
    data[:, 1] = 0
    data[:, 1, -2:] = vector
    options = {
        "name": f"{kind} of {source}",
        "length": factor,
        "features": features,
        "edge_width": max(1.0, 0.06 * spacing),
        "vector_style": "arrow",
        "edge_color": "direction",
        "edge_colormap": "hsv",
        "edge_contrast_limits": (-180.0, 180.0),
        "opacity": 1.0,
        "metadata": {KEY: {"kind": kind, "source": source, "factor": factor, "sha256": data_hash(data)}},
        **placement.kwargs(),
    }
    return data, options, "vectors"


def vacancies_to_points(vacancies: pd.DataFrame, placement: Placement, spacing: float, *, source: str) -> LayerData:
    """Points layer data: an open square on every missing atom, with how many neighbours miss it."""
    data = _with_frame(vacancies, vacancies[["y", "x"]].to_numpy(dtype=float), placement.ndim)
    features = vacancies.drop(columns=["frame", "y", "x"]).reset_index(drop=True)
    options = {
        "name": f"vacancies of {source}",
        "features": features,
        "feature_defaults": blank_row(features),
        "symbol": "square",
        "size": max(3.0, 0.55 * spacing),
        "face_color": "transparent",
        "border_color": VACANCY_COLOR,
        "border_width": 0.15,
        "metadata": {KEY: {"kind": "vacancies", "source": source, "sha256": data_hash(data)}},
        **placement.kwargs(),
    }
    return data, options, "points"


def add_columns(
    features: pd.DataFrame, crystal: Crystal, owned: tuple[str, ...] = ()
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Join what was measured to the features of the points, one row each, and say which columns are then ours.

    Those of the `owned` columns, which earlier measurements wrote, that are measured again are replaced. Others are the
    user's and stay, as in `add_latents`.
    """
    fresh = {*crystal.columns, *(_POLARISATION if "displacement_y" in crystal.atoms else ())}
    again = tuple(name for name in owned if name.removeprefix("vae_") in fresh)
    joined, written = add_latents(features, crystal.columns.reset_index(drop=True), owned=again)
    return joined, (*(name for name in owned if name not in again), *written.values())


def measured_kinds(crystal: Crystal) -> set[str]:
    """The kinds of layers that a measurement takes the place of, whether or not it makes them."""
    kinds = set(ARROWS) if "displacement_y" in crystal.atoms else set()
    return kinds if crystal.vacancies is None else {*kinds, "vacancies"}


def is_untouched(layer_data: npt.NDArray[np.float64], metadata: dict[str, object]) -> bool:
    """Whether the data of a layer are those it was made with."""
    return dict(metadata.get(KEY, {})).get("sha256") == data_hash(np.asarray(layer_data, dtype=float))  # type: ignore[call-overload]


def fitting_factor(length: npt.NDArray[np.float64], spacing: float) -> float:
    """A round number of times by which arrows are lengthened, so that long ones reach half way to the neighbour."""
    longest = float(np.quantile(length, 0.95))
    if not longest > 0:
        return 1.0
    wanted = _LONG * spacing / longest
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(max(step * power for step in (1, 2, 5) if step * power <= wanted * (1 + 1e-9)))


def _with_frame(table: pd.DataFrame, points: npt.NDArray[np.float64], ndim: int) -> npt.NDArray[np.float64]:
    """Positions (N, ndim), the frame in front where the placement has one."""
    if ndim == 2:
        return points
    frame = table["frame"].to_numpy(dtype=float) if "frame" in table else np.zeros(len(table))
    return np.column_stack([frame, points])
