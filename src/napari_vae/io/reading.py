"""Read a micrograph from a file, whatever its format."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import traceback
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path

from ..core.errors import InputError, ReadError
from ..core.folders import user_path
from ..core.micrograph import Micrograph
from .dataset import Dataset
from .hdf5 import hdf5_datasets
from .nanonis import sxm_datasets
from .nion import ndata_datasets
from .pictures import array_datasets, picture_datasets, raw_datasets
from .regular import regular_file
from .tiff import tiff_datasets
from .vendors import READERS as VENDOR_READERS
from .vendors import vendor_datasets

FORMATS: dict[str, Callable[[Path], list[Dataset]]] = {
    **dict.fromkeys((".tif", ".tiff"), tiff_datasets),
    **dict.fromkeys((".png", ".jpg", ".jpeg"), picture_datasets),
    ".npy": array_datasets,
    **dict.fromkeys(VENDOR_READERS, vendor_datasets),
    **dict.fromkeys((".emd", ".hspy", ".hdf5", ".h5", ".nhdf", ".dm5"), hdf5_datasets),
    ".ndata": ndata_datasets,
    ".sxm": sxm_datasets,
    ".dat": raw_datasets,
}
#: What napari-vae does not unpack by itself.
ARCHIVES = (".zip", ".gz", ".tgz", ".tar", ".7z", ".bz2", ".xz")


def read(path: str | PathLike[str], *, dataset: str | int | None = None) -> Micrograph:
    """Read an image or a movie with its calibration.

    TIFF (OME, ImageJ and DigitalMicrograph calibration), PNG, JPEG, ``.npy``, Nanonis sxm and Nion ndata
    are always read; dm3, dm4, dm5, emd (Velox and NCEM), ser, emi, mrc, hspy, and HDF5 of HyperSpy, Nion
    Swift or with plain arrays through the extra ``napari-vae[formats]``. Nothing in a file is ever
    executed or unpickled, and no other file is opened that it refers to.

    Parameters
    ----------
    path : path
        The file.
    dataset : str or int, optional
        Name or index in `list_datasets` for a file with several. By default the first single image,
        or the first movie when there is none.

    Returns
    -------
    Micrograph
        ``(Y, X)``, ``(T, Y, X)`` or ``(C, Y, X)``. Lengths are converted to nanometres; a pixel size
        without a unit is not used. The magnitude of complex pixels and the luminance of colours are
        taken, and ``metadata["notes"]`` says so. Movies above 1 GiB stay lazy.

    Raises
    ------
    ReadError
        If the file is missing, cut short, of an unknown format, without an image, or has no such dataset.

    Examples
    --------
    >>> import napari_vae
    >>> image = napari_vae.read("HAADF.dm3")  # doctest: +SKIP
    >>> image.shape, image.pixel_size, image.units  # doctest: +SKIP
    ((1024, 1024), (0.0127, 0.0127), 'nm')
    """
    path = user_path(path)
    with _reading(path) as datasets:
        return _micrograph(path, datasets, _choose(datasets, dataset, path))


def read_all(path: str | PathLike[str]) -> list[Micrograph]:
    """Read every image and movie of a file, which is parsed only once; see `read`."""
    path = user_path(path)
    with _reading(path) as datasets:
        return [_micrograph(path, datasets, index) for index in range(len(datasets))]


def list_datasets(path: str | PathLike[str]) -> list[str]:
    """Names of the images and movies in a file, any of which `read` takes as `dataset`.

    Raises
    ------
    ReadError
        If the file is missing, cut short, of an unknown format or without an image.

    Examples
    --------
    >>> import napari_vae
    >>> napari_vae.list_datasets("survey.emd")  # doctest: +SKIP
    ['HAADF', 'BF']
    """
    with _reading(user_path(path)) as datasets:
        return [dataset.name for dataset in datasets]


def _micrograph(path: Path, datasets: list[Dataset], index: int) -> Micrograph:
    chosen, several = datasets[index], len(datasets) > 1
    return chosen.micrograph(
        name=f"{path.stem} {chosen.name}" if several else path.stem,
        notes=[f"The file holds {len(datasets)} datasets; this is “{chosen.name}”."] if several else [],
        metadata={"path": str(path.resolve()), "dataset": chosen.name},
    )


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[list[Dataset]]:
    """Give the datasets of a file and turn whatever goes wrong with it into one sentence."""
    _check(path)
    try:
        yield _unique(FORMATS[path.suffix.lower()](path))
    except ReadError:
        raise
    except Exception as error:
        # Parsers leave files open in the frames of a failed call; those close here, not at some later time.
        traceback.clear_frames(error.__traceback__)
        raise ReadError(_what_went_wrong(path, error)) from error


def _what_went_wrong(path: Path, error: Exception) -> str:
    """One sentence with the remedy; parsers of foreign formats fail on broken files in every way there is."""
    if isinstance(error, InputError):
        return f"{path.name}: {error}"
    if isinstance(error, PermissionError):
        return f"{path.name} may not be read; change its permissions or copy it elsewhere."
    if isinstance(error, MemoryError):
        return f"{path.name} does not fit in memory; crop it, or save it as .npy."
    return (
        f"{path.name} is cut short or not a {path.suffix.lower()} image; copy or export it again from its source "
        f"({type(error).__name__})."
    )


def _check(path: Path) -> None:
    suffix = path.suffix.lower()
    if os.path.isdir(path):  # noqa: PTH112 - which does not fail on a name too long
        raise ReadError(f"{path} is a folder; give the image files in it.")
    if not os.path.exists(path):  # noqa: PTH110
        raise ReadError(f"There is no file {path}; check its name and folder.")
    if suffix in ARCHIVES:
        raise ReadError(f"{path.name} is an archive; unpack it and give the files in it.")
    if suffix not in FORMATS:
        known = " ".join(FORMATS)
        raise ReadError(f"{path.name} has a format that is not supported; export it as TIFF, or use one of {known}.")
    if regular_file(path).stat().st_size == 0:
        raise ReadError(f"{path.name} is empty; copy or export it again from its source.")


def _choose(datasets: list[Dataset], dataset: str | int | None, path: Path) -> int:
    names = [item.name for item in datasets]
    if dataset is None:
        return next((index for index, item in enumerate(datasets) if item.is_image), 0)
    if dataset in names:
        return names.index(str(dataset))
    index = int(dataset) if str(dataset).isdigit() else -1
    if not 0 <= index < len(names):
        listed = ", ".join(f"“{name}”" for name in names)
        raise ReadError(f"{path.name} has no dataset {dataset!r}; choose one of {listed}, or 0 to {len(names) - 1}.")
    return index


def _unique(datasets: list[Dataset]) -> list[Dataset]:
    """Number datasets of the same name, so that each can be asked for."""
    if not datasets:
        raise ReadError("The file holds no image; choose another one.")
    seen: dict[str, int] = {}
    unique = []
    for item in datasets:
        seen[item.name] = seen.get(item.name, 0) + 1
        unique.append(
            item if seen[item.name] == 1 else dataclasses.replace(item, name=f"{item.name} ({seen[item.name]})")
        )
    return unique
