"""Sphinx configuration: the Markdown pages of this folder and the reference made from the docstrings."""

from importlib.metadata import version as installed_version

project = "napari-vae"
author = "The napari-vae developers"
copyright = author
version = release = installed_version("napari-vae")

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
numpydoc_show_class_members = False
autodoc_typehints = "none"  # the docstrings say types with shapes and units

exclude_patterns = ["_build"]
html_theme = "alabaster"
html_title = f"napari-vae {release}"
