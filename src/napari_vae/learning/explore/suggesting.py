"""What to measure next, as a function of the settings and of what was measured so far."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .batches import Rule, choose
from .goals import ACQUISITIONS
from .record import ExplorationRecord
from .refitting import FEWEST, Refits, learnable
from .seeding import farthest
from .steps import Step

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Suggestion:
    """What to measure next, and why.

    Attributes
    ----------
    indices : array (B,) of int
        Candidates to measure, the most promising first; empty when none is left.
    phase : str
        ``"seeds"``: first measurements, no model yet; ``"even"``: all values so far are equal, so what is farthest from
        those measured; ``"model"``: chosen by the acquisition; ``"end"``: no candidate is left.
    message : str
        The same in a sentence.
    score : array (N,) or None
        The acquisition of every candidate, NaN where it was measured or failed; ``None`` without a model.
    mean, sd : array (N,), (N, T), or (N, K) of classes, or None
        Prediction of every candidate and its standard deviation, in units of the target; ``None`` without a model.
    seconds : float
        Time it took, refit included.
    """

    indices: Rows
    phase: str
    message: str
    score: Floats | None = None
    mean: Floats | None = None
    sd: Floats | None = None
    seconds: float = 0.0


def after(step: Step, asked: Suggestion) -> Step:
    """A step with what had been suggested, and what was known of its candidates before."""
    rows = list(step.indices)
    score = None if asked.score is None else asked.score[rows].tolist()
    return replace(
        step,
        suggested=tuple(asked.indices.tolist()),
        phase=asked.phase,
        score=None if score is None else tuple(value if np.isfinite(value) else None for value in score),
        mean=_rows(asked.mean, rows),
        sd=_rows(asked.sd, rows),
    )


class Suggesting:
    """Says what to measure after any record of the same settings.

    Parameters
    ----------
    refits : Refits
        The model, with all candidates.
    order : array (N,) of int
        All candidates, in the order in which they are measured while there is no model.
    n_seeds : int
        How many of them to begin with.
    """

    def __init__(self, refits: Refits, order: Rows, n_seeds: int) -> None:
        self.refits, self.order, self.n_seeds = refits, order, n_seeds

    def after(self, record: ExplorationRecord) -> Suggestion:
        """The candidates to measure next.

        Raises
        ------
        TrainingError
            If the model cannot be fitted.
        """
        n = len(self.order)
        open_ = open_candidates(record, n)
        if not len(open_):
            failed = f", {len(record.failed)} of them without success" if record.failed else ""
            return Suggestion(open_, "end", f"All {n} candidates were measured{failed}.")
        if len(seeds := self._seeds(record, open_)):
            return Suggestion(seeds, "seeds", f"{candidates(len(seeds))} to begin with.")
        if not learnable(record.targets):
            batch, features = record.settings["batch"], self.refits.candidates
            chosen = farthest(features, record.measured, open_, batch, _seed(record))
            return Suggestion(chosen, "even", "All values so far are the same: far from those, something else may be.")
        return self._from_model(record, open_)

    def _seeds(self, record: ExplorationRecord, open_: Rows) -> Rows:
        """Those to measure before there is a model; more of them while too few were measured with success."""
        n, seeds = len(record.measured), self.order[: self.n_seeds]
        seeds = seeds[np.isin(seeds, open_)][: max(0, self.n_seeds - n)]
        if not len(seeds) and n < FEWEST:
            seeds = self.order[np.isin(self.order, open_)][: FEWEST - n]
        return seeds

    def _from_model(self, record: ExplorationRecord, open_: Rows) -> Suggestion:
        measured, targets, settings = record.measured, record.targets, record.settings
        mean, sd = self.refits.predict(measured, targets)
        best = float(record.goal.merit(targets).max())
        rule = Rule(settings["acquisition"], record.goal, settings["kappa"], best)
        chosen, of_open = choose(
            self.refits.model(measured, targets),
            self.refits.candidates,
            open_,
            (mean[open_], sd[open_]),
            rule,
            batch=settings["batch"],
            seed=_seed(record),
        )
        score = np.full(len(mean), np.nan)
        score[open_] = of_open
        message = f"{candidates(len(chosen))}: {ACQUISITIONS[rule.name]}."
        return Suggestion(chosen, "model", message, score, mean, sd)


def open_candidates(record: ExplorationRecord, n: int) -> Rows:
    """Those of n candidates that were not tried yet, by number."""
    closed = np.zeros(n, bool)
    closed[[*record.measured.tolist(), *record.failed]] = True
    return np.flatnonzero(~closed)


def candidates(n: int) -> str:
    """So many candidates, in words."""
    return f"{n} candidates" if n > 1 else "1 candidate"


def _rows(predicted: Floats | None, rows: list[int]) -> tuple[tuple[float, ...], ...] | None:
    if predicted is None:
        return None
    return tuple(tuple(row) for row in predicted[rows].reshape(len(rows), -1).tolist())


def _seed(record: ExplorationRecord) -> int:
    """A seed for what is drawn now, the same whichever way this state was reached."""
    return int(np.random.SeedSequence([record.settings["seed"], record.tried]).generate_state(1)[0])
