"""What a trained model can be asked to draw: its latents, its pose, its classes, each with a range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..core.errors import InputError
from ..models.component import Freedom
from ..models.components import components_of

if TYPE_CHECKING:
    from .run import Run


FRAMES = 21  # of a traverse
WIDER = 0.25  # of the range of a latent, beyond which images were not seen


def class_manifolds(run: Run, n: int = 9) -> dict[str, npt.NDArray[np.float32]]:
    """Decoded planes of the first two latents (n, n, H, W) by the name of what each shows.

    A model of classes has one for each of them; a model of one number has one for its mean over the training images and
    one standard deviation to either side; any other model has one, without a name.
    """
    scale = run.scale
    if scale.classes:
        names = scale.names or [f"class {number}" for number in range(scale.classes)]
        return {name: run.manifold(n, label=number) for number, name in enumerate(names)}
    if scale.n == 1:
        (centre,), (spread,) = scale.centre, scale.spread
        word = "condition" if run.model_config.knows.conditional else "target"
        values = [centre - spread, centre, centre + spread]
        return {f"{word} {value:.3g}": run.manifold(n, condition=[value]) for value in values}
    return {"": run.manifold(n)}


def blocks_across(n: int) -> int:
    """Blocks in a row of `n` that are to look well together: rows of equal length where that is possible."""
    widest = max(1, round(n**0.5 + 0.4))
    return next((width for width in range(widest, widest + 2) if n % width == 0), widest)


def side_by_side(planes: dict[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Planes as one picture, a tenth of a plane apart, clear (NaN) in between."""
    pictures = [tile(tiles) for tiles in planes.values()]
    if len(pictures) == 1:
        return pictures[0]
    height, width = pictures[0].shape
    across, gap = blocks_across(len(pictures)), max(2, round(0.1 * width))
    down = -(-len(pictures) // across)
    whole = np.full((down * (height + gap) - gap, across * (width + gap) - gap), np.nan, np.float32)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, across)
        top, left = row * (height + gap), column * (width + gap)
        whole[top : top + height, left : left + width] = picture
    return whole


def tile(tiles: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Pictures (n, m, H, W), or (n, m, C, H, W) with channels one below the other, as a single picture."""
    if tiles.ndim == 5:
        tiles = tiles.reshape(*tiles.shape[:2], -1, tiles.shape[-1])
    n, m, height, width = tiles.shape
    return np.ascontiguousarray(tiles.transpose(0, 2, 1, 3).reshape(n * height, m * width), dtype=np.float32)


def freedoms(run: Run) -> list[Freedom]:
    """Everything that can be chosen of an image that a run draws, besides its class: latents, pose, numbers."""
    found = []
    for number, (low, high) in enumerate(run.latent_range, start=1):
        more = WIDER * (high - low)
        words = (
            "Latent, a number without a unit; the range is that of the atoms that the model learnt from, and a "
            "quarter more on either side"
        )
        found.append(Freedom(f"z{number}", low - more, high + more, (low + high) / 2, "", words))
    for component in components_of(run.model_config):
        found += component.sliders(run.window)
    for number, (centre, spread) in enumerate(zip(run.scale.centre, run.scale.spread, strict=True), start=1):
        name = "given" if len(run.scale.centre) == 1 else f"given {number}"
        words = "The number that is given to the model, in the unit of its column"
        found.append(Freedom(name, centre - 2.5 * spread, centre + 2.5 * spread, centre, "", words))
    return found


def class_names_of(run: Run) -> tuple[str, ...]:
    """Names of the classes that a run can be asked to draw; none if it knows no classes."""
    return run.scale.names or tuple(str(number) for number in range(run.scale.classes))


def draw(run: Run, values: dict[str, float], label: int | None = None) -> npt.NDArray[np.float32]:
    """Draw one image (H, W), its first channel, in [0, 1], from values by the names of `freedoms`."""
    return _draw(run, {name: np.array([value]) for name, value in values.items()}, label)[0]


def traverse(run: Run, values: dict[str, float], along: Freedom, label: int | None = None) -> npt.NDArray[np.float32]:
    """Images (`FRAMES`, or 2 of a hand; H, W) while one of the values runs over its range and the others stay."""
    steps = np.linspace(along.low, along.high, 2 if along.whole else FRAMES)
    return _draw(run, {n: steps if n == along.name else np.full(len(steps), v) for n, v in values.items()}, label)


def walk(
    run: Run, x: str, y: str, corners: npt.ArrayLike, values: dict[str, float], label: int | None = None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Images along a line in the plane of two latents, all upright, while the other latents stay.

    Parameters
    ----------
    run : Run
    x, y : str
        The latents.
    corners : array (V, 2)
        Of the line.
    values : dict
        By the names of `freedoms`, for the other latents and what is given.
    label : int, optional
        The class.

    Returns
    -------
    images : array (`FRAMES`, H, W)
    places : array (`FRAMES`, 2)
        Where they lie, in steps of equal length.

    Raises
    ------
    InputError
        If `x` and `y` are no two latents.
    """
    names = [f"z{i + 1}" for i in range(run.model_config.latent_dim)]
    if x not in names or y not in names or x == y:
        raise InputError("A path leads through the plane of two latents; choose two as axes, such as z1 and z2.")
    line = np.asarray(corners, float)
    gone = np.r_[0, np.hypot(*np.diff(line, axis=0).T).cumsum()]
    steps = np.linspace(0, gone[-1], FRAMES)
    places = np.column_stack([np.interp(steps, gone, line[:, axis]) for axis in (0, 1)])
    at_rest = {one.name: one.neutral for one in freedoms(run) if one.name not in names and "given" not in one.name}
    everywhere = {name: np.full(FRAMES, value) for name, value in (values | at_rest).items()}
    return _draw(run, everywhere | {x: places[:, 0], y: places[:, 1]}, label), places


def _draw(run: Run, values: dict[str, npt.NDArray[np.float64]], label: int | None) -> npt.NDArray[np.float32]:
    k = run.model_config.latent_dim
    pose: dict[str, Any] = {}
    for component in components_of(run.model_config):
        chosen = [values[slider.name] for slider in component.sliders(run.window)]
        pose[component.argument] = np.column_stack(chosen) if len(chosen) > 1 else chosen[0]
    given = [values[name] for name in values if name.startswith("given")]
    images = run.decode(
        np.column_stack([values[f"z{i + 1}"] for i in range(k)]),
        label=label,
        condition=np.column_stack(given) if given else None,
        **pose,
    )
    return images if images.ndim == 3 else images[:, 0]


def grid(run: Run, x: str, y: str, n: int, values: dict[str, Any], label: int | None = None) -> tuple[Any, Any] | None:
    """Images over the plane of two latents as one picture, and the rectangle (x0, y0, x1, y1) that it covers there.

    ``None`` where `x` and `y` are no two latents.
    """
    names = [f"z{i + 1}" for i in range(run.model_config.latent_dim)]
    if x not in names or y not in names or x == y:
        return None
    axes = names.index(x), names.index(y)
    given = [values[name] for name in values if name.startswith("given")] or None
    pictures = run.manifold(n, label=label, condition=given, axes=axes)
    (x0, x1), (y0, y1) = (run.latent_range[axis] for axis in axes)
    dx, dy = (0.5 * (high - low) / max(n - 1, 1) for low, high in ((x0, x1), (y0, y1)))
    return tile(pictures), (x0 - dx, y0 - dy, x1 + dx, y1 + dy)
