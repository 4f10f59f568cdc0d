"""A saved model for a layer that came without one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...layers import KEY, atoms_from_points, micrograph_from_layer, placement_of
from ...open_runs import OpenRun
from ..data_form import is_source_image
from ..jobs import Step
from ..torch_loading import import_torch

if TYPE_CHECKING:
    import pandas as pd

    from ...micrograph import Micrograph
    from ...placement import Placement


def source_image(viewer: Any, layer: Any) -> Any:
    """The image layer that points lie on: the one that they were found in, else the topmost.

    Raises
    ------
    InputError
        If there is none, or the layer is not of points.
    """
    if layer.__class__.__name__ != "Points":
        raise InputError("A model describes windows around points; choose a Points layer.")
    images = [image for image in reversed(viewer.layers) if is_source_image(image)]
    if not images:
        raise InputError("There is no image that the model could look at; open the image of these points first.")
    name = layer.metadata.get(KEY, {}).get("source")
    return next((image for image in images if image.name == name), images[0])


def read_source(viewer: Any, layer: Any) -> tuple[Micrograph, pd.DataFrame, Placement]:
    """What `open_steps` needs of the layers, read on the main thread.

    Raises
    ------
    InputError
        As `source_image`.
    """
    image = source_image(viewer, layer)
    placement = placement_of(image)
    return micrograph_from_layer(image), atoms_from_points(layer, placement), placement


def open_steps(
    stop: Callable[[], bool], folder: str, image: Micrograph, atoms: pd.DataFrame, placement: Placement
) -> Generator[Step, None, OpenRun]:
    """Read a model and cut its windows around the points; in a thread because both take their time."""
    yield Step("Loading the model …")
    import_torch()
    from ...patches import extract_patches
    from ...run import load_run

    run = load_run(folder)
    if run.model_config.kind == "conditional":
        raise InputError("This model needs to be told a condition; apply it to the image in Train VAE instead.")
    return OpenRun(run, extract_patches(image, atoms, window=run.window, levels=run.levels), placement)
