"""How large a window should be: what a model learns from windows of several sizes, for each pixel that they show.

Losses of windows of two sizes cannot be compared, but what is learnt of a pixel can: by how much a model describes
windows that it never saw better than the mean window does, the cost of its latents and pose taken off, in bits for
each pixel of the image. A window smaller than the motif pays for latents that few pixels profit from; one that is
larger shows what the latents cannot describe. The windows lie anywhere, so that all of the image counts alike: around
atoms the smallest would always be best, for their middle is described best.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.micrograph import Micrograph, as_micrograph
from ..core.positions import on_grid, table_spacing
from ..core.progress import Progress, drain, never
from ..core.square import pixel_sides, square_points, square_shape
from ..models.config import ModelConfig, TrainConfig
from ..patches.grid import grid_positions
from ..patches.patches import SMALLEST_WINDOW, Patches, check_window, extract_patches, suggest_window
from ..training.fit import iter_fit
from .advice import WindowScan

FACTORS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)  # of the usual window
MODEL = ModelConfig.preset("trvae", latent_dim=3, likelihood="gaussian")
MOST, FEWEST = 800, 40  # windows that are learnt from
HELD = 0.3  # of the rows of the image, whose windows are not learnt from
STEPS, BATCH = 300, 50  # of each training
SIDE = 48  # pixels at most, after which blocks are averaged
ACTIVE = 0.01  # variance of the mean of a latent (Burda et al. 2016)
WORTH = 0.9  # of the gain of the best window for which a smaller one is taken


@checks_arguments
def scan_windows(
    image: Any,
    atoms: pd.DataFrame | None = None,
    *,
    windows: Sequence[int] | None = None,
    model: ModelConfig | None = None,
    train: TrainConfig | None = None,
    callback: Callable[[Progress], None] | None = None,
) -> WindowScan:
    """Train a small model on windows of each of several sizes, and suggest a size.

    Parameters
    ----------
    image : Micrograph, sequence of Micrographs, or array
        As for `extract_patches`.
    atoms : DataFrame, optional
        Atoms, whose spacing says which sizes are tried by default.
    windows : sequence of int, optional
        Sizes in pixels; by default six from half to three times the usual one, which is two spacings of the
        atoms, or 24. Windows of all sizes lie at the same places; those in the lower third of the image, which overlap
        none of the others, are held out.
    model : ModelConfig, optional
        What is trained; by default a trVAE with three latents. The likelihood is Gaussian in any case.
    train : TrainConfig, optional
        Device, precision, learning rate and seed; trainings are short whatever it says.
    callback : callable, optional
        Called with a `Progress` several times a second.

    Returns
    -------
    WindowScan

    Raises
    ------
    InputError
        If fewer than two sizes fit the image, or it has too few places for them; before any training.

    Examples
    --------
    >>> import napari_vae as nv
    >>> image = nv.samples.domains(2).image.data[0]  # doctest: +SKIP
    >>> nv.workflow.scan_windows(image).window  # doctest: +SKIP
    16
    """
    return drain(iter_scan_windows(image, atoms, windows=windows, model=model, train=train), callback)


def iter_scan_windows(
    image: Any,
    atoms: pd.DataFrame | None = None,
    *,
    windows: Sequence[int] | None = None,
    model: ModelConfig | None = None,
    train: TrainConfig | None = None,
    stop: Callable[[], bool] = never,
) -> Generator[Progress, None, WindowScan]:
    """Scan as `scan_windows` does, as a generator of progress events; stopped, it suggests of the sizes done so far.

    Raises
    ------
    InputError
    """
    first = as_micrograph(image[0] if isinstance(image, list | tuple) and len(image) else image)
    usual = suggest_window(None if atoms is None or on_grid(atoms) else table_spacing(atoms))
    sizes = _sizes(first, usual, windows)
    train = replace(train or TrainConfig(), batch_size=BATCH, beta=1.0, checkpoint=None)
    learnt, held = _apart(first, sizes[-1], train.seed)
    config = replace(model or MODEL, likelihood="gaussian")
    block = max(1, round(sizes[-1] / SIDE))
    rows: list[dict[str, Any]] = []
    largest = extract_patches(image, learnt, window=sizes[-1])
    for number, size in enumerate(sizes):
        options: dict[str, Any] = {"window": size, "normalization": largest.normalization, "level": largest.level}
        ours, theirs = (_averaged(extract_patches(image, part, **options), block) for part in (learnt, held))
        epochs = max(1, round(STEPS / np.ceil(len(ours) / BATCH)))
        job = iter_fit(ours, config, replace(train, epochs=epochs), stop=stop)
        while True:
            try:
                event = next(job)
            except StopIteration as end:
                run = end.value
                break
            step = round((number + event.fraction) * STEPS)
            words = f"Trying windows of {size} px"
            yield replace(event, step=step, n_steps=STEPS * len(sizes), message=words, seconds_left=None)
        if run.stopped and rows:
            break
        mean = ours.data.mean(0)
        latents, rebuilt = run.describe(theirs)
        gain = _gain(latents["elbo"].to_numpy(float), ours.data - mean, theirs.data - mean)
        gain /= ours.data[0, 0].size * block**2
        unexplained = np.square(theirs.data - rebuilt).sum() / max(float(np.square(theirs.data - mean).sum()), 1e-12)
        rows.append(
            {
                "window": size,
                "size": size * min(first.scale),
                "bits": float(gain.mean()),
                "bits_se": float(gain.std() / np.sqrt(len(gain))),
                "explained": 1 - float(unexplained),
                "active": int((latents.filter(regex=r"^z\d+$").var() > ACTIVE).sum()),
            }
        )
    table = pd.DataFrame(rows)
    window = choose(table, usual)
    return WindowScan(table.assign(suggested=table["window"] == window), window, first.units)


def choose(table: pd.DataFrame, usual: int) -> int:
    """The smallest window whose gain is not clearly below the largest; where there is none, the one nearest to usual.

    >>> choose(pd.DataFrame({"window": [8, 16, 24, 32], "bits": [0.1, 0.58, 0.6, 0.4], "bits_se": 0.01}), 24)
    16
    """
    windows, bits = table["window"].to_numpy(int), table["bits"].to_numpy(float)
    best = int(bits.argmax())
    if bits[best] <= 0:
        return int(windows[np.abs(windows - usual).argmin()])
    enough = min(WORTH * bits[best], bits[best] - float(table["bits_se"].iloc[best]))
    return int(windows[bits >= enough].min())


def _sizes(image: Micrograph, usual: int, windows: Sequence[int] | None) -> list[int]:
    """Sizes to try, rising; of the usual ones those of which four fit along the image."""
    limits = square_shape(image.shape[-2:], pixel_sides(image.pixel_size))
    if windows is not None:
        sizes = sorted({check_window(int(window), limits)[0] for window in windows})
    else:
        sizes = sorted({max(SMALLEST_WINDOW, 2 * round(usual * factor / 2)) for factor in FACTORS})
        sizes = [size for size in sizes if 4 * size <= min(limits)]
    if len(sizes) < 2:
        raise InputError("Fewer than two sizes of windows fit; give windows to choose from, or a larger image.")
    return sizes


def _apart(image: Micrograph, largest: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Places to learn from, and places that are held out, at which the largest windows overlap none of the others."""
    shape = square_shape(image.shape[-2:], pixel_sides(image.pixel_size))
    room = image.n_frames * (shape[0] - largest + 1) * (shape[1] - largest + 1)
    places = grid_positions(image, max(1, int(np.sqrt(room / (4 * MOST)))), window=largest)
    rows = square_points(places)[:, 0]
    border = (1 - HELD) * (shape[0] - largest) + largest / 2
    rng, parts = np.random.default_rng(seed), []
    for there in (rows <= border - largest / 2, rows >= border + largest / 2):
        chosen = rng.permutation(np.flatnonzero(there))[:MOST]
        parts.append(places.iloc[np.sort(chosen)])
    if min(map(len, parts)) < FEWEST:
        raise InputError(
            f"Windows of {largest} px have too few places in this image to be learnt from and tested apart; give "
            "smaller windows, or a larger image."
        )
    return parts[0], parts[1]


def _averaged(patches: Patches, block: int) -> Patches:
    """The windows with the mean of blocks of pixels for each pixel."""
    if block == 1:
        return patches
    side = patches.window[0] // block
    start = (patches.window[0] - side * block) // 2
    cut = patches.data[..., start : start + side * block, start : start + side * block]
    small = cut.reshape(*cut.shape[:2], side, block, side, block).mean((3, 5), dtype=np.float32)
    return replace(patches, data=small, window=(side, side))


def _gain(elbo: npt.NDArray[np.float64], ours: npt.NDArray[np.float32], theirs: npt.NDArray[np.float32]) -> Any:
    """Bits (N,) by which held-out windows are described better than by their mean and its scatter.

    Parameters
    ----------
    elbo : array (N,)
        Of the held-out windows, in nats.
    ours, theirs : array (…, C, H, W)
        What is learnt from, and what is held out, less the mean of the former.
    """
    variance = np.square(ours, dtype=np.float64).mean((0, 2, 3))[:, None, None]
    density = -0.5 * (np.square(theirs, dtype=np.float64) / variance + np.log(2 * np.pi * variance)).sum((1, 2, 3))
    return (elbo - density) / np.log(2)
