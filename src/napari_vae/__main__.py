"""``python -m napari_vae``: the command line."""

from .cli import main

main()
