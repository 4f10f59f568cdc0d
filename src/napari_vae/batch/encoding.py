"""A trained model on every file: a table of latents, of whole files or frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from ..atoms.frames import describe_skipped
from ..atoms.recipe import Recipe
from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.folders import user_path
from ..core.micrograph import Micrograph
from ..core.normalization import Normalization
from ..core.positions import noun_of
from ..core.progress import Stage
from ..io.spectra import read_spectra
from ..io.writing import write_table
from ..models.columns import columns_of, name_classes, read_columns
from ..models.given import encoding_given
from ..patches.patches import extract_patches
from ..runs.run import Run, load_run
from ..workflow.apply import apply_run
from ..workflow.records import content_hash
from .columns import atom_columns, describe_likeness, likeness_columns, passed_channel, pixel_columns, said
from .frames import Frames, kept
from .inputs import Patterns
from .loop import run as run_batch
from .outcomes import BatchProgress, Found, Outcome, Say
from .signals import encode_spectra
from .tables import Tables

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class Encode(Tables):
    """Apply a trained model: ``FILE-latents.csv``, and whether the image looks like the training data.

    Parameters
    ----------
    run : path
        Folder of a trained model, or of an analysis.
    detection, dataset, atoms, grid, pixel_size
        See `AtomTask`.
    condition : tuple of str
        Columns of `atoms` that a conditional model takes.

    Examples
    --------
    >>> Encode(run=Path("results/run")).name
    'encode'
    """

    run: Path = Path()
    condition: tuple[str, ...] = ()
    grid: float | str | None = None

    name = "encode"
    ending = "latents"
    stages: ClassVar[tuple[str, ...]] = ("detect atoms", "encode")

    @cached_property
    def model(self) -> Run:
        """The trained model."""
        return load_run(self.folder)

    @property
    def folder(self) -> Path:
        """Of the model, which of an analysis lies within."""
        inside = Path(self.run) / "run"
        return inside if (inside / "run.json").is_file() else Path(self.run)

    def prepare(self, n_files: int) -> None:
        """Load the model, and refuse a condition that it does not fit."""
        super().prepare(n_files)
        table = self.table()
        given = read_columns(columns_of(condition=self.condition), table)
        encoding_given(self.model.model_config, self.model.scale, 0 if table is None else len(table), given)

    def settings(self) -> dict[str, Any]:
        """What the table depends on."""
        return super().settings() | {"run": model_hash(self.folder), "condition": self.condition}

    def by_frame(self, overwrite: bool) -> EncodedFrames:
        """The same latents, as parquet, in the limits of the first frame of each file."""
        if self.atoms is not None or self.grid is not None:
            raise InputError("With --scheduler the atoms are detected on every frame; leave out --atoms and --grid.")
        if self.model.model_config.knows.conditional:
            raise InputError("A conditional model needs a value of every atom; encode a table with it, file by file.")
        known: dict[str, Any] = {"overwrite": overwrite, "pixel_size": self.pixel_size, "run": self.folder.resolve()}
        return EncodedFrames(self.detection, self.dataset, **known)

    def work(self, path: Path, target: Path, say: Say) -> Found:
        """Detect, encode, compare, and write the table; of a model of spectra also maps of the latents."""
        if self.model.window[0] == 1:
            spectra = read_spectra(path, dataset=self.dataset)
            return encode_spectra(self.model, spectra, self.table(), self.condition, target)
        image = self.read(path)
        options: dict[str, Any] = {"condition": self.condition or None, "detection": self.detection}
        options |= {"atoms": self.table(), "grid": self.grid}
        applied = apply_run(self.model, image, progress=say, **options)
        likeness, found = applied.likeness, atom_columns(applied.atoms) | pixel_columns(image.pixel_size, image.units)
        found |= {"windows": len(applied.latents), "elbo_median": float(applied.latents["elbo"].median())}
        say(Stage("encode", 1.0))
        words = f"{len(applied.latents)} {noun_of(applied.atoms)}: {describe_likeness(likeness)}"
        remarks = passed_channel(image), describe_skipped(applied.atoms), applied.patches.describe_dropped()
        table = write_table(applied.latents, target)
        return Found(said(words, *remarks, see=table), found | likeness_columns(likeness))


@dataclass(frozen=True)
class EncodedFrames(Frames):
    """The latents of images and movies, frame by frame: ``FILE-latents.parquet``.

    Parameters
    ----------
    detection, dataset, overwrite, pixel_size
        See `Frames`.
    run : path
        Folder of a trained model, which workers find under the same name.
    """

    run: Path = Path()

    name = "encode"
    ending = "latents"
    measures = False

    def settings(self) -> dict[str, Any]:
        """What the table depends on."""
        return super().settings() | {"run": self._hash}

    @cached_property
    def _hash(self) -> str:
        return model_hash(self.run)

    def describe(
        self, image: Micrograph, atoms: pd.DataFrame, recipe: Recipe, limits: dict[str, Any] | None
    ) -> tuple[pd.DataFrame, dict[str, Any] | None]:
        """The table with latents, of the atoms that have a window, and the limits that were used."""
        run = kept(load_run, self.run, (self.run / WEIGHTS).stat().st_mtime_ns)
        known = None if limits is None else Normalization.from_dict(limits)
        limits_of: dict[str, Any] = {"levels": run.levels} if known is None else {"normalization": known}
        patches = extract_patches(image, atoms, spacing=recipe.spacing, **run.cutting, **limits_of, partial=True)
        encoded = name_classes(run.encode(patches), run.scale.names)
        others = patches.atoms.drop(columns=list(encoded), errors="ignore")
        return pd.concat([others, encoded], axis=1), patches.normalization.to_dict()


@checks_arguments
def encode_files(
    run: str | PathLike[str],
    files: Patterns,
    out: str | PathLike[str],
    *,
    scheduler: Any = None,
    dataset: str | int | None = None,
    overwrite: bool = False,
    progress: Callable[[BatchProgress], object] | None = None,
    **options: Any,
) -> list[Outcome]:
    """Detect the atoms of images and movies and encode them with a trained model: ``FILE-latents.parquet`` for each.

    0 and 1 of the model are the limits of the first frame of each file, for all its frames.

    Parameters
    ----------
    run : path
        Folder of a trained model, which the workers see too.
    files, out, scheduler, dataset, overwrite, progress, **options
        As in `detect_files`.

    Returns
    -------
    list of Outcome

    Raises
    ------
    InputError
        As `detect_files`, or if the model is a conditional one.
    ReadError
        If the folder holds no run.
    """
    task = Encode(options, dataset, run=user_path(run)).by_frame(overwrite)
    how: dict[str, Any] = {"scheduler": scheduler, "overwrite": overwrite, "progress": progress}
    return run_batch(task, files, out, summary=False, **how)


def model_hash(folder: Path) -> str:
    """Hash of a trained model."""
    return content_hash(folder / name for name in ("run.json", WEIGHTS))
