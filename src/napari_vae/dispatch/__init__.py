"""Movies and folders of images frame by frame, here or on the workers of a Dask cluster."""
