"""napari-vae."""
