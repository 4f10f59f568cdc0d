"""A frame, what the matched filter makes of it, and the candidates of either method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from .clutter import score_above_clutter
from .constants import FIXED
from .damage import Mended
from .learned import learned_candidates
from .spots import elongation, flatten, local_maxima, spot_maps, sub_pixel
from .subpixel import blank_table
from .texture import score_above_texture
from .threshold import lattice_threshold

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Pixels `at` (N, 2) that may hold an atom, the `place` (N, 2) to a fraction of a pixel, and the `score` (N,)."""

    at: npt.NDArray[np.int64]
    place: Array
    score: Array


class Filtered:
    """A frame seen through the filter for columns of width `sigma`; each search is made once."""

    def __init__(self, mended: Mended, sigma: float) -> None:
        self.mended, self.frame, self.sigma = mended, mended.frame, sigma
        self.blank = bool(np.ptp(self.frame) == 0)
        if not self.blank:
            self.columns, self.slow, self.unit = flatten(self.frame, sigma)
            self.maps = spot_maps(self.columns, sigma)
        self._found: dict[int, tuple[npt.NDArray[np.int64], Array]] = {}
        self._clear: npt.NDArray[np.float32] | None = None
        self._textured: dict[int, Array] = {}
        self._thresholds: dict[int, float] = {}
        self._shapes: dict[int, Array] = {}
        self._learned: dict[int, Candidates] = {}

    def candidates(self, sign: int) -> tuple[npt.NDArray[np.int64], Array]:
        """Maxima (N, 2) of the fitted amplitude of this sign and their scores."""
        if sign not in self._found:
            peaks = local_maxima(sign * self.maps.amplitude, self.sigma)
            peaks = peaks[~self.mended.in_gap(peaks, 2 * self.sigma, deep=True)]
            self._found[sign] = peaks, sign * self.maps.score[tuple(peaks.T)].astype(np.float64)
        return self._found[sign]

    def table(self, at: npt.NDArray[np.int64], place: Array, number: int, how: str) -> pd.DataFrame:
        """A table of atoms at the pixels (N, 2), at these places (N, 2), with what the filter says of them."""
        table = blank_table(len(at), number, how)
        index = tuple(at.T)
        table["amplitude"] = self.maps.amplitude[index].astype(np.float64) * self.unit
        table["background"] = self.maps.background[index].astype(np.float64) * self.unit + self.slow[index]
        table[["y", "x"]] = place
        return table

    def found(self, method: str, sign: int, periodic: bool) -> Candidates:
        """The candidates by one of the methods, with its scores."""
        if method == "learned":
            if sign not in self._learned:
                place, probability = learned_candidates(sign * self.columns, self.sigma)
                there = ~self.mended.in_gap(place, 2 * self.sigma, deep=True)
                place, probability = place[there], probability[there]
                self._learned[sign] = Candidates(np.rint(place).astype(np.int64), place, probability)
            return self._learned[sign]
        at = self.candidates(sign)[0]
        place = sub_pixel(sign * self.maps.amplitude, at)
        score = self.lattice_scores(sign) if periodic else self.isolated_scores(sign)
        return Candidates(at, place, np.where(on_ridge(self.shape(sign)), 0.0, score))

    def isolated_scores(self, sign: int) -> Array:
        """Scores of the candidates as single atoms on a support."""
        if self._clear is None:
            self._clear = score_above_clutter(self.maps, self.sigma)
        return sign * self._clear[tuple(self.candidates(sign)[0].T)].astype(np.float64)

    def lattice_scores(self, sign: int) -> Array:
        """Scores of the candidates with those of an uneven support distinguished from the columns of the lattice."""
        if sign not in self._textured:
            peaks, scores = self.candidates(sign)
            seen = scores >= self.lattice_threshold(sign)
            amplitude = sign * self.maps.amplitude[tuple(peaks[seen].T)].astype(np.float64)
            self._textured[sign] = scores.copy()
            self._textured[sign][seen] = score_above_texture(peaks[seen].astype(np.float64), amplitude, scores[seen])
        return self._textured[sign]

    def lattice_threshold(self, sign: int) -> float:
        """Least score of a column of a lattice."""
        if sign not in self._thresholds:
            self._thresholds[sign] = lattice_threshold(self.candidates(sign)[1])
        return self._thresholds[sign]

    def shape(self, sign: int) -> Array:
        """How elongated the candidates are (N, 2), see `elongation`."""
        if sign not in self._shapes:
            self._shapes[sign] = elongation(sign * self.maps.amplitude, self.candidates(sign)[0])
        return self._shapes[sign]


def on_ridge(shape: Array) -> npt.NDArray[np.bool_]:
    """Which of the maxima lie on a ridge or a step, where the image falls off to two sides only."""
    return np.asarray(np.hypot(*shape.T) > FIXED.filter_ridge)
