"""Deep kernels: numbers, angles and classes whose truth is known, few labels, calibrated intervals, plain files."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from napari_vae import DeepKernelGP, InputError, ModelConfig, ReadError, TrainConfig, TrainingError, fit, samples
from napari_vae.analysis.circular import wrapped
from napari_vae.learning.gp import ensemble as ensemble_module
from napari_vae.learning.gp.deep_kernel import load_deep_kernel

N, LABELLED = 400, 60
DIAMOND = 3


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(N, 4))


@pytest.fixture(scope="module")
def cards():
    return samples.cards(150, max_angle=120, max_shear=15, size=32, seed=3)


@pytest.fixture(scope="module")
def run(cards):
    model = ModelConfig(invariances=("rotation", "strain"), hidden=(64, 64))
    return fit(cards.images, model, TrainConfig(epochs=16, learning_rate=4e-3))


def known(rows):
    return 7 + 3 * np.sin(rows[:, 0]) + rows[:, 1]


def right(mean, sd, truth, unit):
    """Errors far below the spread of the target, and about nine of ten within the intervals of 90 %."""
    error = np.abs(mean - truth)
    assert np.sqrt((error**2).mean()) < unit * truth.std()
    assert 0.75 < (error < 1.645 * sd).mean() <= 0.99


def test_numbers_from_few_labels(rows):
    y = known(rows)
    model = DeepKernelGP(seed=1, steps=150).fit(rows[:LABELLED], y[:LABELLED])
    right(*(part[LABELLED:] for part in model.predict(rows)), y[LABELLED:], 0.2)
    assert model.embed(rows).shape == (N, 3)


def test_unit_of_the_target_does_not_matter(rows):
    y = known(rows)
    metres, nanometres = (DeepKernelGP(steps=40).fit(rows[:40], y[:40] * unit).predict(rows) for unit in (1e-9, 1.0))
    for a, b in zip(metres, nanometres, strict=True):
        np.testing.assert_allclose(a, b * 1e-9, rtol=1e-6)


def test_several_targets_share_one_embedding(rows):
    y = np.column_stack([known(rows), rows[:, 2], -known(rows)])
    model = DeepKernelGP(seed=0, steps=100, ensemble=2).fit(rows[:LABELLED], y[:LABELLED])
    mean, sd = model.predict(rows)
    assert mean.shape == sd.shape == (N, 3)
    for k in range(3):
        assert np.corrcoef(mean[LABELLED:, k], y[LABELLED:, k])[0, 1] > 0.95
    assert model.embed(rows).shape == (N, 3)


def test_classes_as_probabilities(rows):
    truth = np.digitize(rows[:, 0], [-0.5, 0.5])
    probability, sd = (
        DeepKernelGP(target="class", steps=100, ensemble=2).fit(rows[:LABELLED], truth[:LABELLED]).predict(rows)
    )
    assert probability.shape == sd.shape == (N, 3)
    np.testing.assert_allclose(probability.sum(1), 1)
    assert (probability.argmax(1) == truth)[LABELLED:].mean() > 0.8
    unsure = probability.max(1) < 0.6
    to_border = np.abs(np.abs(rows[:, 0]) - 0.5)
    assert np.median(to_border[unsure]) < 0.6 * np.median(to_border)


def test_angles_go_round_the_circle():
    truth = np.linspace(-180, 180, 300, endpoint=False)
    x = np.column_stack([np.cos(np.deg2rad(truth)), np.sin(np.deg2rad(truth))])
    labelled = np.random.default_rng(0).permutation(300)[:40]
    mean, _ = DeepKernelGP(target="angle", steps=100, ensemble=2).fit(x[labelled], truth[labelled]).predict(x)
    assert np.abs(wrapped(mean - truth, 360)).max() < 5
    assert (mean > -180).all() and (mean <= 180).all()


@pytest.mark.slow
def test_an_angle_turns_with_the_image(run, cards):
    """Labels of nearly upright images tell the angles of all others, because the encoder tells how these are turned."""
    upright = np.flatnonzero((np.abs(cards.angle) < 30) & (cards.suit != DIAMOND))
    labelled = np.random.default_rng(0).choice(upright, 40, replace=False)
    model = DeepKernelGP(run, target="angle", steps=100, ensemble=2)
    seen = model.prepare(cards.images)
    mean, _ = model.fit(seen[labelled], cards.angle[labelled]).predict(seen)
    turned = (np.abs(cards.angle) > 60) & (cards.suit != DIAMOND)
    assert np.median(np.abs(wrapped(mean - cards.angle, 360)[turned])) < 3


@pytest.mark.slow
def test_half_a_turn_that_cannot_be_seen_is_told_as_uncertain(run, cards):
    diamonds = np.flatnonzero(cards.suit == DIAMOND)
    model = DeepKernelGP(run, target="angle", steps=100, ensemble=2)
    seen = model.prepare(cards.images[diamonds])
    mean, sd = model.fit(seen[::3], cards.angle[diamonds][::3]).predict(seen)
    assert np.median(np.abs(wrapped(mean - cards.angle[diamonds], 180))) < 5
    assert np.median(sd) > 45


def test_encoder_tells_shear_from_few_labels(run, cards):
    labelled = np.random.default_rng(1).choice(len(cards), 80, replace=False)
    others = np.setdiff1d(np.arange(len(cards)), labelled)
    model = DeepKernelGP(run, steps=150)
    seen = model.prepare(cards.images)
    mean, sd = model.fit(seen[labelled], cards.shear[labelled]).predict(seen)
    right(mean[others], sd[others], cards.shear[others], 0.3)
    pixels = (
        DeepKernelGP(steps=60, ensemble=1).fit(cards.images[labelled], cards.shear[labelled]).predict(cards.images)[0]
    )
    assert np.std((mean - cards.shear)[others]) < 0.5 * np.std((pixels - cards.shear)[others])


def test_fine_tuning_changes_a_copy_of_the_encoder(run, cards, tmp_path):
    before = {name: value.clone() for name, value in run.state().items()}
    labelled = np.random.default_rng(1).choice(len(cards), 40, replace=False)
    model = DeepKernelGP(run, fine_tune=True, ensemble=1, steps=8)
    model.fit(cards.images[labelled], cards.shear[labelled])
    after = run.state()
    assert all(torch.equal(before[name], after[name]) for name in before)
    tuned = model.ensemble.networks[0].encoder.model.state_dict()
    assert any(not torch.equal(tuned[name].cpu(), before[name]) for name in before)
    mean = model.predict(cards.images[:10])[0]
    assert mean.shape == (10,)
    model.save(tmp_path / "model")
    np.testing.assert_allclose(load_deep_kernel(tmp_path / "model").predict(cards.images[:10])[0], mean, rtol=1e-4)
    about = tmp_path / "model" / "deep_kernel.json"
    known = json.loads(about.read_text())
    known["shape"][-1] += 1
    about.write_text(json.dumps(known))
    with pytest.raises(ReadError, match="the run is of other images"):
        load_deep_kernel(tmp_path / "model")


@pytest.mark.parametrize("network", ["linear", "mlp", "conv"])
def test_networks_on_images(network):
    rng = np.random.default_rng(0)
    brightness = rng.uniform(size=80)
    images = rng.normal(0, 0.1, (80, 12, 12)) + brightness[:, None, None]
    model = DeepKernelGP(network=network, steps=80, ensemble=2).fit(images[:40], brightness[:40])
    assert np.corrcoef(model.predict(images)[0][40:], brightness[40:])[0, 1] > 0.9


@pytest.mark.parametrize("many", [False, True])
def test_prediction_is_that_of_the_exact_process(rows, many):
    y = np.column_stack([known(rows), rows[:, 2]]) if many else known(rows)
    model = DeepKernelGP(ensemble=1, steps=20).fit(rows[:40], y[:40])
    ensemble, seen = model.ensemble, model.prepare(rows)
    told = ensemble.gp.posterior(torch.from_numpy(ensemble.embed(seen))[None], observation_noise=True)
    mean, variance = ensemble.moments(seen, True)
    np.testing.assert_allclose(mean, told.mean.detach().numpy(), atol=1e-9)
    np.testing.assert_allclose(variance, told.variance.detach().numpy(), atol=1e-9)
    a_few = [part[5:7] for part in model.predict(rows)]
    np.testing.assert_allclose(a_few, model.predict(rows[5:7]), rtol=1e-6)


def test_left_out_labels_are_those_of_a_process_without_them(rows):
    model = DeepKernelGP(ensemble=1, steps=20).fit(rows[:12], known(rows)[:12])
    ensemble, seen = model.ensemble, model.prepare(rows[:12])
    mean, variance = ensemble.left_out()
    y = ensemble.gp.train_targets.numpy()[0][:, None]
    ensemble.condition(seen[1:], y[1:], None)
    np.testing.assert_allclose(ensemble.moments(seen[:1], True), (mean[:, :1], variance[:, :1]), rtol=1e-6)


def test_draws_have_mean_and_spread_of_the_prediction(rows):
    model = DeepKernelGP(ensemble=1, steps=60).fit(rows[:30], known(rows)[:30])
    draws = model.sample(rows, 400, seed=0)
    mean, sd = model.predict(rows, noise=False)
    assert draws.shape == (400, N)
    assert np.abs(draws.mean(0) - mean).mean() < 0.2 * sd.mean()
    assert np.median(draws.std(0) / sd) == pytest.approx(1, abs=0.15)
    np.testing.assert_array_equal(draws, model.sample(rows, 400, seed=0))


@pytest.mark.parametrize("target", ["real", "class"])
def test_several_targets_and_classes_are_drawn_from_their_own_processes(rows, target):
    several = np.column_stack([known(rows), 100 * rows[:, 2]])
    y = several if target == "real" else (several > np.median(several, axis=0)).sum(1)
    model = DeepKernelGP(target=target, ensemble=1, steps=60).fit(rows[:30], y[:30])
    seen = model.prepare(rows[::2])
    draws = model.ensemble.draw(seen, 400, seed=0)[:, 0]
    mean, variance = (part[0] for part in model.ensemble.moments(seen, False))
    assert draws.shape == (400, *mean.shape)
    assert (np.abs(draws.mean(0) - mean).mean(0) < 0.2 * np.sqrt(variance).mean(0)).all()
    np.testing.assert_allclose(np.median(draws.std(0) / np.sqrt(variance), axis=0), 1, atol=0.15)


def test_same_seed_same_result_and_nothing_global(rows):
    state = torch.get_rng_state()
    first, second = (DeepKernelGP(steps=20, seed=3).fit(rows[:20], known(rows)[:20]).predict(rows) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert torch.equal(state, torch.get_rng_state())


def test_draws_leave_the_random_numbers_of_all_devices_as_they_are(rows, monkeypatch):
    model, seeded = DeepKernelGP(steps=3, ensemble=1).fit(rows[:20], known(rows)[:20]), []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    state = torch.get_rng_state()
    model.sample(rows[:5], 2)
    assert torch.equal(state, torch.get_rng_state())
    assert not seeded


def test_warm_refit_goes_on_and_takes_new_labels(rows):
    y = known(rows)
    model = DeepKernelGP(steps=100, warm_steps=5).fit(rows[:30], y[:30])
    before = model.predict(rows[30:40])[0]
    after = model.fit(rows[:40], y[:40], warm=True).predict(rows[30:40])[0]
    assert np.abs(after - y[30:40]).mean() < 0.5 * np.abs(before - y[30:40]).mean()


def test_warm_refit_with_a_new_class_starts_again(rows):
    truth = np.digitize(rows[:, 0], [-0.5, 0.5])
    two = np.flatnonzero(truth < 2)[:20]
    model = DeepKernelGP(target="class", steps=20).fit(rows[two], truth[two])
    assert model.fit(rows[:40], truth[:40], warm=True).predict(rows)[0].shape == (N, 3)


def test_stop_ends_a_fit_that_can_be_used(rows):
    asked = iter([False] * 3 + [True] * 1000)
    model = DeepKernelGP(steps=10**6).fit(rows[:20], known(rows)[:20], stop=lambda: next(asked))
    assert np.isfinite(model.predict(rows)[0]).all()


@pytest.mark.parametrize("steps", [1, 5, 10**6])
def test_a_fit_ends_with_its_steps_or_once_so_many_of_them_gained_nothing(rows, monkeypatch, steps):
    monkeypatch.setattr(ensemble_module, "TOLERANCE", 1e9)
    asked = []
    DeepKernelGP(steps=steps, ensemble=1).fit(rows[:20], known(rows)[:20], stop=lambda: bool(asked.append(0)))
    assert len(asked) == min(steps, 1 + ensemble_module.PATIENCE)


@pytest.mark.parametrize("target", ["real", "several", "angle", "class"])
def test_saved_and_loaded_it_predicts_the_same(rows, target, tmp_path):
    y = {
        "real": known(rows),
        "several": np.column_stack([known(rows), rows[:, 2]]),
        "angle": np.rad2deg(np.arctan2(rows[:, 0], rows[:, 1])),
        "class": np.digitize(rows[:, 0], [0]),
    }[target]
    kind = "real" if target == "several" else target
    model = DeepKernelGP(target=kind, steps=10, ensemble=2).fit(rows[:30], y[:30])
    loaded = load_deep_kernel(model.save(tmp_path / "model"))
    for a, b in zip(model.predict(rows), loaded.predict(rows), strict=True):
        np.testing.assert_array_equal(a, b)
    loaded.fit(rows[:40], y[:40], warm=True)
    assert {path.suffix for path in (tmp_path / "model").iterdir()} == {".json", ".safetensors"}


def test_saved_with_the_run_whose_encoder_it_uses(run, cards, tmp_path):
    model = DeepKernelGP(run, steps=10, ensemble=1).fit(cards.images[:40], cards.shear[:40])
    loaded = load_deep_kernel(model.save(tmp_path / "model"))
    np.testing.assert_allclose(loaded.predict(cards.images[:9]), model.predict(cards.images[:9]), rtol=1e-5)


def test_folders_that_hold_no_model(rows, tmp_path):
    with pytest.raises(ReadError, match="not the folder of a deep kernel"):
        load_deep_kernel(tmp_path)
    folder = DeepKernelGP(steps=3, ensemble=1).fit(rows[:9], known(rows)[:9]).save(tmp_path / "model")
    settings = json.loads((folder / "deep_kernel.json").read_text())
    (folder / "deep_kernel.json").write_text(json.dumps(settings | {"format": 99}))
    with pytest.raises(ReadError, match="newer version"):
        load_deep_kernel(folder)
    (folder / "deep_kernel.json").write_text(json.dumps(settings))
    content = (folder / "weights.safetensors").read_bytes()
    for name, wrong in [
        ("networks.0.straight.bias", np.nan),
        ("known.z", 1e237),
        ("known.y", -1e307),
        ("gp.mean_module.raw_constant", 1e200),
    ]:
        weights = load(content)
        weights[name].reshape(-1)[0] = wrong
        (folder / "weights.safetensors").write_bytes(save(weights))
        with pytest.raises(ReadError, match="not finite"):
            load_deep_kernel(folder)
    (folder / "weights.safetensors").write_bytes(content[:200])
    with pytest.raises(ReadError, match="damaged"):
        load_deep_kernel(folder)
    weights = load(content)
    weights["gp.likelihood.noise_covar.raw_noise_constraint.lower_bound"][...] = -50.0  # a noise below 0
    (folder / "weights.safetensors").write_bytes(save(weights))
    tampered = load_deep_kernel(folder).predict(rows)
    (folder / "weights.safetensors").write_bytes(content)
    np.testing.assert_array_equal(tampered, load_deep_kernel(folder).predict(rows))


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (np.ones(9), "All targets are 1; measure more"),
        ([np.nan] + [1.0] * 8, "NaN"),
        (np.arange(8.0), "give one row for each"),
        (["a"] * 9, "no numbers"),
    ],
)
def test_targets_that_cannot_be_learned(rows, y, sentence):
    with pytest.raises(InputError, match=sentence):
        DeepKernelGP().fit(rows[:9], y)


def test_input_that_cannot_be_used(rows):
    with pytest.raises(InputError, match="at least 3"):
        DeepKernelGP().fit(rows[:2], [1.0, 2.0])
    with pytest.raises(InputError, match="not fitted yet"):
        DeepKernelGP().predict(rows)
    with pytest.raises(InputError, match="finite"):
        DeepKernelGP().fit(np.full((5, 2), np.inf), np.arange(5.0))
    with pytest.raises(InputError, match="shape"):
        DeepKernelGP(steps=2).fit(rows[:9], known(rows)[:9]).predict(rows[:, :2])
    with pytest.raises(InputError, match="whole numbers"):
        DeepKernelGP(target="class").fit(rows[:9], rows[:9, 0])
    with pytest.raises(InputError, match="images"):
        DeepKernelGP(network="conv").fit(rows[:9], known(rows)[:9])


def test_settings_that_do_not_exist():
    wrong = {"target": "x", "embedding_dim": 4, "kernel": "x", "network": "x", "ensemble": 0, "hidden": ()}
    for name, value in (wrong | {"seed": -1, "weight_decay": -1, "nothing": 1, "fine_tune": True}).items():
        with pytest.raises(InputError):
            DeepKernelGP(**{name: value})


def test_labels_of_one_image_that_disagree_are_noise(rows):
    x = np.repeat(rows[:5], 6, axis=0)
    y = np.tile(np.arange(6.0), 5)
    mean, sd = DeepKernelGP(steps=50).fit(x, y).predict(rows[:5])
    assert np.abs(mean - 2.5).max() < 1
    assert (sd > 1).all()


def test_a_fit_that_diverges_ends_in_a_sentence(rows, monkeypatch):
    monkeypatch.setattr(ensemble_module, "RATE", 1e30)
    with pytest.raises(TrainingError, match="could not be inverted"):
        DeepKernelGP().fit(rows[:30], known(rows)[:30])
