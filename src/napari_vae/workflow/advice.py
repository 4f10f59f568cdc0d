"""Which model and which window suit an image, as scans suggest them; without torch."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..models.config import ModelConfig


@dataclass(frozen=True)
class Advice:
    """What a scan suggests.

    Parameters
    ----------
    model : ModelConfig
        Invariances and number of latents.
    window : int
        Size of the windows in pixels.
    table : DataFrame
        One row per model that was tried, in that order: ``window``, ``invariances``, ``latents``, ``held_out`` (loss on
        held-out windows, in nats per window above the floor; the mean of the seeds; to be compared within a window
        only), ``spread`` (between two seeds, NaN after one), ``agreement`` (of the latents of two seeds, 0 … 1) and
        ``suggested``.
    reasons : str
        Why, in sentences.
    """

    model: ModelConfig
    window: int
    table: pd.DataFrame
    reasons: str


@dataclass(frozen=True)
class WindowScan:
    """What windows of several sizes teach a model.

    Attributes
    ----------
    table : DataFrame
        A row per size: ``window`` (pixels) and ``size`` in the unit of the image, ``bits`` learnt per pixel of the
        image about held-out windows, beyond their mean and after the cost of latents and pose, ``bits_se``, its
        standard error, ``explained`` (share of the variance about the mean that is redrawn), ``active`` (latents that
        vary) and ``suggested``.
    window : int
        The smallest size that teaches about as much as the best.
    units : str
        Of ``size``.
    """

    table: pd.DataFrame
    window: int
    units: str

    def sentence(self) -> str:
        """What is suggested, and why."""
        row = self.table[self.table["suggested"]].iloc[0]
        size = "" if self.units == "px" else f" ({row['size']:.3g} {self.units})"
        most = self.table["bits"].max()
        if most <= 0:
            return f"No window shows anything that repeats; {self.window} px{size} is the usual one."
        return (
            f"Windows of {self.window} px{size} are the smallest that teach about as much as any: "
            f"{row['bits']:.3f} bits per pixel, of {most:.3f} at most."
        )
