"""Low spots of another kind in a crowd of atoms are found where most of its room is theirs, and nothing elsewhere."""

import numpy as np
import pytest

import kinds
from measuring import detection
from napari_vae import detect_atoms
from napari_vae.atoms.detect import candidate_atoms

KEY = "napari_vae"


def agreement(found, truth, shape):
    sample = detection.Labelled("", np.broadcast_to(0, shape), truth)
    return detection.compare(sample, found[["y", "x"]].to_numpy(), 3.5, 8.0)


@pytest.mark.parametrize(
    ("how", "sign"),
    [
        ({}, 1),
        ({"width": 3.6, "height": 0.2}, 1),
        ({"height": 0.1, "noise": 0.01}, 1),
        ({"ordered": True, "height": 0.1, "noise": 0.01}, -1),
        ({"ordered": True, "width": 3.0}, 1),
    ],
)
def test_spots_of_a_second_kind_are_found_with_the_first(how, sign):
    image, strong, low = kinds.two_kinds(np.random.default_rng(0), **how)
    found = detect_atoms(sign * image, refine=False)
    assert agreement(found, np.concatenate([strong, low]), image.shape).precision >= 0.95
    assert agreement(found, strong, image.shape).recall >= 0.98
    midst = low[(low > 14).all(axis=1) & (low < (101, 186)).all(axis=1)]
    assert agreement(found, midst, image.shape).recall >= 0.85
    assert (found["score"] >= found.attrs[KEY]["threshold"]).all()


@pytest.mark.parametrize("ordered", [False, True])
def test_gaps_without_spots_stay_empty(ordered):
    image, strong, low = kinds.two_kinds(np.random.default_rng(0), ordered=ordered, height=0.0)
    found = detect_atoms(image, refine=False)
    assert agreement(found, strong, image.shape).precision >= 0.98
    assert len(found) < len(strong) + 0.1 * len(low)


def test_a_threshold_set_by_hand_finds_what_the_preview_shows():
    image, strong, _ = kinds.two_kinds(np.random.default_rng(0))
    candidates = candidate_atoms(image)
    threshold = candidates.attrs[KEY]["threshold"]
    every = len(detect_atoms(image, refine=False))
    assert (candidates["score"] >= threshold).sum() == every > 1.2 * len(strong)
    higher = 1.4 * threshold
    few = len(detect_atoms(image, threshold=higher, refine=False))
    assert len(strong) / 2 < few == (candidates["score"] >= higher).sum() < every


def test_every_frame_of_a_movie_is_looked_at_so():
    rng = np.random.default_rng(0)
    image, strong, _ = kinds.two_kinds(rng, ordered=True)
    movie = np.stack([image, image + 1, 0.01 * rng.normal(size=image.shape)])
    counts = detect_atoms(movie, refine=False).groupby("frame").size()
    assert counts[0] == counts[1] > len(strong)
    assert counts.get(2, 0) <= 5
