"""Read a micrograph from a file, whatever its format."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import traceback
from collections.abc import Callable, Collection, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from ..core.arguments import checks_arguments
from ..core.errors import InputError, ReadError
from ..core.folders import user_path
from ..core.micrograph import Micrograph, size_of_pixels
from .archives import npz_datasets, prz_datasets
from .beside import calibration_beside
from .calibration import Calibration
from .channels import in_order, varies
from .createc import dat_datasets
from .dataset import Dataset
from .gwyddion import gsf_datasets, gwy_datasets
from .hdf5 import hdf5_datasets
from .igor import ibw_datasets
from .nanonis import sxm_datasets
from .nion import ndata_datasets
from .pictures import array_datasets, picture_datasets
from .pixelated import blo_datasets, mib_datasets
from .regular import regular_file
from .rhk import sm4_datasets
from .tiff import tiff_datasets
from .vendors import READERS as VENDOR_READERS
from .vendors import vendor_datasets
from .zarr_files import zarr_datasets, zspy_datasets

FORMATS: dict[str, Callable[[Path], list[Dataset]]] = {
    **dict.fromkeys((".tif", ".tiff"), tiff_datasets),
    **dict.fromkeys((".png", ".jpg", ".jpeg"), picture_datasets),
    ".npy": array_datasets,
    **dict.fromkeys(VENDOR_READERS, vendor_datasets),
    **dict.fromkeys((".emd", ".hspy", ".hdf5", ".h5", ".nhdf", ".dm5", ".nxs"), hdf5_datasets),
    ".npz": npz_datasets,
    ".prz": prz_datasets,
    ".ndata": ndata_datasets,
    ".zarr": zarr_datasets,
    ".zspy": zspy_datasets,
    ".sxm": sxm_datasets,
    ".gwy": gwy_datasets,
    ".gsf": gsf_datasets,
    ".ibw": ibw_datasets,
    ".sm4": sm4_datasets,
    ".blo": blo_datasets,
    ".mib": mib_datasets,
    ".dat": dat_datasets,
}
#: Formats of which a file may be a folder.
FOLDERS = (".zarr", ".zspy")
#: Where the metadata of an image say that the first of several was passed over, and why.
PASSED_OVER = "passed_over"
#: What napari-vae does not unpack by itself.
ARCHIVES = (".zip", ".gz", ".tgz", ".tar", ".7z", ".bz2", ".xz")


@checks_arguments
def read(path: str | PathLike[str], *, dataset: str | int | None = None, pixel_size: Any = None) -> Micrograph:
    """Read an image or a movie with its calibration.

    Images, arrays and scans in some thirty formats, which the documentation lists under “Files”; those of
    some microscopes, HDF5 and zarr need the extra ``napari-vae[formats]``. Nothing in a file is ever
    executed or unpickled, and no other file is opened that it refers to, but for a ``.json`` of the same
    name, which may tell the size of the pixels.

    Parameters
    ----------
    path : path
        The file.
    dataset : str or int, optional
        Name or index in `list_datasets` for a file with several. By default the first single image
        that has more than one value, or the first movie when there is no image.
    pixel_size : float or (float, float), optional
        Nanometres along rows and columns, in place of what the file says.

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
    InputError
        If the pixel size is not above 0.

    Examples
    --------
    >>> import napari_vae
    >>> image = napari_vae.read("HAADF.dm3")  # doctest: +SKIP
    >>> image.shape, image.pixel_size, image.units  # doctest: +SKIP
    ((1024, 1024), (0.0127, 0.0127), 'nm')
    """
    path, size = user_path(path), size_of_pixels(pixel_size)
    with _reading(path) as datasets:
        if dataset is None:
            image = _first_that_varies(path, datasets)
        else:
            image = _micrograph(path, datasets[choose([item.name for item in datasets], dataset, path)], len(datasets))
    return image if size is None else dataclasses.replace(image, pixel_size=size, units="nm")


def read_all(path: str | PathLike[str], *, movies: bool = True) -> list[Micrograph]:
    """Read every image and movie of a file, which is parsed only once, those of one value last; see `read`."""
    path = user_path(path)
    with _reading(path) as datasets:
        images = [_micrograph(path, item, len(datasets)) for item in datasets if movies or item.is_image]
    return sorted(images, key=lambda image: not varies(image.data))


@checks_arguments
def list_datasets(path: str | PathLike[str]) -> list[str]:
    """Names of the images and movies in a file, any of which `read` takes as `dataset`.

    Of channels of an instrument, topography and HAADF come before others, and forward before backward scans.

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


def read_calibration(path: str | PathLike[str], shape: tuple[int, ...]) -> Calibration:
    """What a file says of the size of its pixels, without reading these; of the first image of (rows, columns).

    Raises
    ------
    ReadError
        As `list_datasets`.
    """
    path = user_path(path)
    with _reading(path) as datasets:
        alike = (_calibrated(path, item) for item in datasets if item.rows_and_columns == tuple(shape))
        return next((item.calibration for item in alike), Calibration())


def _calibrated(path: Path, chosen: Dataset) -> Dataset:
    """With the size of its pixels from a file beside it, if its own gives none."""
    if chosen.calibration.pixel_size is not None or chosen.rows_and_columns is None:
        return chosen
    beside = calibration_beside(path, *chosen.rows_and_columns)
    return dataclasses.replace(chosen, calibration=beside) if beside != Calibration() else chosen


def _micrograph(path: Path, chosen: Dataset, count: int) -> Micrograph:
    chosen = _calibrated(path, chosen)
    return chosen.micrograph(
        name=f"{path.stem} {chosen.name}" if count > 1 else path.stem,
        notes=[f"The file holds {count} datasets; this is “{chosen.name}”."] if count > 1 else [],
        metadata={"path": str(path.resolve()), "dataset": chosen.name},
    )


def _first_that_varies(path: Path, datasets: list[Dataset]) -> Micrograph:
    """The first image, or the first movie where there is none, but not one of a single value if there is another."""
    choice = [item for item in datasets if item.is_image] or datasets
    first = read = _micrograph(path, choice[0], len(datasets))
    for item in choice[1:]:
        if varies(read.data):
            break
        read = _micrograph(path, item, len(datasets))
    if not varies(read.data) or read is first:
        return first
    constant, chosen = first.metadata["dataset"], read.metadata["dataset"]
    note = f"“{constant}” has one value everywhere, so “{chosen}” was read; another is chosen with --dataset."
    read.metadata[PASSED_OVER] = note
    read.metadata["notes"].append(note)
    return read


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[list[Dataset]]:
    """Give the datasets of a file and turn whatever goes wrong with it into one sentence."""
    with one_sentence(path, FORMATS):
        yield _unique(in_order(FORMATS[path.suffix.lower()](path)))


@contextlib.contextmanager
def one_sentence(path: Path, formats: Collection[str]) -> Iterator[None]:
    """Refuse what is no file of these formats, and turn whatever goes wrong with it into one sentence.

    Raises
    ------
    ReadError
    """
    _check(path, formats)
    try:
        yield
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


def _check(path: Path, formats: Collection[str]) -> None:
    suffix = path.suffix.lower()
    folder = os.path.isdir(path)  # noqa: PTH112 - which does not fail on a name too long
    if folder and suffix not in FOLDERS:
        raise ReadError(f"{path} is a folder; give the image files in it.")
    if not os.path.exists(path):  # noqa: PTH110
        raise ReadError(f"There is no file {path}; check its name and folder.")
    if suffix in ARCHIVES:
        raise ReadError(f"{path.name} is an archive; unpack it and give the files in it.")
    if suffix not in formats:
        as_what = "TIFF" if formats is FORMATS else ".hspy"
        raise ReadError(f"{path.name} has a format that is not supported; export it as {as_what}.")
    if suffix in FOLDERS and not folder:
        raise ReadError(f"{path.name} is a file, where {suffix} is a folder; unpack it, or export it as TIFF.")
    if not folder and regular_file(path).stat().st_size == 0:
        raise ReadError(f"{path.name} is empty; copy or export it again from its source.")


def choose(names: list[str], dataset: str | int, path: Path) -> int:
    """Place of a dataset, which is given by its name or number, among these; `ReadError` if there is none."""
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
