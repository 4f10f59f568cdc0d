"""Acquisitions: how promising each candidate is, from what the model predicts of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .goals import ACQUISITIONS as ACQUISITIONS
from .goals import Goal

Floats = npt.NDArray[np.float64]

TINY = 1e-12  # of the spread of the predictions: less is rounding
FLOOR = 2e-5  # of the largest sd: a candidate whose sd is less is as good as known


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
        return np.log(np.maximum(aim, np.finfo(float).tiny)) if goal.seen(mean) else entropy(mean)
    return acquire_aim(name, aim, spread, near=goal.near, best=best, kappa=kappa)


def acquire_aim(name: str, aim: Floats, sd: Floats, *, near: bool, best: float, kappa: float = 2.0) -> Floats:
    """``"ei"``, ``"pi"`` and ``"ucb"`` from mean and sd (N,) of the aim; as `acquire`."""
    from .marginals import log_improvement, log_probability, upper_bound

    largest = float(sd.max(initial=0.0))
    unit = max(largest, TINY * float(np.ptp(aim)), np.finfo(float).tiny)  # floors of BoTorch and GPyTorch are absolute
    aim, sd, best = aim / unit, np.maximum(sd / unit, FLOOR), best / unit
    if name == "ucb":
        return unit * (kappa * sd - np.abs(aim) if near else upper_bound(aim, sd, kappa))
    if name == "pi":
        return _log_band(aim, sd, -best) if near else log_probability(aim, sd, best)
    return np.log(unit) + (_log_closeness(aim, sd, -best) if near else log_improvement(aim, sd, best))


def expected_gain(mean: Floats, sd: Floats, goal: Goal, best: float) -> Floats:
    """Expected improvement (N,) in units of the target."""
    return np.exp(acquire("ei", mean, sd, goal, best=best))


def entropy(probabilities: Floats) -> Floats:
    """Entropy (N,) in nats of probabilities (N, K)."""
    p = np.clip(probabilities, np.finfo(float).tiny, 1.0)
    return -(p * np.log(p)).sum(axis=1)


def _log_closeness(aim: Floats, sd: Floats, distance: float) -> Floats:
    """Logarithm of E[max(0, distance − |f|)].

    The triangle is the second difference of a hinge; far away its three terms fall by orders of magnitude, and for a
    distance far below the sd they cancel, where the density times the triangle's area is exact enough.
    """
    from .marginals import log_improvement

    distance = max(distance, np.finfo(float).tiny ** 0.5)
    below = -np.abs(aim)  # the triangle is symmetric
    outer, middle, inner = (log_improvement(below, sd, best) for best in (-distance, 0.0, distance))
    share = 1 - 2 * np.exp(middle - outer) + np.exp(inner - outer)
    density = -0.5 * (aim / sd) ** 2 - np.log(sd * np.sqrt(2 * np.pi)) + 2 * np.log(distance)
    narrow = distance < 1e-3 * sd
    return np.where(narrow, density, outer + np.log(np.where(narrow, 1.0, np.maximum(share, TINY))))


def _log_band(aim: Floats, sd: Floats, distance: float) -> Floats:
    """Logarithm of P(|f| < distance)."""
    from scipy.stats import norm

    distance = max(distance, np.finfo(float).tiny ** 0.5)
    above, below = norm.logcdf((distance - np.abs(aim)) / sd), norm.logcdf((-distance - np.abs(aim)) / sd)
    density = norm.logpdf(aim / sd) + np.log(2 * distance / sd)
    narrow = distance < 1e-6 * sd
    share = -np.expm1(np.where(narrow, -1.0, below - above))
    return np.where(narrow, density, above + np.log(share))
