"""The options of the command line: their types, their help, and what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import InputError

if TYPE_CHECKING:
    from ..models.columns import Given
    from ..models.config import ModelConfig, TrainConfig

Files = Annotated[
    list[Path],
    typer.Argument(
        help="Images (tif, png, jpg, npy, dat, dm3, dm4, dm5, emd, ser, emi, mrc, hspy, hdf5, h5, nhdf, ndata, sxm), "
        "folders of them, or patterns: 'today/*.dm4'. What is finished already is not done again.",
        readable=False,  # one that may not be read is no reason to leave the others
    ),
]
Model = Annotated[
    str,
    typer.Option(
        help="vae, or with r(otation), t(ranslation), s(cale): rvae, trvae, trsvae …, strain-rvae; "
        "conditional crvae …, semi-supervised ss-rvae …, joint j-rvae …"
    ),
]
Latents = Annotated[int, typer.Option("--latents", min=1, help="How many latents describe a window.")]
Epochs = Annotated[str, typer.Option(help="Passes over the data, or auto.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same result.")]
Window = Annotated[str, typer.Option(help="Window around each atom in pixels, or auto: two lattice spacings.")]
Polarity = Annotated[str, typer.Option(help="bright or dark columns, or auto.")]
Spacing = Annotated[float | None, typer.Option(help="Distance between neighbours in pixels; estimated by default.")]
Threshold = Annotated[float | None, typer.Option(help="Lowest score of an atom; chosen by default.")]
Refine = Annotated[
    str, typer.Option(help="Positions from a gaussian, an elliptical one, the “centre of mass” (quick), or none.")
]
Dataset = Annotated[str | None, typer.Option(help="Name or number of the image in files with several.")]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Dask scheduler whose workers do the frames: tcp://HOST:8786 or its file. Tables are parquet then.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace results of other images or settings.")]
Atoms = Annotated[Path | None, typer.Option(help="Table of atoms (columns y, x) instead of detecting them.")]
Labels = Annotated[
    str | None, typer.Option(help="Column of the table of atoms with classes, blank where unknown (ss- models).")
]
Condition = Annotated[
    str | None, typer.Option(help="Columns of the table of atoms that the model is told: COLUMN[,COLUMN] (crvae …).")
]
Targets = Annotated[
    str | None, typer.Option(help="Columns with numbers, blank where unknown: COLUMN[,COLUMN] (ss- models).")
]
Classes = Annotated[
    int | None, typer.Option("--n-classes", help="Classes that a joint or semi-supervised model looks for.")
]
Sublattices = Annotated[str, typer.Option(help="How many sublattices to tell apart first, or auto; 1 tells none.")]


def model_of(name: str, latents: int, n_classes: int | None) -> ModelConfig:
    """The model of a name."""
    from ..models.config import ModelConfig

    return ModelConfig.preset(name, latent_dim=latents, n_classes=n_classes)


def given_of(labels: str | None, condition: str | None, targets: str | None) -> Given:
    """Columns by name; of several the names are separated by commas."""
    from ..models.columns import Given

    lists = ([name.strip() for name in text.split(",")] if text else None for text in (condition, targets))
    return Given.of(labels, *lists)


def training_of(epochs: str, device: str, seed: int, checkpoint: Path | None = None) -> TrainConfig:
    """How to train."""
    from ..models.config import TrainConfig

    return TrainConfig(epochs=auto_or_int(epochs, "--epochs"), device=device, seed=seed, checkpoint=checkpoint)


def auto_or_int(text: str, option: str) -> Any:
    """``"auto"`` or a number above 0.

    Raises
    ------
    InputError
        For anything else.
    """
    if text == "auto":
        return "auto"
    if not text.isdigit() or int(text) == 0:
        raise InputError(f"{option} must be auto or a whole number above 0, not {text!r}.")
    return int(text)
