"""Real micrographs, each with its source and licence beside it, and the size of its pixels where that is known."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.micrograph import Micrograph
from ..io.json_files import read_json
from ..io.reading import read

FOLDER = Path(__file__).parent / "real"
FILES = {
    "DyScO3": "DyScO3.png",
    "gold grain boundary": "gold_grain_boundary.png",
    "oxide superlattice": "oxide_superlattice.tif",
    "Pt single atoms": "Pt_single_atoms.tif",
}


class _About(BaseModel):
    """What lies beside an image; its pixel size is read with the image."""

    title: str
    source: str
    licence: str
    note: str


@checks_arguments
def real(name: str) -> Micrograph:
    """A real micrograph that comes with the package, free to use under the MIT licence.

    Parameters
    ----------
    name : {"DyScO3", "gold grain boundary", "oxide superlattice", "Pt single atoms"}
        Annular dark-field images of a crystal seen along zigzag rows of Dy, of two grains of gold, of a superlattice of
        oxides, and of single atoms of platinum on carbon.

    Returns
    -------
    Micrograph
        As it was published; ``metadata`` tells its title, source and licence.

    Examples
    --------
    >>> image = real("Pt single atoms")
    >>> image.shape, image.units, image.metadata["licence"]
    ((512, 512), 'nm', 'MIT, LICENSE.AtomDetection_ACSTEM')
    """
    if name not in FILES:
        raise InputError(f"There is no real sample {name!r}; choose one of {', '.join(map(repr, FILES))}.")
    path = FOLDER / FILES[name]
    image = read(path)
    about = read_json(path.with_suffix(".json"), _About)
    metadata = about.model_dump(exclude={"note"}) | {"notes": [about.note]}
    return Micrograph(image.data, image.pixel_size, image.units, name=name, metadata=metadata)
