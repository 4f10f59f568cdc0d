"""What the Fisher matrices of fitted Gaussians say: standard errors, and what columns of one image have in common."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .constants import FIXED
from .gaussians import BACKGROUND, WIDTH, Discs, Fit, Prior, X, Y, derivatives, padded
from .threads import in_threads

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def standard_errors(fit: Fit, weight: Floats, reach: float) -> Array:
    """Standard errors (N, 2) of y and x, with the neighbours as unknown as the atom; NaN where there are none.

    What an atom shares with a neighbour j tells less about it, so its Fisher matrix loses ``B F_j⁻¹ Bᵀ`` (the Schur
    complement), where B holds the products of their derivatives.
    """
    from scipy.spatial import cKDTree

    far = FIXED.error_overlap * float(np.median(fit.values[:, WIDTH]))
    points = fit.values[:, Y : X + 1]
    near = cKDTree(points).query(points, FIXED.error_overlapping + 1, distance_upper_bound=far)[1][:, 1:]
    own = [k for k in range(fit.values.shape[1]) if k != BACKGROUND]  # the background under both is one
    known, usable = inverted(fit.curvature[:, own][:, :, own])
    known[~usable] = 0

    weight = padded(weight, reach)

    def shared(part: slice) -> Array:
        return _shared(Discs(weight.shape, fit.values[part], reach), weight, fit.values, part, near[part], known, own)

    inverse, usable = inverted(fit.curvature)
    variances = _variances(inverse[usable], np.concatenate(in_threads(shared, len(near)))[usable])
    errors = np.full((len(usable), 2), np.nan)
    errors[usable] = np.sqrt(variances[:, Y : X + 1] * fit.variance[usable, None])
    return errors


def _variances(inverse: Array, lost: Array) -> Array:
    """Diagonals (N, P) of the inverses of Fisher matrices less what they lose, from their inverses.

    In the directions in which neighbours, taken one by one, would leave next to nothing, `_LEFT` is left: in a crowd
    they share their ignorance, and the sum counts it more than once.
    """
    root = np.linalg.cholesky(inverse)
    share, axes = np.linalg.eigh(root.transpose(0, 2, 1) @ lost @ root)
    return np.asarray(((root @ axes) ** 2 / np.maximum(1 - share, FIXED.error_left)[:, None]).sum(axis=2))


def _shared(
    discs: Discs, weight: Floats, values: Array, part: slice, near: Ints, known: Array, own: list[int]
) -> Array:
    """What the Fisher matrices (N, P, P) of atoms lose to their neighbours `near` (N, K), len(values) for none."""
    alone = discs.from_centre(values[part])
    mine, lost = derivatives(alone), np.zeros((len(alone), values.shape[1], values.shape[1]))
    if (near == len(values)).all():
        return lost
    background = np.take(weight, discs.at)
    weighted = background * discs.shapes(alone)
    for neighbour in near.T:
        who = np.flatnonzero(neighbour < len(values))
        other = discs.from_centre(values[neighbour[who]], who)
        shape, theirs = discs.shapes(other), derivatives(other)[:, own]
        both = mine[who] @ discs.moments(weighted[who] * shape, True) @ theirs.transpose(0, 2, 1)
        both[:, BACKGROUND] = np.einsum("npm,nm->np", theirs, discs.moments(background[who] * shape, False))
        lost[who] += both @ known[neighbour[who]] @ both.transpose(0, 2, 1)
    return lost


def inverted(matrices: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Inverses of Fisher matrices (N, P, P), and which (N,) have one; those of the others mean nothing.

    They are brought to ones on the diagonal first, because the parameters differ in size by many orders of magnitude.
    """
    diagonal = np.einsum("nii->ni", matrices)
    usable = np.isfinite(matrices).all(axis=(1, 2)) & (diagonal > 0).all(axis=1)
    scale = np.sqrt(np.where(usable[:, None], diagonal, 1))
    scale = scale[:, :, None] * scale[:, None, :]
    unit = np.where(usable[:, None, None], matrices / scale, np.eye(matrices.shape[1]))
    usable &= np.linalg.det(unit) > FIXED.error_singular
    unit[~usable] = np.eye(matrices.shape[1])
    return np.linalg.inv(unit) / scale, usable


def in_common(fit: Fit, prior: Prior, good: npt.NDArray[np.bool_], widest: Prior, which: list[int]) -> Prior:
    """The prior that the fits themselves suggest for the parameters `which`: typical value, and scatter.

    Every estimate is freed of the prior that it was made with. The variance among columns is what is left when the
    variance of the estimates is taken from theirs, in doubt too much of it (empirical Bayes; Efron and Morris 1973).
    Medians throughout, over the better known half of the columns, as some are other things. `widest` bounds the spread,
    and stays for the other parameters.
    """
    inverse, usable = inverted(fit.curvature)
    usable &= good
    value, spread = widest.value.copy(), widest.spread.copy()
    for k in which:
        known = 1 / inverse[:, k, k] - prior.precision[k]  # by the image alone
        better = usable & (known > 0)
        if better.sum() < 3:
            continue
        better &= known >= np.median(known[better])
        estimate = fit.values[better, k]
        estimate = estimate + prior.precision[k] / known[better] * (estimate - prior.value[k])
        value[k] = np.median(estimate)
        among = FIXED.common_square_of_mad * float(np.median(np.abs(estimate - value[k]))) ** 2
        within = float(np.median(fit.variance[better] / known[better]))
        variance = among * (1 + np.sqrt(FIXED.common_doubt / len(estimate))) - within
        spread[k] = np.sqrt(np.clip(variance, 0.03 * within, widest.spread[k] ** 2))
    return Prior(value, spread)
