"""The command ``napari-vae advise``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..models.config import TrainConfig
from .options import SHORT_TRAINING, Atoms, Dataset, asks
from .terminal import progress_bars, say


def add_commands(app: typer.Typer) -> None:
    """Add ``advise`` to the command line."""
    app.command(epilog="Example: [bold]napari-vae advise survey.dm3 --atoms atoms.csv[/]")(
        asks(training=SHORT_TRAINING)(advise)
    )


def advise(
    file: Annotated[Path, typer.Argument(help="The image or movie to find a model for.")],
    atoms: Atoms = None,
    dataset: Dataset = None,
    *,
    training: dict[str, Any],
) -> None:
    """Suggest window, invariances and number of latents from a short scan, and show its table."""
    from ..io.reading import read
    from ..io.writing import read_table
    from ..workflow.advise import advise
    from ..workflow.analyze import Stage, find_atoms

    train, table = TrainConfig(**training), None if atoms is None else read_table(atoms)
    with progress_bars() as bars:
        image = read(file, dataset=dataset)
        found = find_atoms(image, {}, bars) if table is None else table
        advice = advise(
            image,
            found,
            train=train,
            callback=lambda progress: bars(Stage("compare models", progress.fraction, progress.message)),
        )
    model = advice.model
    say(advice.table.to_string(index=False, float_format="{:.2f}".format, na_rep="–"))
    say(advice.reasons)
    options = f"--model {model.name} --latents {model.latent_dim} --window {advice.window}"
    say(f"Suggested: napari-vae analyze {file} {options} --out results")
