"""From which score on a maximum is a column."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

NOISE_FLOOR = 3.0  # in lattices, where every candidate already stands at a column width from the others
ISOLATED_FLOOR = 5.0  # elsewhere; of the 10⁴ independent places of an image of white noise none reaches it
_FALSE_SHARE = 0.05


def lattice_threshold(scores: Array) -> float:
    """Threshold in the emptiest place between the noise and the columns of a lattice.

    The logarithms of the scores fall into groups: the columns (one group per species), well above the noise, and
    spurious maxima between and around them. The density of the logarithms is searched for its lowest point between
    the noise floor and three quarters of the upper quartile's score; of several empty places the lowest counts, so
    that weak columns, in the wake of bright ones for example, stay in.
    """
    scores = scores[scores > 0]
    if len(scores) == 0:
        return NOISE_FLOOR
    top = 0.6 * float(np.quantile(scores[scores >= min(NOISE_FLOOR, scores.max())], 0.5))
    if top <= NOISE_FLOOR:
        return NOISE_FLOOR
    grid = np.linspace(np.log(NOISE_FLOOR), np.log(top), 64)
    edges = np.linspace(np.log(NOISE_FLOOR) - 1, np.log(scores.max()) + 1, 512)
    counts = np.histogram(np.log(np.maximum(scores, 1e-6)), edges)[0].astype(float)
    width = 0.08 / (edges[1] - edges[0])
    reach = np.arange(-int(4 * width), int(4 * width) + 1)
    density = np.convolve(counts, np.exp(-0.5 * (reach / width) ** 2), mode="same")
    density = np.interp(grid, (edges[1:] + edges[:-1]) / 2, density)
    # Half a column more or less is no difference: the lowest score of the equally empty places.
    return float(np.exp(grid[np.flatnonzero(density <= density.min() + 0.5)[0]]))


def isolated_threshold(scores: Array, decoys: Array) -> float:
    """Threshold above which at most one candidate in twenty is expected to be false.

    Decoys are the candidates of the opposite polarity: noise and texture make as many dark as bright spots, atoms
    only one kind. The number of decoys above a score estimates the number of false candidates above it.
    """
    order = np.sort(scores)[::-1]
    false = len(decoys) - np.searchsorted(np.sort(decoys), order, side="left")
    good = np.flatnonzero(false <= _FALSE_SHARE * np.arange(1, len(order) + 1))
    lowest = float(order[good[-1]]) if len(good) else float(max(order.max(initial=0), decoys.max(initial=0))) * 1.001
    return max(ISOLATED_FLOOR, lowest)
