"""Dumbbells of two columns that look nearly alike, drawn from formulas in known directions."""

import math

import numpy as np
import pytest
import torch

from napari_vae import ModelConfig, TrainConfig, fit, load_run
from napari_vae.models.polarity import Aligned, Polarity, even, left_over, odd, one_way
from napari_vae.models.pose import Pose

SIDE = 24


def dumbbells(n, seed, *, brighter, noise=0.0, shift=0.1):
    """Images (n, SIDE, SIDE) and directions (n,) in degrees of the column that is brighter by a part (n,)."""
    rng = np.random.default_rng(seed)
    direction, centre = rng.uniform(-180, 180, n), rng.uniform(-shift, shift, (n, 2))
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    images = rng.normal(0, noise, (n, SIDE, SIDE))
    for sign in (1, -1):
        place = 5 * sign * np.stack([-np.sin(np.deg2rad(direction)), np.cos(np.deg2rad(direction))], 1) + centre
        square = (y - place[:, :1, None]) ** 2 + (x - place[:, 1:, None]) ** 2
        images += (0.7 * (1 + sign * np.broadcast_to(brighter, n) / 2))[:, None, None] * np.exp(-square / (2 * 2.0**2))
    return images.astype(np.float32), direction


def either_way(direction, seed):
    """Poses as a training finds them: half of them the other way round, all a little wrong; and which are."""
    rng = np.random.default_rng(seed)
    around = rng.random(len(direction)) < 0.5
    pose = Pose.identity((len(direction), 1))
    angle = np.deg2rad(direction + 180 * around + rng.normal(0, 0.5, len(direction)))
    pose.angle = torch.from_numpy(angle).float()[:, None]
    return pose, around


def learned(images, direction, seed=0):
    polarity = Polarity(1, SIDE, groups=3)
    polarity.reset()
    pose, around = either_way(direction, seed)
    polarity.learn(1, torch.from_numpy(images)[:, None], pose)
    return polarity, around


@pytest.fixture(scope="module")
def polarity():
    return learned(*dumbbells(400, 0, brighter=0.03))[0]


def test_a_column_brighter_by_three_hundredths_tells_the_way(polarity):
    images, direction = dumbbells(300, 1, brighter=0.03)
    pose, around = either_way(direction, 2)
    odds = polarity(torch.from_numpy(images)[:, None], pose, torch.ones(300, dtype=torch.long)).numpy()
    right = (odds > 0) != around  # which of the two is called zero is open, but it is one for all
    assert max(right.mean(), 1 - right.mean()) == 1
    assert np.abs(odds).min() > math.log(100)


def test_groups_that_were_not_learned_have_no_way(polarity):
    images, direction = dumbbells(10, 1, brighter=0.03)
    odds = polarity(torch.from_numpy(images)[:, None], either_way(direction, 2)[0], torch.zeros(10, dtype=torch.long))
    assert not odds.any()


@pytest.mark.parametrize(
    ("brighter", "options"),
    [
        (0.0, {"noise": 0.01}),
        (0.0, {}),
        (0.0, {"shift": 0.0}),
        (np.random.default_rng(3).uniform(-0.1, 0.1, 300), {"noise": 0.01}),
    ],
    ids=["noise", "no noise", "neither noise nor shift", "differences of any size"],
)
def test_without_two_kinds_there_is_no_way(brighter, options):
    polarity, _ = learned(*dumbbells(300, 0, brighter=brighter, **options))
    assert len(polarity.slope) == 0


def test_what_noise_hides_is_told_with_doubt():
    images, direction = dumbbells(400, 0, brighter=0.2, noise=0.12)
    polarity, around = learned(images, direction)
    assert len(polarity.slope) == 1
    pose, around = either_way(direction, 0)
    odds = polarity(torch.from_numpy(images)[:, None], pose, torch.ones(400, dtype=torch.long)).numpy()
    right = (odds > 0) != around
    wrong = min(right.mean(), 1 - right.mean())
    assert 0 < wrong < 0.1
    assert 1 / (1 + np.exp(np.abs(odds))).mean() == pytest.approx(wrong, abs=0.03)


def test_competing_angles_come_to_the_likelier_side():
    angle = torch.tensor([[0.1, math.pi + 0.1], [0.1, math.pi + 0.1], [0.1, math.pi + 0.1]])
    odds = torch.tensor([2.0, -2.0, 0.0])
    turned, wrong = one_way(angle, angle[:, :1], odds)
    full = 2 * math.pi
    np.testing.assert_allclose(turned % full, [[0.1, 0.1], [math.pi + 0.1] * 2, [0.1, math.pi + 0.1]], atol=1e-5)
    np.testing.assert_allclose(wrong[:, 0], [1 / (1 + math.exp(2))] * 2 + [0], atol=1e-6)


def test_a_training_finds_the_way_by_itself(tmp_path):
    images, _ = dumbbells(240, 0, brighter=0.06)
    config = ModelConfig.preset("rvae", hidden=(64, 64), latent_dim=1)
    run = fit(images, config, TrainConfig(epochs=12, learning_rate=3e-3))
    assert run.symmetry == 1
    run.save(tmp_path / "run")
    new, truth = dumbbells(200, 1, brighter=0.06)
    table = load_run(tmp_path / "run").encode(new)
    turn = np.exp(1j * np.deg2rad(table["angle"].to_numpy() - truth))
    error = np.abs(np.angle(turn / turn.mean(), deg=True))
    assert np.quantile(error, 0.99) < 5
    assert table["angle_sd"].median() < 5


def test_a_state_is_taken_by_a_model_that_knows_of_no_way(polarity):
    other = Polarity(1, SIDE, groups=3)
    other.load_state_dict(polarity.state_dict())
    assert torch.equal(other.pictures, polarity.pictures)
    other.load_state_dict({}, strict=True)  # of an earlier version
    assert len(other.slope) == 0
    assert (other.which == -1).all()
    cut = {**polarity.state_dict(), "pictures": polarity.pictures[..., :-1]}
    with pytest.raises(RuntimeError, match="size mismatch"):
        other.load_state_dict(cut)


def test_what_the_fit_leaves_of_equal_images_is_no_way():
    """One image, 300 times: what is left over is the same in each, and a small part of the contrast."""
    image, direction = dumbbells(1, 4, brighter=0.0)
    polarity = Polarity(1, SIDE, groups=3)
    pose = Pose.identity((300, 1))
    pose.angle = torch.full((300, 1), math.radians(direction[0]))
    polarity.learn(1, torch.from_numpy(image)[:, None].repeat(300, 1, 1, 1), pose)
    assert len(polarity.slope) == 0


def laid(n=3, size=(12, 10), **parts):
    """Random images laid on a picture, each shifted or turned as told."""
    pose = Pose.identity((n, 1))
    for name, value in parts.items():
        setattr(pose, name, torch.tensor(value)[:, None])
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(n, 1, *size))).float()
    return Aligned(images, pose, reach=8.0)


def ramp(of):
    """A picture, 8 px to every side of its middle, of a function of (x, y down)."""
    side = torch.linspace(-8, 8, 65)
    y, x = torch.meshgrid(side, side, indexing="ij")
    return of(x, y)[None]


def test_a_picture_is_drawn_where_each_image_lies():
    images = laid(shift=[[0.0, 0.0], [2.0, 0.0], [0.0, -1.0]])
    y, x = torch.meshgrid(torch.arange(12) - 5.5, torch.arange(10) - 4.5, indexing="ij")
    drawn = images.draw(ramp(lambda x, y: x + 3 * y))
    for image, (right, down) in zip(drawn[:, 0], [(0, 0), (2, 0), (0, -1)], strict=True):
        np.testing.assert_allclose(image, (x - right) + 3 * (y - down), atol=1e-3)
    turned = laid(1, angle=[math.pi / 2]).draw(ramp(lambda x, y: x + 3 * y))[0, 0]
    np.testing.assert_allclose(turned, -y + 3 * x, atol=1e-3)


def test_gathering_is_the_adjoint_of_drawing():
    images, rng = laid(shift=[[0.3, 0.2], [-1.0, 0.0], [0.0, 0.7]]), torch.Generator().manual_seed(0)
    picture, values = torch.randn(1, 65, 65, generator=rng), torch.randn(3, 1, 12, 10, generator=rng)
    one = (images.draw(picture) * values).sum()
    assert one.item() == pytest.approx((picture * images.gather(values, picture)).sum().item(), rel=1e-3)


def test_slopes_are_those_of_offset_and_matrix():
    told = laid(1).compared(ramp(lambda x, y: torch.sin(x / 3) * torch.cos(y / 4)))[0][0]
    y, x = torch.meshgrid(torch.arange(12) - 5.5, torch.arange(10) - 4.5, indexing="ij")
    along_x, along_y = torch.cos(x / 3) * torch.cos(y / 4) / 3, -torch.sin(x / 3) * torch.sin(y / 4) / 4
    known = [along_x, along_y, along_x * x, along_x * y, along_y * x, along_y * y]
    for number, slope in enumerate(known):
        np.testing.assert_allclose(told[number], slope.flatten(), atol=0.05)


def test_a_shifted_image_is_brought_to_where_it_fits():
    picture = ramp(lambda x, y: torch.exp(-(x**2 + y**2) / 8))
    there = laid(1, shift=[[0.4, -0.3]])
    there.images = laid(1).draw(picture)
    for _ in range(8):
        there.refine(picture)
    np.testing.assert_allclose(there.draw(picture), there.images, atol=0.01)
    assert there.offset[0].abs().max() < 0.05


def test_pictures_are_even_and_odd_parts_and_changes_explain_what_they_can():
    picture = torch.randn(1, 5, 5, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(even(picture) + odd(picture), picture)
    assert torch.allclose(even(picture).flip(-2, -1), even(picture)) and torch.allclose(
        odd(picture).flip(-2, -1), -odd(picture)
    )
    slopes = torch.randn(2, 30, 6, generator=torch.Generator().manual_seed(2))
    explained = (slopes @ torch.arange(6.0)[:, None])[..., 0]
    slopes = slopes.transpose(1, 2)
    assert left_over(slopes, explained).abs().max() < 0.05
    rest = left_over(slopes, torch.randn(2, 30, generator=torch.Generator().manual_seed(3)))
    assert (slopes @ rest[..., None]).abs().max() < 0.1
