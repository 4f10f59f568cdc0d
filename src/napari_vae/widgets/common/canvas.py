"""What the canvas shows: a place in its middle, points in the colours of their classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...analysis.labelling import BLANK
from ...core.placement import Placement
from ...layers.points import blank_row

UNLABELLED = "#ffffff60"  # colour of points of no class


def show_classes(points: Any, features: pd.DataFrame, column: str, palette: dict[str, str]) -> None:
    """Set the features of a Points layer and colour it by a column of words, each in its colour."""
    others = "transparent" if np.any(points.border_width) else UNLABELLED  # without a border they would be lost
    with points.events.face_color.blocker():  # not to be drawn once more in between
        points.face_color = "white"  # napari maps a colour column that changes its type under its old rule, and fails
    points.features = features
    points.feature_defaults = blank_row(features)
    points.face_color_cycle = {BLANK: others} | palette
    points.face_color = column
    points.face_colorbar.visible = False


def go_to(viewer: Any, placement: Placement, pixel: Any) -> None:
    """Centre the view on a pixel of what lies at `placement`, in its frame."""
    world = Placement.of_canvas(viewer).points_from([pixel], placement)[0]
    for axis, value in enumerate(world[:-2], start=viewer.dims.ndim - len(world)):
        viewer.dims.set_point(axis, float(value))
    viewer.scene.camera.center = (0.0, *world[-2:].tolist())
