"""Intensity limits: what 0 and 1 mean to a model, kept so that results return to the units of the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import checks_arguments
from .arrays import as_array, as_numbers
from .errors import InputError
from .settings import Single, made_of

PERCENTILES = (0.1, 99.9)
MARGIN = 0.05  # a rare bright dopant beyond the upper percentile keeps some of its contrast
LEVELS = (5, 90)  # percentiles that hardly move when there are a few more rare bright atoms, or fewer
PART = 2**18  # values that are scaled at once, which stay in a cache
SAMPLE = 2_000_000  # values looked at per channel; percentiles of more tell nothing new


@checks_arguments
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

    low: tuple[Single, ...]
    high: tuple[Single, ...]

    def __post_init__(self) -> None:
        sound = len(self.low) == len(self.high) > 0 and all(
            low < high for low, high in zip(self.low, self.high, strict=True)
        )
        if not sound:
            raise InputError("The limits of intensities are a low and a higher number for each channel.")

    @classmethod
    def fit(cls, data: npt.ArrayLike) -> Normalization:
        """Robust limits of ``(N, C, H, W)`` data: the 0.1 and 99.9 percentiles, 5 % of their distance wider.

        Data that already lies in [0, 1] with both ends taken keeps these limits exactly.

        Raises
        ------
        InputError
            If a channel is constant or holds NaN or infinite values.
        """
        array = as_array(data, "data")
        if array.ndim < 2:
            raise InputError(f"Limits are those of channels, of data (N, C, H, W), not of shape {array.shape}.")
        low, high = [], []
        for channel in range(array.shape[1]):
            values = array[:, channel].ravel()
            lowest, highest = float(values.min()), float(values.max())
            if not np.isfinite([lowest, highest]).all():
                raise InputError(
                    "The data holds NaN or infinite values, which were not measured; leave out the images that do."
                )
            if lowest == 0 and highest == 1:
                bottom, top = 0.0, 1.0
            else:
                bottom, top = _percentiles(values, PERCENTILES)
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

    @classmethod
    @checks_arguments
    def matching(cls, data: npt.ArrayLike, levels: Sequence[Sequence[float]]) -> Normalization:
        """Limits of ``(N, C, H, W)`` data by which its 5 and 90 percentiles become `levels`, as `levels_of` gives them.

        The extremes, which `fit` looks at, change with the number of rare bright atoms. Where the two percentiles are
        equal the limits are those of `fit`.

        Raises
        ------
        InputError
            As `fit`.
        """
        limits, array = cls.fit(data), np.asarray(data)
        if len(levels) != array.shape[1]:
            return limits
        low, high = list(limits.low), list(limits.high)
        for channel, (lower, upper) in enumerate(levels):
            bottom, top = _percentiles(array[:, channel].ravel(), LEVELS)
            if top > bottom and upper > lower:
                span = (top - bottom) / (upper - lower)
                low[channel] = float(bottom - lower * span)
                high[channel] = low[channel] + float(span)
        return cls(tuple(low), tuple(high))

    def apply(self, data: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Map ``(N, C, H, W)`` intensities to [0, 1], clipping what lies outside."""
        low, span = self._columns()
        return _by_parts(data, lambda part: np.clip((as_numbers(part, "intensities") - low) / span, 0, 1))

    def undo(self, data: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Map ``(N, C, H, W)`` values of [0, 1] back to intensities."""
        low, span = self._columns()
        return _by_parts(data, lambda part: as_numbers(part, "values") * span + low)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, for JSON."""
        return {key: list(value) for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Normalization:
        """The inverse of `to_dict`."""
        return made_of(cls, values)

    def _columns(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        low = np.asarray(self.low)[:, None, None]
        return low, np.asarray(self.high)[:, None, None] - low


def levels_of(data: npt.NDArray[np.float32]) -> list[list[float]]:
    """The 5 and 90 percentiles of every channel of normalised ``(N, C, H, W)`` data; see `Normalization.matching`.

    >>> levels_of(np.linspace(0, 1, 101, dtype=np.float32).reshape(1, 1, 1, 101))
    [[0.05, 0.9]]
    """
    return [[round(float(v), 6) for v in _percentiles(data[:, c].ravel(), LEVELS)] for c in range(data.shape[1])]


def _by_parts(
    data: npt.ArrayLike, change: Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]
) -> npt.NDArray[np.float32]:
    """What becomes of images (N, C, H, W), some at a time: in double precision all would take much memory."""
    array = as_array(data, "images")
    if array.ndim != 4 or not array.size:
        return change(array).astype(np.float32)
    result = np.empty((len(array), *change(array[:1]).shape[1:]), dtype=np.float32)
    step = max(1, PART // array[0].size)
    for start in range(0, len(array), step):
        result[start : start + step] = change(array[start : start + step])
    return result


def _percentiles(values: npt.NDArray[Any], which: tuple[float, float]) -> npt.NDArray[np.float64]:
    if values.size > SAMPLE:  # at random: even steps might meet the same column of every window
        values = values[np.random.default_rng(0).integers(values.size, size=SAMPLE)]
    return np.asarray(np.percentile(values.astype(np.float64), which))
