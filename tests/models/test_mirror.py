"""The hand of a motif: told right, kept out of the latents, and none where the motif is its own mirror image."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.linalg import expm

from napari_vae import InputError, ModelConfig, TrainConfig, fit, load_run
from napari_vae.analysis.figures.windows import upright
from napari_vae.models.decoders import pose_of
from napari_vae.models.gauge import Gauge
from napari_vae.models.pose import Pose, sample_canonical
from napari_vae.runs.decoding import draw, freedoms, traverse

#: Columns of atoms: x, y (up) in pixels, and height.
CHIRAL = [(0, -4, 1), (0, 0, 1), (0, 4, 1), (3.3, 4, 1), (2, 0, 0.6), (3.5, -1, 0.5)]
EVEN = [(0, -4, 1), (0, 0, 1), (-3.3, 3.3, 1), (3.3, 3.3, 1)]


def simulated(motif, *, turned=180.0, strained=0.0, n=400, size=20):
    """Images of a motif p = R(φ) exp(ε) D^h u with noise, and the truth."""
    rng = np.random.default_rng(0)
    angle, hand = rng.uniform(-turned, turned, n), rng.integers(0, 2, n)
    strain = rng.normal(0, 1, (n, 2)) * strained
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    images = rng.normal(0, 0.03, (n, size, size))
    for image, degrees, mirrored, (xx, xy) in zip(images, angle, hand, strain, strict=True):
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        matrix = [[cos, -sin], [sin, cos]] @ expm([[xx, xy], [xy, -xx]]) @ np.diag([1 - 2 * mirrored, 1])
        for *place, height in motif:
            right, up = matrix @ place
            image += height * np.exp(-((x - right) ** 2 + (y + up) ** 2) / 4)
    return SimpleNamespace(images=images.astype(np.float32), angle=angle, hand=hand, strain=strain)


def trained(data, *invariances, epochs=15):
    model = ModelConfig(invariances=invariances, hidden=(64, 64), rotations=8)
    return fit(data.images, model, TrainConfig(epochs=epochs, learning_rate=4e-3))


def hand_of(table, data):
    """Hands by the names of the truth: which is called 0 is by convention."""
    hand = table["mirror"].to_numpy()
    return hand if (hand == data.hand).mean() > 0.5 else 1 - hand


def away(angle, truth):
    """Angles less those of the truth and less their mean, in degrees."""
    wave = np.exp(1j * np.radians(angle - truth))
    return np.degrees(np.angle(wave / wave.mean()))


def knows(table, hand):
    """Largest correlation of a latent with the hand."""
    return max(abs(np.corrcoef(table[name], hand)[0, 1]) for name in ("z1", "z2"))


@pytest.fixture(scope="module")
def chiral():
    return simulated(CHIRAL)


@pytest.fixture(scope="module")
def run(chiral):
    return trained(chiral, "rotation", "mirror")


def test_hands_are_told_apart_and_the_latents_do_not_know_them(run, chiral):
    table = run.encode(chiral.images)
    assert (hand_of(table, chiral) == chiral.hand).mean() >= 0.99
    assert knows(table, chiral.hand) <= 0.2
    for hand in (0, 1):
        rows = chiral.hand == hand
        assert np.median(np.abs(away(table["angle"][rows], chiral.angle[rows]))) <= 3
    np.testing.assert_array_equal(table["mirror_probability"] > 0.5, table["mirror"] == 1)
    assert table["mirror_probability"].between(0, 1).all() and table["mirror"].isin([0, 1]).all()


def test_decoding_the_encoded_hand_is_the_reconstruction(run, chiral, tmp_path):
    table = run.encode(chiral.images)
    pose = {"angle": table["angle"], "mirror": table["mirror"]}
    expected = run.normalization.apply(run.reconstruct(chiral.images)[:, None])[:, 0]
    np.testing.assert_allclose(run.decode(table[["z1", "z2"]], **pose), expected, atol=2e-3)
    assert np.abs(run.decode(table[["z1", "z2"]], angle=table["angle"]) - expected).max() > 0.1
    pd.testing.assert_frame_equal(load_run(run.save(tmp_path / "run")).encode(chiral.images), table)


def test_windows_of_both_hands_lie_on_one_another_upright(run, chiral):
    aligned = upright(chiral.images[:, None], run.encode(chiral.images))[:, 0]
    one, two = (np.nanmean(aligned[chiral.hand == hand, 4:-4, 4:-4], 0).ravel() for hand in (0, 1))
    assert np.corrcoef(one, two)[0, 1] > 0.95


def test_the_hand_is_chosen_by_a_slider_of_two_places(run):
    slider = next(one for one in freedoms(run) if one.name == "mirror")
    assert (slider.low, slider.neutral, slider.high, slider.whole) == (0, 0, 1, True)
    neutral = {one.name: one.neutral for one in freedoms(run)}
    frames = traverse(run, neutral, slider)
    assert frames.shape == (2, 20, 20)
    np.testing.assert_allclose(frames[1], draw(run, neutral | {"mirror": 1.0}), atol=1e-6)
    np.testing.assert_allclose(frames[1], frames[0][:, ::-1], atol=1e-5)


@pytest.mark.slow
def test_a_motif_that_is_its_own_mirror_image_has_no_hand():
    data = simulated(EVEN)
    table = trained(data, "rotation", "mirror", epochs=22).encode(data.images)
    assert table[["mirror", "mirror_probability"]].isna().all(axis=None)
    assert np.median(np.abs(away(table["angle"], data.angle))) <= 1


@pytest.mark.slow
def test_strain_is_found_of_both_hands():
    data = simulated(CHIRAL, strained=0.06)
    table = trained(data, "rotation", "strain", "mirror", epochs=20).encode(data.images)
    assert (hand_of(table, data) == data.hand).mean() >= 0.99
    turn = np.exp(2j * np.radians(data.angle))
    on_screen = (data.strain @ [1, 1j]) * turn
    found = table["screen_strain_xx"] + 1j * table["screen_strain_xy"]
    for hand in (0, 1):
        rows = data.hand == hand
        assert np.corrcoef(found[rows].to_numpy().real, on_screen[rows].real)[0, 1] > 0.9
        assert np.corrcoef(found[rows].to_numpy().imag, on_screen[rows].imag)[0, 1] > 0.9
        assert np.median(np.abs(away(table["angle"][rows], data.angle[rows]))) <= 3


def test_mirror_alone():
    data = simulated(CHIRAL, turned=2)
    table = trained(data, "mirror").encode(data.images)
    assert (hand_of(table, data) == data.hand).mean() >= 0.99 and knows(table, data.hand) <= 0.2
    assert not {"angle", "shift_x", "strain_xx"} & set(table)


def test_a_mirrored_pose_is_the_flipped_image():
    image = torch.rand(1, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    pose = pose_of(2, {"angle": [0, 90], "mirror": 1})
    drawn = [sample_canonical(image, pose.rows(slice(row, row + 1)), (9, 9), (9, 9))[0, 0, 0] for row in (0, 1)]
    np.testing.assert_allclose(drawn[0], image[0, 0].flip(-1), atol=1e-5)
    np.testing.assert_allclose(drawn[1], np.rot90(image[0, 0].flip(-1)), atol=1e-5)


def test_a_hand_is_0_or_1_and_none_is_0():
    assert pose_of(1, {"mirror": np.nan}).hand is None
    with pytest.raises(InputError, match="mirror must be 0"):
        pose_of(1, {"mirror": 0.5})


def test_what_was_seen_in_a_turned_and_mirrored_copy_is_seen_on_screen():
    """Drawing in the residual pose, then undoing what was done to the image, is drawing in the pose on screen."""
    one = torch.ones(1, 1)
    seen = Pose(0.2 * one, torch.tensor([[[1.5, -0.7]]]), 0.1 * one, torch.tensor([[[0.1, -0.2]]]))
    angle, hand = torch.tensor([0.9]), torch.tensor([-1.0])
    matrix, offset = seen.screen_to_object()
    undo, _ = Pose(angle[None], torch.zeros(1, 1, 2), 0 * one, torch.zeros(1, 1, 2), hand[None]).screen_to_object()
    found, moved = seen.after(angle, hand).screen_to_object()
    torch.testing.assert_close(found, matrix @ undo)
    torch.testing.assert_close(moved, offset)


def test_zeros_of_the_strain_turn_with_the_hand_and_the_commoner_hand_is_0():
    rng, n = np.random.default_rng(0), 300
    hand = torch.tensor(np.where(rng.random((n, 1)) < 0.3, 1.0, -1.0), dtype=torch.float32)
    zero = torch.zeros(n, 1)
    true = torch.tensor(rng.normal(0, 0.03, (n, 1, 2)), dtype=torch.float32)
    off = torch.stack([torch.full((n, 1), 0.05), 0.04 * hand], -1)
    poses = Pose(zero, torch.zeros(n, 1, 2), zero, true + off, hand)
    gauge, z, y = Gauge(ModelConfig.preset("strain-mirror-rvae")), torch.zeros(n, 2), torch.zeros(n, 0)
    gauge.reset()
    gauge.fit(z, y, poses)
    gauge.set_hand(0, -1, poses)
    found = gauge.to_data(poses, z, y)
    assert (found.strain - true).abs().max() < 0.01
    torch.testing.assert_close(found.hand, -hand)
    back = gauge.to_upright(found, z, y)
    torch.testing.assert_close(back.strain, poses.strain)
    torch.testing.assert_close(back.hand, hand)
    drawn = gauge.to_upright(replace(found, hand=None), z, y)
    torch.testing.assert_close(drawn.hand, -torch.ones_like(hand))


def test_names_of_models_with_mirror():
    model = ModelConfig.preset("ss-mirror-strain-trvae")
    assert model.invariances == ("rotation", "translation", "strain", "mirror")
    assert model.name == "ss-strain-mirror-trvae" and ModelConfig.preset("mirror-vae").name == "mirror-vae"
    with pytest.raises(InputError, match="no model"):
        ModelConfig.preset("mirror-mirror-rvae")
