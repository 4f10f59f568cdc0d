"""Intensity limits: what 0 and 1 mean to a model, kept so that results return to the units of the image."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError

PERCENTILES = (0.1, 99.9)
MARGIN = 0.05  # a rare bright dopant beyond the upper percentile keeps some of its contrast
SAMPLE = 2_000_000  # values looked at per channel; percentiles of more tell nothing new


@dataclass(frozen=True)
class Normalization:
    """Linear map of each channel from ``[low, high]`` to ``[0, 1]``, clipped there.

    Parameters
    ----------
    low, high : tuple of float
        Limits per channel, in the units of the image.

    Examples
    --------
    >>> import numpy as np
    >>> limits = Normalization.fit(np.random.default_rng(0).normal(1e-9, 1e-10, (50, 1, 16, 16)))
    >>> bool(limits.high[0] > limits.low[0])
    True
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def fit(cls, data: npt.ArrayLike) -> Normalization:
        """Robust limits of ``(N, C, H, W)`` data: the 0.1 and 99.9 percentiles, 5 % of their distance wider.

        Data that already lies in [0, 1] with both ends taken keeps these limits exactly.

        Raises
        ------
        InputError
            If a channel is constant or holds NaN or infinite values.
        """
        array = np.asarray(data)
        low, high = [], []
        for channel in range(array.shape[1]):
            values = array[:, channel].ravel()
            lowest, highest = float(values.min()), float(values.max())
            if not np.isfinite([lowest, highest]).all():
                raise InputError(
                    "The data holds NaN or infinite values; replace them first, for example with np.nan_to_num."
                )
            if lowest == 0 and highest == 1:
                bottom, top = 0.0, 1.0
            else:
                if values.size > SAMPLE:  # at random: even steps might meet the same column of every window
                    values = values[np.random.default_rng(0).integers(values.size, size=SAMPLE)]
                bottom, top = np.percentile(values.astype(np.float64), PERCENTILES)
                if top <= bottom:  # almost all pixels are equal: fall back to the full range
                    bottom, top = lowest, highest
                margin = MARGIN * (top - bottom)
                bottom, top = bottom - margin, top + margin
            if not top > bottom:
                raise InputError(
                    "The data is constant: there is nothing to learn from; choose another layer or region."
                )
            low.append(float(bottom))
            high.append(float(top))
        return cls(tuple(low), tuple(high))

    def apply(self, data: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Map ``(N, C, H, W)`` intensities to [0, 1], clipping what lies outside."""
        low, span = self._columns()
        return np.clip((np.asarray(data, dtype=np.float64) - low) / span, 0, 1).astype(np.float32)

    def undo(self, data: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Map ``(N, C, H, W)`` values of [0, 1] back to intensities."""
        low, span = self._columns()
        return (np.asarray(data, dtype=np.float64) * span + low).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, for JSON."""
        return {key: list(value) for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Normalization:
        """The inverse of `to_dict`."""
        return cls(tuple(values["low"]), tuple(values["high"]))

    def _columns(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        low = np.asarray(self.low)[:, None, None]
        return low, np.asarray(self.high)[:, None, None] - low
