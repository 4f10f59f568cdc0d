"""The choice among hypotheses, how sure it is, and the sentence that says so where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .blurs import blur
from .constants import FIXED
from .damage import Mended
from .hypotheses import Evidence, Hypothesis, hypotheses
from .recipe import Options


@dataclass(frozen=True)
class Rival:
    """The best hypothesis of those that find other atoms: their `spacing` in pixels.

    How far they are `apart`, and their `number`, are ratios to those of the chosen one.
    """

    hypothesis: Hypothesis
    spacing: float
    apart: float
    number: float


@dataclass(frozen=True)
class Choice:
    """A hypothesis, the number of the `frame` that shows it best, and how sure it is.

    The `width` of the columns is fitted, and need not be that of the best filter, in whose scores the `threshold` is.
    The `evidence` is in nats; `sure` is 0 where there is none, and 1 where no rival has any, of which the best comes
    first. Where nothing speaks for a lattice and hardly anything for single atoms that are more alike than maxima of
    noise, there are not `any_atoms`.
    """

    hypothesis: Hypothesis
    width: float
    threshold: float
    frame: int
    evidence: float
    sure: float
    any_atoms: bool
    rivals: tuple[Rival, ...]

    @property
    def alternatives(self) -> tuple[str, ...]:
        """The rivals in words, each once."""
        words = (f"{_CONTRAST[one.hypothesis.sign]} columns, {one.spacing:.3g} px apart" for one in self.rivals)
        return tuple(dict.fromkeys(words))

    def doubt(self, asked: Options, side: float | None, unit: str) -> str:
        """One sentence that names the control to try, of those not yet set; empty where the choice is sure.

        A spacing is given in pixels, and in their unit too where it is known how long their shorter side is.
        """
        if self.evidence < FIXED.hypothesis_least:
            control = "lower the Threshold" if asked.spacing else "set Spacing to their distance"
            return f"{_NOTHING}: if a part does, look for them in it alone; if all of it does, {control}."
        if not self.rivals or self.sure >= FIXED.hypothesis_sure:
            return ""
        rival = self.rivals[0]
        if rival.hypothesis.sign != self.hypothesis.sign:
            other = _CONTRAST[rival.hypothesis.sign]
            return (
                f"Atoms may be {other} here: if the marks sit between the atoms, choose the other Contrast (polarity)."
            )
        more = rival.number > 1
        control = "lower the Threshold" if more else "raise the Threshold"
        if not asked.spacing and abs(np.log(rival.apart)) > np.log(FIXED.hypothesis_apart):
            length = "" if side is None else f" ({rival.spacing * side:.3g} {unit})"
            control = f"set Spacing to {rival.spacing:.3g} px{length}"
        if more:
            return f"There may be more atoms: if some are missed, {control}."
        return f"There may be fewer atoms: if some marks are none, {control}."


_CONTRAST = {1: "bright", -1: "dark"}
_NOTHING = "Nothing here looks clearly like atoms"


def choose(frames: Sequence[Mended], asked: Options) -> Choice:
    """The hypothesis for which most speaks in parts of the frames."""
    parts: list[Mended] = []
    of: list[int] = []
    for number, frame in enumerate(frames):
        found = parts_of(frame, max(1, FIXED.hypothesis_parts // len(frames)))
        parts += found
        of += [number] * len(found)
    evidence = Evidence(parts)
    smallest = min(min(part.frame.shape) for part in parts)
    weighed = _weigh(evidence, hypotheses(smallest, asked))
    if asked.spacing is not None:
        weighed = {one: n for one, n in weighed.items() if evidence.fits(one, asked.spacing)} or weighed
    total = {one: sum(nats) for one, nats in weighed.items()}
    ranked = sorted(total, key=lambda one: -total[one])
    best, most = ranked[0], total[ranked[0]]
    if most < FIXED.hypothesis_least:  # single atoms pass a test against decoys of their own
        lone = [one for one in ranked if not one.periodic] or ranked
        best = max(lone, key=lambda one: (total[one] >= FIXED.hypothesis_hint) * total[one] + 1e-3 * evidence.lone(one))
    by_order = replace(best, periodic=evidence.ordered(best))
    if evidence.same(by_order, best) >= FIXED.hypothesis_alike:
        best = by_order
    where = int(np.argmax(weighed[best]))
    fitted = evidence.parts[where].width(best, max(evidence.spacing(best), best.sigma / FIXED.scale_widest))
    chosen = _with_width(evidence, best, total, asked, fitted)
    lone_ones = evidence.alike(chosen) * evidence.lone(chosen)  # a few maxima that are alike by chance are worth 3 nats
    any_atoms = most >= FIXED.hypothesis_least or lone_ones >= FIXED.hypothesis_hint
    others = [one for one in ranked if total[one] > 0 and evidence.same(one, best) < FIXED.hypothesis_alike]
    beaten = 1 - total[others[0]] / most if others else 1.0
    sure = max(0.0, beaten) * most / (most + FIXED.hypothesis_least)
    width = float(np.sqrt(min(fitted, chosen.sigma) * fitted)) if np.isfinite(fitted) else chosen.sigma
    threshold = evidence.threshold(chosen, weighed.get(chosen, weighed[best]))
    rivals = tuple(_rival(evidence, one, best) for one in _apart(evidence, others))
    return Choice(chosen, width, threshold, of[where], most, sure, any_atoms, rivals)


def _with_width(
    evidence: Evidence, best: Hypothesis, total: dict[Hypothesis, float], asked: Options, fitted: float
) -> Hypothesis:
    """The hypothesis with the width to take: of equal ones the widest, but not wider than columns are by a fit.

    A wider filter makes columns alike, but passes over weak ones beside strong ones. Of single atoms the mean.
    """
    alike = [one for one in total if (one.sign, one.periodic) == (best.sign, best.periodic)]
    if best.periodic:
        equal = [one for one in alike if total[one] >= total[best] - FIXED.hypothesis_hint]
        equal = [one for one in equal if evidence.same(one, best) >= FIXED.hypothesis_alike]
        return best.of_width(float(np.fmin(max(one.sigma for one in [best, *equal]), fitted)))
    if asked.spacing is not None and not evidence.ordered(best):
        return best.of_width(asked.spacing / FIXED.scale_isolated)
    nats = np.array([evidence.lone(one) for one in alike]).clip(0) ** 2 + 1e-12  # a sharp choice would be luck
    return best.of_width(float(np.exp(np.average(np.log([one.sigma for one in alike]), weights=nats))))


def _weigh(evidence: Evidence, tried: Sequence[Hypothesis]) -> dict[Hypothesis, list[float]]:
    """The evidence for every hypothesis in every part; 0 where it cannot come near that of the best."""
    bound = {one: evidence.bound(one) for one in tried}
    weighed: dict[Hypothesis, list[float]] = {}
    best = 0.0
    for one in sorted(tried, key=lambda one: -bound[one]):
        near = bound[one] > FIXED.hypothesis_rival * best
        weighed[one] = evidence.of(one) if near else [0.0] * len(evidence.parts)
        best = max(best, sum(weighed[one]))
    return weighed


def _apart(evidence: Evidence, ranked: Sequence[Hypothesis]) -> list[Hypothesis]:
    """The best of every group of hypotheses that find the same atoms."""
    kept: list[Hypothesis] = []
    for one in ranked:
        if all(evidence.same(one, other) < FIXED.hypothesis_alike for other in kept):
            kept.append(one)
    return kept[: FIXED.hypothesis_rivals]


def _rival(evidence: Evidence, one: Hypothesis, chosen: Hypothesis) -> Rival:
    here, there = ([part.spots(h) for part in evidence.parts] for h in (one, chosen))
    number = sum(map(len, here)) / max(1, sum(map(len, there)))
    spacing = evidence.spacing(one)
    return Rival(one, spacing, spacing / evidence.spacing(chosen), number)


def parts_of(mended: Mended, most: int) -> list[Mended]:
    """Parts of a frame: the one with the most fine contrast, and others from the next best to the poorest."""
    side = FIXED.hypothesis_side
    if max(mended.frame.shape) <= FIXED.hypothesis_whole * side:
        return [mended]
    scaled = (mended.frame / mended.frame.std()).astype(np.float32)
    fine = np.abs(blur(scaled, 1.5) - blur(scaled, 6.0)) * ~mended.lost

    def grid(step: int) -> list[tuple[slice, slice]]:
        low = [np.linspace(0, max(0, n - side), -(-n // step)).astype(int).tolist() for n in mended.frame.shape]
        windows = [(slice(y, y + side), slice(x, x + side)) for y in low[0] for x in low[1]]
        return sorted(windows, key=lambda window: -float(np.median(fine[window])))

    best = grid(side // 2)[0]
    apart = [w for w in grid(side) if max(abs(a.start - b.start) for a, b in zip(w, best, strict=True)) > side // 2]
    chosen = {int(n) for n in np.linspace(0, len(apart) - 1, min(most - 1, len(apart)))}
    return [Mended(mended.frame[w], mended.lost[w]) for w in (best, *(apart[n] for n in sorted(chosen)))]
