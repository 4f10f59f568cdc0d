"""Tasks that train a model on every file, and write a folder for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from ..atoms.frames import describe_skipped
from ..core.device import choose_device
from ..core.errors import InputError
from ..core.folders import check_replaceable
from ..core.micrograph import Micrograph
from ..core.positions import noun_of
from ..core.progress import Stage
from ..core.settings import Level
from ..io.covariates import Covariate
from ..models.columns import Names, check_columns
from ..models.config import ModelConfig, TrainConfig
from ..models.given import Given
from ..patches.patches import Patches, extract_patches
from ..runs.doubts import describe_doubts
from ..runs.run import Run
from ..training.processes import Group
from ..workflow.analyze import analyze, encode_patches, train_model
from ..workflow.archive import check_folder
from ..workflow.atoms import place_windows
from .columns import atom_columns, passed_channel, said
from .outcomes import Found, Say
from .tasks import AtomTask


@dataclass(frozen=True)
class Models(AtomTask):
    """What tasks that train have in common.

    Parameters
    ----------
    model : ModelConfig
    train : TrainConfig
    window : "auto" or int
        In pixels.
    detection, dataset, atoms, grid
        See `AtomTask`.
    given : Given
        Columns of the table that the model learns from.
    level : {"auto", "none", "plane", "rows", "smooth"}
        Background to subtract from images before windows are cut out of them.
    pixel_size : (float, float), optional
        Nanometres along rows and columns, in place of what the files say.
    covariate : Covariate, optional
        Temperature, bias, time or dose at every frame, or of one model of many files at every file.
    """

    model: ModelConfig
    train: TrainConfig
    window: Literal["auto"] | int = "auto"
    detection: dict[str, Any] = field(default_factory=dict)
    dataset: str | int | None = None
    atoms: Path | None = None
    grid: float | str | None = None
    given: Given[Names] = field(default_factory=Given)
    level: Level = "auto"
    pixel_size: tuple[float, float] | None = None
    covariate: Covariate | None = None

    def prepare(self, n_files: int) -> None:
        """Refuse what does not fit the model, and a device that is not there."""
        super().prepare(n_files)
        check_columns(self.given, self.model, self.table())
        choose_device(self.train.device)
        if n_files > 1 and self.train.checkpoint is not None:
            raise InputError("A checkpoint belongs to one training; give one file at a time with --checkpoint.")

    def settings(self) -> dict[str, Any]:
        """What the results depend on."""
        apart = ("model", "train", "given", "grid", "pixel_size", "covariate")
        known = {name: value for name, value in vars(self).items() if name not in apart}
        given = {role: names or () for role, names in vars(self.given).items() if names or role != "outputs"}
        # As in records of earlier versions, which knew of no outputs.
        known |= {"model": asdict(self.model), "train": asdict(self.train), "given": given}
        known["train"].pop("checkpoint")
        known |= {} if self.covariate is None else {"covariate": asdict(self.covariate)}
        return known | super().settings()

    def find_atoms(self, image: Micrograph, say: Say, follow: bool = False) -> pd.DataFrame:
        """From the table, on the grid, or detected."""
        return place_windows(image, self.table(), self.grid, self.window, say, **self.detection)

    def targets(self, places: Sequence[Path], out: Path) -> list[Path]:
        """A folder per file; of one file `out` itself."""
        return list(places) if len(places) > 1 else [out]


@dataclass(frozen=True)
class Analyze(Models):
    """Detect, train, encode and classify: a folder with tables, images, pictures and ``report.html`` for every file.

    Parameters
    ----------
    model, train, window, detection, dataset, atoms, grid, given, pixel_size, covariate
        See `Models`.
    n_classes : "auto" or int
        How many classes to form of the latents; 1 forms none.

    Examples
    --------
    >>> import napari_vae as nv
    >>> Analyze(nv.ModelConfig.preset("rvae"), nv.TrainConfig()).name
    'analyze'
    """

    n_classes: Literal["auto"] | int = "auto"

    name = "analyze"
    stages = ("detect atoms", "train", "encode", "write")

    def check(self, target: Path) -> None:
        """Only an analysis may be replaced."""
        check_folder(target, overwrite=True)

    def work(self, path: Path, target: Path, say: Say) -> Found:
        """Analyse, and write the folder."""
        image = self.read(path)
        options: dict[str, Any] = {"window": self.window, "n_classes": self.n_classes, "level": self.level}
        options |= {"detection": self.detection} | self.given.named()
        options |= {"atoms": self.table(), "grid": self.grid}
        if self.covariate is not None:
            options["covariate"] = self.covariate.of_frames(image.n_frames)
        analysis = analyze(image, model=self.model, train=self.train, progress=say, **options)
        say(Stage("write"))
        analysis.save(target, overwrite=True)
        classes = None if analysis.classes is None else int(analysis.classes.nunique())
        groups = "" if classes is None else f" in {classes} class{'es' * (classes != 1)}"
        facts = atom_columns(analysis.atoms) | {"windows": len(analysis.latents), "classes": classes}
        facts |= {"elbo_median": float(analysis.latents["elbo"].median())}
        words = f"{len(analysis.latents)} {noun_of(analysis.atoms)}{groups}"
        return Found(said(words, passed_channel(image), *analysis.remarks, see=target / "report.html"), facts)


@dataclass(frozen=True)
class Train(Models):
    """Train a model on every file, and write it as a folder.

    Parameters
    ----------
    model, train, window, detection, dataset, atoms, grid, given, pixel_size, covariate
        See `Models`.

    Examples
    --------
    >>> import napari_vae as nv
    >>> Train(nv.ModelConfig.preset("rvae"), nv.TrainConfig(epochs=5)).stages
    ('detect atoms', 'train', 'write')
    """

    name = "train"
    stages = ("detect atoms", "train", "write")

    def check(self, target: Path) -> None:
        """Only a trained model may be replaced."""
        check_replaceable(target, "run.json")

    def check_alone(self) -> None:
        """Refuse a covariate where there is one model for each file, which has no table beside it.

        Raises
        ------
        InputError
        """
        if self.covariate is not None:
            raise InputError("A covariate belongs to one model of many files (--together), or to analyze.")

    def learn(self, path: Path, say: Say, group: Group | None = None) -> tuple[Run, pd.DataFrame, Patches]:
        """The model, the atoms of the image, and the windows around them."""
        self.check_alone()
        image = self.read(path)
        atoms = self.find_atoms(image, say)
        patches = extract_patches(image, atoms, window=self.window, level=self.level)
        options = {} if group is None else {"group": group}
        return train_model(patches, self.model, self.train, say, self.given, **options), atoms, patches

    def work(self, path: Path, target: Path, say: Say) -> Found:
        """Train, and write the folder."""
        run, atoms, patches = self.learn(path, say)
        say(Stage("write"))
        run.save(target)
        words = (
            f"the model trained on {len(patches)} windows is in {target}; apply it: napari-vae encode {target} FILES"
        )
        facts = atom_columns(atoms) | {"windows": len(patches), "warning": run.note}
        cut = patches.describe_dropped(), patches.describe_level()
        doubts = describe_doubts(run.model_config, encode_patches(run, patches, self.given), patches)
        return Found(said(words, run.note, describe_skipped(atoms), *cut, doubts), facts)
