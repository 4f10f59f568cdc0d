"""What the result of each file is called."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

DEVICES = re.compile("con|prn|aux|nul|(com|lpt)[1-9¹²³]", re.IGNORECASE)  # names that Windows has for itself
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')  # in names of Windows
MOST = 180  # bytes of a name; systems have 255, and results and records add theirs


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
