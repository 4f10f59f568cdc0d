"""Maxima of an uneven support beside a lattice: distinguished from its columns by their neighbours, and scored anew."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .constants import FIXED

Array = npt.NDArray[np.float64]


def score_above_texture(points: Array, amplitude: Array, score: Array) -> Array:
    """Scores of maxima near a lattice, with those of an uneven support measured in strengths of its texture.

    Against the white noise around them the maxima of a support (amorphous carbon, an oxide, the halo of a particle)
    may score as high as thin columns. But a column has its neighbours where others have theirs, and these have not.
    Where hardly a vector to a neighbour is found again from the neighbours, and this all around, the maxima are
    texture, if they are weaker than the columns. Such a maximum scores by how much it is higher than the typical one
    around it, unless it stands out so far that it is an atom by itself. Vacancies, dopants, edges and grain
    boundaries have ordered surroundings and keep their scores; so does everything in an image without a plain lattice.

    Inside the lattice a maximum without such neighbours that is squeezed between the columns is an atom too many
    (contamination, a light column that stands out by chance), unless it scores at least half as much as the columns.

    Parameters
    ----------
    points, amplitude, score : (N, 2), (N,), (N,) arrays
        Maxima in pixels, their heights (positive) and scores in standard errors.
    """
    from scipy.spatial import cKDTree

    if len(points) <= FIXED.texture_neighbours:
        return score
    distance, near, order = neighbourhood(points)
    spacing = float(np.median(distance[:, 1]))
    column, alone = order >= FIXED.texture_ordered, order < FIXED.texture_alone
    if column.mean() < FIXED.texture_columns:
        return score
    result = score.copy()
    enough = FIXED.texture_evident * float(np.median(score[column]))
    squeezed = alone & (distance[:, 1] < FIXED.texture_squeezed * spacing) & (score < enough)
    result[squeezed] = np.minimum(score, FIXED.texture_stands_out * score / enough)[squeezed]
    texture = alone & (order[near[:, : FIXED.texture_around + 1]].mean(axis=1) < FIXED.texture_disordered)
    weak = FIXED.texture_weak * np.median(amplitude[column])
    if texture.sum() < FIXED.texture_fewest or np.median(amplitude[texture]) > weak:
        return result
    fellows = cKDTree(points[texture]).query(points[texture], min(FIXED.texture_typical + 1, int(texture.sum())))[1]
    height = amplitude[texture] / np.median(amplitude[texture][fellows], axis=1)
    result[texture] = np.where(height < FIXED.texture_stands_out, np.minimum(height, score[texture]), score[texture])
    return result


def neighbourhood(points: Array) -> tuple[Array, npt.NDArray[np.int64], Array]:
    """Distances to and numbers of the nearest points (N, K), itself first, and the share of repeated vectors (N,)."""
    from scipy.spatial import cKDTree

    distance, near = cKDTree(points).query(points, FIXED.texture_neighbours + 1)
    reach = FIXED.texture_same * float(np.median(distance[:, 1]))
    return distance, near, repeated_vectors(points, near[:, 1:], reach)


def share_ordered(points: Array) -> float:
    """Share of the points (N, 2) whose neighbours stand where those of others do; hardly any of random ones."""
    if len(points) <= FIXED.texture_neighbours:
        return 0.0
    return float((neighbourhood(points)[2] >= FIXED.texture_ordered).mean())


def repeated_vectors(points: Array, near: npt.NDArray[np.int64], reach: float) -> Array:
    """Share (N,) of the vectors to the K neighbours `near` (N, K) that lead from these neighbours to a point again.

    Points count as met within `reach` pixels. 1 in a perfect lattice, about a sixth among random points.
    """
    cell = reach / 4  # of a grid in which the discs around the points are marked; looking up is faster than searching
    place = (points - points.min(axis=0)) / cell
    margin = 5
    offset = np.arange(-4, 5)
    disc = np.argwhere(np.hypot(offset[:, None], offset) <= 4) - 4
    shape = np.ceil(place.max(axis=0)).astype(np.int64) + 2 * margin + 1
    occupied, line = np.zeros(shape.prod(), dtype=bool), int(shape[1])
    occupied[((np.rint(place).astype(np.int64) + margin) @ [line, 1])[:, None] + disc @ [line, 1]] = True
    there = place[near].T.astype(np.float32)  # (2, K, N)
    vector = there - place.T[:, None].astype(np.float32)
    low, high = np.float32(-margin), (shape - margin - 1).astype(np.float32)  # the border is empty, as is all beyond
    met = np.zeros(len(points))
    for number in range(near.shape[1]):  # one neighbour of all points after the other stays in the processor's cache
        row, column = (
            np.rint(np.clip(at[number] + to, low, most)).astype(np.int64) + margin
            for at, to, most in zip(there, vector, high, strict=True)
        )
        met += np.take(occupied, row * line + column).sum(axis=0)
    return met / near.shape[1] ** 2
