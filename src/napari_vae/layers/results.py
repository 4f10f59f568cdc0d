"""What a trained model says about a micrograph, as napari layer data in the frame of that micrograph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.micrograph import Micrograph
from ..core.placement import Placement
from ..core.positions import noun_of, on_grid
from ..patches.patches import Patches, paste_patches, symbol_spacing
from ..runs.decoding import class_manifolds, side_by_side
from .points import KEY, LayerData, latents_to_points
from .showing import colored

if TYPE_CHECKING:
    from ..runs.run import Run


def result_points(
    run: Run,
    patches: Patches,
    latents: pd.DataFrame,
    classes: pd.Series | None,
    placement: Placement,
    names: Sequence[str] = (),
) -> LayerData:
    """The points of a result, coloured by the first latent; `names` are those of the classes, if they have any."""
    data, options, kind = latents_to_points(
        patches.atoms,
        latents,
        placement,
        classes,
        name=points_name(patches),
        spacing=symbol_spacing(patches),
        names=names,
    )
    options |= {"visible": not on_grid(patches.atoms)}  # whose pictures show as much
    options["metadata"][KEY] |= {"source": patches.name, **run.provenance}
    return colored((data, options, kind), options["metadata"][KEY]["columns"][0])


def points_name(patches: Patches) -> str:
    """Name of the layer of points that carries the latents."""
    return f"{noun_of(patches.atoms)} of {patches.name}"


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
            options = {"name": name, "visible": False, "metadata": {KEY: {"kind": kind, "channel": channel}}}
            layers.append((image, options | look | placement.kwargs(), "image"))
    return layers


def run_layer(run: Run, folder: Path) -> LayerData:
    """What a trained model draws over the plane of its latents, as a layer by itself that says where it came from."""
    planes = class_manifolds(run)
    picture, classes = side_by_side(planes), tuple(filter(None, planes))
    noted = {"kind": "manifold", "classes": classes, "folder": str(folder.resolve()), "model": run.model_config.name}
    options = {
        "name": f"manifold of {folder.name}",
        "colormap": "gray",
        "contrast_limits": _limits(picture),
        "metadata": {KEY: {**noted, **run.provenance}},
        **Placement.of_micrograph(Micrograph(np.zeros((1, 1)))).kwargs(),
    }
    return picture, options, "image"


def _limits(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Range of the values, for display; never empty."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return (low, high) if high > low else (low, low + (abs(low) or 1.0))
