"""Models that predict spectra from windows of an image: the task that trains them, and that which predicts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from ..core.device import choose_device
from ..core.errors import InputError
from ..core.progress import Stage
from ..io.hspy import write_spectra
from ..io.spectra import read_spectra
from ..patches.patches import Patches
from ..patches.spectra import ENERGY, describe_energy, image_and_spectra
from ..runs.run import Run, load_run
from ..training.processes import Group
from ..workflow.analyze import train_model
from ..workflow.records import content_hash
from ..workflow.spectra import predict_spectra
from .encoding import model_hash
from .models import Train
from .outcomes import Found, Say
from .tasks import AtomTask, WritesTable


@dataclass(frozen=True)
class TrainPairs(Train):
    """Train an encoder–decoder that predicts spectra from windows of an image, and write it as a folder.

    Parameters
    ----------
    outputs : path
        File of the spectra.
    atoms
        A table with the place of every spectrum on the image; not needed if both show the same area.
    model, train, window, detection, dataset, grid, given, pixel_size
        See `Models`.
    """

    outputs: Path = Path()

    name = "train pairs"

    def prepare(self, n_files: int) -> None:
        """Refuse several images, and a device that is not there."""
        if n_files > 1:
            raise InputError("Spectra belong to one image; give one file at a time with --outputs.")
        if self.grid is not None or self.given.named():
            raise InputError(
                "With --outputs the spectra say where windows lie; leave out --grid, labels and conditions."
            )
        self.check_table(n_files)
        choose_device(self.train.device)

    def settings(self) -> dict[str, Any]:
        """Also the spectra."""
        return super().settings() | {"outputs": content_hash([self.outputs]) if self.outputs.is_file() else ""}

    def learn(self, path: Path, say: Say, group: Group | None = None) -> tuple[Run, pd.DataFrame, Patches]:
        """The model, the places of the spectra, and the windows."""
        say(Stage("read"))
        image, spectra = self.read(path), read_spectra(self.outputs)
        patches, outputs = image_and_spectra(image, spectra, self.table(), self.window, self.level)
        options: dict[str, Any] = {} if group is None else {"group": group}
        model = self.model if self.model.knows.predicts else replace(self.model, kind="encoder-decoder")
        run = train_model(patches, model, self.train, say, outputs=outputs, **options)
        run.provenance[ENERGY] = describe_energy(spectra, patches.atoms)
        return run, patches.atoms, patches

    def work(self, path: Path, target: Path, say: Say) -> Found:
        """Train, and write the folder."""
        run, _, patches = self.learn(path, say)
        say(Stage("write"))
        run.save(target)
        words = (
            f"the model trained on {len(patches)} windows is in {target}; apply it: napari-vae predict {target} FILES"
        )
        return Found(words, {"windows": len(patches), "warning": run.note})


@dataclass(frozen=True)
class Predict(WritesTable, AtomTask):
    """Predict the spectra of images: ``FILE-predicted.hspy``, and ``FILE-predicted-sd.hspy`` with their uncertainty.

    Parameters
    ----------
    run : path
        Folder of the model.
    dataset, atoms, grid, pixel_size, detection
        See `AtomTask`; nothing is detected.
    """

    run: Path = Path()
    dataset: str | int | None = None
    atoms: Path | None = None
    grid: float | str | None = None
    pixel_size: tuple[float, float] | None = None
    detection: dict[str, Any] = field(default_factory=dict)

    name = "predict"
    ending = "predicted"
    suffix = ".hspy"
    stages: ClassVar[tuple[str, ...]] = ("predict", "write")

    @cached_property
    def model(self) -> Run:
        """The trained model."""
        return load_run(self.run)

    def prepare(self, n_files: int) -> None:
        """Load the model, and refuse one that predicts nothing."""
        super().prepare(n_files)
        if not self.model.model_config.knows.predicts:
            raise InputError(f"The model in {self.run} predicts no spectra; train one with --outputs, or use encode.")

    def settings(self) -> dict[str, Any]:
        """What the spectra depend on."""
        return super().settings() | {"run": model_hash(self.run)}

    def work(self, path: Path, target: Path, say: Say) -> Found:
        """Predict, and write both files."""
        image = self.read(path)
        mean, sd = predict_spectra(self.model, image, atoms=self.table(), grid=self.grid, progress=say)
        say(Stage("write"))
        write_spectra(sd, target.with_name(f"{target.stem}-sd.hspy"))
        write_spectra(mean, target)
        rows, columns, _ = mean.shape
        return Found(f"spectra at {rows} × {columns} places; see {target}", {"windows": rows * columns})
