"""Files in and out: micrographs of many formats, tables, calibrated images, and the napari reader."""

from .reading import list_datasets, read

__all__ = ["list_datasets", "read"]
