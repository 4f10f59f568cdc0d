"""What to measure next, as a function of the settings and of what was measured so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from ...core.errors import InputError
from ...core.settings import Whole, about, allowed
from ..config import FEWEST
from ..gp.candidates import limits
from .acquisition import ACQUISITIONS
from .batches import Rule, choose
from .record import Record, Step
from .surrogate import Surrogate, learnable

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Features = npt.NDArray[np.float32]

LOOKED_AT = 10_000  # candidates among which the farthest is sought
CHUNK = 4096


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

    def noted(self, step: Step) -> Step:
        """A step with what had been suggested, and what was known of its candidates before."""
        rows = list(step.indices)
        score = None if self.score is None else self.score[rows].tolist()
        return replace(
            step,
            suggested=tuple(self.indices.tolist()),
            phase=self.phase,
            score=None if score is None else tuple(value if np.isfinite(value) else None for value in score),
            mean=_rows(self.mean, rows),
            sd=_rows(self.sd, rows),
        )


class Suggester:
    """Says what to measure after any record of the same settings.

    Parameters
    ----------
    surrogate : Surrogate
        The model, with all candidates.
    order : array (N,) of int
        All candidates, in the order in which they are measured while there is no model.
    n_seeds : int
        How many of them to begin with.
    """

    def __init__(self, surrogate: Surrogate, order: Rows, n_seeds: int) -> None:
        self.surrogate, self.order, self.n_seeds = surrogate, order, n_seeds

    def after(self, record: Record) -> Suggestion:
        """The candidates to measure next.

        Raises
        ------
        TrainingError
            If the model cannot be fitted.
        """
        n = len(self.order)
        open_ = record.untried(n)
        if not len(open_):
            failed = f", {len(record.failed)} of them without success" if record.failed else ""
            return Suggestion(open_, "end", f"All {n} candidates were measured{failed}.")
        if len(seeds := self._seeds(record, open_)):
            return Suggestion(seeds, "seeds", f"{candidates(len(seeds))} to begin with.")
        if not learnable(record.targets):
            batch, features = record.settings["batch"], self.surrogate.candidates
            chosen = farthest(features, record.measured, open_, batch, _seed(record))
            return Suggestion(chosen, "even", "All values so far are the same: far from those, something else may be.")
        return self._from_model(record, open_)

    def _seeds(self, record: Record, open_: Rows) -> Rows:
        """Those to measure before there is a model; more of them while too few were measured with success."""
        n, seeds = len(record.measured), self.order[: self.n_seeds]
        seeds = seeds[np.isin(seeds, open_)][: max(0, self.n_seeds - n)]
        if not len(seeds) and n < FEWEST:
            seeds = self.order[np.isin(self.order, open_)][: FEWEST - n]
        return seeds

    def _from_model(self, record: Record, open_: Rows) -> Suggestion:
        measured, targets, settings = record.measured, record.targets, record.settings
        mean, sd = self.surrogate.predict(measured, targets)
        best = float(record.goal.merit(targets).max())
        rule = Rule(settings["acquisition"], record.goal, settings["kappa"], best)
        chosen, of_open = choose(
            self.surrogate.model(measured, targets),
            self.surrogate.candidates,
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


def candidates(n: int) -> str:
    """So many candidates, in words."""
    return f"{n} candidates" if n > 1 else "1 candidate"


def number_of(x: Any) -> int:
    """How many candidates there are.

    Raises
    ------
    InputError
        If they are no array with one row or image per candidate.
    """
    try:
        return len(x.atoms) if hasattr(x, "atoms") else len(x)
    except TypeError as error:
        raise InputError("The candidates are patches, images (N, H, W), or rows of numbers (N, F).") from error


def check_start(start: Any, n: int) -> int:
    """How many of n candidates are measured first.

    Raises
    ------
    InputError
        If the first are no candidates, or more than there are.
    """
    if isinstance(start, str) or not hasattr(start, "__iter__"):
        if not allowed(start, Annotated[Whole, about(ge=1, le=n)]):
            raise InputError(f"There are {n} candidates; start with 1 to {n} of them, not {start!r}.")
        return int(start)
    chosen = list(start)
    known = chosen and allowed(chosen, tuple[Annotated[Whole, about(ge=0, lt=n)], ...])
    if not known or len({*chosen}) < len(chosen):
        raise InputError(f"The first to measure are numbers of candidates, each once, from 0 to {n - 1}.")
    return len(chosen)


def seed_order(features: Any, start: int | Sequence[int], spread: bool, seed: int) -> Rows:
    """All candidates in the order in which they are measured before there is a model; those to start with first."""
    everyone = np.random.default_rng([seed, 0]).permutation(len(features))
    if not isinstance(start, int | np.integer):
        chosen = np.asarray(list(start), np.int64)
    else:
        chosen = spread_order(features, int(start), seed) if spread else everyone[:start]
    return np.concatenate([chosen, everyone[~np.isin(everyone, chosen)]])


def spread_order(features: Any, n: int, seed: int) -> Rows:
    """The first `n` of an order in which each is as far as can be from all before it, all columns counting alike.

    Of more than 10 000 candidates, among as many at random. The first is drawn at random.

    Parameters
    ----------
    features : Prepared, or array (N, …)
        Columns are taken in units of their standard deviation; images, and latents of a run, as they are.
    n : int
    seed : int

    References
    ----------
    T. F. Gonzalez, Theor. Comput. Sci. 38, 293 (1985).

    Examples
    --------
    >>> sorted(spread_order(np.array([[0.0], [0.1], [5.0], [9.0], [9.1]]), 3, seed=0).tolist())[1]
    2
    """
    random = np.random.default_rng([seed, 2])
    some = np.sort(random.choice(len(features), min(LOOKED_AT, len(features)), replace=False))
    rows, first = _as_rows(features, some, some), int(random.integers(len(some)))
    return some[_farthest_first(rows, np.full(len(some), np.inf), n, [first])]


def farthest(features: Any, measured: Rows, open_: Rows, n: int, seed: int) -> Rows:
    """The `n` open candidates that are farthest from those measured, and from each other."""
    random = np.random.default_rng([seed, 3])
    some = np.sort(random.choice(open_, min(LOOKED_AT, len(open_)), replace=False))
    rows, nearest = _as_rows(features, some, some), np.full(len(some), np.inf)
    for known in _as_rows(features, measured[-CHUNK:], some):
        nearest = np.minimum(nearest, _squares(rows, known))
    return some[_farthest_first(rows, nearest, n, [])]


def _farthest_first(rows: Features, nearest: Floats, n: int, order: list[int]) -> list[int]:
    """Rows that follow those in `order`, each as far as can be; `nearest` are squared distances to others before."""
    while len(order) < min(n, len(rows)):
        if order:
            nearest = np.minimum(nearest, _squares(rows, rows[order[-1]]))
            nearest[order] = -1.0
        order.append(int(np.argmax(nearest)))
    return order


def _as_rows(features: Any, chosen: Rows, some: Rows) -> Features:
    """Chosen candidates, prepared for a model or not, as rows of numbers (n, F), centred and scaled as some of them."""
    values = getattr(features, "values", features)
    rows = values[chosen]
    if values.ndim == 2 and not getattr(features, "of_run", False):
        centre, spread = limits(values[some])
        rows = (rows - centre) / spread
    return np.asarray(rows, np.float32).reshape(len(chosen), -1)


def _squares(rows: Features, one: Features) -> npt.NDArray[np.float64]:
    """Squared distances (N,) of rows from one of them."""
    return np.concatenate(
        [((rows[k : k + CHUNK] - one) ** 2).sum(1, dtype=np.float64) for k in range(0, len(rows), CHUNK)]
    )


def _rows(predicted: Floats | None, rows: list[int]) -> tuple[tuple[float, ...], ...] | None:
    if predicted is None:
        return None
    return tuple(tuple(row) for row in predicted[rows].reshape(len(rows), -1).tolist())


def _seed(record: Record) -> int:
    """A seed for what is drawn now, the same whichever way this state was reached."""
    return int(np.random.SeedSequence([record.settings["seed"], record.tried]).generate_state(1)[0])
