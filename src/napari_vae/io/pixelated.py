"""Files of pixelated detectors: the bright-field image of a NanoMEGAS block file, the frames of a Merlin ``.mib``."""

from __future__ import annotations

import struct
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import ReadError
from .calibration import calibrate
from .dataset import Dataset, damaged, is_large, lazy_frames, pixels_at

BLOCK, BLOCK_LAYOUT = b"IMGBLO", "<6xH3I5H2d"  # magic number, offsets, sizes of patterns and scan, pixel size in nm
MERLIN, MERLIN_BYTES = b"MQ1", 384
DEPTHS = {"U08": ">u1", "U16": ">u2", "U32": ">u4"}


def blo_datasets(path: Path) -> list[Dataset]:
    """The virtual bright-field image of a block file, not its diffraction patterns."""
    with path.open("rb") as file:
        header = file.read(struct.calcsize(BLOCK_LAYOUT))
    if not header.startswith(BLOCK) or len(header) < struct.calcsize(BLOCK_LAYOUT):
        raise ReadError(f"{path.name} is no block file; copy or export it again from its source.")
    _, offset, _, _, _, _, columns, rows, _, step_x, step_y = struct.unpack(BLOCK_LAYOUT, header)
    load = pixels_at(path, offset, "u1", (rows, columns))
    return [Dataset("bright field", "YX", (rows, columns), load, calibrate((step_y, step_x), ("nm", "nm")))]


def mib_datasets(path: Path) -> list[Dataset]:
    """The frames of a Merlin detector, each with a header of its own; row 0 is at the bottom in the file."""
    with path.open("rb") as file:
        words = file.read(MERLIN_BYTES).decode("latin-1").split(",")
    if words[0].encode() != MERLIN or len(words) < 8 or words[6] not in DEPTHS:
        raise ReadError(f"{path.name} has no frames of a Merlin detector that can be read; export it as TIFF.")
    header, columns, rows = int(words[2]), int(words[4]), int(words[5])
    frame = np.dtype([("header", "V1", header), ("data", DEPTHS[words[6]], (rows, columns))])
    count = path.stat().st_size // frame.itemsize
    if min(header, rows, columns) < 2 or count < 1:
        raise damaged(path)
    shape = (count, rows, columns)
    return [Dataset(path.stem, "TYX", shape, partial(_frames, path, frame, shape))]


def _frames(path: Path, frame: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    if is_large(shape[0] * frame.itemsize):
        return lazy_frames(partial(_frame, path, frame), shape, frame["data"].base, path)
    return np.fromfile(path, frame, shape[0])["data"][:, ::-1]


def _frame(path: Path, frame: np.dtype[Any], number: int) -> Any:
    return np.fromfile(path, frame, 1, offset=number * frame.itemsize)["data"][0, ::-1]
