"""Components of a Gaussian mixture that form one cloud.

A cloud that is not Gaussian takes several components to describe, and the BIC rightly asks for them; but a group, to
whoever looks at the plot, is a hill of the density with valleys around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

VALLEY = 0.5  # of the lower of two hills; a saddle between them that is higher makes them one,
LEVEL = 0.1  # unless the lower is so low beside the higher: few atoms scattered about many are not of their kind
STEPS = 33  # in which the density is looked at on the way from one component to another
ENDS = 8.0  # logit of the first and last of them: beside a narrow component the way to a wide one is nearly over


def hills(mixture: GaussianMixture) -> npt.NDArray[np.int64]:
    """The hill of the density that each component is of, numbered from 0.

    Components are joined along the highest ways between them (Kruskal 1956), unless both sides have a summit that
    stands out of the saddle: hills are known by their prominence, as in ToMATo (Chazal, Guibas, Oudot and Skraba 2013).
    A component whose middle lies far down the slope of another stays one: it is there because more points are scattered
    so far out than the other accounts for. A way from one component to another is their ridgeline, on which all summits
    and saddles of the two lie (Ray and Lindsay 2005).

    Parameters
    ----------
    mixture : GaussianMixture
        Of n components.

    Returns
    -------
    array (n,) of int

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.mixture import GaussianMixture
    >>> z = np.r_[np.random.default_rng(0).uniform(0, 1, (500, 2)), np.random.default_rng(1).uniform(5, 6, (500, 2))]
    >>> len(set(hills(GaussianMixture(6, random_state=0).fit(z))))
    2
    """
    n = len(mixture.means_)
    hill = np.arange(n)  # each is known by its highest component
    if n == 1:
        return hill
    summit = mixture.score_samples(mixture.means_)  # logarithms of the density
    pairs = np.array([(a, b) for a in range(n) for b in range(a + 1, n)])
    between = np.array([mixture.score_samples(_ridgeline(mixture, a, b)).min() for a, b in pairs])
    saddle = np.minimum(between, summit[pairs].min(1))
    for pair in np.lexsort([-between, -saddle]):  # what has no summit joins where it is uphill
        lower, higher = sorted(hill[pairs[pair]], key=lambda component: summit[component])
        valley = saddle[pair] < summit[lower] + np.log(VALLEY)
        if not valley and summit[lower] > summit[higher] + np.log(LEVEL):
            hill[hill == lower] = higher
    return np.unique(hill, return_inverse=True)[1].astype(np.int64)


def _ridgeline(mixture: GaussianMixture, a: int, b: int) -> npt.NDArray[np.float64]:
    """Points (STEPS, k) from the mean of one component to that of the other, without the ends."""
    share = 1 / (1 + np.exp(-np.linspace(-ENDS, ENDS, STEPS)[:, None, None]))
    ours, theirs = (1 - share) * mixture.precisions_[a], share * mixture.precisions_[b]
    pull = ours @ mixture.means_[a] + theirs @ mixture.means_[b]
    points: npt.NDArray[np.float64] = np.linalg.solve(ours + theirs, pull[..., None])[..., 0]
    return points
