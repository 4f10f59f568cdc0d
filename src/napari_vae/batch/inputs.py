"""Which files are meant: paths, folders and patterns; and what the result of each is called."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

from ..archive import RECORD
from ..errors import InputError
from ..io.reading import FORMATS

DEVICES = re.compile("con|prn|aux|nul|(com|lpt)[1-9¹²³]", re.IGNORECASE)  # names that Windows has for itself
Patterns = str | PathLike[str] | Sequence[str | PathLike[str]]


def listed(patterns: Patterns) -> list[str | PathLike[str]]:
    """One path or pattern, or several, as a list."""
    return [patterns] if isinstance(patterns, str | PathLike) else list(patterns)


def find_files(patterns: Patterns) -> list[Path]:
    """The images that paths, folders and patterns name, each once.

    Parameters
    ----------
    patterns : path or sequence of paths
        Files, which need not exist; folders, of which the images are taken, without those in folders inside; patterns
        with ``*``, ``?``, ``[…]`` and ``**`` (any folders), which not every shell replaces by the files.

    Raises
    ------
    InputError
        If a folder holds no image, no image matches a pattern, or a name is not in UTF-8.

    Examples
    --------
    >>> find_files(["survey.dm4", "today/*.dm4"])  # doctest: +SKIP
    """
    found: dict[Path, Path] = {}
    for pattern in listed(patterns):
        for path in _meant(Path(pattern).expanduser()):
            _check_name(path)
            found.setdefault(path.resolve(), path)
    if not found:
        raise InputError("No file is named; give files, a folder, or a pattern such as “today/*.dm4”.")
    return list(found.values())


def _check_name(path: Path) -> None:
    """Refuse a name that neither a table nor a page can hold."""
    printable = str(path).encode("utf-8", "backslashreplace").decode()
    if printable != str(path):
        raise InputError(f"The name of {printable} is not in UTF-8, so no table can name it; rename it.")


def is_open(pattern: str | PathLike[str]) -> bool:
    """Whether this names a folder or a pattern, so that the number of files may be another one tomorrow."""
    path = Path(pattern).expanduser()
    return path.is_dir() or (not path.exists() and glob.has_magic(str(path)))


def _meant(path: Path) -> list[Path]:
    if not is_open(path):
        return [path]
    everything = path.iterdir() if path.is_dir() else map(Path, glob.iglob(_literal(path), recursive=True))  # noqa: PTH207 - absolute patterns too
    images = sorted(_images(everything))
    if not images:
        where = f"The folder {path} holds no image" if path.is_dir() else f"No image matches {path}"
        raise InputError(f"{where}; known are {' '.join(FORMATS)}.")
    return images


def _literal(path: Path) -> str:
    """A pattern in which the folders that there are stand for themselves, with brackets in their names."""
    there = next((folder for folder in path.parents if folder.is_dir()), Path())
    return str(Path(glob.escape(str(there))) / path.relative_to(there))


def _images(paths: Iterator[Path]) -> Iterator[Path]:
    """Those that can be read, without pictures of finished analyses, and without .ser files that an .emi leads to."""
    for path in paths:
        if path.name.startswith(".") or path.suffix.lower() not in FORMATS or not path.is_file():
            continue
        ours = any((folder / RECORD).exists() for folder in list(path.parents)[:2])
        led_to = path.suffix.lower() == ".ser" and path.with_name(f"{path.stem.rpartition('_')[0]}.emi").exists()
        if not ours and not led_to:
            yield path


def places(files: Sequence[Path], out: Path) -> list[Path]:
    """A place in `out` per file, named after it; with its suffix, and then a number, where names would clash.

    Names are such that Windows has them too: it does not tell capitals apart, drops dots and spaces at the end, and
    keeps some words for devices.
    """
    names: list[str] = []
    stems = [_portable(path.stem) for path in files]
    alike = [stem.casefold() for stem in stems]
    for path, stem in zip(files, stems, strict=True):
        name = stem if alike.count(stem.casefold()) == 1 else _portable(path.name.replace(".", "-"))
        number = sum(name.casefold() in (other.casefold(), other.casefold().rpartition("_")[0]) for other in names)
        names.append(f"{name}_{number + 1}" if number else name)
    return [out / name for name in names]


def _portable(stem: str) -> str:
    """A name without what Windows would drop, or keeps for a device: ``aux`` becomes ``aux_``."""
    kept = stem.rstrip(" .") or "_"
    return f"{kept}_" if DEVICES.fullmatch(kept.partition(".")[0].rstrip()) else kept
