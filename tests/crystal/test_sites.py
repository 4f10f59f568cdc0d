"""Sublattices of equally bright atoms by their position in the cell, against the truth."""

import numpy as np
import pandas as pd
import pytest

from napari_vae import assign_sublattices
from napari_vae.core.errors import InputError

# Lattice vectors (y, x) in pixels, and sites in units of them
CRYSTALS = {
    "one": ([[0, 20], [-18, 3]], [(0, 0)]),
    "honeycomb": ([[0, 20], [-17.32, 10]], [(0, 0), (1 / 3, 1 / 3)]),
    "dumbbells": ([[0, 28.3], [-20, 14.15]], [(0, 0), (-0.25, 0.5)]),  # diamond along <110>
    "three": ([[0, 30], [-26, 2]], [(0, 0), (0.45, 0.3), (0.25, 0.7)]),
    "kagome": ([[0, 30], [-25.98, 15]], [(0, 0), (0.5, 0), (0, 0.5)]),
    "rutile": ([[0, 46], [-46, 0]], [(0, 0), (0.5, 0.5), (0.3, 0.3), (0.7, 0.7), (0.2, 0.8), (0.8, 0.2)]),
}
NOISE, VACANT = 0.5, 0.03  # px, of the sites


def grain(name, half=9, turn=0.0, seed=0):
    """Positions (N, 2) around the origin and the site of each."""
    rng = np.random.default_rng(seed)
    vectors, basis = map(np.array, CRYSTALS[name])
    cos, sin = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    cells = np.mgrid[-half:half, -half:half].reshape(2, -1).T
    points = np.concatenate([(cells + site) @ vectors for site in basis]) @ [[cos, sin], [-sin, cos]]
    sites = np.repeat(np.arange(len(basis)), len(cells))
    kept = rng.random(len(points)) >= VACANT
    return points[kept] + rng.normal(0, NOISE, (kept.sum(), 2)), sites[kept]


def sorted_by_position(points, by="position", **options):
    atoms = pd.DataFrame(points, columns=["y", "x"])
    return assign_sublattices(atoms, by=by, **options)["sublattice"].to_numpy()


def agreement(found, true):
    """Share of atoms on the right site, up to the naming, which must be one to one."""
    from scipy.optimize import linear_sum_assignment

    table = pd.crosstab(found, true).to_numpy()
    return table[linear_sum_assignment(-table)].sum() / table.sum()


@pytest.mark.parametrize("name", CRYSTALS)
def test_sites_of_the_cell(name):
    points, true = grain(name)
    found = sorted_by_position(points)
    assert found.max() + 1 == len(CRYSTALS[name][1])
    assert agreement(found, true) > 0.99


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("honeycomb", [1]), ("dumbbells", [1]), ("three", [1, 1, 1]), ("kagome", [1]), ("rutile", [1, 2])],
)
def test_sites_that_a_symmetry_leads_to_each_other_are_one_class(name, sizes):
    points, _ = grain(name)
    found = np.sort(np.bincount(sorted_by_position(points, by="class")))
    assert found / found.sum() == pytest.approx(np.array(sizes) / sum(sizes), abs=0.02)


@pytest.mark.parametrize("name", ["dumbbells", "three"])
def test_slow_strain_and_drift_do_no_harm(name):
    points, true = grain(name, half=12)
    moved = points + 3 * np.sin(points[:, ::-1] / 100) + [0.02, -0.01] * points[:, ::-1]
    assert agreement(sorted_by_position(moved), true) > 0.99


@pytest.mark.parametrize("name", ["honeycomb", "dumbbells", "three"])
def test_each_of_two_grains(name):
    (left, true_left), (right, true_right) = grain(name), grain(name, turn=25, seed=1)
    inside = left[:, 1] < 0, right[:, 1] > 7
    found = sorted_by_position(np.concatenate([left[inside[0]], right[inside[1]]]))
    n = inside[0].sum()
    assert agreement(found[:n], true_left[inside[0]]) > 0.96  # those on the boundary may be taken for the other's
    assert agreement(found[n:], true_right[inside[1]]) > 0.96


def test_brightness_goes_first_where_it_tells():
    points, true = grain("honeycomb")
    rng = np.random.default_rng(3)
    atoms = pd.DataFrame(points, columns=["y", "x"])
    even = assign_sublattices(atoms.assign(amplitude=rng.normal(100, 5, len(atoms))))
    assert agreement(even["sublattice"], true) > 0.99
    kind = rng.random(len(atoms)) < 0.5
    uneven = atoms.assign(amplitude=np.where(kind, 100, 40) + rng.normal(0, 5, len(atoms)))
    assert agreement(assign_sublattices(uneven)["sublattice"], ~kind) > 0.97
    assert agreement(assign_sublattices(uneven, by="position")["sublattice"], true) > 0.99
    assert assign_sublattices(atoms.assign(amplitude=100.0), by="brightness")["sublattice"].nunique() == 1


@pytest.mark.parametrize(
    "groups",  # number of atoms, brightness, its spread
    [
        [(36, 1.0, 0.015), (104, 1.25, 0.015), (200, 1.4, 0.015)],
        [(75, 1.0, 0.01), (67, 1.25, 0.01), (245, 0.8, 0.01)],
        [(285, 1.0, 0.02), (214, 1.4, 0.02), (69, 2.0, 0.02)],
    ],
)
def test_kinds_of_atoms_are_told_apart_however_many_there_are_of_each(groups):
    sizes, means, spreads = np.array(groups).T
    rng = np.random.default_rng(0)
    kind = rng.permutation(np.repeat(np.arange(len(groups)), sizes.astype(int)))
    steps = np.stack(np.mgrid[:24, :24], axis=-1).reshape(-1, 2)[: len(kind)] * 10.0
    atoms = pd.DataFrame(steps, columns=["y", "x"]).assign(amplitude=100 * rng.normal(means[kind], spreads[kind]))
    for n in ("auto", len(groups)):
        found = assign_sublattices(atoms, n=n, by="brightness")["sublattice"]
        assert agreement(found, kind) > 0.985
        assert atoms["amplitude"].groupby(found).mean().is_monotonic_decreasing, "0 is the brightest"


def test_frames_of_a_movie_are_named_alike():
    points, _ = grain("dumbbells")
    frames = [pd.DataFrame(points + shift, columns=["y", "x"]).assign(frame=i) for i, shift in enumerate((0, 5.3))]
    found = assign_sublattices(pd.concat(frames), by="position")["sublattice"].to_numpy()
    assert np.array_equal(found[: len(points)], found[len(points) :])


def test_no_lattice_is_one_sublattice():
    scattered = np.random.default_rng(0).uniform(0, 400, (200, 2))
    assert not sorted_by_position(scattered).any()
    assert not sorted_by_position(scattered[:5]).any()


def test_bad_input_is_refused():
    points, _ = grain("three", half=5)
    with pytest.raises(InputError, match="make 3 sublattices, not 2"):
        sorted_by_position(points, n=2)
    with pytest.raises(InputError, match="by is one of auto, brightness, position, class"):
        assign_sublattices(pd.DataFrame(points, columns=["y", "x"]), by="colour")
