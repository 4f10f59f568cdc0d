"""Conditional, semi-supervised and joint models find the truth, and say what they need."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import spearmanr

from napari_vae import InputError, ModelConfig, TrainConfig, fit, load_run, samples
from napari_vae.models.conventions import inversion_centres
from napari_vae.models.gauge import Gauge
from napari_vae.models.pose import Pose, sample_canonical
from napari_vae.training.step import TrainStep

SMALL = (64, 64)  # quick, and enough for cards


def quick(epochs, learning_rate=4e-3):
    """Larger steps, which need half the epochs or fewer."""
    return TrainConfig(epochs=epochs, learning_rate=learning_rate)


def matched_accuracy(found, truth):
    counts = np.array([[np.sum((found == i) & (truth == k)) for k in range(4)] for i in range(4)])
    rows, columns = linear_sum_assignment(-counts)
    return counts[rows, columns].sum() / len(truth)


@pytest.fixture(scope="module")
def turned():
    return samples.cards(200, max_angle=180, max_shear=1, size=32, seed=1)


@pytest.fixture(scope="module")
def some(turned):
    """Half of them, which is enough where labels are given: images and suits."""
    return turned.images[::2], turned.suit[::2]


@pytest.fixture(scope="module")
def small():
    return samples.cards(16, max_angle=60, max_shear=5, size=32)


@pytest.mark.slow
def test_few_labels_are_enough(some):
    """Two labels for one suit and ten for the others, all of them hardly turned."""
    few = samples.cards(10, max_angle=12, max_shear=1, size=32, seed=2)
    keep, (images, suit) = np.r_[0:2, 10:40], some
    labels = np.r_[few.suit[keep], np.full(len(suit), -1)]
    together = np.concatenate([few.images[keep], images])
    run = fit(together, ModelConfig.preset("ss-rvae", hidden=SMALL), quick(12), labels=labels)
    table = run.encode(images)
    assert (table["class"] == suit).mean() > 0.97
    assert table["class_probability"].between(0.25, 1).all()
    assert run.history[["kl_class", "supervised", "floor"]].notna().all().all()


@pytest.mark.slow
def test_classes_are_found_without_labels(turned):
    model = ModelConfig.preset("j-rvae", n_classes=4, hidden=SMALL)
    run = fit(turned.images, model, quick(20))
    assert matched_accuracy(run.encode(turned.images)["class"].to_numpy(), turned.suit) > 0.97
    drawn = np.stack([run.decode(np.zeros(2), label=k)[0] for k in range(4)])
    apart = [np.abs(drawn[i] - drawn[j]).mean() for i in range(4) for j in range(i)]
    assert min(apart) > 0.01, "every class draws something else"


@pytest.mark.slow
def test_more_labelled_than_unlabelled(some):
    images, suit = some
    model, train = ModelConfig.preset("ss-rvae", hidden=SMALL), quick(9)
    labels = np.where(np.arange(len(suit)) % 4, suit, -1)
    run = fit(images, model, train, labels=labels)
    assert (run.encode(images)["class"] == suit)[labels < 0].mean() > 0.95
    everything = fit(images, model, train, labels=suit)
    assert (everything.encode(images)["class"] == suit).mean() > 0.95


def test_a_condition_is_kept_out_of_the_latents():
    """Given the size of the cards, the latents do not tell it; not given, they do."""
    cards = samples.cards(100, max_angle=0.1, max_shear=0.1, scale=(0.6, 1.6), size=32, seed=3)
    cards_of = cards.suit == 1
    images, size = cards.images[cards_of], np.log(cards.scale[cards_of])
    train = quick(40)
    plain = fit(images, ModelConfig(latent_dim=1, hidden=SMALL), train).encode(images)
    run = fit(images, ModelConfig("conditional", latent_dim=1, hidden=SMALL), train, condition=size)
    told = run.encode(images, condition=size)
    assert abs(spearmanr(plain["z1"], size)[0]) > 0.95
    assert abs(spearmanr(told["z1"], size)[0]) < 0.5
    drawn = run.decode(np.zeros((2, 1)), condition=[[size.min()], [size.max()]])
    assert drawn[1].mean() > 1.5 * drawn[0].mean(), "the condition is what decides the size"


def test_numbers_are_learnt_from_a_few():
    cards = samples.cards(150, max_angle=0.1, max_shear=0.1, scale=(0.6, 1.6), size=32, seed=4)
    known = np.where(np.arange(len(cards)) % 10 == 0, cards.scale, np.nan)
    run = fit(cards.images, ModelConfig("semi-supervised", hidden=SMALL), quick(16), targets=known)
    table = run.encode(cards.images)
    error = (table["target"] - cards.scale)[np.isnan(known)]
    assert np.sqrt((error**2).mean()) < 0.25 * cards.scale.std()
    assert (table["target_sd"] > 0).all()


def test_signals():
    """Peaks that move and change in height: the shift is found, the height is the latent."""
    rng = np.random.default_rng(0)
    place, height = rng.uniform(-10, 10, 400), rng.uniform(0.2, 1, 400)
    x = np.arange(96) - 47.5
    signals = height[:, None] * np.exp(-0.5 * ((x - place[:, None]) / 4) ** 2) + 0.01 * rng.normal(size=(400, 96))
    run = fit(signals, ModelConfig.preset("tvae", latent_dim=1, hidden=SMALL), quick(20, 8e-3))
    table = run.encode(signals)
    assert "shift_y" not in table
    assert np.corrcoef(table["shift_x"], place)[0, 1] > 0.99
    assert abs(spearmanr(table["z1"], height)[0]) > 0.95
    assert run.reconstruct(signals).shape == signals.shape and run.window == (1, 96)
    with pytest.raises(InputError, match="shifted only"):
        fit(signals, ModelConfig.preset("rvae"))


@pytest.mark.slow
def test_the_coordinate_decoder_turns_as_the_canonical_one(turned):
    few = turned.images[::13, 4:-4, 4:-4]
    model = ModelConfig.preset("rvae", decoder="coordinate", hidden=(32, 32), rotations=8)
    run = fit(few, model, TrainConfig(epochs=40))
    upright, quarter = run.decode([0, 0])[0], run.decode([0, 0], angle=90)[0]
    np.testing.assert_allclose(np.rot90(upright), quarter, atol=1e-3)
    assert run.history["loss"].iloc[-1] < 0.8 * run.history["loss"].iloc[0]


@pytest.mark.slow
def test_convolutions_learn_too(small):
    model = ModelConfig.preset("rvae", encoder="conv", latent_dim=4)
    run = fit(small.images, model, quick(35, 8e-3))
    assert run.encode(small.images)["reconstruction_error"].mean() < 0.3 * small.images.var(0).mean()


def test_classes_by_name(small, tmp_path):
    names = np.array(["club", "spade", "heart", "diamond"])[small.suit]
    labels = pd.Series(names).where(np.arange(len(small)) % 2 == 0)
    run = fit(small.images, ModelConfig.preset("ss-rvae"), TrainConfig(epochs=2), labels=labels)
    assert run.scale.names == ("club", "diamond", "heart", "spade")
    again = load_run(run.save(tmp_path / "run"))
    assert again.scale == run.scale
    told = again.encode(small.images, labels=names)
    assert (np.array(run.scale.names)[told["class"]] == names).all(), "what is known is taken as it is"
    with pytest.raises(InputError, match="club, diamond, heart, spade; the labels hold joker"):
        run.encode(small.images, labels=["joker"] * len(small))


CONDITION, LABELS = np.zeros(64, int), np.zeros(64, int)


@pytest.mark.parametrize(
    ("model", "given", "sentence"),
    [
        (ModelConfig.preset("crvae"), {}, "learns from condition"),
        (ModelConfig.preset("svae", scale_prior=1e30), {}, "times as wide as the window"),
        (ModelConfig.preset("tvae", shift_prior=50.0), {}, "201 times as wide as the window"),
        (ModelConfig.preset("ss-rvae"), {}, "learns from labels or targets"),
        (ModelConfig.preset("ss-rvae"), {"labels": LABELS, "targets": np.ones(64)}, "give one of them"),
        (ModelConfig.preset("j-rvae"), {}, "how many classes"),
        (ModelConfig.preset("rvae"), {"labels": LABELS}, "does not learn from labels"),
        (ModelConfig.preset("ss-rvae"), {"labels": LABELS - 1}, "label a few"),
        (ModelConfig.preset("ss-rvae"), {"labels": LABELS[:9]}, "There are 64 images"),
        (ModelConfig.preset("ss-rvae"), {"labels": LABELS + 0.5}, "whole numbers"),
        (ModelConfig.preset("ss-rvae"), {"labels": LABELS - 2.0**53}, "whole numbers"),
        (ModelConfig.preset("ss-rvae"), {"labels": np.where(np.arange(64) == 5, np.inf, LABELS)}, "go up to inf"),
        (ModelConfig.preset("ss-rvae"), {"labels": LABELS + 2**40}, "beyond 1000 classes"),
        (ModelConfig.preset("crvae"), {"condition": np.where(np.arange(64) == 5, 1e300, 0.5)}, "another unit"),
        (ModelConfig.preset("crvae"), {"condition": [[1.0], [1.0, 2.0]] * 32}, "same size"),
        (ModelConfig.preset("ss-rvae", n_classes=2), {"labels": np.arange(64) % 3}, "there are 2 classes"),
        (ModelConfig.preset("crvae", n_classes=2), {"condition": np.arange(64) % 2 - 1}, "there are 2 classes"),
        (ModelConfig.preset("crvae"), {"condition": np.full(64, np.nan)}, "hold NaN"),
        (ModelConfig.preset("crvae"), {"condition": np.ones(64)}, "the same for all"),
        (
            ModelConfig.preset("ss-rvae"),
            {"targets": np.full(64, np.nan)},
            "No image has a value of some of the targets",
        ),
        (ModelConfig.preset("ss-rvae"), {"targets": np.full(64, np.inf)}, "infinite"),
    ],
)
def test_what_does_not_fit_is_one_sentence(small, model, given, sentence):
    with pytest.raises(InputError, match=sentence):
        fit(small.images, model, **given)


@pytest.mark.parametrize("unknown", [1, 2])
def test_all_but_one_or_two_images_may_have_a_label(unknown):
    cards = samples.cards(10, max_angle=20, size=12)
    labels = np.where(np.arange(len(cards)) < unknown, -1, cards.suit)
    run = fit(cards.images, ModelConfig.preset("ss-vae", hidden=(8,)), TrainConfig(epochs=1), labels=labels)
    assert run.encode(cards.images)["class_probability"].between(0.25, 1).all()


def test_a_trained_model_infers_the_class_of_images_without_a_label():
    cards = samples.cards(6, max_angle=20, size=12)
    model = ModelConfig.preset("ss-vae", hidden=(8,))
    run = fit(cards.images, model, TrainConfig(epochs=1), labels=cards.suit)
    known = np.arange(len(cards)) % 2 == 0
    mixed = run.encode(cards.images, labels=np.where(known, cards.suit, -1))
    told, alone = run.encode(cards.images, labels=cards.suit), run.encode(cards.images)
    pd.testing.assert_frame_equal(mixed[known], told[known], rtol=1e-4)
    pd.testing.assert_frame_equal(mixed[~known], alone[~known], rtol=1e-4)


def test_classes_that_no_label_names_have_a_name_too(tmp_path):
    cards = samples.cards(6, max_angle=20, size=12)
    model = ModelConfig.preset("ss-vae", hidden=(8,), n_classes=3)
    run = fit(cards.images, model, TrainConfig(epochs=1), labels=np.where(cards.suit > 1, "red", "black"))
    assert load_run(run.save(tmp_path / "run")).scale.names == ("black", "red", "unnamed 2")


@pytest.mark.parametrize(("kind", "name"), [("cvae", "condition"), ("ss-vae", "targets"), ("ss-vae", "labels")])
def test_what_is_given_may_be_any_array(kind, name):
    cards = samples.cards(6, max_angle=20, size=12)
    values = cards.suit if name == "labels" else cards.angle.round()

    def learnt(given):
        return fit(cards.images, ModelConfig.preset(kind, hidden=(8,)), TrainConfig(epochs=1), **{name: given}).state()

    expected, tensor = learnt(values), torch.tensor(values, dtype=torch.float64)
    for given in (tensor.clone().requires_grad_(), tensor.bfloat16(), tensor.to_sparse(), pd.Series(values), [*tensor]):
        for key, value in learnt(given).items():
            assert torch.equal(value, expected[key]), (key, type(given))


def test_a_training_goes_on_with_what_it_learnt_from():
    cards, config = samples.cards(6, max_angle=20, size=12), TrainConfig(epochs=1)
    run = fit(cards.images, ModelConfig.preset("cvae", hidden=(8,)), config, condition=cards.angle)
    fit(cards.images, train=config, start=run, condition=cards.suit)  # numbers, also where they are whole
    with pytest.raises(InputError, match="1 numbers per image"):
        fit(cards.images, train=config, start=run, condition=np.c_[cards.angle, cards.suit])
    run = fit(cards.images, ModelConfig.preset("ss-vae", hidden=(8,)), config, targets=cards.angle)
    with pytest.raises(InputError, match="give targets"):
        fit(cards.images, train=config, start=run, labels=cards.suit)
    run = fit(cards.images, ModelConfig.preset("ss-vae", hidden=(8,)), config, labels=cards.suit)
    with pytest.raises(InputError, match="give labels"):
        fit(cards.images, train=config, start=run, targets=cards.angle)
    for start in ("folder", run._model):
        with pytest.raises(InputError, match="start is a Run, as fit and load_run give it"):
            fit(cards.images, start=start)


@pytest.mark.parametrize("value", [1e300, np.nan, 1e60])
def test_a_condition_far_from_those_of_the_training_is_one_sentence(value):
    cards = samples.cards(6, max_angle=20, size=12)
    run = fit(cards.images, ModelConfig.preset("cvae", hidden=(8,)), TrainConfig(epochs=1), condition=cards.angle)
    given = np.where(np.arange(len(cards)) == 3, value, cards.angle)
    with pytest.raises(InputError, match=r"far beyond|too large|NaN"):
        run.encode(cards.images, condition=given)
    if value == value:
        for draw in (lambda: run.decode([0, 0], condition=value), lambda: run.manifold(3, condition=value)):
            with pytest.raises(InputError, match="far beyond"):
                draw()


@pytest.mark.parametrize("options", [{"angle": np.nan}, {"shift": (0, np.inf)}, {"scale": "a"}, {"strain": 1e300}])
def test_poses_that_are_no_numbers_are_one_sentence(small, options):
    run = fit(small.images, train=TrainConfig(epochs=1))
    with pytest.raises(InputError, match=r"finite numbers|one for all"), np.errstate(over="ignore"):
        run.decode([0, 0], **options)
    for z in ([0, np.nan], "a", [[0], [1, 2]]):
        with pytest.raises(InputError, match="latents"):
            run.decode(z)
    with pytest.raises(InputError, match="n is a whole number"):
        run.manifold(2.5)


def test_a_conditional_model_wants_its_condition_again(small):
    run = fit(small.images, ModelConfig.preset("crvae"), TrainConfig(epochs=1), condition=small.suit)
    with pytest.raises(InputError, match="give the class of every image as `condition`"):
        run.encode(small.images)
    with pytest.raises(InputError, match="there are 4 classes"):
        run.decode([0, 0], label=7)
    with pytest.raises(InputError, match="takes no condition"):
        fit(small.images, train=TrainConfig(epochs=1)).encode(small.images, condition=small.suit)


def test_memory_that_is_short_halves_the_batch_and_changes_nothing(small, monkeypatch):
    """A step in parts is the same step; only the random draws come in another order."""
    whole = fit(small.images, train=TrainConfig(epochs=2))
    learn, words = TrainStep._accumulate, []

    def short(self, rows, labelled, centring):
        if self.parts < 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return learn(self, rows, labelled, centring)

    monkeypatch.setattr(TrainStep, "_accumulate", short)
    run = fit(small.images, train=TrainConfig(epochs=2), callback=lambda event: words.append(event.message))
    assert any("memory is short: each batch is taken in 4 parts" in word for word in words)
    np.testing.assert_allclose(run.history["loss"], whole.history["loss"], rtol=0.05)


def test_ramps_of_beta_end_where_they_shall(small):
    train = TrainConfig(epochs=10, beta=(0.0, 2.0, 5))
    run = fit(small.images, train=train)
    last = run.history.iloc[-1]
    assert last["loss"] == pytest.approx(
        last["reconstruction"] + last["kl_pose"] + 2 * (last["kl_z1"] + last["kl_z2"]), rel=1e-3
    )
    for wrong in (-1, (1, 2), (1, -2, 3), "warm"):
        with pytest.raises(InputError, match="a ramp"):
            TrainConfig(beta=wrong)


def test_zeros_of_the_pose_are_means_over_images_that_are_alike():
    """Two kinds of objects whose upright images are off-centre, stretched and too large, each in its own way."""
    rng, n = np.random.default_rng(0), 1000
    kind = rng.integers(0, 2, n)
    truth = Pose(
        torch.tensor(rng.uniform(-np.pi, np.pi, (n, 1)), dtype=torch.float32),
        torch.tensor(rng.normal(0, 2, (n, 1, 2)), dtype=torch.float32),
        torch.tensor(rng.normal(0, 0.05, (n, 1)), dtype=torch.float32),
        torch.tensor(rng.normal(0, 0.02, (n, 1, 2)), dtype=torch.float32),
    )
    z = torch.tensor(np.c_[4 * kind - 2 + 0.2 * rng.normal(size=n), rng.normal(size=n)], dtype=torch.float32)
    off = torch.tensor([[3.0, -1.0], [-2.0, 0.5]])[kind][:, None]
    strain, log_scale = torch.tensor([[0.03, 0.0], [-0.01, 0.02]])[kind], torch.tensor([0.1, -0.2])[kind]
    upright = replace(truth, strain=truth.strain + strain[:, None], log_scale=truth.log_scale + log_scale[:, None])
    upright = upright.moved(off, -1)
    gauge = Gauge(ModelConfig.preset("strain-trsvae"))
    gauge.reset()
    gauge.fit(z, torch.zeros(n, 0), upright)
    found = gauge.to_data(upright, z, torch.zeros(n, 0))
    for name, tolerance in (("shift", 0.5), ("strain", 0.004), ("log_scale", 0.012)):
        assert (getattr(found, name) - getattr(truth, name)).abs().max() < tolerance, name
    back = gauge.to_upright(found, z, torch.zeros(n, 0))
    torch.testing.assert_close(back.shift, upright.shift, atol=1e-4, rtol=1e-4)


def test_angles_of_symmetric_motifs_are_told_modulo_their_symmetry():
    cards = samples.cards(80, max_angle=180, max_shear=0.1, size=32, seed=7)
    model = ModelConfig.preset("rvae", latent_dim=1, hidden=SMALL)
    train = quick(25)
    diamonds, clubs = (cards.suit == k for k in (3, 0))
    run = fit(cards.images[diamonds], model, train)
    table = run.encode(cards.images[diamonds])
    assert run.symmetry == 2 and table["angle"].between(-90, 90).all()
    apart = (table["angle"] - cards.angle[diamonds] + 90) % 180 - 90
    assert (apart - apart.median()).abs().median() < 3
    assert table["angle_sd"].median() < 10, "turns that change nothing are no uncertainty"
    assert fit(cards.images[clubs], model, train).symmetry == 1


def test_images_on_disk_are_encoded_in_parts(small, tmp_path, monkeypatch):
    np.save(tmp_path / "images.npy", small.images)
    run = fit(small.images, train=TrainConfig(epochs=1))
    largest, apply = [], type(run.normalization).apply
    monkeypatch.setattr("napari_vae.runs.explaining.BATCH", 10)
    monkeypatch.setattr("napari_vae.runs.explaining.MOST", 10)
    monkeypatch.setattr(
        type(run.normalization), "apply", lambda self, data: largest.append(len(data)) or apply(self, data)
    )
    table = run.encode(np.load(tmp_path / "images.npy", mmap_mode="r"))
    assert max(largest) == 10 and len(table) == len(small)


def test_the_centre_of_a_motif_that_looks_the_same_upside_down_is_found():
    y, x = np.mgrid[:48, :48] - 23.5
    ellipse = np.exp(-(((x - 2.3) / 7) ** 2) - ((y + 1.4) / 4) ** 2)  # about (2.3, −1.4): x right, y down
    comma = ellipse + np.exp(-(((x - 12) / 3) ** 2) - ((y + 6) / 3) ** 2)
    upright = torch.tensor(np.stack([ellipse, comma]), dtype=torch.float32)[:, None]

    class Drawer:
        likelihood = SimpleNamespace(mean=lambda images: images)

        def draw(self, z, y, pose):
            return sample_canonical(upright, pose, (48, 48), (48, 48))

    found = inversion_centres(Drawer(), torch.zeros(2, 2), torch.zeros(2, 0), torch.tensor([6.0, 6.0]))
    np.testing.assert_allclose(found, [[2.3, -1.4], [0, 0]], atol=0.15)
