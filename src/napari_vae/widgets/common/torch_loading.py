"""Importing torch, and what else is slow, in a thread without stopping the window.

Python keeps its global lock while it loads a compiled module, and torch's libraries take half a second: long enough for
a window to look frozen. Foreign functions called through ctypes run without the lock, so the libraries are opened that
way first; the import then finds them in place.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIBRARIES = ("libc10.so", "libtorch_cpu.so", "libtorch_python.so", "libc10.dylib", "libtorch_cpu.dylib")


def import_torch() -> None:
    """Import torch; call it from a thread of its own."""
    if "torch" not in sys.modules and os.name == "posix":
        _open_libraries()
    import torch  # noqa: F401


def import_clustering() -> None:
    """Import what groups the latents, which holds the lock for a fifth of a second: best just after a click."""
    import sklearn.mixture  # noqa: F401


def _open_libraries() -> None:
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return  # the import says what is missing
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.restype, dlopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    folder = Path(spec.origin).parent / "lib"
    for path in filter(Path.is_file, (folder / name for name in LIBRARIES)):
        dlopen(os.fsencode(path), os.RTLD_NOW | os.RTLD_LOCAL)


@contextmanager
def spare_core() -> Iterator[None]:
    """Libraries at hand, and torch on all cores but one in this thread, so that the window breathes."""
    import_torch()
    import_clustering()
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, (os.cpu_count() or 2) - 1)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
