"""How wide the intervals of an ensemble must be, told by labels that were kept back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .candidates import Floats

FEWEST = 12  # labels from which on some are kept back
RANGE = (0.7, 3.0)
NORMAL_90 = 1.645  # half of the interval that holds 90 % of a normal distribution, in standard deviations


def held_out(n: int, networks: int, seed: int) -> npt.NDArray[np.bool_]:
    """Which of n labels each network does not see: (networks, n), as many for each; every label is hidden from one."""
    hidden = np.zeros((networks, n), bool)
    if networks > 1 and n >= FEWEST:
        order, each = np.random.default_rng(seed).permutation(n), -(-n // networks)
        for number in range(networks):
            hidden[number, order[np.arange(number * each, (number + 1) * each) % n]] = True
    return hidden


def mixed(mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Mean and variance (N, T) of mixtures of equal weights from those of their parts (M, N, T)."""
    middle = mean.mean(0)
    return middle, (variance + (mean - middle) ** 2).mean(0)


def widening(unseen: Floats, forgotten: Floats) -> Floats:
    """By how much intervals must be wider so that those of 90 % hold nine of ten labels, for each target.

    Errors of labels that a network did not see are too large for the ensemble; errors of labels that only the process
    is made to forget are too small, because the networks know them. Between the two lies their geometric mean.

    Parameters
    ----------
    unseen, forgotten : array (n, T)
        Standardised errors of labels, each by the network that was fitted without it, and by the ensemble when only
        its processes forget the label.
    """
    return np.sqrt(np.clip(_width(unseen), *RANGE) * _width(forgotten))


def _width(errors: Floats) -> Floats:
    return np.asarray(np.quantile(np.abs(errors), 0.9, axis=0) / NORMAL_90)
