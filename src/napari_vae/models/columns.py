"""Columns of the atoms table that models learn from beside the images, and the names of classes in result tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.class_colors import MOST_CLASSES
from ..core.errors import InputError
from .config import ModelConfig
from .given import Given, training_given

Names = tuple[str, ...]


def columns_of(
    labels: str | Sequence[str] | None = None,
    condition: str | Sequence[str] | None = None,
    targets: str | Sequence[str] | None = None,
) -> Given[Names]:
    """What is given as columns of a table, by their names, one or several; labels are one column."""
    given = Given(labels, condition, targets).map(lambda names: (names,) if isinstance(names, str) else tuple(names))
    return Given(**{role: names for role, names in given.named().items() if names})


def read_columns(columns: Given[Names], atoms: pd.DataFrame | None) -> Given[npt.NDArray[Any]]:
    """What is given with the rows of a table; `atoms` is ``None`` when they are yet to be detected.

    Raises
    ------
    InputError
        If a column is missing; the message names those that exist.
    """
    for role, names in columns.named().items():
        if atoms is None:
            raise InputError(f"The {role} are columns of a table of atoms; give that table as well (--atoms).")
        if missing := [name for name in names if name not in atoms]:
            there = ", ".join(str(name) for name in atoms.columns)
            raise InputError(f"The table of atoms has no column {', '.join(missing)}; it has {there}.")

    def read(names: Names) -> npt.NDArray[Any]:
        assert atoms is not None
        values: npt.NDArray[Any] = (atoms[names[0]] if len(names) == 1 else atoms[list(names)]).to_numpy()
        return values

    return columns.map(read)


def check_columns(columns: Given[Names], model: ModelConfig, atoms: pd.DataFrame | None) -> None:
    """Refuse columns that do not fit the model before long work.

    Raises
    ------
    InputError
        If a column is missing, or the model needs something else.
    """
    check_redraws(model)
    training_given(model, 0 if atoms is None else len(atoms), read_columns(columns, atoms))


def check_redraws(config: ModelConfig) -> None:
    """Refuse a model that predicts something else where images are to be described and redrawn.

    Raises
    ------
    InputError
    """
    if config.knows.predicts:
        raise InputError(
            "This model predicts outputs and redraws no images; train it with “napari-vae train IMAGE --outputs FILE”, "
            "apply it with “napari-vae predict”, or with run.predict(…) from Python."
        )


def check_latents(latents: pd.DataFrame, atoms: pd.DataFrame, n_latents: int) -> None:
    """Refuse a table of latents that is none of these atoms, before anything is made of it.

    Raises
    ------
    InputError
        If its rows are not those of the atoms, latents are missing or no numbers, or classes no whole numbers from 0.
    """
    if not latents.index.is_unique or not latents.index.equals(atoms.index):
        raise InputError("the rows of latents.csv are not the atoms that have a window")
    needed = [f"z{number + 1}" for number in range(n_latents)]
    if missing := [name for name in needed if name not in latents]:
        raise InputError(f"latents.csv has no column {', '.join(missing)}")
    numbers = latents.drop(columns=["class_name", *atoms], errors="ignore")
    if numbers.select_dtypes("number").shape != numbers.shape or not np.isfinite(latents[needed].to_numpy()).all():
        raise InputError("latents.csv holds values that are no finite numbers")
    if "class" in latents and not latents["class"].isin(range(MOST_CLASSES)).all():
        raise InputError(f"the classes in latents.csv are not whole numbers from 0 to {MOST_CLASSES - 1}")


def other_names(columns: Iterable[Any], results: Iterable[str]) -> dict[str, str]:
    """Names for columns of a table whose own names results are to have: ``class_given`` for ``class``, or another."""
    taken = {*columns, *results}
    found: dict[str, str] = {}
    for name in sorted({*columns} & {*results}):
        free = (f"{name}_given{number}" for number in itertools.chain([""], itertools.count(2)))
        found[name] = next(other for other in free if other not in taken)
    return found


def name_classes(encoded: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The latent table with the column ``class_name`` where classes have names."""
    if not names or "class" not in encoded:
        return encoded
    return encoded.assign(class_name=[names[number] for number in encoded["class"]])
