"""What windows of several sizes teach a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .style import BLUE, FONT, INK, RED, SMALL, WIDTH, axes_at, new_figure, plot_frame

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

HEIGHT, GAP = 24.0, 4.0  # mm of each plot, and between them
LEFT, BELOW = 13.0, 8.5  # mm, for numbers and names
PLOTS = {"bits": "bits per pixel", "explained": "variance explained", "active": "active latents"}


def window_sizes_figure(table: pd.DataFrame, units: str = "px") -> Figure:
    """Bits per pixel, explained variance and active latents against the size of the window; the suggested one marked.

    Parameters
    ----------
    table : DataFrame
        `table` of a scan of windows.
    units : str
        Of its column ``size``.
    """
    figure = new_figure(BELOW + len(PLOTS) * (HEIGHT + GAP) + 2)
    suggested = float(table["size"][table["suggested"]].iloc[0])
    for number, (name, words) in enumerate(reversed(PLOTS.items())):
        axes = axes_at(figure, LEFT, BELOW + number * (HEIGHT + GAP), WIDTH - LEFT - 2, HEIGHT)
        plot_frame(axes, f"window ({units})" if number == 0 else "", words)
        axes.yaxis.label.set_fontsize(SMALL)
        spread = table["bits_se"] if name == "bits" else None
        axes.errorbar(table["size"], table[name], spread, color=BLUE, marker="o", markersize=3, linewidth=1, capsize=2)
        axes.axvline(suggested, color=RED, linewidth=0.8, linestyle=(0, (3, 2)))
        if number == len(PLOTS) - 1:
            axes.annotate(
                f" {suggested:.3g} {units}",
                (suggested, 1),
                xycoords=("data", "axes fraction"),
                fontsize=FONT,
                color=INK,
            )
        if number:
            axes.tick_params(labelbottom=False)
    return figure
