"""What a trained model says about a micrograph, as napari layer data in the frame of that micrograph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..core.micrograph import Micrograph
from ..core.placement import Placement
from ..core.positions import table_spacing
from ..patches.patches import Patches, paste_patches
from .points import KEY, LayerData, classes_to_labels, latents_to_points

if TYPE_CHECKING:
    import pandas as pd

    from ..runs.run import Run

CELL_RADIUS = 0.71  # of the spacing: the cells of a square lattice just meet, those at a vacancy end in a disc


def result_layers(
    run: Run,
    patches: Patches,
    latents: pd.DataFrame,
    classes: pd.Series | None,
    shape: tuple[int, ...],
    placement: Placement,
    rebuilt: npt.NDArray[np.float32] | None = None,
    names: Sequence[str] = (),
) -> list[LayerData]:
    """Every layer of an analysis, in the order in which they are stacked.

    Parameters
    ----------
    run : Run
        The trained model.
    patches : Patches
        Windows of the micrograph.
    latents : DataFrame
        ``run.encode(patches)``.
    classes : Series of int, optional
        ``cluster(latents)``, or the model's own.
    shape : (Y, X) or (T, Y, X)
        Of the micrograph, without channels.
    placement : Placement
        Of the micrograph, with as many axes as `shape`.
    rebuilt : array (N, C, H, W), optional
        ``run.reconstruct(patches)``, if that is known already.
    names : sequence of str
        Of the classes, if they have any.

    Returns
    -------
    list of (data, options, type)
        Residual and reconstruction (one each per channel), classes, points with the latents, and manifold.
    """
    layers = pasted_layers(patches, run.reconstruct(patches) if rebuilt is None else rebuilt, shape, placement)
    radius = CELL_RADIUS * symbol_spacing(patches)
    if classes is not None:
        name = f"classes of {patches.name}"
        layers.append(
            classes_to_labels(patches.atoms, classes, shape, placement, radius=radius, name=name, names=names)
        )
    layers.append(
        latents_to_points(
            patches.atoms,
            latents,
            placement,
            classes,
            name=points_name(patches),
            spacing=symbol_spacing(patches),
            names=names,
        )
    )
    planes = class_manifolds(run)
    layers.append(manifold_layer(side_by_side(planes), placement, shape, name=patches.name))
    layers[-1][1]["metadata"][KEY]["classes"] = tuple(filter(None, planes))
    for _, options, _ in layers:
        options["metadata"][KEY] |= {"source": patches.name, **run.provenance}
    return layers


def points_name(patches: Patches) -> str:
    """Name of the layer of points that carries the latents."""
    on_grid = patches.atoms.attrs.get(KEY, {}).get("method") == "grid"
    return f"{'windows' if on_grid else 'atoms'} of {patches.name}"


def pasted_layers(
    patches: Patches, reconstructed: npt.NDArray[np.float32], shape: tuple[int, ...], placement: Placement
) -> list[LayerData]:
    """Residual and reconstruction of every channel, hidden, in intensities; NaN (clear) where no window lies."""
    rebuilt = patches.normalization.undo(reconstructed)
    residual = patches.normalization.undo(patches.data) - rebuilt
    layers: list[LayerData] = []
    for channel in range(rebuilt.shape[1]):
        suffix = f", channel {channel + 1}" if rebuilt.shape[1] > 1 else ""
        spread = float(np.percentile(np.abs(residual[:, channel]), 99.5)) or 1.0
        for kind, windows, look in (
            ("residual", residual, {"colormap": "PiYG", "contrast_limits": (-spread, spread)}),
            ("reconstruction", rebuilt, {"colormap": "gray", "contrast_limits": _limits(rebuilt[:, channel])}),
        ):
            image = paste_patches(windows[:, channel], patches.atoms, shape)
            name = f"{kind} of {patches.name}{suffix}"
            options = {"name": name, "visible": False, "metadata": {KEY: {"kind": kind}}}
            layers.append((image, options | look | placement.kwargs(), "image"))
    return layers


def class_manifolds(run: Run, n: int = 9) -> dict[str, npt.NDArray[np.float32]]:
    """Decoded planes of the first two latents (n, n, H, W) by the name of what each shows.

    A model of classes has one for each of them; a model of one number has one for its mean over the training images and
    one standard deviation to either side; any other model has one, without a name.
    """
    scale, config = run.scale, run.model_config
    if config.n_classes:
        names = scale.names or [f"class {number}" for number in range(config.n_classes)]
        return {name: run.manifold(n, label=number) for number, name in enumerate(names)}
    if scale.n == 1:
        (centre,), (spread,) = scale.centre, scale.spread
        word = "condition" if config.kind == "conditional" else "target"
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


def manifold_layer(picture: npt.NDArray[Any], placement: Placement, shape: tuple[int, ...], *, name: str) -> LayerData:
    """Decoded planes of latents, as one picture (H, W), to the right of the frame."""
    flat = placement.last(2)
    gap = 0.04 * shape[-1]
    options = {
        "name": f"manifold of {name}",
        "colormap": "gray",
        "contrast_limits": _limits(picture),
        "metadata": {KEY: {"kind": "manifold"}},
        **flat.beside([0, shape[-1] + gap]).kwargs(),
    }
    return picture, options, "image"


def run_layer(run: Run, folder: Path) -> LayerData:
    """What a trained model draws over the plane of its latents, as a layer by itself that tells where it came from."""
    placement = Placement.of_micrograph(Micrograph(np.zeros((1, 1))))
    data, options, kind = manifold_layer(side_by_side(class_manifolds(run)), placement, (0, 0), name=folder.name)
    options["metadata"][KEY] |= {"folder": str(folder.resolve()), "model": run.model_config.name, **run.provenance}
    return data, options, kind


def tile(tiles: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Pictures (n, m, H, W), or (n, m, C, H, W) with channels one below the other, as a single picture."""
    if tiles.ndim == 5:
        tiles = tiles.reshape(*tiles.shape[:2], -1, tiles.shape[-1])
    n, m, height, width = tiles.shape
    return np.ascontiguousarray(tiles.transpose(0, 2, 1, 3).reshape(n * height, m * width), dtype=np.float32)


def symbol_spacing(patches: Patches) -> float:
    """Distance between neighbours in pixels for the size of symbols; half a window where it is not known."""
    spacing = patches.spacing if np.isfinite(patches.spacing) else table_spacing(patches.atoms)
    return spacing if spacing > 0 else min(patches.window) / 2


def _limits(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Range of the values, for display; never empty."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return (low, high) if high > low else (low, low + (abs(low) or 1.0))
