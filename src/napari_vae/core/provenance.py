"""Where a result comes from: versions, data, calibration."""

from __future__ import annotations

import hashlib
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from .normalization import levels_of
from .positions import nearest_distance
from .settings import Level, Limits, Open, Positive, Whole

PART = 1000  # rows that are hashed at once
PACKAGES = ("napari-vae", "torch", "numpy", "napari")


class Provenance(Open):
    """What `describe_data` said, read from a file: everything that is asked for later."""

    created: str = ""
    n_images: Whole = 0
    data_sha256: str = ""
    name: str = ""
    units: str = ""
    pixel_size: Annotated[list[Positive], Field(min_length=2, max_length=2)] | None = None
    nearest_distance: Positive | None = None
    levels: list[Limits] | None = None
    level: Level = "none"


def begin_hash(array: Any) -> hashlib._Hash:
    """SHA-256 over shape and dtype of an array, to be updated with its values."""
    return hashlib.sha256(f"{array.shape}{array.dtype}".encode())


def data_hash(array: Any) -> str:
    """SHA-256 over shape, dtype and values of an array, which may be one that is read in parts."""
    digest = begin_hash(array)
    for start in range(0, len(array), PART):
        digest.update(np.ascontiguousarray(array[start : start + PART]).data)
    return digest.hexdigest()


def describe_versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def describe_data(data: Any, n_images: int, digest: str) -> dict[str, Any]:
    """Plain values that identify the training data: count, hash, and the calibration that `Patches` carry."""
    spread = {"levels": levels_of(data.data)} if hasattr(data, "normalization") else {}
    known = {key: getattr(data, key, None) for key in ("name", "pixel_size", "units", "spacing", "level")}
    known["nearest_distance"] = nearest_distance(data.atoms) if hasattr(data, "atoms") else None
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "n_images": n_images,
        "data_sha256": digest,
        "versions": describe_versions(),
        **spread,
        **{key: value for key, value in known.items() if value is not None and value == value},
    }
