"""RHK scans (``.sm4``): pages of 32-bit integers, each with a header that says what they are.

The layout is that of RHK's documentation of version 5 of the format. Objects are lists of (kind, offset, size).
spym, which reads them too, wants xarray and a library for plots, and makes room for whatever a file claims to hold.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from ..core.errors import ReadError
from .calibration import calibrate
from .dataset import Dataset, no_image, pixels_at

MAGIC = "STiMage 005".encode("utf-16-le")
PAGE_INDEX_HEADER, PAGE_INDEX_ARRAY, PAGE_HEADER, PAGE_DATA, STRINGS = 1, 2, 3, 4, 10
IMAGE = 0  # a kind of page
MOST_PAGES, MOST_OBJECTS = 10_000, 100
LABEL, UNITS = 0, slice(7, 10)  # of x, y and the intensity, among the texts of a page
SCANS = {0: " forward", 1: " backward", 2: " up", 3: " down"}


def sm4_datasets(path: Path) -> list[Dataset]:
    """The image pages of a scan; spectra are passed over."""
    with path.open("rb") as file:
        (header_bytes,) = _numbers(file, "<H")
        if file.read(len(MAGIC)) != MAGIC:
            raise ReadError(f"{path.name} is not a scan of RHK of version 5; export it as TIFF.")
        file.seek(2 + 36 + 4)
        (objects,) = _numbers(file, "<I")
        file.seek(header_bytes + 2)
        file.seek(_objects(file, objects)[PAGE_INDEX_HEADER])
        pages, objects, _, _ = _numbers(file, "<4I")
        file.seek(_objects(file, objects)[PAGE_INDEX_ARRAY])
        found = [_page_index(file) for _ in range(min(pages, MOST_PAGES))]
        datasets = [_image(path, file, places) for kind, places in found if kind == IMAGE]
    if not datasets:
        raise no_image(path)
    return datasets


def _page_index(file: BinaryIO) -> tuple[int, dict[int, int]]:
    """What kind of page it is, and where its objects lie."""
    file.seek(16, 1)  # its number
    kind, _, objects, _ = _numbers(file, "<4I")
    return kind, _objects(file, objects)


def _objects(file: BinaryIO, count: int) -> dict[int, int]:
    if count > MOST_OBJECTS:
        raise ValueError("more objects than any page has")
    return {kind: offset for kind, offset, _ in (_numbers(file, "<3I") for _ in range(count))}


def _image(path: Path, file: BinaryIO, places: dict[int, int]) -> Dataset:
    file.seek(places[PAGE_HEADER])
    texts, *integers = _numbers(file, "<2xH13I")
    columns, rows, scan = integers[5], integers[6], integers[8]
    step_x, step_y, factor, _, _, _, offset = _numbers(file, "<7f")
    file.seek(4 * 7, 1)
    (objects,) = _numbers(file, "<I")
    file.seek(64, 1)
    words = _texts(file, _objects(file, objects).get(STRINGS), texts)
    unit_x, unit_y, intensity = words[UNITS]
    # upright, whichever way it was scanned
    stored = pixels_at(path, places[PAGE_DATA], "<i4", (rows, columns), upwards=step_y > 0, backward=step_x < 0)
    return Dataset(
        f"{words[LABEL]}{SCANS.get(scan, '')}",
        "YX",
        (rows, columns),
        partial(_scaled, stored, factor, offset),
        calibrate((step_y, step_x), (unit_y, unit_x)),
        {"intensity_unit": intensity},
    )


def _texts(file: BinaryIO, offset: int | None, count: int) -> list[str]:
    """Texts of a page, each with its length before it; empty ones where it has no list of them."""
    texts = [""] * UNITS.stop
    if offset is None:
        return texts
    file.seek(offset)
    for number in range(min(count, UNITS.stop)):
        (length,) = _numbers(file, "<H")
        texts[number] = file.read(2 * length).decode("utf-16-le", "replace").strip("\0 ")
    return texts


def _scaled(stored: Callable[[], Any], factor: float, offset: float) -> Any:
    return stored() * factor + offset


def _numbers(file: BinaryIO, layout: str) -> tuple[Any, ...]:
    return struct.unpack(layout, file.read(struct.calcsize(layout)))
