"""Weaker or narrower spots in a crowd of atoms: where there is room for one more, and most of the room is taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .candidates import Candidates, Filtered, on_ridge
from .constants import FIXED
from .recipe import Crowd
from .spots import standing, sub_pixel
from .threshold import first_score

Array = npt.NDArray[np.float64]


class _Room:
    """Where another atom has room in the midst of atoms (N, 2) that are typically so far apart."""

    def __init__(self, points: Array, distance: float) -> None:
        from scipy.spatial import Delaunay, cKDTree

        self._tree, self._apart, self.n_wide = cKDTree(points), FIXED.crowd_room * distance, 0
        self._triangles = None
        if len(points) > 3 and np.linalg.svd(points - points.mean(axis=0), compute_uv=False)[-1] > 1:
            self._triangles = Delaunay(points)
            first, second, third = points[self._triangles.simplices].transpose(1, 0, 2)
            sides = [np.hypot(*(a - b).T) for a, b in ((first, second), (second, third), (third, first))]
            (y1, x1), (y2, x2) = (second - first).T, (third - first).T
            radius = np.prod(sides, axis=0) / np.maximum(2 * np.abs(y1 * x2 - x1 * y2), 1e-12)
            self._within = radius < FIXED.crowd_gap * distance
            self.n_wide = int((self._within & (radius > self._apart)).sum())

    def candidates(self, narrow: Filtered, sign: int) -> Candidates:
        """Maxima where there is room, the highest of those that have it together."""
        at, score = narrow.candidates(sign)
        if self._triangles is None:
            return Candidates(at[:0], at[:0].astype(np.float64), score[:0])
        triangle = self._triangles.find_simplex(at.astype(np.float64))
        room = (self._tree.query(at)[0] >= self._apart) & (triangle >= 0) & self._within[triangle]
        room &= ~on_ridge(narrow.shape(sign))
        at, score = at[room], score[room]
        stand = standing(at, score, self._apart)
        at, score = at[stand], score[stand]
        return Candidates(at, sub_pixel(sign * narrow.maps.amplitude, at), score)


def find_crowd(filtered: Filtered, found: Candidates, threshold: float, sign: int) -> Crowd | None:
    """How to find the spots between atoms of at least this score, where such spots are a kind of their own.

    Among strong atoms a weak or narrow one is a maximum only for a narrower filter, and their contrast is no noise to
    it. So maxima of narrower filters are looked at where one more atom has room, and those of the opposite sign there,
    which are none, say from which score on hardly any is false. They are atoms where they take most of the room, and
    are not few: what leaves most of it empty is noise, or belongs to the cell of a crystal.
    """
    from scipy.spatial import cKDTree

    points = found.place[found.score >= threshold]
    most = max(FIXED.crowd_fewest, FIXED.weak_worth * len(points)) - 1
    if len(points) <= most:
        return None
    distance = float(np.median(cKDTree(points).query(points, 2)[0][:, 1]))
    room, best = _Room(points, distance), None
    if room.n_wide <= most:  # a missing atom leaves two triangles at least
        return None
    for step in range(1, FIXED.crowd_steps + 1):
        sigma = filtered.sigma / FIXED.hypothesis_step**step
        if sigma < 0.99 * FIXED.hypothesis_narrowest:
            break
        narrow = Filtered(filtered.mended, sigma)
        score, decoys = (room.candidates(narrow, one).score for one in (sign, -sign))
        clear = score[score >= FIXED.isolated_floor]
        least = first_score(clear, decoys, FIXED.crowd_false)
        number = int((clear >= least).sum())
        told = len(decoys) >= FIXED.crowd_false * number  # few grey levels leave no noise, and none to judge by
        if told and number > most and number >= FIXED.crowd_filled * len(score):
            best, most = Crowd(sigma, least, threshold, distance), number
    return best


def candidates_between(filtered: Filtered, found: Candidates, crowd: Crowd, sign: int) -> tuple[Filtered, Candidates]:
    """What may be atoms between those of a frame, in a filter of its own; scores count up to the threshold of these."""
    points = found.place[found.score >= crowd.threshold]
    narrow = Filtered(filtered.mended, crowd.sigma)
    spots = _Room(points, crowd.distance).candidates(narrow, sign)
    return narrow, replace(spots, score=spots.score * crowd.threshold / crowd.least)
