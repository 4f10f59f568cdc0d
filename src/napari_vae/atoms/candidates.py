"""A frame, what the matched filter makes of it, and the candidates of either method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .clutter import score_above_clutter
from .constants import FIXED
from .damage import Mended
from .learned import learned_candidates
from .spots import flatten, local_maxima, spot_maps, sub_pixel
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
        self._learned: dict[int, Candidates] = {}

    def candidates(self, sign: int) -> tuple[npt.NDArray[np.int64], Array]:
        """Maxima (N, 2) of the fitted amplitude of this sign and their scores."""
        if sign not in self._found:
            peaks = local_maxima(sign * self.maps.amplitude, self.sigma)
            peaks = peaks[~self.mended.in_gap(peaks, 2 * self.sigma, deep=True)]
            self._found[sign] = peaks, sign * self.maps.score[tuple(peaks.T)].astype(np.float64)
        return self._found[sign]

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
        return Candidates(at, place, self.lattice_scores(sign) if periodic else self.isolated_scores(sign))

    def isolated_scores(self, sign: int) -> Array:
        """Scores of the candidates as single atoms on a support."""
        if self._clear is None:
            self._clear = score_above_clutter(self.maps, self.sigma)
        return sign * self._clear[tuple(self.candidates(sign)[0].T)].astype(np.float64)

    def lattice_scores(self, sign: int) -> Array:
        """Scores of the candidates with those of an uneven support distinguished from the columns of the lattice."""
        if sign not in self._textured:
            peaks, scores = self.candidates(sign)
            seen = scores >= lattice_threshold(scores)
            amplitude = sign * self.maps.amplitude[tuple(peaks[seen].T)].astype(np.float64)
            self._textured[sign] = scores.copy()
            self._textured[sign][seen] = score_above_texture(peaks[seen].astype(np.float64), amplitude, scores[seen])
        return self._textured[sign]

    def prominence(self, sign: int) -> float:
        """Median and upper quartile of score and amplitude of the candidates above the noise, all multiplied."""
        peaks, scores = self.candidates(sign)
        seen = scores >= FIXED.noise_floor
        if not seen.any():
            return 0.0
        amplitudes = np.abs(self.maps.amplitude[tuple(peaks[seen].T)])
        return float(np.prod([np.quantile(v, q) for v in (scores[seen], amplitudes) for q in (0.5, 0.75)]))
