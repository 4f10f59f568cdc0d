"""The command ``napari-vae advise``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Atoms, Dataset, Device, Seed, training_of
from .terminal import progress_bars, say


def add_commands(app: typer.Typer) -> None:
    """Add ``advise`` to the command line."""
    app.command(epilog="Example: [bold]napari-vae advise survey.dm3 --atoms atoms.csv[/]")(advise)


def advise(
    file: Annotated[Path, typer.Argument(help="The image or movie to find a model for.")],
    atoms: Atoms = None,
    dataset: Dataset = None,
    device: Device = "auto",
    seed: Seed = 0,
) -> None:
    """Suggest window, invariances and number of latents from a short scan, and show its table."""
    from ..io.reading import read
    from ..io.writing import read_table
    from ..workflow.advise import advise
    from ..workflow.analyze import Stage, find_atoms

    train, table = training_of("auto", device, seed), None if atoms is None else read_table(atoms)
    with progress_bars() as bars:
        image = read(file, dataset=dataset)
        found = find_atoms(image, {}, bars) if table is None else table
        advice = advise(
            image,
            found,
            train=train,
            seed=seed,
            callback=lambda progress: bars(Stage("compare models", progress.fraction, progress.message)),
        )
    model = advice.model
    say(advice.table.to_string(index=False, float_format="{:.2f}".format, na_rep="–"))
    say(advice.reasons)
    options = f"--model {model.name} --latents {model.latent_dim} --window {advice.window}"
    say(f"Suggested: napari-vae analyze {file} {options} --out results")
