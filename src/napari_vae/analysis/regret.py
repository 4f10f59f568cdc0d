"""How well an optimisation went: what it had found after so many measurements, against the best there was."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.arrays import as_numbers
from ..core.errors import InputError

_ROUNDING = 1e-9  # of the largest value


@checks_arguments
def simple_regret(values: npt.ArrayLike, best: float, *, maximize: bool = True) -> npt.NDArray[np.float64]:
    """How far the best value so far is from the best possible one, after every measurement.

    Parameters
    ----------
    values : array (steps,) or (runs, steps)
        Measured values in their order; NaN where a measurement failed, or at the end of a run that stopped early.
    best : float
        The best value there is: of all candidates, measured or not.
    maximize : bool
        Whether large values are good.

    Returns
    -------
    array like `values`
        In units of the values, never rising, 0 once the best is found; NaN before the first value.

    Raises
    ------
    InputError
        If there are no values, or one is better than `best`.

    References
    ----------
    R. Garnett, "Bayesian Optimization", Cambridge 2023, section 10.1.

    Examples
    --------
    >>> simple_regret([1.0, 3.0, 2.0, 4.0], best=4.0)
    array([3., 1., 1., 0.])
    """
    found = _best_so_far(values, maximize)
    regret = best - found if maximize else found - best
    smallest = np.nanmin(regret, initial=np.inf)
    if not np.isfinite(best) or smallest < -_ROUNDING * max(abs(best), np.nanmax(np.abs(found), initial=0)):
        raise InputError(f"A value was better than {best:g}; give as best the best value of all candidates.")
    return np.maximum(regret, 0)


@checks_arguments
def mean_regret(regret: npt.ArrayLike, level: float = 0.95) -> pd.DataFrame:
    """Mean of the regret of several runs after every measurement, with its confidence interval.

    The interval is Student's, mean ± t · sd / √runs, not below 0. It is for runs with different seeds, of which there
    should be ten or more: of few, whose regrets are mostly 0, it is too short.

    Parameters
    ----------
    regret : array (runs, steps)
        Of `simple_regret`, one row for each seed.
    level : float
        Probability that the interval holds the mean.

    Returns
    -------
    DataFrame
        One row for every measurement: ``measurements`` from 1, ``mean``, ``low``, ``high``, ``runs`` (that have a
        value by then).

    Raises
    ------
    InputError
        If there are fewer than two runs, or the level is not between 0 and 1.

    Examples
    --------
    >>> mean_regret([[2.0, 0.0], [4.0, 0.0]])["mean"].tolist()
    [3.0, 0.0]
    """
    from scipy.stats import t

    rows = as_numbers(regret, "regrets")
    if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] == 0:
        raise InputError(f"An interval needs two or more runs, as (runs, steps), not regrets of shape {rows.shape}.")
    if not 0 < level < 1:
        raise InputError(f"The level of an interval lies between 0 and 1, which {level} does not.")
    table = pd.DataFrame(rows)
    runs, mean = table.count(), table.mean()
    half = table.std() / np.sqrt(runs) * t.ppf(0.5 + level / 2, np.maximum(runs - 1, 1))
    columns = {"mean": mean, "low": np.maximum(mean - half, 0), "high": mean + half, "runs": runs}
    return pd.DataFrame({"measurements": np.arange(1, rows.shape[1] + 1)} | columns)


@checks_arguments
def measurements_to_reach(
    values: npt.ArrayLike, threshold: float, *, maximize: bool = True
) -> float | npt.NDArray[np.float64]:
    """How many measurements were made until a value was as good as a threshold.

    Parameters
    ----------
    values, maximize
        As in `simple_regret`.
    threshold : float
        For example the quantile 0.99 of all candidates.

    Returns
    -------
    float or array (runs,)
        Infinite where it was not reached, so that medians over runs stay right.

    Raises
    ------
    InputError
        If there are no values or the threshold is not a number.

    Examples
    --------
    >>> measurements_to_reach([[1.0, 3.0, 2.0], [0.0, 1.0, 1.0]], 2.5)
    array([ 2., inf])
    """
    found = _best_so_far(values, maximize)
    reached = found >= threshold if maximize else found <= threshold
    steps = np.where(reached.any(-1), reached.argmax(-1) + 1.0, np.inf)
    return float(steps) if steps.ndim == 0 else steps


def _best_so_far(values: npt.ArrayLike, maximize: bool) -> npt.NDArray[np.float64]:
    """The best of the values up to each step, which NaN do not count in."""
    measured = as_numbers(values, "values")
    if measured.ndim not in (1, 2) or measured.size == 0:
        raise InputError(f"Values are (steps,) or (runs, steps) in the order of measuring, not {measured.shape}.")
    ufunc = np.fmax if maximize else np.fmin
    found: npt.NDArray[np.float64] = ufunc.accumulate(measured, axis=-1)
    return found
