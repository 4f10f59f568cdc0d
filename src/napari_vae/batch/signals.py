"""Models of spectra as signals: the task that trains them, and their latents as a table and maps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..analysis.cells import painted
from ..core.errors import InputError
from ..core.placement import Placement
from ..core.progress import Stage
from ..core.spectra import SpectrumImage
from ..io.spectra import read_spectra
from ..io.writing import write_image, write_table
from ..models.columns import columns_of
from ..patches.grid import grid_cells
from ..patches.patches import Patches
from ..patches.spectra import ENERGY, describe_energy, spectrum_patches
from ..runs.run import Run
from ..training.processes import Group
from ..workflow.analyze import encode_patches, train_model
from .models import Train
from .outcomes import Found, Say


@dataclass(frozen=True)
class TrainSpectra(Train):
    """Train a model on the spectra of every file, as signals, and write it as a folder.

    Parameters
    ----------
    band : (float, float), optional
        The energies to learn from; all by default.
    atoms
        A table with what is known of the spectra, a row each, row by row of the map.
    model, train, window, detection, dataset, grid, given, pixel_size
        See `Models`; those of windows are not used.
    """

    band: tuple[float, float] | None = None

    name = "train spectra"

    def prepare(self, n_files: int) -> None:
        """Refuse also what a signal has not."""
        if not set(self.model.invariances) <= {"translation"}:
            raise InputError("Spectra can be shifted only; choose --model vae, tvae, cvae, ss-tvae, j-vae …")
        super().prepare(n_files)

    def learn(self, path: Path, say: Say, group: Group | None = None) -> tuple[Run, pd.DataFrame, Patches]:
        """The model, the places, and the spectra as windows of one row."""
        say(Stage("read"))
        spectra = read_spectra(path, dataset=self.dataset)
        spectra = spectra if self.band is None else spectra.between(*self.band)
        patches = spectrum_patches(spectra, self.table())
        options: dict[str, Any] = {} if group is None else {"group": group}
        run = train_model(patches, self.model, self.train, say, self.given, **options)
        run.provenance[ENERGY] = describe_energy(spectra, patches.atoms)
        return run, patches.atoms, patches


def encode_spectra(run: Run, spectra: SpectrumImage, table: pd.DataFrame | None, names: Any, target: Path) -> Found:
    """Latents of spectra by a model of signals, as a table and, beside it, as a map of each: ``FILE-z1.tif`` …"""
    kept = run.provenance.get(ENERGY, {}).get("values")
    spectra = spectra if kept is None else spectra.between(kept[0], kept[-1])
    if spectra.shape[2] != run.window[1]:
        raise InputError(f"The model takes {run.window[1]} channels and the spectra have {spectra.shape[2]} there.")
    patches = spectrum_patches(spectra, table, run.normalization)
    encoded = encode_patches(run, patches, columns_of(condition=names))
    cells, _ = grid_cells(patches.atoms, Placement.of_micrograph(spectra.map(np.zeros(spectra.shape[:2]), "")))
    shown = [str(name) for name in encoded if f"{name}_sd" in encoded or name == "class"]
    stem = target.stem.removesuffix("-latents")
    for name in shown:
        values = spectra.map(painted(encoded[name].to_numpy(np.float32), cells, np.nan), name)
        write_image(values, target.with_name(f"{stem}-{name}.tif"))
    latents = patches.atoms.drop(columns=list(encoded), errors="ignore").join(encoded)
    written = write_table(latents, target)
    words = f"{len(latents)} spectra, with maps of {', '.join(shown)}; see {written}"
    return Found(words, {"windows": len(latents), "elbo_median": float(encoded["elbo"].median())})
