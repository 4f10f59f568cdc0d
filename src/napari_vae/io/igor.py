"""Igor binary waves of version 5 (``.ibw``), as atomic force microscopes of Asylum Research write them.

The layout is that of WaveMetrics' Technical Note 3. Earlier versions keep only curves.
igor2 reads all layers at once, and runs the names of the last ones together (“PhaseRetracerace”).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import ReadError
from .calibration import calibrate
from .dataset import Dataset, pixels_at

VERSION, HEADER_BYTES = 5, 384
COMPLEX, UNSIGNED, NUMBERS = 1, 0x40, {2: "f4", 4: "f8", 8: "i1", 0x10: "i2", 0x20: "i4"}
# Where the header has the sizes of all parts, the kind of number, the lengths and steps of the dimensions, and units.
SIZES, KIND, LENGTHS, STEPS, DATA_UNIT, UNITS = 4, 80, 132, 148, 212, 216
LABEL_BYTES = 32


def ibw_datasets(path: Path) -> list[Dataset]:
    """The image of a wave, or each of its layers by name; layers without names are frames.

    Igor counts the second dimension upwards; here rows go down.
    """
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
        order = "<" if header[:1] == bytes([VERSION]) else ">"
        if len(header) < HEADER_BYTES or struct.unpack_from(f"{order}h", header)[0] != VERSION:
            raise ReadError(f"{path.name} is no image of Igor Pro; export it as TIFF.")
        wave, formula, note, data_unit, *others = struct.unpack_from(f"{order}12i", header, SIZES)
        columns, rows, layers, more = struct.unpack_from(f"{order}4i", header, LENGTHS)
        names = _labels(file, 64 + wave + formula + note + data_unit + sum(others[:6]), others[6])
    (kind,) = struct.unpack_from(f"{order}h", header, KIND)
    if min(rows, columns) < 2 or min(layers, more) < 0 or more > 1 or kind & ~(COMPLEX | UNSIGNED) not in NUMBERS:
        raise ReadError(f"{path.name} holds no image, only other data such as curves; choose another file.")
    dtype = _dtype(kind, order)
    shape = (layers, rows, columns) if layers else (rows, columns)
    load = pixels_at(path, HEADER_BYTES, dtype, shape, upwards=True)
    step_x, step_y = struct.unpack_from(f"{order}2d", header, STEPS)
    unit_x, unit_y = (_text(header[UNITS + 4 * axis :][:4]) for axis in (0, 1))
    calibration = calibrate((step_y, step_x), (unit_y, unit_x))
    if layers and any(names):
        named = [*names, *[""] * layers][:layers]
        size = rows * columns * dtype.itemsize
        return [
            Dataset(
                name or f"image {layer}",
                "YX",
                (rows, columns),
                pixels_at(path, HEADER_BYTES + layer * size, dtype, (rows, columns), upwards=True),
                calibration,
            )
            for layer, name in enumerate(named)
        ]
    metadata = {"intensity_unit": _text(header[DATA_UNIT:][:4])}
    return [Dataset(path.stem, "TYX"[-len(shape) :], shape, load, calibration, metadata)]


def _dtype(kind: int, order: str) -> np.dtype[Any]:
    name = NUMBERS[kind & ~(COMPLEX | UNSIGNED)]
    if kind & COMPLEX:
        return np.dtype(f"{order}{ {'f4': 'c8', 'f8': 'c16'}[name] }")  # NumPy has no complex integers
    return np.dtype(f"{order}{name.replace('i', 'u') if kind & UNSIGNED else name}")


def _labels(file: Any, place: int, length: int) -> list[str]:
    """Names of the layers, behind that of the dimension."""
    file.seek(max(place, 0))
    content = file.read(min(max(length, 0), 1 << 20))
    return [_text(content[at : at + LABEL_BYTES]) for at in range(LABEL_BYTES, len(content), LABEL_BYTES)]


def _text(content: bytes) -> str:
    return content.partition(b"\0")[0].decode("utf-8", "replace")
