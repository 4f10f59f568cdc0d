"""What is known of each result of a batch: one small JSON file beside the results, written before and after the work.

A record that says *begun* marks a result that a killed program may have left behind; it may be replaced. One that says
*done* carries the hash of the image and of the settings, by which a finished file is known again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from ..core.errors import InputError, ReadError
from ..core.folders import replacing
from ..core.settings import Text
from ..io.json_files import read_json
from ..io.regular import regular_file

FOLDER = ".napari-vae"
PIXEL, UNIT = ("pixel_height", "pixel_width"), "pixel_unit"  # facts of every image
State = Literal["begun", "done", "failed"]
BEGUN: Final = "begun"
DONE: Final = "done"
FAILED: Final = "failed"


@dataclass(frozen=True)
class Record:
    """What became of one file.

    Parameters
    ----------
    file : str
        The image.
    task : str
        What was done.
    state : {"begun", "done", "failed"}
    key : str
        Hash of the content of the image and of the settings.
    message : str
        What was found, or why it failed.
    facts : dict
        Columns of the summary table: plain values.
    content : str
        Hash of the content of the image alone, where it is noted.
    stamp : list
        What `stamp_of` said of the image then.
    """

    file: Text
    task: Text
    state: State
    key: Text = ""
    message: Text = ""
    facts: Mapping[Text, Text | int | float | bool | None] = field(default_factory=dict)
    content: Text = ""
    stamp: list[Any] = field(default_factory=list)


def read_record(target: Path) -> Record | None:
    """The record of a result, or ``None`` when there is none or it is damaged."""
    return _parse(_place(target))


def write_record(target: Path, record: Record | None) -> None:
    """Write the record of a result, whole or not at all; ``None`` takes it away."""
    if record is None:
        _place(target).unlink(missing_ok=True)
        return
    with replacing(_place(target)) as temporary:
        temporary.write_text(json.dumps(asdict(record), ensure_ascii=False, indent=1), encoding="utf-8")


def records_in(folder: Path) -> dict[str, Record]:
    """Every record of the results in a folder, by the name of the result, in order."""
    found = {path.name.removesuffix(".json"): _parse(path) for path in sorted((folder / FOLDER).glob("*.json"))}
    return {name: record for name, record in found.items() if record is not None}


def key_from(content: str, settings: dict[str, Any]) -> str:
    """Hash of the content of an image, as `content_of` says it, and of the settings."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(f"{content} {text}".encode()).hexdigest()


def content_of(path: Path) -> str:
    """Hash of the content of an image, with the files it leads to.

    Raises
    ------
    ReadError
        If a file cannot be opened.
    """
    return content_hash(_parts(path))


def stamp_of(path: Path) -> list[Any]:
    """Name, size and date of an image and of the files it leads to: while they stay, the content does too.

    Raises
    ------
    ReadError
        If a file is not there.
    """
    stamp = []
    for part in _parts(path):
        try:
            known = part.stat()
        except OSError as error:
            raise _cannot_be_opened(part, error) from error
        stamp.append([part.name, known.st_size, known.st_mtime_ns])
    return stamp


def check_unchanged(path: Path, stamp: list[Any]) -> None:
    """Refuse an image that is not the one any more that `stamp_of` was asked about; one that has gone was read before.

    Raises
    ------
    InputError
        If it has changed.
    """
    try:
        now = stamp_of(path)
    except ReadError:
        return
    if now != stamp:
        raise InputError(f"{path.name} has changed while it was worked on; start again when it is complete.")


def content_hash(paths: Iterable[Path]) -> str:
    """SHA-256 of the bytes of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            with regular_file(path).open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise _cannot_be_opened(path, error) from error
    return digest.hexdigest()


def _cannot_be_opened(path: Path, error: OSError) -> ReadError:
    return ReadError(f"{path} cannot be opened ({error.strerror}); check its name, folder and permissions.")


def _parts(path: Path) -> list[Path]:
    """The file itself, or those of its folder, those with the data of an .emi, and one with the size of pixels."""
    if os.path.isdir(path):  # noqa: PTH112
        return sorted(Path(folder, name) for folder, _, names in os.walk(path) for name in names)
    view = path.with_suffix(".json")
    beside = [view] if os.path.isfile(view) else []  # noqa: PTH113 - which does not fail where one may not look
    if path.suffix.lower() == ".emi":
        beside += sorted(other for other in path.parent.glob("*.ser") if other.stem.rpartition("_")[0] == path.stem)
    return [path, *beside]


def _place(target: Path) -> Path:
    return target.parent / FOLDER / f"{target.name}.json"


def _parse(path: Path) -> Record | None:
    try:
        return read_json(path, Record)
    except ReadError:
        return None
