"""Which files are meant: paths, folders and patterns; and what the result of each is called."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from os import PathLike
from pathlib import Path
from unicodedata import normalize

from ..core.errors import InputError
from ..core.folders import user_path
from ..io.reading import FOLDERS, FORMATS
from ..workflow.analysis_record import RECORD

Patterns = str | PathLike[str] | Sequence[str | PathLike[str]]
DEVICES = re.compile("con|prn|aux|nul|(com|lpt)[1-9¹²³]", re.IGNORECASE)  # names that Windows has for itself
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')  # in names of Windows
MOST = 180  # bytes of a name; systems have 255, and results and records add theirs


def listed(patterns: Patterns) -> list[str | PathLike[str]]:
    """One path or pattern, or several, as a list."""
    return [patterns] if isinstance(patterns, str | PathLike) else list(patterns)


def find_files(patterns: Patterns) -> list[Path]:
    """The images that paths, folders and patterns name, each once.

    Parameters
    ----------
    patterns : path or sequence of paths
        Files, which need not exist; folders, of which the images are taken, without those in folders inside; patterns
        with ``*``, ``?``, ``[…]`` and ``**`` (any folders, each once, however many links lead to it), which not every
        shell replaces by the files.

    Raises
    ------
    InputError
        If a folder holds no image or may not be read, no image matches a pattern, or a name is not in UTF-8.

    Examples
    --------
    >>> find_files(["survey.dm4", "today/*.dm4"])  # doctest: +SKIP
    """
    found: dict[str, Path] = {}
    for pattern in listed(patterns):
        for path in _meant(user_path(pattern)):
            _check_name(path)
            found.setdefault(os.path.realpath(path), path)  # Path.resolve fails on links that lead in a circle
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
    path = user_path(pattern)
    try:
        folder = path.is_dir() and path.suffix.lower() not in FOLDERS
        return folder or (not path.exists() and glob.has_magic(str(path)))
    except OSError:  # a file that may not be looked at, or of a name too long, as whoever reads it will say
        return False


def _meant(path: Path) -> list[Path]:
    if not is_open(path):
        return [path]
    try:
        images = sorted(_images(path.iterdir() if path.is_dir() else _matching(path)))
    except PermissionError as error:
        raise InputError(f"The folder {path} may not be read; change its permissions, or name its files.") from error
    if not images:
        where = f"The folder {path} holds no image" if path.is_dir() else f"No image matches {path}"
        raise InputError(f"{where}; known are {' '.join(FORMATS)}.")
    return images


def _matching(pattern: Path) -> Iterator[Path]:
    """What fits a pattern, in which the folders that there are stand for themselves, with brackets in their names."""
    there = next((folder for folder in pattern.parents if folder.is_dir()), Path())
    return _below(there, pattern.relative_to(there).parts)


def _below(folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    """What lies below a folder and fits the parts of a pattern."""
    head, rest = parts[0], parts[1:]
    if head == "**":
        for inner in _folders(folder, set()):
            yield from _below(inner, rest or ("*",))
    elif not glob.has_magic(head):
        if (child := folder / head).exists():
            yield from _below(child, rest) if rest else [child]
    else:
        for child in _seen(folder):
            if fnmatch(child.name, head):
                yield from _below(child, rest) if rest else [child]


def _folders(folder: Path, known: set[str]) -> Iterator[Path]:
    """A folder and all those in it; links are followed, but to each folder only once, for they may lead in circles."""
    place = os.path.realpath(folder)
    if place in known:
        return
    known.add(place)
    yield folder
    for child in sorted(_seen(folder), key=lambda child: (child.is_symlink(), child)):
        if child.is_dir():
            yield from _folders(child, known)


def _seen(folder: Path) -> list[Path]:
    """What a folder shows, of one that may not be read nothing."""
    try:
        return [child for child in folder.iterdir() if not child.name.startswith(".")]
    except OSError:
        return []


def _images(paths: Iterator[Path]) -> Iterator[Path]:
    """Those that can be read, without pictures of finished analyses, and without .ser files that an .emi leads to."""
    for path in paths:
        suffix = path.suffix.lower()
        if path.name.startswith(".") or suffix not in FORMATS or not (path.is_file() or suffix in FOLDERS):
            continue
        ours = any((folder / RECORD).exists() for folder in list(path.parents)[:2])
        led_to = suffix == ".ser" and path.with_name(f"{path.stem.rpartition('_')[0]}.emi").exists()
        if not ours and not led_to:
            yield path


def places(files: Sequence[Path], out: Path) -> list[Path]:
    """A place in `out` per file, named after it; with its suffix, and then a number, where names would clash.

    Names are such that Windows has them too: it does not tell capitals apart, drops dots and spaces at the end, keeps
    some words for devices and some signs for itself. Very long ones are cut, with a mark that tells them apart.
    """
    stems = [_portable(path.stem) for path in files]
    alike = Counter(stem.casefold() for stem in stems)
    names: list[str] = []
    taken: set[str] = set()
    numbers: Counter[str] = Counter()
    for path, stem in zip(files, stems, strict=True):
        name = base = stem if alike[stem.casefold()] == 1 else _portable(path.name.replace(".", "-"))
        while name.casefold() in taken:
            numbers[base.casefold()] += 1
            name = f"{base}_{numbers[base.casefold()] + 1}"
        taken.add(name.casefold())
        names.append(name)
    return [out / name for name in names]


def _portable(stem: str) -> str:
    """A name without what Windows forbids, would drop, or keeps for a device: ``aux`` becomes ``aux_``.

    Of the ways in which Unicode writes an accent, it has the one that all systems but macOS use.
    """
    kept = FORBIDDEN.sub("_", normalize("NFC", stem)).rstrip(" .") or "_"
    kept = f"{kept}_" if DEVICES.fullmatch(kept.partition(".")[0].rstrip()) else kept
    content = kept.encode()
    if len(content) <= MOST:
        return kept
    return f"{content[:MOST].decode(errors='ignore')}-{hashlib.sha256(content).hexdigest()[:8]}"
