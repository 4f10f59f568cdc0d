"""The command line: ``napari-vae``."""
