"""Columns of the summary of a batch, and what a result says in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.micrograph import Micrograph
from ..io.reading import PASSED_OVER
from ..runs.likeness import Likeness
from ..workflow.records import PIXEL, UNIT

KEY = "napari_vae"


def said(words: str, *remarks: str, see: Path | None = None) -> str:
    """What was found, sentences on what to know of it, and where it is written; what is empty is left out."""
    where = "" if see is None else f"See {see}"
    return ". ".join([words, *filter(None, [" ".join(filter(None, [*remarks, where]))])])


def atom_columns(atoms: pd.DataFrame) -> dict[str, Any]:
    """How many atoms there are, and with which settings they were found."""
    known = atoms.attrs.get(KEY, {})
    named = {"polarity": "polarity", "spacing": "spacing_px", "threshold": "threshold"}
    columns = {name: known[key] for key, name in named.items() if key in known}
    return {"atoms": len(atoms)} | {name: _finite(value) for name, value in columns.items()}


def pixel_columns(pixel_size: tuple[float, float] | None, units: str) -> dict[str, Any]:
    """How large the pixels of an image are, where that is known."""
    size = dict(zip(PIXEL, pixel_size or (), strict=False))
    return size | {UNIT: units} if size else {}


def likeness_columns(likeness: Likeness) -> dict[str, Any]:
    """How an image compares with the training data of the model that was applied to it."""
    return {
        "below_usual": likeness.below_usual,
        "unlike": likeness.unlike,
        "pixel_size_ratio": likeness.pixel_size_ratio,
        "spacing_ratio": likeness.spacing_ratio,
        "warning": likeness.sentence or "",
    }


def describe_detection(atoms: pd.DataFrame, image: Micrograph) -> str:
    """What the detection chose, or was given."""
    known = atoms.attrs[KEY]
    spacing = f"spacing {known['spacing']:.4g} px"
    if image.pixel_size:
        spacing += f" ({known['spacing'] * min(image.pixel_size):.3g} {image.units})"
    return f"{known['polarity']} columns, {spacing}, threshold {known['threshold']:.3g}"


def describe_doubt(atoms: pd.DataFrame) -> str:
    """One sentence where the detection is not sure of its choice; empty for atoms of a table."""
    return str(atoms.attrs.get(KEY, {}).get("doubt", ""))


def passed_channel(image: Micrograph) -> str:
    """A sentence on the channel that was passed over where it is not the first that was read."""
    return str(image.metadata.get(PASSED_OVER) or "")


def describe_likeness(likeness: Likeness) -> str:
    """Whether the image looks like the training data, in words and numbers."""
    numbers = f"ELBO of {likeness.below_usual:.0%} of the windows below the 5 % quantile of the training"
    if likeness.pixel_size_ratio is not None:
        numbers += f", pixels {likeness.pixel_size_ratio:.3g} times as large"
    if likeness.spacing_ratio is not None:
        numbers += f", atoms {likeness.spacing_ratio:.3g} times as far apart in pixels"
    return f"{numbers}. {likeness.sentence}" if likeness.sentence else numbers


def _finite(value: Any) -> Any:
    """Numbers that JSON knows."""
    return None if isinstance(value, float) and not np.isfinite(value) else value
