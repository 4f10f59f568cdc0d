"""Every figure by name: what it shows, what it needs, and how it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...core.errors import InputError
from .angles import angle_figure
from .changes import changes_figure, lacks_changes
from .data import FigureData
from .density import density_figure, lacks_density
from .micrographs import overlay_figure
from .models import loss_figure, manifold_figure
from .planes import scatter_figure
from .windows import class_means_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_PLACES = "Needs the places of the atoms: columns y and x."


@dataclass(frozen=True)
class Entry:
    """A figure that can be drawn where there is what it needs.

    Parameters
    ----------
    title, about : str
        A few words, and a sentence.
    draw : callable
        From `FigureData` to a figure.
    missing : callable
        From `FigureData` to a sentence on what it lacks; empty if nothing.
    """

    title: str
    about: str
    draw: Callable[[FigureData], Figure]
    missing: Callable[[FigureData], str]


def _lacks_map(data: FigureData) -> str:
    if data.micrograph is None:
        return "Needs the micrograph that the atoms lie on."
    if not data.has_places:
        return NO_PLACES
    return "" if data.color else "Needs a column that colours the atoms."


def _lacks_angles(data: FigureData) -> str:
    return "" if data.angle else "Needs a column of angles, which a model with rotation gives."


def _lacks_windows(data: FigureData) -> str:
    if not data.classes:
        return "Needs classes: a column of words, or groups of the latents."
    if data.patches is not None:
        return ""
    if data.micrograph is None:
        return "Needs the micrograph that the atoms lie on."
    return "" if data.has_places else NO_PLACES


def _lacks_run(data: FigureData) -> str:
    return "" if data.run is not None else "Needs the trained model that described the atoms."


def _lacks_plane(data: FigureData) -> str:
    return "" if all(data.plane) else "Needs two columns of numbers."


def _draw_loss(data: FigureData) -> Figure:
    assert data.run is not None
    return loss_figure(data.run.history)


CATALOGUE = {
    "overlay": Entry(
        "Atoms on the micrograph",
        "The atoms in the colours of a column, with scale bar and colour bar or legend.",
        overlay_figure,
        _lacks_map,
    ),
    "scatter": Entry(
        "Scatter of two columns",
        "Two columns of numbers against one another in the colours of a third; density where points crowd.",
        scatter_figure,
        _lacks_plane,
    ),
    "angles": Entry(
        "Angles on a circle",
        "Histogram of the angles, with mean and spread, modulo the symmetry of the motif.",
        angle_figure,
        _lacks_angles,
    ),
    "classes": Entry(
        "Mean window of every class",
        "What the atoms of each class look like on average, turned upright where their pose is known.",
        class_means_figure,
        _lacks_windows,
    ),
    "changes": Entry(
        "Changes of class through a movie",
        "How probable every change from one frame to the next is, with its 95 % interval, where atoms were followed.",
        changes_figure,
        lacks_changes,
    ),
    "density": Entry(
        "Density along temperature, time or dose",
        "How the colouring column is distributed at every value of a covariate, and where the latents change.",
        density_figure,
        lacks_density,
    ),
    "manifold": Entry(
        "Manifold",
        "What the model draws over the plane of the first two latents, for every class of its own.",
        manifold_figure,
        _lacks_run,
    ),
    "loss": Entry("Loss by epoch", "Loss, reconstruction and KL of the training.", _draw_loss, _lacks_run),
}


def chosen(data: FigureData, which: Sequence[str] | None) -> list[str]:
    """Names of the figures that were asked for, by default of all that are possible.

    Raises
    ------
    InputError
        If there is none of such a name, or it lacks something, or nothing is possible.
    """
    if which is None:
        names = [name for name, entry in CATALOGUE.items() if not entry.missing(data)]
        if not names:
            raise InputError("Nothing can be drawn of this table; it needs columns of numbers, or a micrograph.")
        return names
    for name in which:
        if name not in CATALOGUE:
            raise InputError(f"There is no figure “{name}”; choose of {', '.join(CATALOGUE)}.")
        lack = CATALOGUE[name].missing(data)
        if lack:
            raise InputError(f"The figure “{name}” cannot be drawn. {lack}")
    if not which:
        raise InputError("No figure is chosen; choose at least one.")
    return list(dict.fromkeys(which))
