"""Width, polarity and kind of threshold as hypotheses, and the evidence for each in a part of an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .binning import Binning
from .blurs import blur
from .candidates import Filtered, on_ridge
from .constants import FIXED
from .damage import Mended
from .evidence import Spectrum
from .recipe import SIGNS, Options
from .spots import sub_pixel
from .subpixel import blank_table, place_atoms
from .texture import share_ordered
from .threshold import isolated_threshold

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Hypothesis:
    """Width of the columns, `sign` of their contrast, and whether the threshold is that of a lattice.

    Widths are numbers of a geometric series; those that are tried are whole.
    """

    step: float
    sign: int
    periodic: bool

    @property
    def sigma(self) -> float:
        """Width in pixels."""
        return float(FIXED.hypothesis_narrowest * FIXED.hypothesis_step**self.step)

    def of_width(self, sigma: float) -> Hypothesis:
        """The same for columns of another width."""
        return replace(self, step=float(np.log(sigma / FIXED.hypothesis_narrowest) / np.log(FIXED.hypothesis_step)))

    @property
    def beside(self) -> list[Hypothesis]:
        """The next wider and narrower ones, with either threshold."""
        steps = (self.step - 1, self.step + 1)
        return [Hypothesis(step, self.sign, kind) for step in steps if step > -1 for kind in (True, False)]


def hypotheses(smaller: int, asked: Options) -> list[Hypothesis]:
    """Everything that is tried in parts of so many pixels, as far as the user left it open."""
    signs = [SIGNS[asked.polarity]] if asked.polarity in SIGNS else [1, -1]
    every = [Hypothesis(float(step), sign, kind) for step in range(20) for sign in signs for kind in (True, False)]
    found = [one for one in every if one.step == 0 or one.sigma <= smaller / FIXED.hypothesis_widest]
    if asked.spacing is None:
        return found
    low, high = FIXED.scale_narrowest / FIXED.hypothesis_step, FIXED.scale_widest * FIXED.hypothesis_step
    fits = [one for one in found if low <= one.sigma / asked.spacing <= high]  # its width is fitted in the end
    return fits or [one.of_width(asked.spacing / FIXED.scale_isolated) for one in every if one.step == 0]


class Spots:
    """Some of the maxima in a part of an image.

    `place` (N, 2) is in pixels, `height` (N,) in units of the image; `shape` (M, 2) says how elongated they are, and
    those that lie on ridges and are left out; `kept` are the numbers of all of them among the maxima.
    """

    def __init__(self, filtered: Filtered, binning: Binning, one: Hypothesis, kept: npt.NDArray[np.int64]) -> None:
        self.kept, self.shape = kept, filtered.shape(one.sign)[kept]
        amplitude = one.sign * filtered.maps.amplitude
        at = filtered.candidates(one.sign)[0][kept[~on_ridge(self.shape)]]
        self.place = binning.pixels(sub_pixel(amplitude, at))
        self.height = one.sign * filtered.unit * amplitude[tuple(at.T)].astype(np.float64)
        self._lone = FIXED.scale_isolated * one.sigma
        self._shared: dict[Spots, int] = {}

    def __len__(self) -> int:
        return len(self.place)

    @cached_property
    def _tree(self) -> Any:
        from scipy.spatial import cKDTree

        return cKDTree(self.place)

    @cached_property
    def spacing(self) -> float:
        """Median distance of nearest neighbours in pixels; of fewer than three spots, where two just stand apart."""
        return float(np.median(self._tree.query(self.place, 2)[0][:, 1])) if len(self) > 2 else self._lone

    @cached_property
    def order(self) -> float:
        """Share of the spots whose neighbours stand where those of others do."""
        return share_ordered(self.place)

    def shared(self, other: Spots) -> int:
        """How many spots both have."""
        if not len(self) or not len(other):
            return 0
        if other not in self._shared:
            reach = FIXED.hypothesis_same * min(self.spacing, self._lone)
            pairs = ((self, other), (other, self))
            self._shared[other] = int(min((b._tree.query(a.place)[0] <= reach).sum() for a, b in pairs))
        return self._shared[other]


def same(pairs: Sequence[tuple[Spots, Spots]], least: float = 0.0) -> float:
    """Share of the spots that both of each pair have (F1); or `least` where it cannot be more."""
    number = max(1, sum(len(one) + len(other) for one, other in pairs))
    if 2 * sum(min(len(one), len(other)) for one, other in pairs) <= least * number:
        return least
    return max(least, 2 * sum(one.shared(other) for one, other in pairs) / number)


def unlike(sets: Sequence[Spots]) -> float:
    """How much spots differ in shape: the typical distance from the usual one, which is no line."""
    shape = np.concatenate([spots.shape for spots in sets])
    if not len(shape):
        return 1.0
    common = np.median(shape, axis=0)
    common *= min(1.0, FIXED.hypothesis_oval / max(float(np.hypot(*common)), 1e-12))
    return float(np.median(np.hypot(*(shape - common).T)))


class Part:
    """A part of a frame, and noise like it, seen through filters of all widths; each look is taken once.

    The evidence is looked for in its fine contrast, with that of strong places brought down to the usual, so that a
    particle, a step or the end of an island outweighs no lattice.
    """

    def __init__(self, mended: Mended, pool: Callable[[Hypothesis], float]) -> None:
        unit = float(mended.frame.std()) or 1.0
        self._mended, self.shape = mended, mended.frame.shape
        fine = (mended.frame / unit).astype(np.float32)
        fine -= blur(fine, FIXED.hypothesis_fine)
        contrast = np.sqrt(np.maximum(blur(fine * fine, FIXED.hypothesis_fine, slopes=False), 0))
        self._even = 1 / np.maximum(contrast / max(float(np.median(contrast)), 1e-12), 1)
        self._spectrum = Spectrum(fine * self._even)
        self._seen: dict[tuple[float, bool], tuple[Filtered, Binning]] = {}
        self._spots: dict[Hypothesis, Spots] = {}
        self._gains: dict[Spots, float] = {}
        self._decoys: dict[tuple[float, int], Spots] = {}
        self._pool = pool

    @cached_property
    def _noise(self) -> Spectrum:
        return Spectrum(self._spectrum.surrogate())

    def scores(self, one: Hypothesis) -> tuple[Array, Array]:
        """Scores of single atoms and of their decoys, the spots of the opposite sign."""
        filtered = self._filtered(one.sigma)[0]
        return filtered.isolated_scores(one.sign), filtered.isolated_scores(-one.sign)

    def spots(self, one: Hypothesis) -> Spots:
        """The atoms by a hypothesis."""
        if one not in self._spots:
            filtered, binning = self._filtered(one.sigma)
            scores = filtered.lattice_scores(one.sign) if one.periodic else filtered.isolated_scores(one.sign)
            kept = np.flatnonzero(scores >= self.threshold(one))
            other = self._spots.get(replace(one, periodic=not one.periodic))  # either threshold often finds the same
            if other is None or not np.array_equal(other.kept, kept):
                other = Spots(filtered, binning, one, kept)
            self._spots[one] = other
        return self._spots[one]

    def threshold(self, one: Hypothesis) -> float:
        """Least score of an atom."""
        return self._filtered(one.sigma)[0].lattice_threshold(one.sign) if one.periodic else self._pool(one)

    def decoys(self, one: Hypothesis, number: int) -> Spots:
        """So many maxima of the noise, the highest; its minima are like them."""
        if (one.sigma, number) not in self._decoys:
            bright = replace(one, sign=1)
            filtered, binning = self._filtered(one.sigma, noise=True)
            highest = np.argsort(-filtered.candidates(1)[1])[:number]
            self._decoys[one.sigma, number] = Spots(filtered, binning, bright, highest)
        return self._decoys[one.sigma, number]

    def gain(self, one: Hypothesis) -> float:
        """Nats that the atoms explain."""
        spots = self.spots(one)
        if spots not in self._gains:
            at = np.rint(spots.place).astype(np.int64).clip(0, np.array(self._even.shape) - 1)
            self._gains[spots] = self._spectrum.gain(spots.place, spots.height * self._even[tuple(at.T)])
        return self._gains[spots]

    def excess(self, one: Hypothesis) -> float:
        """Nats that the atoms explain beyond what as many decoys explain of noise."""
        decoys = self.decoys(one, len(self.spots(one)))
        return self.gain(one) - self._noise.gain(decoys.place, decoys.height)

    def width(self, one: Hypothesis, spacing: float) -> float:
        """Median width of the columns in pixels, after a fit; NaN where none can be fitted."""
        spots = self.spots(one)
        if not len(spots):
            return np.nan
        middle = np.argsort(np.hypot(*(spots.place - np.median(spots.place, axis=0)).T))[: FIXED.hypothesis_fitted]
        table = blank_table(len(middle), 0, "gaussian")
        table[["y", "x"]], table["amplitude"] = spots.place[middle], spots.height[middle]
        at = np.rint(spots.place[middle]).astype(np.int64).clip(0, np.array(self.shape) - 1)
        table["background"] = self._mended.frame[tuple(at.T)] - spots.height[middle]
        place_atoms(self._mended, table, one.sigma, spacing, one.sign, "gaussian")
        return float(np.nanmedian(table["sigma"])) if table["fitted"].any() else np.nan

    def _filtered(self, sigma: float, noise: bool = False) -> tuple[Filtered, Binning]:
        if (sigma, noise) not in self._seen:
            binning = Binning(self._mended.frame.shape, sigma, FIXED.hypothesis_pixels)
            frame = self._noise.image if noise else self._mended.frame
            lost = np.zeros_like(self._mended.lost) if noise else self._mended.lost
            small = Mended(binning.image(frame), binning.image(lost) > FIXED.fit_most_lost)
            self._seen[sigma, noise] = Filtered(small, binning.width(sigma)), binning
        return self._seen[sigma, noise]


class Evidence:
    """What speaks for hypotheses in all parts.

    A lattice speaks for itself in every part that has one; of single atoms there are too few in any.
    """

    def __init__(self, parts: Sequence[Mended]) -> None:
        self.parts = [Part(part, self._threshold) for part in parts]
        self._thresholds: dict[Hypothesis, float] = {}

    def bound(self, one: Hypothesis) -> float:
        """The most that the evidence can be."""
        shares = [(group, _beyond(_again(group, one), FIXED.hypothesis_chance)) for group in self._groups(one)]
        found = [(part, share) for group, share in shares if share > 0 for part in group]
        return sum(share * part.gain(one) * _weight(part.spots(one)) for part, share in found)

    def of(self, one: Hypothesis) -> list[float]:
        """Nats that the atoms of each part explain beyond decoys, as far as they are found again, and alike."""
        return [nats for group in self._groups(one) for nats in _evidence(group, one)]

    def lone(self, one: Hypothesis) -> float:
        """Nats that single atoms explain beyond decoys, the more the more alike they are."""
        return sum(part.excess(one) for part in self.parts) * (FIXED.hypothesis_unlike + self.alike(one))

    def alike(self, one: Hypothesis) -> float:
        """How much less the atoms differ in shape than maxima of noise do."""
        return _alike(self.parts, one)

    def spacing(self, one: Hypothesis) -> float:
        """Typical distance of nearest neighbours where atoms are dense or ordered; else where two just stand apart."""
        most = max((part.spots(one) for part in self.parts), key=len)
        return most.spacing if one.periodic or self.ordered(one) else FIXED.scale_isolated * one.sigma

    def ordered(self, one: Hypothesis) -> bool:
        """Whether the neighbours of atoms stand where those of others do."""
        return max((part.spots(one) for part in self.parts), key=len).order >= FIXED.texture_columns

    def fits(self, one: Hypothesis, spacing: float) -> bool:
        """Whether its atoms are about as far apart as the user says."""
        return bool(abs(np.log(self.spacing(one) / spacing)) < np.log(FIXED.hypothesis_step))

    def threshold(self, one: Hypothesis, weights: Sequence[float]) -> float:
        """Least score of an atom: the median over the parts, by what speaks for it there."""
        thresholds = np.array([part.threshold(one) for part in self.parts])
        order = np.argsort(thresholds)
        share = np.cumsum(np.maximum(weights, 0)[order])
        return float(thresholds[order][np.searchsorted(share, share[-1] / 2)])

    def same(self, one: Hypothesis, other: Hypothesis) -> float:
        """Share of the atoms that both find."""
        return same([(part.spots(one), part.spots(other)) for part in self.parts]) if one.sign == other.sign else 0.0

    def _groups(self, one: Hypothesis) -> list[list[Part]]:
        return [[part] for part in self.parts] if one.periodic else [self.parts]

    def _threshold(self, one: Hypothesis) -> float:
        """Least score of single atoms, from all parts: in each there are too few decoys."""
        if one not in self._thresholds:
            scores, decoys = zip(*(part.scores(one) for part in self.parts), strict=True)
            self._thresholds[one] = isolated_threshold(np.concatenate(scores), np.concatenate(decoys))
        return self._thresholds[one]


def _evidence(parts: Sequence[Part], one: Hypothesis) -> list[float]:
    again = _again(parts, one)
    if again <= FIXED.hypothesis_chance:
        return [0.0] * len(parts)
    chance = min(FIXED.hypothesis_most_chance, _again(parts, one, decoys=True))
    share = _beyond(again, chance) * _alike(parts, one)
    return [share * part.excess(one) * _weight(part.spots(one)) for part in parts]


def _again(parts: Sequence[Part], one: Hypothesis, decoys: bool = False) -> float:
    """Share of the atoms, or of the decoys, that a wider or narrower filter finds too; that of chance if not more."""
    if sum(len(part.spots(one)) for part in parts) < FIXED.hypothesis_fewest:
        return 0.0

    def spots(part: Part, of: Hypothesis) -> Spots:
        return part.decoys(of, len(part.spots(of))) if decoys else part.spots(of)

    share = FIXED.hypothesis_chance
    for other in one.beside:
        share = same([(spots(part, one), spots(part, other)) for part in parts], least=share)
    return share


def _beyond(share: float, chance: float) -> float:
    return max(0.0, (share - chance) / (1 - chance))


def _alike(parts: Sequence[Part], one: Hypothesis) -> float:
    """How much less the atoms differ in shape than the highest maxima of noise do."""
    several = FIXED.hypothesis_typical
    usual = unlike([part.decoys(one, max(len(part.spots(one)), several)) for part in parts])
    return max(0.0, 1 - (unlike([part.spots(one) for part in parts]) / usual) ** 2)


def _weight(spots: Spots) -> float:
    return 1 + FIXED.hypothesis_order * spots.order
