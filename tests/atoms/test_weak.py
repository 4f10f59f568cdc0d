"""Weak columns between heavy ones: found in what the heavy ones leave, and only where there are any."""

import numpy as np
import pytest

from measuring import detection
from napari_vae import detect_atoms
from napari_vae.atoms.refine import draw_spots
from napari_vae.core.errors import InputError

SIZE, SPACING, WIDTH = 320, 26.0, 3.6
NEAREST = SPACING / np.sqrt(2)


def square_lattice(weak, dose=300, seed=0, background=0.1):
    """Counts of a lattice with weak columns, of a height in heavy ones, at its face centres; where both are."""
    rng = np.random.default_rng(seed)
    turn = np.array([[np.cos(0.12), -np.sin(0.12)], [np.sin(0.12), np.cos(0.12)]])
    steps = np.stack(np.mgrid[-20:21, -20:21], axis=-1).reshape(-1, 2)
    both = [SPACING * (steps + shift) @ turn + SIZE / 2 + rng.normal(0, 0.2, (len(steps), 2)) for shift in (0.1, 0.6)]
    heavy, light = (sites[((sites > -10) & (sites < SIZE + 10)).all(axis=1)] for sites in both)
    spots = np.zeros((len(heavy) + len(light), 5))
    spots[:, 2:4], spots[:, 4] = np.concatenate([heavy, light]), WIDTH
    spots[:, 0] = np.append(np.ones(len(heavy)), np.full(len(light), weak))
    return rng.poisson(dose * (draw_spots((SIZE, SIZE), spots) + background)).astype(float), heavy, light


def agreement(image, truth, atoms):
    sample = detection.Labelled("", image, truth)
    return detection.compare(sample, atoms[["y", "x"]].to_numpy(), 0.25 * NEAREST, NEAREST)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_second_pass_finds_weak_columns(sign):
    image, heavy, light = square_lattice(0.08)
    image *= sign
    once, atoms = detect_atoms(image), detect_atoms(image, weak=True)
    first, second = (atoms[atoms.found_in == number] for number in (1, 2))
    assert len(first) == len(once)
    for truth, found in ((heavy, once), (heavy, first), (light, second)):
        agreed = agreement(image, truth, found)
        assert agreed.precision >= 0.95
        assert agreed.recall >= 0.95
    inside = ((second[["y", "x"]] > SPACING) & (second[["y", "x"]] < SIZE - SPACING)).all(axis=1)
    assert second[inside].amplitude.median() == pytest.approx(sign * 0.08 * 300, rel=0.1)
    assert second[inside].y_err.notna().all()


def test_a_lattice_without_weak_columns_gets_none():
    for seed in (0, 1):
        image, heavy, _ = square_lattice(0, seed=seed)
        assert (detect_atoms(image, weak=True).found_in == 2).sum() <= 0.01 * len(heavy)


def test_one_pass_is_the_default_and_two_need_the_fit():
    image = square_lattice(0.08)[0]
    assert "found_in" not in detect_atoms(image, refine=False)
    with pytest.raises(InputError, match="leave refine on"):
        detect_atoms(image, refine=False, weak=True)
    noise = np.random.default_rng(0).normal(size=(128, 128))
    assert list(detect_atoms(noise, weak=True)) == [*detect_atoms(noise), "found_in"]
