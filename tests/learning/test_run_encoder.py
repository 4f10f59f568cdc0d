"""What deep kernels see of a trained model, and what is agreed on at the end of a training."""

import copy
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from napari_vae import InputError, ModelConfig, TrainConfig, fit, samples
from napari_vae.analysis.figures.windows import has_pose
from napari_vae.learning.gp.candidates import limits
from napari_vae.learning.gp.networks import RunEncoder
from napari_vae.models import conventions as settling
from napari_vae.models.conventions import inversion_centres, looks_same, set_conventions, symmetry_order
from napari_vae.models.gauge import SHRINK, Gauge
from napari_vae.models.pose import Pose
from napari_vae.models.vae import InvariantVAE

CARDS = samples.cards(10, max_angle=60, max_shear=5, size=16)
QUICK = TrainConfig(epochs=1, device="cpu")


def trained(name, **given):
    return fit(CARDS.images, ModelConfig.preset(name, hidden=(16, 16)), QUICK, **given)


# ---- encoder --------------------------------------------------------------------------------------------------------


def test_columns_are_latents_and_the_pose_in_units_of_its_priors():
    config = ModelConfig(invariances=("translation", "scale", "strain"), hidden=(16, 16))
    run = fit(CARDS.images, config, QUICK)
    told, seen = RunEncoder(run).prepare(CARDS.images), run.encode(CARDS.images)
    names = ["z1", "z2", "shift_x", "shift_y", "scale", "strain_xx", "strain_xy"]
    columns = seen[names].to_numpy(copy=True)
    columns[:, 2:4] /= config.shift_prior * 16
    columns[:, 4] = np.log(columns[:, 4]) / config.scale_prior
    columns[:, 5:] /= config.strain_prior
    np.testing.assert_allclose(told.values, columns, atol=2e-3)


def test_the_angle_is_told_apart():
    run = trained("rvae")
    encoder = RunEncoder(run)
    told, seen = encoder.prepare(CARDS.images), run.encode(CARDS.images)
    assert encoder.rotates and not RunEncoder(trained("vae")).rotates
    turned = np.abs(np.exp(1j * told.turn) - np.exp(1j * np.deg2rad(seen["angle"])))
    assert np.median(turned) < 1e-3
    assert told.circular.shape == (len(CARDS.images), 4)


def test_guessed_classes_and_numbers_are_columns():
    labels = np.where(np.arange(len(CARDS.images)) % 2, -1, CARDS.suit)
    run = trained("ss-vae", labels=labels)
    rows = RunEncoder(run).prepare(CARDS.images).values
    assert rows.shape[1] == 2 + 4
    np.testing.assert_allclose(rows[:, 2:].sum(1), 1, atol=1e-5)
    table = run.encode(CARDS.images)
    np.testing.assert_allclose(rows[:, 2:].max(1), table["class_probability"], atol=1e-4)
    assert (rows[:, 2:].argmax(1) == table["class"]).all()
    np.testing.assert_allclose(rows[:, :2], table[["z1", "z2"]], atol=1e-4)
    numbers = trained("ss-vae", targets=np.where(np.arange(len(CARDS.images)) % 2, np.nan, CARDS.angle))
    rows = RunEncoder(numbers).prepare(CARDS.images).values
    guessed = numbers.encode(CARDS.images).filter(like="target").iloc[:, 0].to_numpy()
    assert np.corrcoef(rows[:, 2], guessed)[0, 1] > 0.999


def test_a_copy_that_is_trained_further_leaves_the_run_as_it_is():
    run = trained("vae")
    fixed, free = RunEncoder(run), RunEncoder(run, trainable=True)
    assert copy.deepcopy(fixed) is fixed and copy.deepcopy(free) is not free
    assert not any(p.requires_grad for p in fixed.parameters()) and any(p.requires_grad for p in free.parameters())
    images = free.prepare(CARDS.images).values
    assert images.shape == (len(CARDS.images), 1, 16, 16)
    columns = free(torch.from_numpy(images), torch.zeros(len(images), dtype=torch.long))
    np.testing.assert_allclose(columns.detach(), fixed.prepare(CARDS.images).values, atol=1e-5)
    assert free.model is not run._model and fixed.model is run._model


def test_a_conditional_run_is_no_encoder():
    with pytest.raises(InputError, match="needs its condition"):
        RunEncoder(trained("cvae", condition=CARDS.suit))


def test_centre_and_spread_of_columns_and_channels_of_any_size():
    values = np.random.default_rng(0).normal(1e6, 3.0, (50, 2)) * [1.0, 1e200]
    centre, spread = limits(values)
    np.testing.assert_allclose(np.ravel(centre), values.mean(0))
    np.testing.assert_allclose(np.ravel(spread) / [1, 1e200], (values / [1, 1e200]).std(0), rtol=1e-3)
    assert [part.tolist() for part in limits(values, scaled=False)] == [[0], [1]]


def test_any_column_of_a_pose_is_a_pose():
    assert has_pose(pd.DataFrame({"z1": [0.0], "angle": [1.0]})) and not has_pose(pd.DataFrame({"z1": [0.0]}))


# ---- the end of a training ------------------------------------------------------------------------------------------


def explained(z, y=None, shift=None):
    n = len(z)
    pose = Pose.identity((n, 1), torch.device("cpu"))
    if shift is not None:
        pose.shift = shift[:, None]
    return SimpleNamespace(mean=z, y=torch.zeros(n, 0) if y is None else y, pose=pose)


def test_the_range_of_the_latents_is_that_of_nearly_all_images():
    model = trained("vae")._model
    z = torch.linspace(0, 100, 101)[:, None] * torch.tensor([[1.0, -2.0]])
    ranges = set_conventions(model, [explained(z[:40]), explained(z[40:])])
    assert np.allclose(ranges, [[1, 99], [-198, -2]])


@pytest.mark.parametrize(("fold", "polar"), [(1, 1), (2, 1), (3, 3), (4, 1), (6, 3)])
def test_motifs_with_a_direction_do_not_look_the_same_after_half_a_turn(monkeypatch, fold, polar):
    model = InvariantVAE(ModelConfig.preset("rvae", hidden=(8,)), 1, (12, 12))
    monkeypatch.setattr(settling, "symmetry_order", lambda *_: fold)
    for slope, left in ((torch.zeros(0), fold), (torch.ones(1), polar)):
        model.polarity.slope = slope
        set_conventions(model, [explained(torch.randn(60, 2, generator=torch.Generator().manual_seed(0)))])
        assert model.gauge.fold == left


class Drawn:
    """A model that draws an even or uneven motif, whose centre is where it is put."""

    def __init__(self, centre=(0.0, 0.0), fold=2, odd=0.0):
        self.centre, self.fold, self.odd = torch.tensor(centre), fold, odd
        self.likelihood = SimpleNamespace(mean=lambda drawn: drawn)

    def draw(self, z, y, pose):
        matrix, offset = pose.screen_to_object()
        down, across = torch.meshgrid(torch.arange(24.0) - 11.5, torch.arange(24.0) - 11.5, indexing="ij")
        screen = torch.stack([across, down], -1).flatten(0, 1)
        place = torch.einsum("bkij,pj->bkpi", matrix, screen) + offset[:, :, None] - self.centre
        radius, angle = place.norm(dim=-1), torch.atan2(place[..., 1], place[..., 0])
        image = torch.exp(-0.5 * (radius / 5) ** 2) * (radius / 5) ** 2 * torch.cos(self.fold * angle)
        image = image + self.odd * place[..., 0] * torch.exp(-0.5 * (radius / 5) ** 2)
        return image.unflatten(-1, (24, 24))[:, :, None]


Z, NOTHING = torch.zeros(3, 2), torch.zeros(3, 0)


@pytest.mark.parametrize("fold", [2, 3, 4, 6])
def test_the_order_of_the_symmetry_is_that_of_the_motif(fold):
    assert symmetry_order(Drawn(fold=fold), Z, NOTHING) == fold
    assert not looks_same(Drawn(fold=fold), Z, NOTHING, 5 if fold != 5 else 4).any()
    assert symmetry_order(Drawn(fold=fold, odd=0.5), Z, NOTHING) == 1


def test_the_centre_of_a_motif_is_found_between_the_steps():
    found = inversion_centres(Drawn(centre=(1.3, -0.7)), Z, NOTHING, torch.full((3,), 3.0))
    np.testing.assert_allclose(found, [[1.3, -0.7]] * 3, atol=0.05)
    assert not inversion_centres(Drawn(fold=3), Z, NOTHING, torch.full((3,), 3.0)).any()


def test_zeros_are_the_means_of_those_that_are_alike():
    gauge = Gauge(ModelConfig(kind="joint", n_classes=2, invariances=("strain", "scale")))
    y, z = torch.eye(2)[[0] * 30 + [1] * 10], torch.zeros(40, 2)
    pose = Pose.identity((40, 1), torch.device("cpu"))
    pose.strain[:30], pose.strain[30:], pose.log_scale[:30] = 0.1, -0.2, 0.3
    assert gauge.fit(z, y, pose).tolist() == [0] * 30 + [1] * 10
    overall = torch.tensor([0.1 * 30 - 0.2 * 10, 0.3 * 30]) / 40
    for number, n, own in ((0, 30, (0.1, 0.3)), (1, 10, (-0.2, 0.0))):
        expected = (n * torch.tensor(own) + SHRINK * overall) / (n + SHRINK)
        np.testing.assert_allclose(gauge.values[number, [0, 2]], expected, rtol=1e-5)
    assert not gauge.values[:, 3:].any(), "a model without shift and rotation has no centre"
    back = gauge.to_upright(gauge.to_data(pose, z, y), z, y)
    np.testing.assert_allclose(back.strain, pose.strain, atol=1e-6)
    np.testing.assert_allclose(gauge.to_data(pose, z, y).log_scale[0, 0], 0.3 - gauge.values[0, 2], rtol=1e-5)
    gauge.move(torch.tensor([1]), torch.tensor([[2.0, -1.0]]))
    assert gauge.values[1, 3:].tolist() == [2, -1] and not gauge.values[0, 3:].any()


def test_angles_are_told_within_the_part_that_symmetry_leaves():
    gauge = Gauge(ModelConfig(invariances=("rotation",)))
    gauge.reset()
    assert gauge.fold.item() == 1
    gauge.fold.fill_(4)
    apart = gauge.apart(torch.tensor([0.2, 0.2 + math.pi / 2, -1.0]))
    np.testing.assert_allclose(apart, [0.2, 0.2, math.pi / 2 - 1.0], atol=1e-6)


def test_the_zero_of_the_shift_goes_to_the_centre_of_each_group(monkeypatch):
    moved = {}
    seen = SimpleNamespace(move=lambda groups, points: moved.update(groups=groups, points=points))
    z = torch.tensor([[0.0, 0.0], [0.2, 0.0], [9.0, 9.0], [9.4, 9.0], [9.1, 9.0]])
    group = torch.tensor([0, 0, 3, 3, 3])
    pose = explained(z, shift=torch.tensor([[0.0, 0.0], [2.0, 0.0], [1.0, 1.0], [1.0, 1.0], [1.0, 4.0]])).pose
    asked = {}

    def centres(model, typical, y, reach):
        asked.update(typical=typical, reach=reach)
        return torch.full((2, 2), 7.0)

    monkeypatch.setattr(settling, "inversion_centres", centres)
    settling._centre(SimpleNamespace(gauge=seen), z, torch.zeros(5, 0), pose, group)
    assert moved["groups"].tolist() == [0, 3] and (moved["points"] == 7).all()
    assert asked["typical"][1].tolist() == pytest.approx([9.1, 9.0])
    np.testing.assert_allclose(asked["reach"], [pose.shift[:2].std(), pose.shift[2:].std()])


def test_only_groups_of_even_motifs_are_looked_at_for_polar_ones(monkeypatch):
    learnt = []
    polarity = SimpleNamespace(learn=lambda number, images, pose: learnt.append((number, len(images), len(pose.angle))))
    n = settling.FEWEST
    group = torch.tensor([0] * n + [1] * n + [2] * (n - 1))
    even = group != 1
    monkeypatch.setattr(settling, "looks_same", lambda model, z, y, fold: z[:, 0] > 0.5)
    z = torch.stack([even.float(), torch.zeros(len(group))], 1)
    pose = Pose.identity((len(group), 1), torch.device("cpu"))
    settling._orient(SimpleNamespace(polarity=polarity), z, torch.zeros(len(group), 0), pose, group, lambda rows: rows)
    assert learnt == [(0, n, n)]


class Cornered(Drawn):
    """One that draws a neighbour into a corner too, which a turned window does not have."""

    def draw(self, z, y, pose):
        image = super().draw(z, y, pose)
        image[..., :3, :3] += (3 * torch.cos(pose.angle))[..., None, None, None]
        return image


def test_whether_motifs_look_the_same_is_asked_within_a_disc():
    assert looks_same(Cornered(fold=2), Z, NOTHING, 2).all() and looks_same(Cornered(fold=4), Z, NOTHING, 4).all()
    assert not looks_same(Cornered(fold=4), Z, NOTHING, 3).any()
