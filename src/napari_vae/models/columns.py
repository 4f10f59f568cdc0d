"""Columns of the atoms table that models learn from beside the images, and the names of classes in result tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..core.class_colors import MOST_CLASSES
from ..core.errors import InputError
from .given import training_given

if TYPE_CHECKING:
    import pandas as pd

    from .config import ModelConfig


@dataclass(frozen=True)
class Given:
    """Which columns of the atoms table are given to a model, by name.

    Parameters
    ----------
    labels, condition, targets : tuple of str
        As `fit` means them; empty where nothing is given. Labels are one column.
    """

    labels: tuple[str, ...] = ()
    condition: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        labels: str | None = None,
        condition: str | Sequence[str] | None = None,
        targets: str | Sequence[str] | None = None,
    ) -> Self:
        """From names of columns, each one or several."""
        return cls(*(_names(value) for value in (labels, condition, targets)))

    def names(self) -> dict[str, tuple[str, ...]]:
        """What is given, without what is not."""
        return {role: names for role, names in vars(self).items() if names}

    def set_aside(self, results: pd.Index) -> Self:
        """What the columns are called in a table that was `set_aside`."""
        return type(self)(
            **{role: tuple(_aside(name, results) for name in names) for role, names in vars(self).items()}
        )

    def check(self, model: ModelConfig, atoms: pd.DataFrame | None) -> None:
        """Refuse what does not fit the model before long work; `atoms` is ``None`` when they are yet to be detected.

        Raises
        ------
        InputError
            If a column is missing, or the model needs something else.
        """
        given = self.values(atoms)
        training_given(
            model,
            0 if atoms is None else len(atoms),
            given.get("labels"),
            given.get("condition"),
            given.get("targets"),
        )

    def values(self, atoms: pd.DataFrame | None) -> dict[str, Any]:
        """Arguments of `fit` for the rows of a table.

        Raises
        ------
        InputError
            If a column is missing; the message names those that exist.
        """
        given: dict[str, Any] = {}
        for role, names in self.names().items():
            if atoms is None:
                raise InputError(f"The {role} are columns of a table of atoms; give that table as well (--atoms).")
            missing = [name for name in names if name not in atoms]
            if missing:
                columns = ", ".join(str(name) for name in atoms.columns)
                raise InputError(f"The table of atoms has no column {', '.join(missing)}; it has {columns}.")
            given[role] = atoms[names[0]].to_numpy() if len(names) == 1 else atoms[list(names)].to_numpy()
        return given


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


def set_aside(atoms: pd.DataFrame, results: pd.Index) -> pd.DataFrame:
    """The table with ``_given`` added to the names of columns that results are to have, such as ``class``."""
    return atoms.rename(columns=lambda name: _aside(name, results))


def name_classes(encoded: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The latent table with the column ``class_name`` where classes have names."""
    if not names or "class" not in encoded:
        return encoded
    return encoded.assign(class_name=[names[number] for number in encoded["class"]])


def _aside(name: str, results: pd.Index) -> str:
    return f"{name}_given" if name in results else name


def _names(value: str | Sequence[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
