"""Looks into files of microscope makers before their reader does, which goes on for hours over some damaged ones.

Only sizes and counts are looked at, so that a file of many gigabytes costs no more than a small one.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import BinaryIO

from .dataset import damaged
from .regular import regular_file

SIMPLE = {2: 2, 3: 4, 4: 2, 5: 4, 6: 4, 7: 8, 8: 1, 9: 1, 10: 1, 11: 8, 12: 8}  # bytes of a number of DigitalMicrograph
STRUCT, STRING, ARRAY = 15, 18, 20
# What the readers take in some seconds, and files that were never damaged stay far below.
MOST_TAGS, MOST_BYTES, MOST_FIELDS, LONGEST_TEXT, MOST_DIMENSIONS = 1_000_000, 60_000_000, 10_000, 20_000, 16


class _DamagedError(Exception):
    """What a file says of itself cannot be."""


def check_file(path: Path) -> str:
    """Refuse a file over which its reader would go on without end; the order of its bytes, ``"<"`` or ``">"``.

    Raises
    ------
    ReadError
        If it is damaged so.
    """
    check = {".dm3": _check_dm, ".dm4": _check_dm, ".ser": _check_ser, ".emi": _check_emi, ".mrc": _check_mrc}
    order = "<"
    try:
        if path.suffix.lower() in check:
            with path.open("rb") as file:
                order = check[path.suffix.lower()](file, path) or order
    except _DamagedError:
        raise damaged(path) from None
    except (struct.error, OverflowError, OSError):
        pass  # it ends too early, which its reader will find too
    return order


def _check_mrc(file: BinaryIO, path: Path) -> str:
    """Sizes that the file can hold, in one of the orders."""
    header, size = file.read(12), path.stat().st_size
    for order in "<>":
        sizes = struct.unpack(f"{order}3i", header) if len(header) == 12 else (0, 0, 0)
        if min(sizes) > 0 and math.prod(sizes) <= 2 * size:
            return order
    raise _DamagedError


def _check_ser(file: BinaryIO, path: Path) -> None:
    """As many images as the file has room for, each of its own: their places are listed, one may be many times."""
    size = path.stat().st_size
    *_, version, kind, _, _, images = _unpack(file, "<3H4I")
    wide = version > 528
    offset, dimensions = _unpack(file, "<QI" if wide else "<II")
    for _ in range(_allow(dimensions, MOST_DIMENSIONS)):
        file.seek(24, 1)
        for _name in ("description", "unit"):
            (length,) = _unpack(file, "<I")
            file.seek(_allow(length, size), 1)
    file.seek(offset)
    (first,) = _unpack(file, "<Q" if wide else "<I")
    spectra = kind == 16672
    file.seek(first + (20 if spectra else 40))
    number, *lengths = _unpack(file, "<HI" if spectra else "<HII")
    width = {1: 1, 2: 2, 3: 4, 4: 1, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8, 10: 16}.get(number, 1)
    _allow(images * (math.prod(lengths) * width + (8 if wide else 4)), size)


def _check_emi(file: BinaryIO, path: Path) -> None:
    """Descriptions that end before the next begins, for its reader takes each to the next end; and what it leads to."""
    regular_file(path, MOST_BYTES)  # which is read as a whole: it only describes
    for number in range(10):
        if (images := path.with_name(f"{path.stem}_{number}.ser")).exists():
            with regular_file(images).open("rb") as beside:
                _check_ser(beside, images)
    for described in file.read().split(b"<ObjectInfo>")[1:]:
        if b"</ObjectInfo>" not in described:
            raise _DamagedError


def _check_dm(file: BinaryIO, path: Path) -> None:
    """Counts that are not negative, over which the file would be read again and again, nor of what takes no room."""
    _DigitalMicrograph(file, path.stat().st_size).look()


class _DigitalMicrograph:
    """A walk over the tags of a DigitalMicrograph file, as its reader goes, that skips the values."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size = file, size
        (version,) = _unpack(file, ">i")
        self.wide = version == 4
        self.tags, self.bytes = 0, 0

    def look(self) -> None:
        """Visit every tag; groups are kept as the number of tags that are still to come in them, and their name."""
        self._word()  # size of the file
        self.file.seek(4, 1)
        groups = [(self._count_of_group(root=True), b"")]
        while groups:
            left, group = groups.pop()
            if left:
                groups.append((left - 1, group))
                kind, length = _unpack(self.file, ">BH")
                name = self.file.read(length).replace(b".", b"")
                if kind == 20:
                    groups.append((self._count_of_group(root=False), name))
                elif kind == 21:
                    self._pass_data(pixels=(group, name) == (b"ImageData", b"Data"))
                else:
                    return  # the reader ends here
                self.tags += 1
                _allow(self.tags, MOST_TAGS)

    def _count_of_group(self, *, root: bool) -> int:
        self.file.seek(2 if root or not self.wide else 10, 1)
        return max(0, self._word())

    def _pass_data(self, *, pixels: bool) -> None:
        self.file.seek(12 if self.wide else 4, 1)  # the size of the tag, and %%%%
        info = self._word()
        kind = self._word()
        if info == 1:
            self._pass(1, SIMPLE.get(kind, 0))
        elif info == 2:
            self._pass_text(self._word())
        elif info == 3:
            element = self._word()
            self._pass(self._word(), SIMPLE.get(element, 0), pixels=pixels)
        elif kind == STRUCT:
            self._pass(1, self._width_of_struct())
        else:
            self._pass_elements(self._word(), pixels=pixels)

    def _pass_elements(self, element: int, *, pixels: bool) -> None:
        if element == STRUCT:
            width = self._width_of_struct()
        elif element == STRING:
            width = _allow(self._word(), LONGEST_TEXT)
        else:  # arrays of arrays, which the reader does not know
            return
        count = self._word()
        _allow(0 if width else count, 0)
        self._pass(count, width, pixels=pixels)

    def _width_of_struct(self) -> int:
        self._word()
        fields = _allow(self._word(), MOST_FIELDS)
        words = [(self._word(), self._word()) for _ in range(fields)]
        return sum(SIMPLE.get(kind, 0) for _, kind in words)

    def _pass_text(self, length: int) -> None:
        self._pass(_allow(length, LONGEST_TEXT), 1)

    def _pass(self, count: int, width: int, *, pixels: bool = False) -> None:
        """Over `count` elements, which the reader takes one by one unless they are pixels."""
        _allow(count * width, self.size)
        self.bytes += 0 if pixels else count * width
        _allow(self.bytes, MOST_BYTES)
        self.file.seek(count * width, 1)

    def _word(self) -> int:
        return int(_unpack(self.file, ">q" if self.wide else ">i")[0])


def _allow(number: int, most: int) -> int:
    """The number, if it is one that a sound file may have."""
    if not 0 <= number <= most:
        raise _DamagedError
    return number


def _unpack(file: BinaryIO, layout: str) -> tuple[int, ...]:
    return struct.unpack(layout, file.read(struct.calcsize(layout)))
