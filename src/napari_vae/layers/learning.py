"""What active learning found as napari layer data: points, pictures, what is next; needs neither napari nor Qt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..analysis.cells import CELL_RADIUS, cells_of, painted
from ..analysis.coloring import color_by
from ..core.class_colors import NO_CLASS
from ..core.placement import Placement
from ..core.positions import table_spacing
from .points import KEY, LayerData, atoms_to_points, blank_row
from .showing import colored

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

NEXT_COLOR = "#ff3d7f"
MOST_PIXELS = 64_000_000  # of a movie of which pictures are made
PICTURES = {"prediction": "predicted", "uncertainty": "predicted_sd"}  # kind of picture: its column


@dataclass(frozen=True, eq=False)
class Candidates:
    """Where everything lies that could be measured.

    Parameters
    ----------
    atoms : DataFrame
        Columns ``frame``, ``y``, ``x``, in pixels of the image.
    shape : (Y, X) or (T, Y, X)
        Of the image.
    placement : Placement
        Of the image, with as many axes as `shape`.
    name : str
        Of the image.
    step : int
        Between the places of a regular grid in pixels; 0 for atoms.
    """

    atoms: pd.DataFrame
    shape: tuple[int, ...]
    placement: Placement
    name: str
    step: int = 0

    @property
    def noun(self) -> str:
        """What they are."""
        return "windows" if self.step else "atoms"

    @property
    def spacing(self) -> float:
        """Distance between neighbours in pixels."""
        spacing = table_spacing(self.atoms)
        return spacing if spacing > 0 else 12.0

    @property
    def drawable(self) -> bool:
        """Whether pictures of the candidates fit in memory; those of a grid always do."""
        return bool(self.step) or int(np.prod(self.shape)) <= MOST_PIXELS

    @property
    def cells(self) -> npt.NDArray[np.int32]:
        """Candidate that each pixel of a picture belongs to, −1 for none; the picture of a grid has its places only."""
        return self._picture[0]

    @property
    def cell_placement(self) -> Placement:
        """Where the picture of `cells` lies."""
        return self._picture[1]

    @cached_property
    def _picture(self) -> tuple[npt.NDArray[np.int32], Placement]:
        return cells_of(self.atoms, self.shape, self.placement, CELL_RADIUS * self.spacing)

    def place(self, row: int) -> Floats:
        """Where a candidate lies on the image (n,)."""
        return self.atoms[["frame", "y", "x"][-self.placement.ndim :]].iloc[row].to_numpy(float)

    def describe_place(self, row: int) -> str:
        """Where a candidate lies on the image, in words: in pixels and, where these have a size, in its unit."""
        y, x = self.place(row)[-2:]
        size, unit = self.placement.pixel_size()
        words = f"row {y:.1f}, column {x:.1f} of the image in pixels"
        return words if size is None else f"{words} (y = {y * size[0]:.4g} {unit}, x = {x * size[1]:.4g} {unit})"

    def paint(self, values: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Picture of a value of every candidate (N,), NaN where none is."""
        return painted(np.asarray(values, np.float32), self.cells, np.nan)


def results_table(
    n: int,
    measured: Rows,
    values: Floats,
    mean: Floats | None,
    sd: Floats | None,
    embedding: Floats | None,
    classes: tuple[str, ...] = (),
) -> pd.DataFrame:
    """What is known of every candidate.

    Parameters
    ----------
    n : int
        Number of candidates.
    measured : array (m,) of int
        In order.
    values : array (m,)
        What was measured; of classes their position in `classes`.
    mean, sd : array (N,), or (N, K) of classes, optional
        Prediction and its standard deviation.
    embedding : array (N, d), optional
    classes : tuple of str
        Names, where the target is one of classes.

    Returns
    -------
    DataFrame
        ``predicted``, ``predicted_sd``, ``measured`` (both NaN or blank where not known), ``order`` of the measurement
        from 1, and ``embedding_1`` …; of classes ``predicted_sd`` is that of the probability of the predicted one.
    """
    known, order = np.full(n, np.nan), np.full(n, np.nan, np.float32)
    known[measured], order[measured] = values, np.arange(1, len(measured) + 1)
    guess, doubt = _best_guess(n, mean, sd)
    columns: dict[str, Any] = {
        "predicted": _named(guess, classes) if classes else guess.astype(np.float32),
        "predicted_sd": doubt.astype(np.float32),
        "measured": _named(known, classes) if classes else known.astype(np.float32),
        "order": order,
    }
    for number in range(0 if embedding is None else embedding.shape[1]):
        columns[f"embedding_{number + 1}"] = embedding[:, number].astype(np.float32)  # type: ignore[index]
    return pd.DataFrame(columns)


def learned_points(candidates: Candidates, table: pd.DataFrame, column: str = "predicted") -> LayerData:
    """Points layer data with the results of every candidate as features, coloured by one of them."""
    data, options, kind = atoms_to_points(
        candidates.atoms[["frame", "y", "x"]], candidates.placement, name=f"learned of {candidates.name}"
    )
    options |= {
        "size": max(3.0, 0.55 * candidates.spacing),
        "features": table,
        "feature_defaults": blank_row(table),
        "visible": not candidates.step,
        "metadata": {KEY: {"kind": "learned", "source": candidates.name, "columns": tuple(table)}},
    }
    if candidates.step:
        options["metadata"][KEY]["method"] = "grid"
    return colored((data, options, kind), column)


def pictures(candidates: Candidates, table: pd.DataFrame) -> list[LayerData]:
    """Image layer data of the uncertainty and, on top, the prediction; in classes the number of the class from 1.

    None where they would not fit in memory.
    """
    made: list[LayerData] = []
    if not candidates.drawable:
        return made
    for kind in reversed(PICTURES):
        values = picture_values(table, PICTURES[kind])
        coloring = color_by(pd.Series(values, name=PICTURES[kind]))
        options = {
            "name": f"{kind} of {candidates.name}",
            "colormap": coloring.colormap,
            "contrast_limits": coloring.limits,
            "opacity": 0.8,
            "visible": bool(candidates.step) and kind == "prediction",
            "interpolation2d": "nearest",
            "metadata": {KEY: {"kind": kind, "source": candidates.name}},
        }
        made.append((candidates.paint(values), options | candidates.cell_placement.kwargs(), "image"))
    return made


def picture_values(table: pd.DataFrame, column: str) -> Floats:
    """A column as numbers; of classes their number from 1."""
    if table[column].dtype.kind == "f":
        return table[column].to_numpy(float)
    codes = table[column].cat.codes.to_numpy(float)
    return np.where(codes > 0, codes, np.nan)  # the first category is none


def next_points(candidates: Candidates, rows: Rows, score: Floats | None = None) -> LayerData:
    """Points layer data of what is to be measured next: rings with the order as text."""
    features = next_features(rows, score)
    atoms = candidates.atoms[["frame", "y", "x"]].iloc[rows]
    data, options, kind = atoms_to_points(atoms, candidates.placement, name=f"next points of {candidates.name}")
    size = max(4.0, 0.9 * candidates.spacing)
    options |= {
        "size": size,
        "features": features,
        "face_color": "transparent",
        "border_color": NEXT_COLOR,
        "border_width": 0.1,
        "text": {
            "string": "{order}",
            "color": NEXT_COLOR,
            "size": 11,
            "anchor": "upper_left",  # it begins where the ring ends, at every zoom
            "translation": np.r_[np.zeros(candidates.placement.ndim - 2), -0.4 * size, 0.4 * size],
        },
        "metadata": {KEY: {"kind": "next points", "source": candidates.name}},
    }
    options.pop("feature_defaults", None)
    return data, options, kind


def next_features(rows: Rows, score: Floats | None = None) -> pd.DataFrame:
    """Order from 1, number of the candidate and, where there is a model, its acquisition."""
    scores = np.full(len(rows), np.nan) if score is None else score[rows]
    return pd.DataFrame({"order": np.arange(1, len(rows) + 1), "candidate": rows, "score": scores})


def _best_guess(n: int, mean: Floats | None, sd: Floats | None) -> tuple[Floats, Floats]:
    """Prediction and standard deviation (N,); of classes the likeliest one and that of its probability."""
    if mean is None or sd is None:
        return np.full(n, np.nan), np.full(n, np.nan)
    if mean.ndim == 1:
        return mean, sd
    likeliest = mean.argmax(axis=1)
    return likeliest.astype(float), np.take_along_axis(sd, likeliest[:, None], axis=1)[:, 0]


def _named(codes: Floats, classes: tuple[str, ...]) -> pd.Categorical[Any]:
    numbers: npt.NDArray[np.int64] = np.where(np.isfinite(codes), codes + 1, 0).astype(np.int64)
    return pd.Categorical.from_codes(numbers, categories=pd.Index([NO_CLASS, *classes]))
