"""Simulated domains: what is drawn is what the truth says."""

import numpy as np
import pytest

from napari_vae.core.errors import InputError
from napari_vae.samples import domains
from napari_vae.samples.domains import walls_of


@pytest.fixture(scope="module")
def movie():
    return domains(8, 96, noise=0.0, width=48, seed=3)


def test_lamellae_vanish_at_the_transition(movie):
    above = movie.temperature >= movie.transition
    assert 0 < above.sum() < len(movie)
    height = np.abs(movie.image.data).max(axis=(1, 2))
    assert height == pytest.approx(movie.order, abs=0.02)
    assert (movie.order[above] == 0).all() and (movie.order[~above] >= 0.5).all()
    assert (np.diff(movie.order) <= 0).all()
    assert (movie.variants[above] == -1).all() and not movie.walls[above].any()


def test_every_variant_has_a_direction_of_its_own(movie):
    """The gradient of lamellae lies across them."""
    picture, which = movie.image.data[0].astype(float), movie.variants[0]
    dy, dx = np.gradient(picture)
    turned = []
    for variant in range(3):
        inside = which == variant
        assert inside.any()
        turned.append(np.angle(((dx + 1j * dy) ** 2)[inside].mean()) / 2)
    apart = np.rad2deg(np.diff([*turned, turned[0]])) % 180
    assert apart == pytest.approx(np.full(3, 60), abs=10)


def test_walls_are_where_variants_meet(movie):
    which, walls = movie.variants[0], movie.walls[0]
    assert walls.any() and walls.mean() < 0.1
    assert np.array_equal(walls, walls_of(which))
    rows, columns = np.nonzero(walls[:-1, :-1])
    there = which[rows, columns]
    assert ((which[rows + 1, columns] != there) | (which[rows, columns + 1] != there)).all()


def test_walls_wander_slowly(movie):
    changed = (movie.variants[1:4] != movie.variants[:3]).mean(axis=(1, 2))
    assert (changed > 0).all() and (changed < 0.25).all()


def test_a_seed_gives_the_same_movie_and_another_one_another():
    first, again, other = (domains(2, 32, seed=seed).image.data for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize("wrong", [{"temperatures": (400.0, 300.0)}, {"frames": 1}, {"jump": 2.0}, {"size": 8}])
def test_what_is_not_possible_is_refused(wrong):
    with pytest.raises(InputError):
        domains(**wrong)
