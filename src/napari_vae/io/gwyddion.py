"""Gwyddion: ``.gsf``, a header in words and one image; ``.gwy``, nested objects, also as version 1 wrote them.

The layouts are those of the user guide of Gwyddion, chapter “Specification of file formats”. All lengths are in the
base unit: a prefix in the name of the unit, which version 1 wrote, says nothing.
gwyfile reads version 2 only, copies all content for every level, and goes as deep as a file says.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ..core.errors import ReadError
from .calibration import NANOMETRES, Calibration, calibrate, clean_unit
from .dataset import Dataset, damaged, no_image, pixels_at

GSF, HEADER_BYTES = b"Gwyddion Simple Field 1.0\n", 1 << 16
NUMBERS = {"b": "?", "c": "B", "i": "i", "q": "q", "d": "d", "f": "f"}
#: Letters for the types of GLib, as which version 1 wrote what lies in the outermost container.
OLD_TYPES = {0x0C: "c", 0x14: "b", 0x18: "i", 0x28: "q", 0x3C: "d", 0x40: "s", 0x50: "o"}
MOST_ITEMS, LONGEST_TEXT, DEEPEST = 100_000, 1 << 20, 20


class _Array(NamedTuple):
    """Where an array lies in the file."""

    offset: int
    dtype: str
    size: int


def gsf_datasets(path: Path) -> list[Dataset]:
    """The image of a ``.gsf`` file."""
    with path.open("rb") as file:
        content = file.read(HEADER_BYTES)
    end = content.find(b"\0")
    if not content.startswith(GSF) or end < 0:
        raise ReadError(f"{path.name} is no Gwyddion Simple Field; copy or export it again from its source.")
    lines = content[len(GSF) : end].decode("utf-8", "replace").splitlines()
    header = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    rows, columns = int(header["YRes"]), int(header["XRes"])
    array = _Array(end + 4 - end % 4, "<f4", rows * columns)
    extent = header.get("YReal", 0), header.get("XReal", 0)
    unit = header.get("XYUnits", "")
    return [_field(path, header.get("Title", path.stem), array, (rows, columns), extent, unit, header.get("ZUnits"))]


def gwy_datasets(path: Path) -> list[Dataset]:
    """Every data field of a ``.gwy`` file, by its title."""
    with path.open("rb") as file:
        magic = file.read(4)
        if magic not in (b"GWYP", b"GWYO"):
            raise ReadError(f"{path.name} is no Gwyddion file; copy or export it again from its source.")
        items = _Reader(file, path.stat().st_size).container(old=magic == b"GWYO")
    datasets = []
    for key, field in items.items():
        if re.fullmatch(r"/\d+/data", key) and isinstance(field, dict) and isinstance(field.get("data"), _Array):
            name = items.get(f"{key}/title") or f"image {key.split('/')[1]}"
            unit, intensity = (_unit(field.get(f"si_unit_{which}")) for which in ("xy", "z"))
            shape = int(field["yres"]), int(field["xres"])
            extent = field.get("yreal", 0), field.get("xreal", 0)
            datasets.append(_field(path, str(name), field["data"], shape, extent, unit, intensity))
    if not datasets:
        raise no_image(path)
    return datasets


def _field(
    path: Path, name: str, array: _Array, shape: tuple[int, int], extent: tuple[Any, Any], unit: str, intensity: Any
) -> Dataset:
    """The dataset of a field that covers `extent` in the base unit."""
    if array.size != shape[0] * shape[1]:
        raise damaged(path)
    load = pixels_at(path, array.offset, array.dtype, shape)
    named = clean_unit(unit)
    named = "m" if named.replace("µ", "u").lower() in NANOMETRES else named
    steps = [float(length) / pixels for length, pixels in zip(extent, shape, strict=True)]
    calibration = calibrate(steps, (named, named)) if named else Calibration()
    return Dataset(name, "YX", shape, load, calibration, {"intensity_unit": intensity})


def _unit(item: Any) -> str:
    return str(item.get("unitstr", "")) if isinstance(item, dict) else ""


class _Reader:
    """A walk over the items of a file that leaves arrays where they are."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size, self.items = file, size, 0

    def container(self, old: bool) -> dict[str, Any]:
        """What lies in the outermost object."""
        self._text()
        return self._items(self._length(1), 0, old)

    def _items(self, length: int, depth: int, old: bool = False) -> dict[str, Any]:
        end, items = self.file.tell() + length, {}
        while self.file.tell() < end:
            self.items += 1
            if self.items > MOST_ITEMS or depth > DEEPEST:
                raise ValueError("more items than any file has")
            kind = OLD_TYPES[self._number("I")] if old else ""
            key = self._text()
            items[key] = self._value(kind or self.file.read(1).decode("ascii"), depth)
        return items

    def _value(self, kind: str, depth: int) -> Any:
        if kind == "s":
            return self._text()
        if kind == "o":
            self._text()
            return self._items(self._length(1), depth + 1)
        if kind in NUMBERS:
            return self._number(NUMBERS[kind])
        if kind in ("S", "O"):
            return [self._value(kind.lower(), depth) for _ in range(self._length(1))]
        dtype = f"<{np.dtype(NUMBERS[kind.lower()]).str[1:]}"
        count = self._length(np.dtype(dtype).itemsize)
        offset = self.file.tell()
        self.file.seek(count * np.dtype(dtype).itemsize, 1)
        return _Array(offset, dtype, count)

    def _number(self, layout: str) -> Any:
        return struct.unpack(f"<{layout}", self.file.read(struct.calcsize(f"<{layout}")))[0]

    def _length(self, width: int) -> int:
        """A count of things of `width` bytes for which the file has room."""
        count = int(self._number("I"))
        if self.file.tell() + count * width > self.size:
            raise ValueError("more than the file holds")
        return count

    def _text(self) -> str:
        """Text up to a zero byte."""
        start, text = self.file.tell(), b""
        while (end := text.find(b"\0")) < 0:
            more = self.file.read(256)
            if not more or len(text) > LONGEST_TEXT:
                raise ValueError("text without an end")
            text += more
        self.file.seek(start + end + 1)
        try:
            return text[:end].decode("utf-8")
        except UnicodeDecodeError:  # of version 1
            return text[:end].decode("latin-1")
