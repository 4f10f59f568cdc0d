"""Pictures of an analysis: what was found, drawn on the micrograph, and what the model learnt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from ..layers import class_colors
from ..results import symbol_spacing, tile

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ..micrograph import Micrograph
    from ..pipeline import Analysis

WIDTH = 7.0  # inches
DPI = 130
STYLE: dict[str, Any] = {"facecolor": "white", "layout": "constrained", "dpi": DPI}
EXAMPLES = 8


def figures(analysis: Analysis) -> dict[str, tuple[Figure, str]]:
    """Every figure of an analysis under the name of its file, with its caption."""
    drawn: dict[str, tuple[Figure, str]] = {}
    columns = analysis.encoded.columns
    n = len(analysis.atoms)
    drawn["atoms"] = atoms_figure(analysis), f"The {n} detected atoms, each a circle, on the micrograph."
    for column in [name for name in ("z1", "z2", "z3") if name in columns]:
        drawn[column] = (
            latent_figure(analysis, column),
            f"Latent {column}: what differs beyond the pose.",
        )
    if "angle" in columns:
        drawn["angle"] = (
            latent_figure(analysis, "angle"),
            "Orientation of every motif in degrees, counter-clockwise. One that looks the same after a part of a turn "
            "may be given any of its equal orientations.",
        )
    if analysis.classes is not None:
        drawn["classes"] = classes_figure(analysis), "Classes of similar latents, found without labels."
    if "z2" in columns:
        drawn["latents"] = scatter_figure(analysis), "Every atom in the plane of the first two latents."
    drawn["manifold"] = manifold_figure(analysis), "What the model draws across that plane, all in one pose."
    drawn["examples"] = (
        examples_figure(analysis),
        "Windows from the worst reconstructed (left) to the best, what the model makes of them, and the difference.",
    )
    drawn["training"] = training_figure(analysis.run.history), "Loss and its parts against the epoch of training."
    return drawn


def atoms_figure(analysis: Analysis) -> Figure:
    """Detected atoms on the micrograph, a movie's first frame with atoms."""
    figure, axes, atoms = _on_micrograph(analysis, analysis.atoms)
    size = _marker_area(analysis, axes, 0.5)
    axes.scatter(atoms["x"], atoms["y"], s=size, facecolors="none", edgecolors="#00e5ff", linewidths=0.7)
    return figure


def latent_figure(analysis: Analysis, column: str) -> Figure:
    """One column of the latents on the micrograph, with a colour bar; angles on a cyclic colour map."""
    figure, axes, table = _on_micrograph(analysis, analysis.latents)
    values = table[column].to_numpy(float)
    cyclic = column == "angle"
    low, high = (-180.0, 180.0) if cyclic else np.nanpercentile(values, [1, 99])
    points = axes.scatter(
        table["x"],
        table["y"],
        c=values,
        s=_marker_area(analysis, axes, 0.62),
        cmap="twilight_shifted" if cyclic else "viridis",
        vmin=low,
        vmax=high if high > low else low + 1.0,
        linewidths=0,
    )
    bar = figure.colorbar(points, ax=axes, shrink=0.8, pad=0.02, extend="neither" if cyclic else "both")
    bar.set_label("angle (°)" if cyclic else column)
    bar.outline.set_visible(False)
    if cyclic:
        bar.set_ticks([-180, -90, 0, 90, 180])
    return figure


def classes_figure(analysis: Analysis) -> Figure:
    """Classes on the micrograph, with how many atoms each has."""
    figure, axes, table = _on_micrograph(analysis, analysis.latents)
    size = _marker_area(analysis, axes, 0.62)
    _by_class(axes, table, analysis.latents, "x", "y", size)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, markerscale=_legend_scale(size))
    return figure


def scatter_figure(analysis: Analysis) -> Figure:
    """The plane of the first two latents, coloured by class."""
    figure = Figure(figsize=(WIDTH, 0.8 * WIDTH), **STYLE)
    axes = figure.subplots()
    table = analysis.latents
    size = float(np.clip(2e4 / len(table), 4, 24))
    if analysis.classes is None:
        axes.scatter(table["z1"], table["z2"], s=size, color="#0072b2", alpha=0.7, linewidths=0)
    else:
        _by_class(axes, table, table, "z1", "z2", size)
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, markerscale=_legend_scale(size))
    axes.set(xlabel="z1", ylabel="z2")
    _open_frame(axes)
    return figure


def manifold_figure(analysis: Analysis) -> Figure:
    """Decoded images over the grid of latents."""
    picture = tile(analysis.run.manifold())
    figure = Figure(figsize=(0.8 * WIDTH, 0.8 * WIDTH * picture.shape[0] / picture.shape[1]), **STYLE)
    axes = figure.subplots()
    axes.imshow(picture, cmap="gray", interpolation="nearest")
    axes.set(xticks=[], yticks=[], xlabel="z1", ylabel="z2" if "z2" in analysis.encoded else "")
    return figure


def examples_figure(analysis: Analysis) -> Figure:
    """Windows, reconstructions and residuals, ordered by how well they are reconstructed."""
    patches = analysis.patches
    order = np.argsort(-analysis.latents["reconstruction_error"].to_numpy(float))
    rows = order[np.linspace(0, len(order) - 1, min(EXAMPLES, len(order))).astype(int)]
    windows = patches.data[rows]
    rebuilt = analysis.reconstruction[rows]
    height = WIDTH * 3 / len(rows) * patches.window[0] / patches.window[1]
    figure = Figure(figsize=(WIDTH, height + 0.2), **STYLE)
    grid = figure.subplots(3, len(rows), squeeze=False)
    spread = float(np.abs(windows - rebuilt).max()) or 1.0
    looks: list[dict[str, Any]] = [{"cmap": "gray", "vmin": 0, "vmax": 1}] * 2
    looks.append({"cmap": "PiYG", "vmin": -spread, "vmax": spread})
    kinds = zip(("window", "reconstruction", "difference"), (windows, rebuilt, windows - rebuilt), looks, strict=True)
    for line, (label, images, look) in zip(grid, kinds, strict=True):
        line[0].set_ylabel(label, fontsize=8)
        for axes, image in zip(line, images, strict=True):
            axes.imshow(image[0], **look)
            axes.set(xticks=[], yticks=[])
    return figure


def training_figure(history: pd.DataFrame) -> Figure:
    """Loss, reconstruction and KL against the epoch, in panels of their own."""
    figure = Figure(figsize=(WIDTH, 0.42 * WIDTH), **STYLE)
    epochs = history["epoch"] if "epoch" in history else np.arange(1, len(history) + 1)
    panels = {"loss": "loss", "reconstruction": "reconstruction", "kl": "KL of latents and pose"}
    shown = {column: label for column, label in panels.items() if column in history}
    grid = figure.subplots(1, max(1, len(shown)), squeeze=False)[0]
    for axes, (column, label) in zip(grid, shown.items(), strict=False):
        axes.plot(epochs, history[column], color="#0072b2", marker=".", label="training")
        if column == "loss" and "held_out" in history:
            axes.plot(epochs, history["held_out"], color="#d55e00", marker=".", label="held out")
            axes.legend(frameon=False, fontsize=8)
        if column != "kl" and history[column].min() > 0:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_title(label, fontsize=10, loc="left")
        axes.set_xlabel("epoch")
        _open_frame(axes)
    return figure


def draw_scale_bar(axes: Axes, micrograph: Micrograph, width: int) -> None:
    """A bar of a round length, about a fifth of the image wide, in the lower left corner."""
    step = micrograph.scale[1]
    length = round_length(width * step / 5)
    text = f"{length:g} {micrograph.units}"
    pixels = length / step
    height = axes.get_ylim()[0]
    x, y = 0.04 * width, height - 0.04 * width
    for colour, line in (("black", 6.0), ("white", 3.5)):
        axes.plot([x, x + pixels], [y, y], color=colour, linewidth=line, solid_capstyle="butt")
    label = axes.text(x + pixels / 2, y - 0.015 * width, text, color="white", ha="center", va="bottom", fontsize=10)
    from matplotlib.patheffects import withStroke

    label.set_path_effects([withStroke(linewidth=2.5, foreground="black")])


def round_length(length: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above `length`.

    >>> round_length(3.7), round_length(0.00099)
    (2.0, 0.0005)
    """
    power = 10.0 ** math.floor(math.log10(length))
    return max(step * power for step in (1, 2, 5) if step * power <= length * (1 + 1e-9))


def _on_micrograph(analysis: Analysis, table: pd.DataFrame) -> tuple[Figure, Axes, pd.DataFrame]:
    """The micrograph in grey with a scale bar, and the rows of `table` that lie in the frame shown."""
    image = analysis.micrograph
    frame = int(table["frame"].iloc[0]) if image.axes == "TYX" else 0
    pixels = image.frame(frame)[0]
    height, width = pixels.shape
    figure = Figure(figsize=(WIDTH, WIDTH * float(np.clip(height / width, 0.3, 2.0))), **STYLE)
    axes = figure.subplots()
    low, high = np.percentile(pixels, [0.5, 99.5])
    axes.imshow(pixels, cmap="gray", vmin=low, vmax=high, interpolation="antialiased")
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[])
    axes.set_aspect(image.scale[0] / image.scale[1])
    for side in axes.spines.values():
        side.set_visible(False)
    draw_scale_bar(axes, image, width)
    return figure, axes, table[table["frame"] == frame] if image.axes == "TYX" else table


def _marker_area(analysis: Analysis, axes: Axes, spacings: float) -> float:
    """Area in points² of a marker that is `spacings` lattice spacings wide on the micrograph."""
    points = 72 * WIDTH * 0.85 / analysis.micrograph.shape[-1]
    diameter = spacings * symbol_spacing(analysis.patches) * points
    return float(np.clip(diameter, 1.5, 40)) ** 2


def _legend_scale(area: float) -> float:
    return float(np.clip(7 / math.sqrt(area), 0.3, 4))


def _by_class(axes: Axes, table: pd.DataFrame, every: pd.DataFrame, x: str, y: str, size: float) -> None:
    counts = every["class"].value_counts().sort_index()
    for colour, (label, count) in zip(class_colors(len(counts)), counts.items(), strict=True):
        rows = table[table["class"] == label]
        axes.scatter(rows[x], rows[y], s=size, color=colour, label=f"class {label}: {count}", linewidths=0, alpha=0.85)


def _open_frame(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
