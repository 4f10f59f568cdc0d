"""The atoms of an image, or a grid of windows, the first step of every path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pandas as pd

from ..atoms import iter_detect_atoms, iter_link_atoms
from ..core.errors import InputError
from ..core.micrograph import Micrograph, first_channel
from ..core.progress import Stage, drain
from ..core.units import read_length
from ..patches.grid import grid_positions


def find_atoms(
    image: Micrograph, options: dict[str, Any], say: Callable[[Stage], None], follow: bool = False
) -> pd.DataFrame:
    """Detect atoms, of channels on the first one, and follow them if asked, saying how far it is."""
    say(Stage("detect atoms"))
    atoms = drain(
        iter_detect_atoms(first_channel(image), **options), lambda done: say(Stage("detect atoms", done[0] / done[1]))
    )
    say(Stage("detect atoms", 1.0, f"{len(atoms)} atoms"))
    if follow:
        linking = iter_link_atoms(atoms, image=first_channel(image))
        atoms = drain(linking, lambda done: say(Stage("follow atoms", done[0] / done[1])))
        say(Stage("follow atoms", 1.0, f"{atoms['track'].nunique()} tracks"))
    return atoms


def check_grid(grid: float | str | None, atoms: Any | None) -> None:
    """Refuse a grid beside a table of atoms, or a step that is no length.

    Raises
    ------
    InputError
    """
    if grid is not None and atoms is not None:
        raise InputError("Windows lie on atoms or on a grid; leave out one of them.")
    if isinstance(grid, str):
        read_length(grid)


def place_windows(
    image: Micrograph,
    atoms: pd.DataFrame | None,
    grid: float | str | None,
    window: Literal["auto"] | int | tuple[int, int],
    say: Callable[[Stage], None],
    **detection: Any,
) -> pd.DataFrame:
    """Where windows of an image are to lie: on a table of atoms, on a grid, or on atoms that are detected."""
    if grid is not None:
        return grid_positions(image, grid, window=window)
    return find_atoms(image, detection, say) if atoms is None else atoms
