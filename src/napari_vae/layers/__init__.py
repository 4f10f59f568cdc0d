"""Napari layers without Qt: what was found as layer data, and layers as micrographs and tables."""
