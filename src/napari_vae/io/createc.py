"""Createc STM scans (``.dat``): a header in words, then the channels, in three versions of the format.

``[Parameter]`` keeps 16-bit integers, ``[Paramet32]`` 32-bit floats, ``[Paramco32]`` the same compressed. Each begins
with one number that means nothing.
The package createc reads no integers, unpacks without a bound, and has not been released since 2021.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import ReadError
from .calibration import calibrate
from .dataset import Dataset, damaged, fits
from .pictures import raw_datasets

VERSIONS = {b"[Parameter]": "<i2", b"[Paramet32]": "<f4", b"[Paramco32]": "<f4"}
HEADER_BYTES = 16384
COMPRESSED = re.compile(rb"DATA[\r\n]*(?=\x78)")
SPECTRA = b"[ParVERT"
#: Channels in the order of the file, by how many of each direction of the scan there are.
NAMES = ("Z", "Current", "ADC 1", "ADC 2")


def dat_datasets(path: Path) -> list[Dataset]:
    """The images of a ``.dat`` file of Createc, or of SPIEPy."""
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES + 2)
    version = header[:11]
    if version.startswith(SPECTRA):
        raise ReadError(f"{path.name} holds no image but spectra; choose a scan.")
    return _scan(path, version, header) if version in VERSIONS else raw_datasets(path)


def _scan(path: Path, version: bytes, header: bytes) -> list[Dataset]:
    words = _words(header)
    columns, rows = (int(words[f"Num.{axis}"]) for axis in "XY")
    if min(rows, columns) < 1:
        raise ReadError(f"{path.name} gives {rows} × {columns} pixels, which is no image; export it again.")
    dtype, size = np.dtype(VERSIONS[version]), rows * columns
    numbers = _unpacked(path, header, dtype) if version == b"[Paramco32]" else np.memmap(path, "u1", "r", HEADER_BYTES)
    numbers = numbers[: numbers.size // dtype.itemsize * dtype.itemsize].view(dtype)[1:]
    names = _names(int(words.get("Channels", 1)), int(words.get("ScanXMode", 0)) == 2)[: numbers.size // size]
    if not names:
        raise damaged(path)
    calibration = calibrate([_extent(words, axis) / n for axis, n in (("y", rows), ("x", columns))], ("Å", "Å"))
    metadata = {"intensity_unit": "DAC", "acquisition": words}
    return [
        Dataset(
            name,
            "YX",
            (rows, columns),
            lambda n=n: np.array(numbers[n * size : (n + 1) * size]).reshape(rows, columns),  # type: ignore[misc]
            calibration,
            metadata,
        )
        for n, name in enumerate(names)
    ]


def _names(count: int, both_ways: bool) -> list[str]:
    """Forward images of all channels come first, then the backward ones, if there are any."""
    ways = (" forward", " backward") if both_ways and count % 2 == 0 else ("",)
    each = count // len(ways)
    kinds = [NAMES[n] if n < len(NAMES) else f"channel {n}" for n in range(each)]
    return [f"{kind}{way}" for way in ways for kind in kinds]


def _words(header: bytes) -> dict[str, str]:
    """Values by the newer of the two names that lines may have: ``Num.X / Num.X=512``."""
    lines = (line.partition("=") for line in header.decode("latin-1").splitlines())
    return {key.rpartition(" / ")[2].strip(): value.strip() for key, equals, value in lines if equals}


def _extent(words: dict[str, str], axis: str) -> float:
    return float(words.get(f"Length {axis}[A]", 0))


def _unpacked(path: Path, header: bytes, dtype: np.dtype[Any]) -> Any:
    """What is compressed after the header, of which the beginning is enough where the end is missing."""
    start = COMPRESSED.search(header)
    with path.open("rb") as file:
        file.seek(start.end() if start else HEADER_BYTES)
        unpacker, content = zlib.decompressobj(), bytearray()
        while part := file.read(1 << 20):
            content += unpacker.decompress(part)
            fits(len(content), path)
    return np.frombuffer(bytes(content), "u1")
