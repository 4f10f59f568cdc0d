"""Which window, latents and invariances suit an image: a short scan of small trainings.

Models of one window are compared by their ELBO on windows that they never saw, in nats per window. That says nothing
about the size of the window, because nats of different pixels cannot be compared, and the centre alone is always
described best by a model that has nothing else to describe. What can be compared is whether a second training reads the
same from the same atoms: the agreement of the latents of two seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.micrograph import as_micrograph
from ..core.positions import check_table, on_grid, table_spacing
from ..core.progress import Progress, Stopped, drain, never
from ..core.settings import Seed
from ..models.config import TrainConfig
from ..patches.patches import SMALLEST_WINDOW, Patches, check_window, extract_patches, suggest_window
from .advice import Advice
from .trials import BATCH, Scan

MOST_ATOMS, FEWEST_ATOMS = 600, 60
SIDE = 20  # windows are compared at about so many pixels a side, which is enough to see poses
SPACINGS = (2.0, 1.5, 3.0)  # sizes of windows; the first one unless another is clearly better


@checks_arguments
def advise(
    image: Any,
    atoms: pd.DataFrame,
    *,
    windows: Sequence[int] | None = None,
    train: TrainConfig | None = None,
    seed: Seed | None = None,
    callback: Callable[[Progress], None] | None = None,
) -> Advice:
    """Suggest window, invariances and number of latents from short trainings on some of the atoms.

    An invariance is suggested if it explains held-out windows clearly better with both of two seeds, one after the
    other, the best first; then the fewest latents that are not clearly worse than the best number; then the window of
    two spacings, unless two trainings agree clearly better on what they see in another one. Where nothing makes a clear
    difference the simpler model is suggested.

    Parameters
    ----------
    image : Micrograph, sequence of Micrographs, or array
        As for `extract_patches`.
    atoms : DataFrame
        Columns ``y``, ``x`` and, for a movie, ``frame``; at least 60 of them away from the border. `grid_positions`
        serve as well.
    windows : sequence of int, optional
        Sizes in pixels to choose from, the usual one first; by default 2, 1.5 and 3 lattice spacings, and on a grid
        24, 18 and 36 px.
    train : TrainConfig, optional
        Where to compute (device and precision), learning rate and seed; the trainings are short whatever it says.
    seed : int, optional
        Seed of the scan, by default that of `train`; the trainings have this one and the next.
    callback : callable, optional
        Called with a `Progress` several times a second.

    Returns
    -------
    Advice

    Raises
    ------
    InputError
        If there are too few atoms, or image, atoms and windows do not fit each other; before any training.
    TrainingError
        If a training breaks off.

    Examples
    --------
    >>> import napari_vae as nv
    >>> image, _ = nv.samples.micrograph("graphene", size=256)  # doctest: +SKIP
    >>> advice = nv.advise(image, nv.detect_atoms(image))  # doctest: +SKIP
    >>> nv.analyze(image, model=advice.model, window=advice.window)  # doctest: +SKIP
    """
    return drain(iter_advise(image, atoms, windows=windows, train=train, seed=seed), callback)


@checks_arguments
def iter_advise(
    image: Any,
    atoms: pd.DataFrame,
    *,
    windows: Sequence[int] | None = None,
    train: TrainConfig | None = None,
    seed: Seed | None = None,
    stop: Callable[[], bool] | None = None,
) -> Generator[Progress, None, Advice]:
    """Advise as `advise` does, as a generator of progress events that returns the `Advice`.

    Parameters
    ----------
    image, atoms, windows, train, seed
        As in `advise`.
    stop : callable, optional
        Asked after every step of a training; when it says True, the scan ends with what is known by then.

    Yields
    ------
    Progress
        About every 0.2 s; steps count those of all trainings.

    Raises
    ------
    InputError, TrainingError
        As in `advise`.
    """
    sizes = _sizes(image, atoms, windows)
    train = replace(train or TrainConfig(), batch_size=BATCH, beta=1.0, checkpoint=None)
    train = train if seed is None else replace(train, seed=seed)
    some = _sample(atoms, train.seed)
    patches = {size: _shrunk(extract_patches(image, some, window=size)) for size in sizes}
    if len(patches[sizes[0]]) < FEWEST_ATOMS:
        raise InputError(
            f"{len(patches[sizes[0]])} windows are too few to compare models with; detect at least {FEWEST_ATOMS} "
            "atoms away from the border, or choose the model yourself."
        )
    enough = {size: cut for size, cut in patches.items() if len(cut) >= FEWEST_ATOMS}
    scan = Scan(enough, train, stop or never)
    try:
        yield from scan.choose_invariances()
        yield from scan.choose_latents()
        yield from scan.choose_window()
    except Stopped:
        scan.reasons.append("The scan was stopped early; this is what was known by then.")
    return Advice(scan.best.model, scan.best.window, scan.table(), " ".join(scan.reasons))


def _sizes(image: Any, atoms: pd.DataFrame, windows: Sequence[int] | None) -> list[int]:
    """Windows to choose from, each once; those that do not fit the image are left out unless they were asked for."""
    check_table(atoms)
    shape = as_micrograph(image[0] if isinstance(image, list | tuple) and len(image) else image).shape
    if windows is not None:
        if not len(windows):
            raise InputError("Give at least one window to try, or leave windows out.")
        return list(dict.fromkeys(check_window(int(window), shape)[0] for window in windows))
    usual = suggest_window(None if on_grid(atoms) else table_spacing(atoms))
    others = [max(SMALLEST_WINDOW, 2 * round(usual * factor / SPACINGS[0] / 2)) for factor in SPACINGS[1:]]
    fitting = [size for size in others if 4 * size <= min(shape[-2:])]
    return list(dict.fromkeys([check_window(usual, shape)[0], *fitting]))


def _sample(atoms: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Some of the atoms, at random; their distance stays that of the whole table."""
    some = atoms.iloc[np.sort(np.random.default_rng(seed).permutation(len(atoms))[:MOST_ATOMS])].copy()
    known = dict(atoms.attrs.get("napari_vae", {}))
    some.attrs = {**atoms.attrs, "napari_vae": known | {"spacing": table_spacing(atoms)}}
    return some


def _shrunk(patches: Patches) -> Patches:
    """The windows with about `SIDE` pixels a side, by the mean of blocks that fit."""
    block = max(1, round(max(patches.window) / SIDE))
    rows, columns = (n // block for n in patches.window)
    top, left = ((n - block * kept) // 2 for n, kept in zip(patches.window, (rows, columns), strict=True))
    cut = patches.data[..., top : top + block * rows, left : left + block * columns]
    small = cut.reshape(*cut.shape[:2], rows, block, columns, block).mean((3, 5), dtype=np.float32)
    return replace(patches, data=small, window=(rows, columns))
