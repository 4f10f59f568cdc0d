"""TIFF images and stacks with the calibration of OME, ImageJ or DigitalMicrograph."""

from __future__ import annotations

import math
import struct
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..core.errors import ReadError
from ..core.micrograph import colours_last
from .calibration import Calibration, calibrate
from .dataset import FRAME_AXES, Dataset, fits, is_large, lazy_frames

BIG = 43  # version of files with addresses of 64 bits
#: TIFF tags in which DigitalMicrograph keeps the unit and the step of columns and rows.
DM_UNIT_X, DM_UNIT_Y, DM_STEP_X, DM_STEP_Y = 65003, 65004, 65009, 65010


def tiff_datasets(path: Path) -> list[Dataset]:
    """The image series of a TIFF file, each with its calibration."""
    import tifffile

    _check_pages(path)
    with tifffile.TiffFile(path) as tiff:
        _check_complete(tiff, path)
        calibration = _calibration(tiff)
        kind = (tiff.imagej_metadata or {}).get("kind") if tiff.is_imagej else None
        return [
            Dataset(
                name=series.name or f"series {index}",
                axes=_axes(series),
                shape=tuple(series.shape),
                load=partial(_load, path, index),
                calibration=calibration,
                metadata={"kind": "labels"} if kind == "labels" else {},
            )
            for index, series in enumerate(tiff.series)
        ]


def _check_pages(path: Path) -> None:
    """Refuse a file whose pages lead back to an earlier one, which tifffile would follow for minutes."""
    with path.open("rb") as file:
        order = {b"II": "<", b"MM": ">"}.get(file.read(2), "")
        version = file.read(2)
        big = order and struct.unpack(f"{order}H", version)[0] == BIG if len(version) == 2 else False
        entry, number, offset = (20, "Q", "Q") if big else (12, "H", "I")  # of a table of tags, as the format has it
        file.seek(8 if big else 4)
        seen = set()
        while order and (place := _unpacked(file, order + offset)):
            if place in seen:
                raise ReadError(
                    f"{path.name} is damaged: one of its pages leads back to an earlier one; export it again."
                )
            seen.add(place)
            file.seek(place)
            file.seek(entry * _unpacked(file, order + number), 1)


def _unpacked(file: BinaryIO, kind: str) -> int:
    """A whole number from a file; 0 at its end."""
    packed = file.read(struct.calcsize(kind))
    return int(struct.unpack(kind, packed)[0]) if len(packed) == struct.calcsize(kind) else 0


def _axes(series: Any) -> str:
    """Letters of the axes; where the file has no names for them, colours may be last."""
    unnamed = set(series.axes) <= set("QYX") and colours_last(series.shape)
    return "TYXS"[-series.ndim :] if unnamed else str(series.axes)


def _check_complete(tiff: Any, path: Path) -> None:
    """Refuse an ImageJ stack that lost its end, which would otherwise read as a shorter movie."""
    promised = (tiff.imagej_metadata or {}).get("images", 1) if tiff.is_imagej else 1
    if sum(math.prod(series.shape[:-2]) for series in tiff.series) < promised:
        raise ReadError(f"{path.name} is cut short: it should hold {promised} images; copy or export it again.")


def _load(path: Path, index: int) -> Any:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[index]
        frames = series.shape[0] if series.axes[0] in FRAME_AXES and series.axes[1:] == "YX" else 0
        if is_large(series.nbytes) and _axes(series) == series.axes:
            if series.dataoffset is not None:  # as ImageJ writes large stacks: one page, and all pixels behind it
                return tifffile.memmap(path, series=index, mode="r")
            if frames == len(series.pages):
                _read_frame(path, index, 0)  # which says now what is missing to read it
                return lazy_frames(partial(_read_frame, path, index), series.shape, series.dtype, path)
        fits(series.nbytes, path)
        return _decoded(path, series)


def _read_frame(path: Path, index: int, frame: int) -> np.ndarray:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        return _decoded(path, tiff.series[index], frame)


def _decoded(path: Path, series: Any, frame: int | None = None) -> np.ndarray:
    """Pixels; those that tifffile decompresses only with a package more are read with Pillow, if that can."""
    import imageio.v3 as imageio

    try:
        return series.asarray(key=frame)
    except (ValueError, ImportError) as error:
        if "imagecodecs" not in str(error) and not isinstance(error, ImportError):
            raise
    pages = series.pages if frame is None else [series.pages[frame]]
    try:
        pixels = np.stack([imageio.imread(path, plugin="pillow", index=page.index) for page in pages])
        if pixels.dtype != series.dtype:
            raise ValueError(f"decoded as {pixels.dtype}")
        return pixels.reshape(series.shape if frame is None else series.shape[1:])
    except Exception as error:
        name = getattr(series.keyframe.compression, "name", series.keyframe.compression)
        raise ReadError(
            f"{path.name} is compressed ({name}) in a way that needs a package more; type pip install "
            '"napari-vae[formats]", or save it without compression.'
        ) from error


def _calibration(tiff: Any) -> Calibration:
    """Trust OME, then ImageJ, then DigitalMicrograph, and plain resolution tags only below a micrometre per pixel."""
    if tiff.is_ome:
        return _ome_calibration(tiff.ome_metadata)
    page = tiff.pages[0]
    steps = tuple(_resolution(page, name) for name in ("YResolution", "XResolution"))
    if tiff.is_imagej:
        unit = (tiff.imagej_metadata or {}).get("unit", "")
        # "inch" is what ImageJ writes of a printing resolution, not of a measurement.
        return Calibration() if unit in ("", "inch") else calibrate(steps, (unit, unit))
    if DM_STEP_X in page.tags and DM_UNIT_X in page.tags:
        tags = [_tag(page, code) for code in (DM_STEP_Y, DM_STEP_X, DM_UNIT_Y, DM_UNIT_X)]
        return calibrate(tags[:2], tags[2:])
    # Centimetres are written by microscope software and by printers; no printer makes dots below a micrometre.
    if _tag(page, "ResolutionUnit") == 3 and max(steps) < 1e-4:
        return calibrate(steps, ("cm", "cm"))
    return Calibration()


def _ome_calibration(xml: str) -> Calibration:
    import tifffile

    image: Any = tifffile.xml2dict(xml).get("OME", {}).get("Image", {})
    image = image[0] if isinstance(image, list) else image
    pixels = image.get("Pixels", {})
    steps = [pixels.get(f"PhysicalSize{axis}") for axis in "YX"]
    units = [pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in "YX"]  # µm is the default of the OME schema
    return Calibration() if None in steps else calibrate(steps, units)


def _resolution(page: Any, name: str) -> float:
    """Units per pixel from a tag that holds pixels per unit as a fraction."""
    value = _tag(page, name)
    try:
        numerator, denominator = value
        return denominator / numerator
    except (TypeError, ValueError, ZeroDivisionError):
        return math.nan


def _tag(page: Any, code: int | str) -> Any:
    tag = page.tags.get(code)
    return None if tag is None else tag.value
