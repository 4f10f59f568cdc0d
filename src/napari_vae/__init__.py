"""Invariant variational autoencoders for atom-resolved microscopy.

From a micrograph to what varies from atom to atom, in four calls::

    import napari_vae as nv

    image = nv.read("HAADF.dm3")
    atoms = nv.detect_atoms(image)
    run = nv.fit(nv.extract_patches(image, atoms), nv.ModelConfig.preset("rvae"))
    latents = run.encode(nv.extract_patches(image, atoms))

or in one, `analyze`. Names are imported when they are first used, so that importing the package is instant.
"""

import lazy_loader

_imported, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("napari-vae")
    return _imported(name)
