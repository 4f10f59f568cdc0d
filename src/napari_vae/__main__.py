"""``python -m napari_vae``: the command line."""

from .cli.app import main

main()
