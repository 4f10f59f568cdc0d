"""A trained model on another image: atoms, windows, latents, and whether the image looks like the training data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..core.arguments import checks_arguments
from ..core.micrograph import Micrograph, as_micrograph
from ..core.positions import noun_of
from ..core.progress import Stage
from ..models.columns import check_redraws, columns_of
from ..patches.patches import Patches, extract_patches
from ..runs.likeness import Likeness, compare
from ..runs.run import Run
from .analyze import encode_patches
from .atoms import check_grid, place_windows


@dataclass(frozen=True)
class Applied:
    """What a trained model says about an image.

    Attributes
    ----------
    micrograph : Micrograph
        The image.
    atoms : DataFrame
        Every atom; positions in pixels.
    patches : Patches
        Windows around the atoms of which at least 60 % was measured.
    latents : DataFrame
        One row per window: the columns of `atoms` and those of `Run.encode`; the index is that of `atoms`.
    likeness : Likeness
        How the image compares with the training data.
    """

    micrograph: Micrograph
    atoms: pd.DataFrame
    patches: Patches
    latents: pd.DataFrame
    likeness: Likeness


@checks_arguments
def apply_run(
    run: Run,
    micrograph: Any,
    *,
    atoms: pd.DataFrame | None = None,
    grid: float | str | None = None,
    condition: str | Sequence[str] | None = None,
    detection: dict[str, Any] | None = None,
    progress: Callable[[Stage], None] | None = None,
) -> Applied:
    """Detect the atoms of an image, encode their windows with a trained model, and compare it with the training data.

    The limits of the intensities are chosen so that these spread as in the training: another exposure or gain makes no
    difference, nor do a few more or fewer of the brightest atoms.

    Parameters
    ----------
    run : Run
        The trained model.
    micrograph : Micrograph or array
        ``(Y, X)``, ``(T, Y, X)`` or, with ``axes="CYX"``, as many channels as the model was trained on.
    atoms : DataFrame, optional
        A table of atoms, positions in pixels, instead of detecting them.
    grid : float or str, optional
        Step of a regular grid of windows instead of atoms: in pixels, or with a unit, such as ``"2nm"``; see
        `grid_positions`.
    condition : str or sequence of str, optional
        Columns of `atoms` that a conditional model is given.
    detection : dict, optional
        Options of `detect_atoms`, for example ``{"polarity": "dark"}``.
    progress : callable, optional
        Called with a `Stage` as the work goes on.

    Returns
    -------
    Applied

    Raises
    ------
    InputError
        If the image does not fit the model, or no atom has a window inside it; the message names the remedy.
    TrainingError
        If memory runs out.

    Examples
    --------
    >>> import napari_vae as nv
    >>> run = nv.load_run("results/run")  # doctest: +SKIP
    >>> nv.apply_run(run, nv.read("another.dm4")).likeness.sentence  # doctest: +SKIP
    """
    check_redraws(run.model_config)
    say = progress or (lambda stage: None)
    image, given = as_micrograph(micrograph), columns_of(condition=condition)
    check_grid(grid, atoms)
    found = place_windows(image, atoms, grid, run.window, say, **detection or {})
    say(Stage("encode"))
    patches = extract_patches(image, found, levels=run.levels, **run.cutting, partial=True)
    encoded = encode_patches(run, patches, given)
    say(Stage("encode", 1.0, f"{len(encoded)} {noun_of(found)}"))
    latents = pd.concat([patches.atoms.drop(columns=list(encoded), errors="ignore"), encoded], axis=1)
    return Applied(image, found, patches, latents, compare(run, patches, encoded))
