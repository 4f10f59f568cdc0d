"""What is looked for, and how promising each candidate is for it, from what the model predicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import erfcx, log_ndtr, ndtr

from ...analysis.circular import wrapped
from ...core.errors import InputError

Floats = npt.NDArray[np.float64]

FULL_TURN = 360.0
TINY = 1e-12  # of the spread of the predictions: less is rounding
FLOOR = 2e-5  # of the largest sd: a candidate whose sd is less is as good as known
FAR = -1e4  # standard deviations from the best, beyond which 1/u² is more exact than a difference from 1
SMALLEST = float(np.finfo(float).tiny)


#: Every acquisition by name, as a reason.
ACQUISITIONS = {
    "ei": "expected improvement on the best value so far",
    "ucb": "prediction and uncertainty together",
    "pi": "probability of a better value than the best so far",
    "thompson": "the best of one draw of the model",
    "variance": "where the model is least sure",
    "information": "most information on all other candidates",
}
#: Those that look for something; the others want to know all candidates.
SEEKING = ("ei", "ucb", "pi", "thompson")


@dataclass(frozen=True)
class Goal:
    """What is looked for among the candidates.

    Acquisitions see one number per candidate, the *aim*: the target itself if it is to be large, its negative if it is
    to be small, its distance with sign if it is to be near a number (an angle: on the circle), and for a class the
    probability to belong to it.

    Parameters
    ----------
    kind : "real", "angle" or "class"
        Of the target, as `DeepKernelGP` has it.
    wanted : "max", "min" or float
        Angles in degrees, a class by its number.
    target : int or tuple of float
        Which of several targets, or a weight for each.
    met : bool
        Whether one of the wanted class was measured; until then doubt stands in for its probability.

    Examples
    --------
    >>> Goal(wanted="min").merit(np.array([[2.0], [1.0]])).tolist()
    [-2.0, -1.0]
    """

    kind: str = "real"
    wanted: str | float = "max"
    target: int | tuple[float, ...] = 0
    met: bool = True

    @classmethod
    def of(cls, kind: str, wanted: str | float, target: int | tuple[float, ...], acquisition: str) -> Goal:
        """The goal of some settings.

        Raises
        ------
        InputError
            If the acquisition does not go with goal and target.
        """
        _check_kind(kind, wanted, acquisition)
        if isinstance(target, tuple) and (kind != "real" or not any(target)):
            raise InputError("Weights are numbers, not all 0, of several real targets; otherwise choose one target.")
        return cls(kind, wanted, target)

    @property
    def near(self) -> bool:
        """Whether the aim is best at 0, and not as large as can be."""
        return self.kind != "class" and not isinstance(self.wanted, str)

    @property
    def sought(self) -> bool:
        """Whether some candidates are better than others; not so of angles and classes without a wanted one."""
        return self.kind == "real" or not isinstance(self.wanted, str)

    def check(self, n_targets: int) -> None:
        """Refuse a goal that does not fit so many targets.

        Raises
        ------
        InputError
        """
        if isinstance(self.target, tuple):
            if len(self.target) != n_targets:
                raise InputError(f"There are {n_targets} targets, but {len(self.target)} weights; give one for each.")
        elif not 0 <= self.target < n_targets:
            raise InputError(f"There is no target {self.target}; there are {n_targets}, counted from 0.")

    def looked_at(self, values: Floats) -> Floats:
        """The number that is looked at (n,) of targets (n, T), in its own units."""
        weights = self.target if isinstance(self.target, tuple) else np.eye(values.shape[-1])[self.target]
        return np.asarray(values @ np.asarray(weights), float)

    def merit(self, values: Floats) -> Floats:
        """How good measured targets (n, T) are: (n,), the larger the better, at most 0 for values near a number."""
        number = self.looked_at(values)
        if self.kind == "class":
            return (number == self.wanted).astype(float)
        aim = self._aim(number)
        return -np.abs(aim) if self.near else aim

    def expected(self, mean: Floats, sd: Floats) -> tuple[Floats, Floats]:
        """Mean and sd (N,) of the aim from predictions (N,), (N, T), or (N, K) of classes.

        Several targets are taken as independent of each other, given the candidate.
        """
        if self.kind == "class":
            k = int(self.wanted)
            return (mean[:, k], sd[:, k]) if self.seen(mean) else (np.zeros(len(mean)), sd.max(axis=1))
        squared = self
        if isinstance(self.target, tuple):  # weights of variances
            squared = replace(self, target=tuple(weight**2 for weight in self.target))
        mean, sd = (part.reshape(len(part), -1) for part in (mean, sd))
        return self._aim(self.looked_at(mean)), np.sqrt(squared.looked_at(sd**2))

    def seen(self, probabilities: Floats) -> bool:
        """Whether probabilities (…, K) say something of the wanted class; those below a higher one may be unmet."""
        return self.met and int(self.wanted) < probabilities.shape[-1]

    def drawn(self, draws: Floats) -> Floats:
        """How good every candidate is in joint draws (n, N), (n, N, T), or (n, N, K): (n, N), the larger the better."""
        if self.kind == "class":
            return draws[..., int(self.wanted)] if self.seen(draws) else 1 - draws.max(axis=2)
        aim = self._aim(self.looked_at(draws if draws.ndim == 3 else draws[..., None]))
        return -np.abs(aim) if self.near else aim

    def deviations(self, draws: Floats) -> Floats:
        """What joint draws of one candidate have in common with those of others: deviations from the mean (m, N)."""
        if self.kind == "class":
            centred = draws - draws.mean(axis=0)
            return np.concatenate(np.moveaxis(centred, 2, 0))  # those of all classes, one below the other
        number = self.looked_at(draws if draws.ndim == 3 else draws[..., None])
        if self.kind != "angle":
            return number - number.mean(axis=0)
        middle = np.angle(np.exp(1j * np.deg2rad(number)).mean(axis=0), deg=True)
        return wrapped(number - middle, FULL_TURN)

    def _aim(self, number: Floats) -> Floats:
        if isinstance(self.wanted, str):
            return -number if self.wanted == "min" else number
        away = number - self.wanted
        return wrapped(away, FULL_TURN) if self.kind == "angle" else away


def _check_kind(kind: str, wanted: str | float, acquisition: str) -> None:
    if kind == "class" and not isinstance(wanted, str) and (wanted < 0 or wanted % 1):
        raise InputError(f"The wanted class is a whole number from 0, not {wanted:g}.")
    if kind == "real" or acquisition not in SEEKING:
        return
    if kind == "class" and acquisition == "ei":
        raise InputError(
            'A class cannot be improved on; choose the acquisition "variance", or "pi" and the wanted class as goal.'
        )
    if isinstance(wanted, str):
        what = "angle in degrees" if kind == "angle" else "class by its number"
        raise InputError(f'The acquisition "{acquisition}" needs to know the wanted {what}; give it as goal.')


def acquire(name: str, mean: Floats, sd: Floats, goal: Goal, *, best: float = -np.inf, kappa: float = 2.0) -> Floats:
    r"""Score of every candidate (N,), the larger the more promising.

    With the prediction :math:`f \sim N(\mu, \sigma^2)` of the aim (see `Goal`) and the best merit so far :math:`b`:

    - ``"ei"``: :math:`\log E[\max(0, f - b)]`
    - ``"pi"``: :math:`\log P(f \ge b)`; of a class, the logarithm of its probability, or, while the model has seen none
      of it, the entropy
    - ``"ucb"``: :math:`\mu + \kappa \sigma`
    - ``"variance"``: :math:`\sigma`; of classes the entropy of their probabilities, in nats

    For values near a number :math:`f` is the distance with sign, and the merit is :math:`-|f|`: ``"ei"`` and ``"pi"``
    are of :math:`-|f|` over :math:`b`, in closed form; ``"ucb"`` is :math:`\kappa \sigma - |\mu|`, the straddle of
    Bryan et al.

    Parameters
    ----------
    name : str
        One of those above. ``"thompson"`` and ``"information"`` need joint draws; see `batches`.
    mean, sd : array (N,), (N, T), or (N, K) of classes
        As the model predicts them.
    goal : Goal
    best : float
        The best merit so far.
    kappa : float

    References
    ----------
    D. R. Jones, M. Schonlau, W. J. Welch, J. Global Optim. 13, 455 (1998); the logarithm: S. Ament et al., NeurIPS
    (2023); N. Srinivas et al., ICML (2010); B. Bryan et al., NIPS (2005).

    Examples
    --------
    >>> acquire("ucb", np.array([1.0, 0.0]), np.array([0.1, 1.0]), Goal()).tolist()
    [1.2, 2.0]
    """
    if name == "variance":
        return entropy(mean) if goal.kind == "class" else goal.expected(mean, sd)[1]
    aim, spread = goal.expected(mean, sd)
    if goal.kind == "class" and name == "pi":
        return np.log(np.maximum(aim, SMALLEST)) if goal.seen(mean) else entropy(mean)
    return acquire_aim(name, aim, spread, near=goal.near, best=best, kappa=kappa)


def acquire_aim(name: str, aim: Floats, sd: Floats, *, near: bool, best: float, kappa: float = 2.0) -> Floats:
    """Those of `SCORES` from mean and sd (N,) of the aim; as `acquire`."""
    largest = float(sd.max(initial=0.0))
    unit = max(largest, TINY * float(np.ptp(aim)), SMALLEST)
    aim, sd, best = aim / unit, np.maximum(sd / unit, FLOOR), best / unit
    return SCORES[name](Outlook(aim, sd, unit, near, best, kappa))


@dataclass(frozen=True)
class Outlook:
    """What a score is computed from: mean and sd (N,) of the aim, and the best so far, all in units of `unit`.

    Where `near`, the aim is best at 0, and `best` is the least distance from it, with a minus.
    """

    aim: Floats
    sd: Floats
    unit: float
    near: bool
    best: float
    kappa: float


def _improvement(o: Outlook) -> Floats:
    return np.log(o.unit) + (_log_closeness(o.aim, o.sd, -o.best) if o.near else log_improvement(o.aim, o.sd, o.best))


def _bound(o: Outlook) -> Floats:
    return o.unit * (o.kappa * o.sd + (-np.abs(o.aim) if o.near else o.aim))


def _probability(o: Outlook) -> Floats:
    return _log_band(o.aim, o.sd, -o.best) if o.near else log_ndtr((o.aim - o.best) / o.sd)


#: Those that score each candidate by itself, from its aim.
SCORES: dict[str, Callable[[Outlook], Floats]] = {"ei": _improvement, "ucb": _bound, "pi": _probability}


def expected_gain(mean: Floats, sd: Floats, goal: Goal, best: float) -> Floats:
    """Expected improvement (N,) in units of the target."""
    return np.exp(acquire("ei", mean, sd, goal, best=best))


def entropy(probabilities: Floats) -> Floats:
    """Entropy (N,) in nats of probabilities (N, K)."""
    p = np.clip(probabilities, SMALLEST, 1.0)
    return -(p * np.log(p)).sum(axis=1)


def log_improvement(mean: Floats, sd: Floats, best: float) -> Floats:
    """Logarithm (N,) of E[max(0, f − best)], also far below the best.

    `LogExpectedImprovement` of BoTorch gives the same, but of a model that predicts, and only with torch.

    References
    ----------
    S. Ament et al., "Unexpected improvements to expected improvement for Bayesian optimization", NeurIPS (2023).
    """
    u = (mean - best) / sd
    below = np.minimum(u, -1.0)  # where the two terms of φ(u) + u Φ(u) cancel
    share = -below * np.sqrt(np.pi / 2) * erfcx(-below / np.sqrt(2))
    left = np.where(below < FAR, -2 * np.log(-below), np.log1p(-np.minimum(share, 1 - 1e-9)))
    above = np.maximum(u, -1.0)
    near = np.log(np.exp(_log_density(above)) + above * ndtr(above))
    return np.log(sd) + np.where(u < -1, _log_density(below) + left, near)


def _log_closeness(aim: Floats, sd: Floats, distance: float) -> Floats:
    """Logarithm of E[max(0, distance − |f|)].

    The triangle is the second difference of a hinge; far away its three terms fall by orders of magnitude, and for a
    distance far below the sd they cancel, where the density times the triangle's area is exact enough.
    """
    distance = max(distance, SMALLEST**0.5)
    below = -np.abs(aim)  # the triangle is symmetric
    outer, middle, inner = (log_improvement(below, sd, best) for best in (-distance, 0.0, distance))
    share = 1 - 2 * np.exp(middle - outer) + np.exp(inner - outer)
    density = _log_density(aim / sd) - np.log(sd) + 2 * np.log(distance)
    narrow = distance < 1e-3 * sd
    return np.where(narrow, density, outer + np.log(np.where(narrow, 1.0, np.maximum(share, TINY))))


def _log_band(aim: Floats, sd: Floats, distance: float) -> Floats:
    """Logarithm of P(|f| < distance)."""
    distance = max(distance, SMALLEST**0.5)
    above, below = log_ndtr((distance - np.abs(aim)) / sd), log_ndtr((-distance - np.abs(aim)) / sd)
    density = _log_density(aim / sd) + np.log(2 * distance / sd)
    narrow = distance < 1e-6 * sd
    share = -np.expm1(np.where(narrow, -1.0, below - above))
    return np.where(narrow, density, above + np.log(share))


def _log_density(u: Floats) -> Floats:
    """Logarithm of the standard normal density."""
    return -0.5 * (u**2 + np.log(2 * np.pi))
