"""Sphinx configuration: the Markdown pages of this folder and the reference made from the docstrings."""

from importlib.metadata import version as installed_version
from pathlib import Path

import jupytext

project = "napari-vae"
author = "The napari-vae developers"
copyright = author
version = release = installed_version("napari-vae")

extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
numpydoc_show_class_members = False
autodoc_typehints = "none"  # the docstrings say types with shapes and units

# Notebooks are text, run when the site is built, and run again only if their code has changed.
nb_execution_mode = "cache"
nb_execution_timeout = 600  # seconds for a cell; a notebook takes less than three minutes
nb_execution_raise_on_error = True
nb_merge_streams = True

exclude_patterns = ["_build", "notebooks/ipynb"]
html_theme = "napari_sphinx_theme"
html_title = "napari-vae"
html_theme_options = {
    "icon_links": [
        {"name": "Source", "url": "https://github.com/napari-vae/napari-vae", "icon": "fa-brands fa-github"},
    ],
    "header_links_before_dropdown": 6,
    "footer_start": [],  # the links of napari itself, its source among them
}
html_sidebars = {page: [] for page in ("index", "installation", "getting-started", "troubleshooting")}  # no page below


def setup(app):
    """Write the notebooks, which are text, as Jupyter wants them, to be downloaded."""
    folder = Path(__file__).parent / "notebooks"
    (folder / "ipynb").mkdir(exist_ok=True)
    for source in folder.glob("*.md"):
        if source.stem != "index":
            jupytext.write(jupytext.read(source), folder / "ipynb" / f"{source.stem}.ipynb")
