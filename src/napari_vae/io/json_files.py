"""JSON of files that others may have written: of bounded size and depth, and always an object."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

from ..errors import ReadError
from .regular import regular_file

#: No settings, calibration or record of ours comes near this.
MOST_BYTES = 64 << 20


def read_json(path: str | PathLike[str]) -> dict[str, Any]:
    """The object in a JSON file.

    Raises
    ------
    ReadError
        If the file is missing, larger than 64 MiB, nested too deeply, or holds no object.

    Examples
    --------
    >>> read_json("results/analysis.json")["settings"]  # doctest: +SKIP
    """
    path = Path(path)
    try:
        with regular_file(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ReadError(f"{path} is missing or may not be read; copy it again from its source.") from error
    return parse_json(content, path)


def parse_json(content: str | bytes, path: Path) -> dict[str, Any]:
    """The object in JSON that was found in the file `path`; see `read_json`."""
    if len(content) > MOST_BYTES:
        raise ReadError(f"{path.name} holds more than {MOST_BYTES >> 20} MiB of JSON, which is none of ours.")
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{path.name} holds damaged JSON; copy it again from its source.") from error
    if not isinstance(value, dict):
        raise ReadError(f"{path.name} holds JSON of another kind than expected; copy it again from its source.")
    return value
