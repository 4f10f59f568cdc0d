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

VALLEY = 0.5  # of the lower of two hills; a saddle between them that is higher makes them one
STEPS = 32  # at which the density is looked at on the way from one component to another


def hills(mixture: GaussianMixture) -> npt.NDArray[np.int64]:
    """The hill of the density that each component is of, numbered from 0.

    Components are joined along the highest ways between them (Kruskal 1956), unless both sides have a summit that
    stands out of the saddle: hills are told by their prominence, as in ToMATo (Chazal, Guibas, Oudot and Skraba 2013).
    Ways are straight lines from the mean of one component to that of another.

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
    means = mixture.means_
    pairs = np.array([pair for pair in np.ndindex(len(means), len(means)) if pair[0] < pair[1]]).reshape(-1, 2)
    hill = np.arange(len(means))  # each is known by its highest component
    if not len(pairs):
        return hill
    summit = mixture.score_samples(means)  # logarithms of the density
    share = np.linspace(0, 1, STEPS + 1)[1:-1, None]
    start, end = means[pairs].swapaxes(0, 1)[:, :, None]
    saddle = mixture.score_samples(((1 - share) * start + share * end).reshape(-1, means.shape[1]))
    saddle = saddle.reshape(len(pairs), -1).min(1)
    for pair in np.argsort(-saddle, kind="stable"):
        lower, higher = sorted(hill[pairs[pair]], key=lambda component: summit[component])
        if saddle[pair] > summit[lower] + np.log(VALLEY):
            hill[hill == lower] = higher
    return np.unique(hill, return_inverse=True)[1].astype(np.int64)
