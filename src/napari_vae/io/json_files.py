"""JSON of files that others may have written: of bounded size and depth, and always an object."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ..core.errors import ReadError
from ..core.settings import first_problem
from .regular import regular_file

T = TypeVar("T")

#: No settings, calibration or record of ours comes near this.
MOST_BYTES = 64 << 20


def read_json(path: str | PathLike[str], schema: type[T]) -> T:
    """What a JSON file of ours holds, as a schema wants it: a `Saved`, or a dataclass with annotations of `settings`.

    Raises
    ------
    ReadError
        If the file is missing, larger than 64 MiB, nested too deeply, of a newer version, or damaged; the message
        names the entry.

    Examples
    --------
    >>> read_json("results/run/run.json", RunFile).window  # doctest: +SKIP
    (32, 32)
    """
    path = Path(path)
    try:
        with regular_file(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ReadError(f"{path} is missing or may not be read; copy it again from its source.") from error
    return as_schema(parse_json(content, path), schema, path)


def as_schema(value: dict[str, Any], schema: type[T], path: Path) -> T:
    """What was found in the file `path`, as a schema wants it; see `read_json`."""
    try:
        return TypeAdapter(schema).validate_python(value)
    except ValidationError as error:
        where, what = first_problem(error, value)
        if where == "format":
            raise ReadError(f"{path} was written by a newer version; update napari-vae.") from None
        raise ReadError(f"{path} is damaged: {f'{where} {what}'.strip()}; use a copy, or make it again.") from None


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
