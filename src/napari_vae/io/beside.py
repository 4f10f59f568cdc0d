"""The size of pixels in a ``.json`` beside an image whose own format has none."""

from __future__ import annotations

from pathlib import Path

from pydantic import AliasChoices, AliasPath, BaseModel, Field

from ..core.errors import ReadError
from ..core.settings import Positive
from .calibration import Calibration, calibrate
from .json_files import read_json

VIEW = ("experimental_details", "spatial_info"), ("spatial_info",)
UNITS = ("pixel_size_units", "pixel_units", "units", "unit")


class _View(BaseModel):
    """The width and height of the whole image, as SciLink writes them."""

    field_of_view_y: Positive
    field_of_view_x: Positive
    field_of_view_units: str = ""


class _Beside(BaseModel):
    """What is asked of the file, which may hold anything else."""

    view: _View | None = Field(None, validation_alias=AliasChoices(*(AliasPath(*path) for path in VIEW)))
    pixel_size: Positive | tuple[Positive, Positive] | None = None
    pixel_units: str = Field("", validation_alias=AliasChoices(*UNITS))


def calibration_beside(path: Path, rows: int, columns: int) -> Calibration:
    """What the ``.json`` of the same name says: a field of view, or ``pixel_size`` along rows and columns."""
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return Calibration()
    try:
        found = read_json(beside, _Beside)
    except ReadError as error:
        return Calibration(note=f"The size of the pixels is not known: {error}")
    if found.pixel_size is not None:
        steps = found.pixel_size if isinstance(found.pixel_size, tuple) else (found.pixel_size,) * 2
        return calibrate(steps, (found.pixel_units,) * 2)
    if found.view is None:
        return Calibration()
    steps = (found.view.field_of_view_y / rows, found.view.field_of_view_x / columns)
    return calibrate(steps, (found.view.field_of_view_units,) * 2)
