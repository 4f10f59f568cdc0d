"""The figures of the report, each with its caption."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ..analysis.figures.angles import angle_figure
from ..analysis.figures.data import FigureData
from ..analysis.figures.micrographs import atoms_figure, overlay_figure
from ..analysis.figures.models import loss_figure, manifold_figure
from ..analysis.figures.planes import scatter_figure
from ..analysis.figures.windows import class_means_figure, examples_figure
from .findings import Findings


def figures(analysis: Findings) -> dict[str, tuple[Figure, str]]:
    """Every figure of an analysis under the name of its file, with its caption."""
    data, found = FigureData.of(analysis), FigureData(analysis.atoms, analysis.micrograph, analysis.patches)
    drawn: dict[str, tuple[Figure, str]] = {}
    n = len(analysis.atoms)
    drawn["atoms"] = atoms_figure(found), f"The {n} detected atoms, each a circle, on the micrograph."
    for column in [name for name in data.latents if name in ("z1", "z2", "z3")]:
        drawn[column] = overlay_figure(data.colored(column)), f"Latent {column}: what differs beyond the pose."
    if "angle" in analysis.encoded:
        turned = data.colored("angle")
        drawn["angle"] = (
            overlay_figure(turned),
            "Orientation of every motif in degrees, counter-clockwise. One that looks the same after a part of a turn "
            "may be given any of its equal orientations.",
        )
        drawn["angles"] = angle_figure(turned), "How the orientations are spread, with their mean and spread."
    if analysis.classes is not None:
        grouped = data.colored(data.classes)
        drawn["classes"] = overlay_figure(grouped), "Classes of similar latents, found without labels."
        drawn["means"] = class_means_figure(grouped), "The mean window of every class and how many atoms it has."
        data = grouped
    if "z2" in data.latents:
        drawn["latents"] = scatter_figure(data), "Every atom in the plane of the first two latents."
    drawn["manifold"] = manifold_figure(data), "What the model draws across that plane, all in one pose."
    error = np.asarray(analysis.latents["reconstruction_error"], float)
    drawn["examples"] = (
        examples_figure(analysis.patches, analysis.reconstruction, error),
        "Windows from the worst reconstructed (left) to the best, what the model makes of them, and the difference.",
    )
    drawn["training"] = loss_figure(analysis.run.history), "Loss and its parts against the epoch of training."
    return drawn
