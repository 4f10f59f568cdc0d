"""What the dock does in the background: reading, means, maps, models of spectra and their predictions."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import napari_vae as nv

from ...analysis.bands import iter_band_map
from ...core.micrograph import Micrograph
from ...core.spectra import SpectrumImage
from ...io.spectra import read_spectra
from ...layers.points import LayerData
from ...layers.spectra import Wanted, latent_layers, spectra_layers
from ...models.config import ModelConfig, TrainConfig
from ...patches.spectra import ENERGY, describe_energy, image_and_spectra, spectrum_patches
from ..common.jobs import Step, Stop, spare_core

if TYPE_CHECKING:
    from ...runs.run import Run


@dataclass(frozen=True)
class Learnt:
    """A trained model: of spectra with maps of their latents, or of an image, which predicts them."""

    run: Run
    maps: list[LayerData]
    image: Micrograph | None = None


def open_steps(stop: Stop, path: str) -> Generator[Step, None, list[LayerData]]:
    """The layers of a file: the image that came along, and the sum over a band."""
    yield Step(f"Reading {Path(path).name} …")
    spectra = read_spectra(path)
    yield Step("Making the first map …", 0.5)
    return spectra_layers(spectra)


def mean_steps(stop: Stop, spectra: SpectrumImage) -> Generator[Step, None, npt.NDArray[np.float64]]:
    """The mean spectrum."""
    yield Step("Finding the mean spectrum …")
    return spectra.mean()


def map_steps(stop: Stop, spectra: SpectrumImage, wanted: Wanted) -> Generator[Step, None, Micrograph | None]:
    """A map; ``None`` if another one is wanted before it is done."""
    steps: Any = iter_band_map(spectra, **asdict(wanted))
    while True:
        try:
            stage = next(steps)
        except StopIteration as end:
            made: Micrograph = end.value
            return made
        yield Step("Making the map …", stage.fraction)
        if stop():
            return None


def learn_steps(
    stop: Stop, spectra: SpectrumImage, image: Micrograph | None, shifted: bool, turned: bool, train: TrainConfig
) -> Generator[Any, None, Learnt]:
    """Train a model of the spectra, and describe them; or with an image one that predicts them from it."""
    yield Step("Starting …")
    with spare_core():
        from ...training.fit import iter_fit

        if image is None:
            model = ModelConfig(invariances=("translation",) if shifted else ())
            patches, known = spectrum_patches(spectra), {}
        else:
            model = ModelConfig(kind="encoder-decoder", invariances=("rotation",) if turned else (), latent_dim=4)
            patches, outputs = image_and_spectra(image, spectra)
            known = {"outputs": outputs}
        run = yield from iter_fit(patches, model, train, **known, stop=stop)
        run.provenance[ENERGY] = describe_energy(spectra, patches.atoms)
        if image is not None:
            return Learnt(run, [], image)
        yield Step("Reading the latents …", 1.0)
        return Learnt(run, latent_layers(spectra, run.encode(patches)))


def predict_steps(stop: Stop, run: Run, image: Micrograph) -> Generator[Step, None, list[LayerData]]:
    """A map of the spectra that a model predicts from an image, which keeps them."""
    yield Step("Predicting spectra …")
    with spare_core():
        mean, _ = nv.workflow.predict_spectra(run, image)
        return spectra_layers(mean)


def place_steps(stop: Stop, spectra: SpectrumImage, row: int, column: int) -> Generator[Step, None, Any]:
    """The spectrum of a place, of a file that is read only where it is looked at."""
    yield Step("")
    return row, column, spectra.spectrum(row, column)
