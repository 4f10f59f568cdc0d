"""Several candidates at a time, none of them twice: what remains uncertain once the others are measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..config import JOINT
from .acquisition import SEEKING, Goal, acquire, acquire_aim

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

DRAWS = 256  # joint draws, for what candidates have in common
NEW = 0.25  # of its sd must remain to a candidate once the others of its batch are measured
NOISE = 0.01  # of the mean variance: noise of a measurement, so that one beside another adds nothing


@dataclass(frozen=True)
class Rule:
    """How candidates are chosen.

    Parameters
    ----------
    name : str
        The acquisition.
    goal : Goal
    kappa : float
    best : float
        The best merit so far.
    """

    name: str
    goal: Goal
    kappa: float
    best: float

    def score(self, mean: Floats, sd: Floats) -> Floats:
        """Score (N,) of each candidate on its own; ``"thompson"`` as if for ``"ucb"``, ``"information"`` by the sd."""
        alone = {"thompson": "ucb", "information": "variance"}.get(self.name, self.name)
        return acquire(alone, mean, sd, self.goal, best=self.best, kappa=self.kappa)

    @property
    def collects(self) -> bool:
        """Whether each one more counts, as of a wanted class that was met; of numbers only better ones do."""
        return self.goal.kind == "class" and self.name in SEEKING and self.best > 0


def choose(
    model: Any,
    candidates: Any,
    open_: Rows,
    predicted: tuple[Floats, Floats],
    rule: Rule,
    *,
    batch: int = 1,
    seed: int = 0,
) -> tuple[Rows, Floats]:
    """The candidates to measure next.

    They are chosen one after the other. After each, the uncertainty of all others is what would remain if it were
    measured and came out as predicted (kriging believer; for ``"ucb"`` this is GP-BUCB, for ``"variance"`` the greedy
    design of most entropy). How much remains is read from joint draws of the model, so that any model will do. With
    ``"thompson"`` each candidate is the best of a draw of its own.

    ``"information"`` is the variance that a measurement removes from all candidates, on average: the criterion of Cohn,
    for Gaussian processes of Seo et al. The information on the function as a whole is largest where the model is least
    sure (MacKay), which is ``"variance"`` and prefers outliers; this one looks for what is of use to the others.

    Parameters
    ----------
    model : DeepKernelGP
        Fitted.
    candidates : Prepared
        All of them.
    open_ : array (N,) of int
        Those that may be chosen.
    predicted : (array (N, …), array (N, …))
        Their mean and sd.
    rule : Rule
    batch : int
    seed : int

    Returns
    -------
    chosen : array (batch,) of int
        Fewer if fewer are open.
    score : array (N,)
        Of the open candidates at the first choice. No more than 2000 are drawn together: the 1000 that are best alone
        and 1000 at random; NaN for ``"thompson"`` and ``"information"`` of those that were not among them.

    References
    ----------
    D. Ginsbourger, R. Le Riche, L. Carraro, in "Computational Intelligence in Expensive Optimization Problems" (2010);
    T. Desautels, A. Krause, J. W. Burdick, JMLR 15, 4053 (2014); K. Kandasamy et al., AISTATS (2018);
    D. J. C. MacKay, Neural Comput. 4, 590 (1992); D. A. Cohn, Neural Netw. 9, 1071 (1996); S. Seo et al., IJCNN (2000).
    """
    mean, sd = predicted
    alone = rule.score(mean, sd)
    batch = min(batch, len(open_))
    single = batch == 1 and rule.name != "information"
    if single and rule.name != "thompson":
        return open_[[np.argmax(alone)]], alone
    if rule.collects and rule.name == "pi":  # whatever comes of the others, these are the likeliest
        return open_[np.argsort(-alone, kind="stable")[:batch]], alone
    drawn = _shortlist(alone, np.random.default_rng([seed, 1]))
    joint = Joint(model.sample(candidates[open_[drawn]], 1 if single else max(DRAWS, batch), seed=seed), rule)
    chosen: list[int] = []
    first = alone
    for number in range(batch):
        score = joint.score(number, mean[drawn], sd[drawn])
        if not number and rule.name in ("thompson", "information"):
            first = np.full(len(open_), np.nan)
            first[drawn] = score
        chosen.append(joint.best_new(score, chosen))
        joint.believe(mean[drawn][chosen[-1]])
        joint.measure(chosen[-1])
    return open_[drawn[chosen]], first


class Joint:
    """Candidates drawn together, and what remains uncertain of each while others are measured."""

    def __init__(self, draws: Floats, rule: Rule) -> None:
        self.rule, self._best = rule, rule.best
        self._merits = rule.goal.drawn(draws) if rule.name == "thompson" else np.zeros((0, 0))
        deviations = rule.goal.deviations(draws)
        self._deviations = deviations / np.sqrt(len(deviations))
        self._before = np.maximum((self._deviations**2).sum(axis=0), np.finfo(float).tiny)
        self._noise = NOISE * float(self._before.mean())

    @property
    def remaining(self) -> Floats:
        """Share of the sd (N,) that remains."""
        return np.sqrt((self._deviations**2).sum(axis=0) / self._before)

    def measure(self, candidate: int) -> None:
        """Take away the uncertainty of all that a measurement of this candidate removes."""
        one = self._deviations[:, candidate]
        slope = (one @ self._deviations) / max(float(one @ one), np.finfo(float).tiny)
        self._deviations = self._deviations - np.outer(one, slope)

    def believe(self, mean: Floats) -> None:
        """Take the best so far as it would be if a candidate came out as predicted."""
        if self.rule.goal.kind != "class":
            self._best = max(self._best, float(self.rule.goal.merit(np.atleast_1d(mean)[None])[0]))

    def score(self, number: int, mean: Floats, sd: Floats) -> Floats:
        """Score (n,) of the candidates, for the choice of this number in the batch."""
        rule, goal = self.rule, self.rule.goal
        if rule.name == "thompson":
            return self._merits[number]
        if rule.name == "information":
            return self._removed()
        remaining = self.remaining
        if goal.kind == "class" and rule.name == "pi" and goal.seen(mean):
            return rule.score(mean, sd)
        if goal.kind == "class" and rule.name != "ucb":
            return rule.score(mean, sd) * remaining**2
        if rule.name == "variance":
            return rule.score(mean, sd) * remaining
        aim, spread = goal.expected(mean, sd)
        return acquire_aim(rule.name, aim, spread * remaining, near=goal.near, best=self._best, kappa=rule.kappa)

    def best_new(self, score: Floats, chosen: list[int]) -> int:
        """The best candidate that those chosen leave uncertain; the best of all where there is none, or each counts."""
        allowed = np.ones(len(score), bool)
        allowed[chosen] = False
        new = allowed & (self.remaining >= NEW)
        where = new if new.any() and not self.rule.collects else allowed
        return int(np.flatnonzero(where)[np.argmax(score[where])])

    def _removed(self) -> Floats:
        """Variance that measuring each candidate removes from the others, on average (N,)."""
        common = self._deviations.T @ self._deviations
        return (common**2).mean(axis=1) / (common.diagonal() + self._noise)


def _shortlist(score: Floats, random: np.random.Generator) -> Rows:
    """Numbers of the candidates that are drawn together, in order: all, or the best and some at random."""
    if len(score) <= JOINT:
        return np.arange(len(score))
    best = np.argpartition(-score, JOINT // 2)[: JOINT // 2]
    others = np.setdiff1d(np.arange(len(score)), best, assume_unique=True)
    return np.sort(np.concatenate([best, random.choice(others, JOINT - len(best), replace=False)]))
