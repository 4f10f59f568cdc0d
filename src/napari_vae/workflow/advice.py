"""Which model suits an image, as a scan suggests it."""

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
