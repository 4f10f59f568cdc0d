"""Poses against what the eye sees: np.rot90 turns counter-clockwise on screen, np.roll moves down and right."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from napari_vae import InputError, ModelConfig
from napari_vae.models.components import screen_matrices
from napari_vae.models.decoders import CoordinateDecoder, pose_of
from napari_vae.models.networks import Encoder, shrink
from napari_vae.models.pose import Pose, sample_canonical, turned_copies, uniform_angles, wrap
from napari_vae.models.vae import GLANCE, InvariantVAE, within_reach


@pytest.fixture
def blob():
    """A smooth, lopsided image (1, 1, 41, 41) that is 0 near its border."""
    y, x = np.mgrid[-20:21, -20:21]
    image = np.exp(-((y + 6) ** 2 + (x - 3) ** 2) / 8) + 0.5 * np.exp(-((y - 2) ** 2 + (x + 7) ** 2) / 18)
    return torch.tensor(image, dtype=torch.float32)[None, None]


def pose(angle=0.0, shift=(0.0, 0.0), scale=1.0, strain=(0.0, 0.0)):
    return Pose(
        torch.tensor([[math.radians(angle)]]),
        torch.tensor([[shift]]),
        torch.tensor([[math.log(scale)]]),
        torch.tensor([[strain]]),
    )


def draw(image, *args, **kwargs):
    size = tuple(image.shape[-2:])
    return sample_canonical(image, pose(*args, **kwargs), size, size)[0, 0, 0].numpy()


def moments(image):
    """Centre of mass (y, x) and covariance ((xx, xy), (xy, yy)) with x to the right, y up."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    total = image.sum()
    cy, cx = (y * image).sum() / total, (x * image).sum() / total
    dx, dy = x - cx, -(y - cy)
    return (cy, cx), np.array([[(a * b * image).sum() / total for b in (dx, dy)] for a in (dx, dy)])


def test_no_pose_changes_nothing(blob):
    np.testing.assert_allclose(draw(blob), blob[0, 0], atol=1e-6)


def test_angles_are_counter_clockwise_on_screen(blob):
    np.testing.assert_allclose(draw(blob, 90), np.rot90(blob[0, 0]), atol=1e-5)


def test_shift_moves_right_and_down_on_screen_whatever_the_angle(blob):
    upright, turned = draw(blob, shift=(3.0, 2.0)), draw(blob, 90, shift=(3.0, 2.0))
    np.testing.assert_allclose(upright, np.roll(blob[0, 0], (2, 3), (0, 1)), atol=1e-3)
    np.testing.assert_allclose(turned, np.roll(np.rot90(blob[0, 0]), (2, 3), (0, 1)), atol=1e-3)


def test_scale_above_one_is_larger(blob):
    _, before = moments(draw(blob))
    _, after = moments(draw(blob, scale=1.3))
    np.testing.assert_allclose(after, before * 1.3**2, rtol=0.02)


@pytest.mark.parametrize(("strain", "direction"), [((0.2, 0.0), (1, 0)), ((0.0, 0.2), (1, 1)), ((0.0, -0.2), (1, -1))])
def test_strain_elongates_along_its_axis_and_keeps_the_area(strain, direction):
    y, x = np.mgrid[-20:21, -20:21]
    round_ = torch.tensor(np.exp(-(y**2 + x**2) / 32), dtype=torch.float32)[None, None]
    _, before = moments(draw(round_))
    _, after = moments(draw(round_, strain=strain))
    along = np.asarray(direction) / np.linalg.norm(direction)  # (right, up)
    assert along @ after @ along == pytest.approx(before[0, 0] * math.exp(0.4), rel=0.02)
    assert np.linalg.det(after) == pytest.approx(np.linalg.det(before), rel=0.03)


def test_screen_strain_turns_with_the_object():
    tilted = pose(30, strain=(0.1, 0.05))
    on_screen = Pose(torch.zeros(1, 1), torch.zeros(1, 1, 2), torch.zeros(1, 1), tilted.screen_strain())
    rotation = pose(30).screen_to_object()[0][0, 0]
    object_matrix, screen_matrix = tilted.screen_to_object()[0][0, 0], on_screen.screen_to_object()[0][0, 0]
    torch.testing.assert_close(object_matrix, rotation @ screen_matrix, atol=1e-6, rtol=0)


def test_turned_copies_undo_the_coarse_angles(blob):
    copies = turned_copies(torch.tensor(draw(blob, 90))[None, None], 4)[0]
    for angle, copy in zip(uniform_angles(4), copies, strict=True):
        np.testing.assert_allclose(copy[0], np.rot90(blob[0, 0], 1 - round(math.degrees(angle) / 90)), atol=1e-5)


@pytest.mark.parametrize("n", [5, 8, 12])
def test_each_turned_copy_is_what_a_rotation_gives(blob, n):
    """Also those that are made of others by right angles."""
    copies = turned_copies(blob, n)[0, :, 0]
    for angle, copy in zip(uniform_angles(n), copies, strict=True):
        turned = draw(blob, -math.degrees(angle))
        inside = np.hypot(*np.mgrid[-20:21, -20:21]) < 18
        np.testing.assert_allclose(np.asarray(copy)[inside], turned[inside], atol=0.02)


def test_windows_that_are_not_square_keep_square_pixels(blob):
    tall = sample_canonical(blob, pose(90), (31, 21), (31, 21))[0, 0, 0]
    np.testing.assert_allclose(tall, np.rot90(blob[0, 0])[5:36, 10:31], atol=1e-5)


def test_wrap_brings_angles_into_the_half_open_circle():
    angles = torch.tensor([math.pi, -math.pi, 3 * math.pi / 2, 0.0, 7.0])
    torch.testing.assert_close(wrap(angles), torch.tensor([math.pi, math.pi, -math.pi / 2, 0.0, 7.0 - 2 * math.pi]))


def test_a_decoder_of_coordinates_draws_every_channel_of_every_pose_pixel_by_pixel():
    decoder = CoordinateDecoder(2, (8,), 3, 7)
    features = decoder(torch.zeros(2, 2))
    drawn = decoder.draw(features, Pose.identity((2, 4), torch.device("cpu")), (5, 7), (5, 7))
    assert drawn.shape == (2, 4, 3, 5, 7)
    alone = decoder.layers(torch.nn.functional.silu(decoder.points(torch.zeros(2)) + features[0]))
    torch.testing.assert_close(drawn[1, 3, :, 2, 3], alone)  # the middle of the window is the origin


def test_a_smaller_picture_is_the_mean_of_blocks_where_there_are_whole_ones():
    image = torch.arange(24.0).reshape(1, 1, 4, 6) ** 2
    blocks = image.reshape(1, 1, 2, 2, 3, 2).mean((3, 5))
    torch.testing.assert_close(shrink(image, (2, 3)), blocks)
    assert shrink(image, (2, 4)).shape[-2:] == (2, 4) and shrink(image, (3, 3)).shape[-2:] == (3, 3)


@pytest.mark.parametrize(("kind", "side"), [("mlp", 6), ("mlp", 7), ("conv", 7)])
def test_an_encoder_sees_images_after_half_a_turn_too(kind, side):
    encoder, images = Encoder(kind, 2, (side, side), (5, 4)), torch.rand(3, 2, side, side)
    expected = torch.stack([encoder(images), encoder(images.flip(-2, -1))])
    torch.testing.assert_close(encoder.both_ways(images), expected)


@pytest.mark.parametrize(("turns", "mirror"), [(1, False), (1, True), (5, False), (6, True), (12, True)])
def test_features_are_of_copies_with_each_coarse_pose_undone(turns, mirror):
    invariances = ["rotation"] * (turns > 1) + ["mirror"] * mirror
    model = InvariantVAE(ModelConfig(invariances=invariances, rotations=max(4, turns), hidden=(5, 4)), 2, (7, 7))
    images = torch.rand(3, 2, 7, 7)
    copies = turned_copies(images, turns)
    copies = torch.cat([copies, copies.flip(-1)], 1) if mirror else copies
    found = model.reader.features(model.features, images)
    torch.testing.assert_close(
        found, model.features(copies.flatten(0, 1)).unflatten(0, copies.shape[:2]).transpose(0, 1)
    )


def test_an_orientation_that_is_far_worse_by_the_coarse_look_is_not_looked_at_closely():
    scores = torch.tensor([[0.0, 1e4, 20.0, 1e5, math.inf], [5e3, 5e3, 5001, 5002, 5003]])
    likely = within_reach(scores.topk(3, largest=False).values, scores)
    assert likely.tolist() == [[True, True, False], [True, True, True]]


def test_orientations_of_a_large_window_are_told_by_a_small_picture(monkeypatch):
    model = InvariantVAE(ModelConfig.preset("rvae", rotations=12), 1, (3 * GLANCE, GLANCE))
    draw, extents = model.decoder.draw, []
    monkeypatch.setattr(model.decoder, "draw", lambda *given: extents.append(given[-1]) or draw(*given))
    with torch.no_grad():
        model.explain(torch.rand(2, 1, 3 * GLANCE, GLANCE))
    assert extents[0] == (GLANCE, round(GLANCE / 3)) and (3 * GLANCE, GLANCE) in extents


def test_a_latent_table_puts_points_where_the_pose_draws_them():
    columns = {"angle": [30, -100], "scale": [1.2, 0.8], "mirror": [0, 1]}
    pairs = {"shift": [[1, -3], [2, 0.5]], "strain": [[0.1, 0.02], [-0.05, 0.1]]}
    names = ["shift_y", "shift_x", "strain_xx", "strain_xy"]
    table = pd.DataFrame(columns | dict(zip(names, np.hstack(list(pairs.values())).T, strict=True)))
    matrix, shift = screen_matrices(table)
    back, offset = (values[:, 0].numpy() for values in pose_of(2, columns | pairs).screen_to_object())  # x, y down
    onscreen = np.linalg.inv(back)
    np.testing.assert_allclose(onscreen, matrix[:, ::-1, ::-1], atol=1e-5)
    np.testing.assert_allclose(-(onscreen @ offset[..., None])[..., 0], shift[:, ::-1], atol=1e-5)


def test_a_pose_is_given_by_the_names_of_its_parts():
    with pytest.raises(InputError, match="'turn'; it is given by angle, shift, scale, strain, mirror"):
        pose_of(1, {"turn": 30})
