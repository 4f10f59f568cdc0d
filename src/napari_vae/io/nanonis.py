"""Nanonis scans (``.sxm``): a header in words, then big-endian float32 images of every channel.

The layout is that of the Nanonis SPM control system: values in SI units, lines in the order in which they were scanned.
"""

from __future__ import annotations

from pathlib import Path

from ..core.errors import ReadError
from .calibration import calibrate
from .dataset import Dataset, pixels_at

END = b":SCANIT_END:"
START = b"\x1a\x04"  # of the pixels
HEADER_BYTES = 1 << 20  # more than any header has


def sxm_datasets(path: Path) -> list[Dataset]:
    """The channels of a scan, each forward and backward as the tip went, all with the scanned area upright.

    A channel has the unit that the file gives in its metadata; lines that were not scanned are NaN.
    """
    header, start = _header(path)
    columns, rows = (int(word) for word in header["SCAN_PIXELS"].split())
    if not (0 < rows < 1 << 20 and 0 < columns < 1 << 20):
        raise ReadError(f"{path.name} gives {rows} × {columns} pixels, which is no image; export it again.")
    channels = [
        (f"{name.replace('_', ' ')}{way}", unit, number)
        for number, (name, unit, way) in enumerate(_channels(header["DATA_INFO"]))
    ]
    size = rows * columns * 4
    missing = start + len(channels) * size - path.stat().st_size
    if missing > 0:
        raise ReadError(f"{path.name} is cut short by {missing} bytes; copy or export it again from its source.")
    width, height = (float(word) for word in header["SCAN_RANGE"].split())
    calibration = calibrate((height / rows, width / columns), ("m", "m"))
    upwards = header.get("SCAN_DIR", "down").strip().lower() == "up"
    return [
        Dataset(
            name,
            "YX",
            (rows, columns),
            pixels_at(
                path, start + number * size, ">f4", (rows, columns), upwards=upwards, backward="backward" in name
            ),
            calibration,
            {"intensity_unit": unit, "acquisition": header},
        )
        for name, unit, number in channels
    ]


def _header(path: Path) -> tuple[dict[str, str], int]:
    """Words by key, and where the pixels begin."""
    with path.open("rb") as file:
        content = file.read(HEADER_BYTES)
    end = content.find(END)
    start = content.find(START, end)
    if end < 0 or start < 0:
        raise ReadError(f"{path.name} is not a Nanonis scan: its header has no end; copy it again from its source.")
    header: dict[str, str] = {}
    key = ""
    for line in content[:end].decode("latin-1").splitlines():
        if line.startswith(":") and line.endswith(":"):
            key = line[1:-1]
        elif key:
            header[key] = f"{header[key]}\n{line}" if key in header else line
    missing = {"SCAN_PIXELS", "SCAN_RANGE", "DATA_INFO"} - set(header)
    if missing or header.get("SCANIT_TYPE", "").split() != ["FLOAT", "MSBFIRST"]:
        raise ReadError(f"{path.name} is no Nanonis scan of a kind that is known; export it as TIFF.")
    return header, start + len(START)


def _channels(table: str) -> list[tuple[str, str, str]]:
    """Name, unit and direction of every image, in the order in which they lie in the file."""
    rows = [line.split("\t") for line in table.splitlines() if line.strip()]
    titles = [title.strip() for title in rows[0]]
    channels = []
    for row in rows[1:]:
        channel = dict(zip(titles, (word.strip() for word in row), strict=True))
        both = channel["Direction"].lower() == "both"
        ways = ("forward", "backward") if both else (channel["Direction"].lower(),)
        channels += [(channel["Name"], channel["Unit"], f" {way}") for way in ways]
    return channels
