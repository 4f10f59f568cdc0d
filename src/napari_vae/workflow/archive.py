"""An analysis as a folder of plain files, and back."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from ..analysis.cells import CELL_RADIUS, class_labels
from ..core.arguments import checks_arguments
from ..core.errors import InputError, ReadError
from ..core.folders import check_writable, holds, open_folder, replace_folder, stamp, user_path
from ..core.micrograph import Micrograph
from ..io.json_files import read_json
from ..io.reading import list_datasets, read
from ..io.writing import read_table, write_image, write_table
from ..models.columns import check_latents
from ..models.config import ModelConfig
from ..patches.patches import extract_patches, paste_patches, symbol_spacing
from ..runs.decoding import class_manifolds, side_by_side
from ..runs.folder import RunFile
from ..runs.run import load_run
from .analysis_record import RECORD, TABLES, AnalysisFile, MicrographFile
from .findings import Findings, describe
from .report import write_report


def check_folder(folder: str | PathLike[str], *, overwrite: bool = False) -> Path:
    """Return `folder` as a path if an analysis may be written there; ask this before long work.

    Raises
    ------
    InputError
        If it is a file, holds an analysis and `overwrite` is false, or holds anything else.
    """
    path = check_writable(folder)
    ours = holds(path, RECORD)
    if path.is_dir() and any(path.iterdir()):
        if not ours:
            raise InputError(f"The folder {path} holds other files; give a new one for the results.")
        if not overwrite:
            raise InputError(f"The folder {path} holds an analysis; give a new one, or overwrite it (--overwrite).")
    return path


@dataclass(frozen=True)
class Analysis(Findings):
    """What was found on a micrograph.

    Parameters
    ----------
    micrograph : Micrograph
        The image.
    atoms : DataFrame
        Every detected atom; positions in pixels.
    patches : Patches
        Windows around the atoms of which at least 60 % was measured.
    run : Run
        The trained model.
    latents : DataFrame
        One row per window: the columns of `atoms`, those of `Run.encode`, ``class`` (int) when clustered or found by
        the model, and ``class_name`` where its classes have names. The index is that of `atoms`.
    settings : dict
        What `analyze` was asked for.
    """

    @checks_arguments
    def save(self, folder: str | PathLike[str], *, overwrite: bool = False) -> Path:
        """Write tables, images, pictures, the run and ``report.html`` into a folder, all of it or nothing.

        Parameters
        ----------
        folder : path
            Created with its parents.
        overwrite : bool
            Replace an analysis that is already there. A folder of anything else is never replaced.

        Raises
        ------
        InputError
            If the folder holds something that may not be replaced.

        Examples
        --------
        >>> analyze(read("HAADF.dm3")).save("results")  # doctest: +SKIP
        """
        return save_analysis(self, folder, overwrite=overwrite)


def save_analysis(analysis: Analysis, folder: str | PathLike[str], *, overwrite: bool = False) -> Path:
    """Write an analysis; see `Analysis.save`."""
    target = check_folder(folder, overwrite=overwrite)
    with replace_folder(target, RECORD) as new:
        _write_tables(analysis, new)
        _write_images(analysis, new)
        analysis.run.save(new / "run")
        record = json.dumps(describe(analysis), indent=2, default=_plain)
        (new / RECORD).write_text(record + "\n", encoding="utf-8")
        write_report(analysis, new)
    return target


@checks_arguments
def load_analysis(folder: str | PathLike[str], *, micrograph: str | PathLike[str] | None = None) -> Analysis:
    """Read a folder written by `Analysis.save`. Nothing in it is executed.

    Parameters
    ----------
    folder : path
    micrograph : path, optional
        The image or movie, where it is neither in the folder nor, unchanged, where it was analysed.

    Raises
    ------
    ReadError
        If the folder holds no analysis, or one that is not complete.

    Examples
    --------
    >>> load_analysis("results").latents["class"].value_counts()  # doctest: +SKIP
    """
    with open_folder(folder, RECORD, "holds no analysis; give a folder that “napari-vae analyze” has written.") as path:
        return _read(path, micrograph)


def _read(path: Path, micrograph: str | PathLike[str] | None) -> Analysis:
    record = read_json(path / RECORD, AnalysisFile)
    try:
        atoms, latents = (read_table(path / name) for name in TABLES)
        image = _load_micrograph(path, record.micrograph, micrograph)
        atoms.attrs["napari_vae"] = record.detection.plain()
        run = load_run(path / "run")
        cutting = run.cutting | {"partial": "seen" in latents}  # earlier versions left out what was seen in part
        patches = extract_patches(image, atoms, normalization=run.normalization, **cutting)
        check_latents(latents, patches.atoms, run.model_config.latent_dim)
    except Exception as error:
        reason = str(error) if isinstance(error, InputError) else type(error).__name__
        raise ReadError(f"The analysis in {path} is not complete ({reason}); make it again.") from error
    return Analysis(image, atoms, patches, run, latents, record.settings.plain())


@checks_arguments
def list_runs(folder: str | PathLike[str]) -> pd.DataFrame:
    """The analyses and trained models in a folder and the folders below it, the last first.

    Folders may be renamed and moved: what is listed of them is read from them.

    Returns
    -------
    DataFrame
        ``path``; ``kind``, ``"analysis"`` or ``"model"``; ``written``, as text; ``source``, the name of the micrograph;
        ``model``; ``atoms``, the number of atoms, or of windows that the model learnt from. The model within an
        analysis has no row of its own, and neither have damaged folders.

    Raises
    ------
    ReadError
        If there is no such folder.

    Examples
    --------
    >>> list_runs("results")[["path", "source", "atoms"]]  # doctest: +SKIP
    """
    top = user_path(folder)
    if not top.is_dir():
        raise ReadError(f"There is no folder {top}; check its name.")
    rows = [row for path in (top, *sorted(_shown(top))) if path.is_dir() and (row := _row_of(path))]
    table = pd.DataFrame(rows, columns=["path", "kind", "written", "source", "model", "atoms"])
    return table.sort_values("written", ascending=False, kind="stable", ignore_index=True)


def _shown(folder: Path) -> Iterator[Path]:
    """What lies below a folder, without what is hidden, as what a program leaves that is killed."""
    return (path for path in folder.rglob("*") if not any(name[0] == "." for name in path.relative_to(folder).parts))


def _row_of(path: Path) -> dict[str, Any] | None:
    """The row of a folder by its record; ``None`` if it is no such folder, or a damaged one."""
    try:
        if (path / RECORD).is_file():
            record = read_json(path / RECORD, AnalysisFile)
            model, name, count = _model_name(record.settings.model), record.micrograph.name, record.atoms
            kind, written = "analysis", record.written
        elif (path / "run.json").is_file() and not (path.parent / RECORD).is_file():
            run = read_json(path / "run.json", RunFile)
            model, name, count = run.model.name, run.provenance.name, run.provenance.n_images
            kind, written = "model", run.provenance.created
        else:
            return None
    except ReadError:
        return None
    row = {"path": path, "kind": kind, "written": written, "source": name}
    return row | {"model": model, "atoms": count}


def _model_name(settings: dict[str, Any]) -> str:
    try:
        return ModelConfig.from_dict(settings).name
    except InputError:
        return ""


def _plain(value: Any) -> Any:
    """NumPy numbers and arrays as plain ones; anything else that JSON does not know as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _write_tables(analysis: Analysis, folder: Path) -> None:
    for name, table in zip(TABLES, (analysis.atoms, analysis.latents), strict=True):
        write_table(table, folder / name)


def _write_images(analysis: Analysis, folder: Path) -> None:
    image = analysis.micrograph
    calibration: dict[str, Any] = {"pixel_size": image.pixel_size, "units": image.units}
    if not hasattr(image.data, "dask"):  # a lazy movie is too large to be copied; its own file is opened again
        write_image(image.data, folder / "micrograph.tif", axes=image.axes, **calibration)
    for name, (data, axes) in result_images(analysis).items():
        write_image(data, folder / f"{name}.tif", axes=axes, labels=name == "classes", **calibration)


def result_images(analysis: Analysis) -> dict[str, tuple[Any, str]]:
    """Reconstruction, residual and classes in the frame of the micrograph, and the manifold, each with its axes."""
    patches, axes, shape = analysis.patches, analysis.micrograph.axes, analysis.frame_shape
    rebuilt = patches.normalization.undo(analysis.reconstruction)
    residual = patches.normalization.undo(patches.data) - rebuilt
    if axes != "CYX":
        rebuilt, residual = rebuilt[:, 0], residual[:, 0]
    images: dict[str, tuple[Any, str]] = {
        "reconstruction": (paste_patches(rebuilt, patches.atoms, shape), axes),
        "residual": (paste_patches(residual, patches.atoms, shape), axes),
        "manifold": (side_by_side(class_manifolds(analysis.run)), "YX"),
    }
    if analysis.classes is not None:
        radius = CELL_RADIUS * symbol_spacing(patches)
        images["classes"] = (class_labels(patches.atoms, analysis.classes, shape, radius), axes.removeprefix("C"))
    return images


def _load_micrograph(folder: Path, known: MicrographFile, given: str | PathLike[str] | None) -> Micrograph:
    saved, metadata = folder / "micrograph.tif", known.metadata
    source = _source(folder, known) if given is None else user_path(given)
    named = source != saved and metadata.dataset in list_datasets(source)  # of a file with one it is that of the file
    data = read(source, dataset=metadata.dataset if named else None).data
    data = data.reshape(known.shape)  # files do not tell a movie of one frame from an image
    return Micrograph(data, known.pixel_size, known.units, known.axes, known.name, metadata.plain())


def _source(folder: Path, known: MicrographFile) -> Path:
    """The file of the micrograph: in the folder; else the one that was analysed, of which nobody else knows the dates.

    Raises
    ------
    ReadError
        If it is neither; what the record of a stranger names may be any file of the user's.
    """
    source, kept = Path(known.metadata.path), folder / "micrograph.tif"
    inside = kept if kept.exists() else folder / re.split(r"[/\\]", known.metadata.path)[-1]
    if inside.is_file() and Path(os.path.realpath(inside)).is_relative_to(os.path.realpath(folder)):
        return inside
    beside = folder.absolute().parent / inside.name  # where a movie lies that was moved together with its analysis
    for path in (source, beside):
        if path.is_file() and list(stamp(path)[1:]) == known.stamp:
            return path
    raise ReadError(
        f"its micrograph {source.name} is not in the folder, and not as it was where it lay; put it there, or name it: "
        "load_analysis(…, micrograph=…)"
    )
