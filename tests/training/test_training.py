"""Training finds the truth, reports what it does, and stops when told to."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from napari_vae import Micrograph, ModelConfig, TrainConfig, detect_atoms, extract_patches, fit, iter_fit, samples
from napari_vae.core.errors import TrainingError
from napari_vae.core.progress import drain
from napari_vae.runs.likeness import compare
from napari_vae.training import session
from napari_vae.training.schedule import MAX_STEPS, Schedule


def angle_errors(found, truth, suit):
    """Median |error| in degrees per suit, about the circular mean; ♦ modulo 180°."""
    medians = []
    for k in range(4):
        fold = 2 if k == 3 else 1
        phase = np.exp(1j * fold * np.deg2rad(found - truth)[suit == k])
        medians.append(np.median(np.abs(np.rad2deg(np.angle(phase * np.conj(phase.mean()))))) / fold)
    return np.array(medians)


SMALL = (64, 64)  # quick, and enough for cards
STEP = 4e-3  # learns in fewer epochs


def train(sample, name, epochs):
    model = ModelConfig.preset(name, hidden=SMALL)
    run = fit(sample.images, model, TrainConfig(epochs=epochs, learning_rate=STEP))
    return run.encode(sample.images)


@pytest.fixture(scope="module")
def turned():
    """Cards turned by any angle, and a model that has learnt them."""
    sample = samples.cards(100, max_angle=180, max_shear=1, size=36, seed=1)
    model = ModelConfig.preset("rvae", hidden=SMALL)
    return sample, fit(sample.images, model, TrainConfig(epochs=16, learning_rate=STEP))


def test_rotation_is_found_around_the_whole_circle(turned):
    sample, run = turned
    table = run.encode(sample.images)
    assert angle_errors(table["angle"], sample.angle, sample.suit).max() < 2
    assert table["reconstruction_error"].mean() < 0.01


def test_rotating_the_image_moves_the_angle_and_not_the_content(turned):
    sample, run = turned
    before, after = run.encode(sample.images), run.encode(np.rot90(sample.images, axes=(1, 2)).copy())
    moved = (after["angle"] - before["angle"] - 90 + 180) % 360 - 180
    moved = moved[sample.suit != 3]
    assert np.median(np.abs(moved)) < 1
    shifts = np.abs(after[["z1", "z2"]] - before[["z1", "z2"]]).median() / before[["z1", "z2"]].std()
    assert shifts.max() < 0.1


@pytest.mark.slow
def test_strain_is_the_shear_that_was_applied():
    sample = samples.cards(100, max_angle=120, max_shear=20, size=36, seed=3)
    table = train(sample, "strain-rvae", epochs=20)
    found = table[["strain_xx", "strain_xy"]].to_numpy()
    applied = 2 * np.arcsinh(np.tan(np.deg2rad(sample.shear)) / 2)  # eigenvalue of log [[1, −t], [−t, 1 + t²]]
    for k in range(3):
        # The canonical image may be turned and strained itself: axis and origin are free, the size is not.
        rows = sample.suit == k
        axis = np.linalg.lstsq(np.c_[applied[rows], np.ones(rows.sum())], found[rows], rcond=None)[0][0]
        assert np.linalg.norm(axis) == pytest.approx(1, abs=0.15)
        along = found[rows] @ axis / np.linalg.norm(axis)
        assert np.corrcoef(along, applied[rows])[0, 1] > 0.97
    assert angle_errors(table["angle"], sample.angle, sample.suit)[:3].max() < 4


def test_translation_is_a_screen_shift_in_pixels():
    sample = samples.cards(100, max_angle=0.1, max_shift=6, size=36, seed=4)
    table = train(sample, "tvae", epochs=12)
    for k in range(4):
        error = (table[["shift_y", "shift_x"]].to_numpy() - sample.shift)[sample.suit == k]
        assert np.sqrt(((error - error.mean(0)) ** 2).sum(1).mean()) < 0.6


def test_scale_is_relative_size():
    sample = samples.cards(100, max_angle=0.1, scale=(0.7, 1.4), size=36, seed=5)
    table = train(sample, "svae", epochs=10)
    for k in range(4):
        error = np.log(table["scale"].to_numpy() / sample.scale)[sample.suit == k]
        assert np.median(np.abs(error - np.median(error))) < 0.02


def test_progress_tells_how_far_it_is():
    events = []
    fit(samples.cards(40, size=24).images, train=TrainConfig(epochs=12), callback=events.append)
    assert events[-1].fraction == 1 and events[-1].seconds_left == pytest.approx(0)
    steps = [event.step for event in events]
    assert steps == sorted(steps)
    assert all("CPU" in e.device or e.device for e in events)
    row = events[-1].history[-1]
    assert row["epoch"] == 12 and row["step"] == steps[-1]
    assert row["loss"] == pytest.approx(row["reconstruction"] + row["kl"], abs=1e-3)
    assert row["kl"] == pytest.approx(row["kl_pose"] + row["kl_z1"] + row["kl_z2"], abs=1e-3)
    assert any(e.manifold is not None and e.manifold.shape[:2] == (7, 7) for e in events)


def test_stop_keeps_what_was_learnt():
    told = []
    events = iter_fit(samples.cards(40).images, train=TrainConfig(epochs=10_000), stop=lambda: len(told) > 3)
    while True:
        try:
            told.append(next(events))
        except StopIteration as end:
            run = end.value
            break
    assert run.stopped and len(run.history) >= 1
    assert run.encode(samples.cards(2).images).notna().all().all()


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_step_in_which_it_is_stopped_is_not_taken(monkeypatch, kept):
    images = samples.cards(5, size=8).images
    monkeypatch.setattr("napari_vae.training.step.AT_ONCE", 5 * 64)  # asked once within a step and once after it
    asked = iter([False] * 2 * kept + [True] * 100)
    train = TrainConfig(epochs=10, batch_size=10, device="cpu")
    with nullcontext() if kept else pytest.raises(TrainingError, match="before anything was learnt"):
        run = drain(iter_fit(images, ModelConfig(hidden=(4,)), train, stop=lambda: next(asked)))
        assert run.stopped and run.history["step"].iloc[-1] == kept


def test_the_time_that_is_left_is_told_by_the_steps_since_it_was_gone_on_with(monkeypatch):
    now = [50.0]
    monkeypatch.setattr(session.time, "perf_counter", lambda: now[0])
    clock = session._Clock(100, before=7.0)
    assert clock.seconds_left(100, 400) is None and not clock.due()
    now[0] += 20
    assert clock.seconds() == 20 and clock.due()
    assert clock.seconds_left(150, 400) == pytest.approx(250 * 20 / 50)
    assert clock.seconds_left(401, 400) == 0
    clock.reported()
    assert not clock.due()


def test_one_who_does_not_want_to_wait_has_the_latents_measured_on_few_images(monkeypatch):
    looked = []
    monkeypatch.setattr(session, "set_conventions", lambda model, explained, load: [])
    convention = SimpleNamespace(reset=lambda: None)
    for in_haste, pixels in ((True, 24**2), (True, 2**18), (True, 2**25), (False, 24**2)):
        training = SimpleNamespace(
            model=SimpleNamespace(gauge=convention, polarity=convention),
            batches=SimpleNamespace(pixels=pixels, rows=torch.arange(5000)),
            _explain=lambda rows: looked.append(len(rows)) or [],
        )
        session.Session._set_conventions(training, in_haste=in_haste)
    assert looked == [300, 2**7, 20, 4000]


@pytest.mark.slow
def test_auto_does_not_end_before_real_columns_differ():
    image = samples.real("gold grain boundary")
    patches = extract_patches(image, detect_atoms(image))
    latents = fit(patches, ModelConfig.preset("rvae"), TrainConfig(device="cpu")).encode(patches)
    assert latents["z1"].std() > 5 * latents["z1_sd"].mean() or latents["z2"].std() > 5 * latents["z2_sd"].mean()


def test_auto_ends_on_a_plateau_before_the_limit():
    rng = np.random.default_rng(0)
    noise = (0.5 + 0.1 * rng.normal(size=(200, 12, 12))).clip(0, 1)
    events = []
    run = fit(noise, ModelConfig(hidden=(16, 16)), callback=events.append)
    assert events[-1].step < MAX_STEPS / 2
    assert run.history["learning_rate"].iloc[-1] < 0.05 * run.train_config.learning_rate


def test_schedule_warms_up_and_cools_down():
    schedule = Schedule(1.0, 1000)
    rates = [schedule.rate(step) for step in range(1000)]
    assert rates[0] < 0.1 and max(rates) == 1 and rates[-1] < 0.02
    assert np.argmin(np.diff(rates)) > 400


def test_auto_likelihood_is_the_papers_for_cards_and_learns_the_noise_of_micrographs():
    cards = samples.cards(10).images
    short = TrainConfig(epochs=1)
    assert fit(cards, train=short).model_config.likelihood == "bernoulli"
    assert fit(100 * cards, train=short).model_config.likelihood == "gaussian"
    assert fit(cards, ModelConfig(likelihood="gaussian"), short).model_config.likelihood == "gaussian"


def test_the_gaussian_finds_the_noise():
    rng = np.random.default_rng(0)
    cards = samples.cards(50, max_angle=1, size=32).images
    noisy = 0.25 + 0.5 * cards + 0.05 * rng.normal(size=cards.shape)
    run = fit(noisy, ModelConfig(hidden=SMALL), TrainConfig(epochs=30, learning_rate=STEP))
    left = run.encode(noisy)["reconstruction_error"].mean() ** 0.5
    span = run.normalization.high[0] - run.normalization.low[0]
    assert left * span == pytest.approx(0.05, rel=0.2)


def test_another_exposure_makes_no_difference_to_patches():
    image, _ = samples.micrograph("graphene", size=192)
    atoms = detect_atoms(image)
    brighter = Micrograph(50.0 * np.asarray(image.data) + 1000)
    run = fit(extract_patches(image, atoms), ModelConfig.preset("rvae"), TrainConfig(epochs=2))
    there, here = (run.encode(extract_patches(m, atoms, window=run.window)) for m in (brighter, image))
    np.testing.assert_allclose(there[["z1", "z2"]], here[["z1", "z2"]], atol=1e-2)


@pytest.mark.slow
def test_an_image_unlike_the_training_data_is_told_apart():
    def windows(kind, seed, levels=None, size=256, **options):
        image, atoms = samples.micrograph(kind, size=size, seed=seed, **options)
        return extract_patches(image, atoms, window=24, levels=levels)

    run = fit(
        windows("graphene", 0, size=384),
        ModelConfig.preset("rvae", hidden=SMALL),
        TrainConfig(epochs=10, learning_rate=STEP),
    )
    for options in ({}, {"dopants": 0.0}, {"dopants": 0.08}):  # other kinds of atom in other number
        alike = windows("graphene", 1, run.levels, **options)
        told = compare(run, alike, run.encode(alike))
        assert told.sentence is None and told.below_usual < 0.25
    other = windows("perovskite", 1, run.levels)
    told = compare(run, other, run.encode(other))
    assert told.unlike > 0.5 and "do not look like" in told.sentence
    larger = replace(alike, pixel_size=tuple(2 * size for size in alike.pixel_size))
    told = compare(run, larger, run.encode(larger))
    assert told.pixel_size_ratio == 2 and "2 times as large" in told.sentence
    coarse = windows("graphene", 1, run.levels, pixel_size=2 * alike.pixel_size[0])
    told = compare(run, replace(coarse, pixel_size=None), run.encode(coarse))
    assert told.pixel_size_ratio is None and told.unlike > 0.5


def test_describing_is_encoding_and_reconstructing():
    images = samples.cards(30, size=32).images
    run = fit(images, train=TrainConfig(epochs=1))
    table, rebuilt = run.describe(images)
    pd.testing.assert_frame_equal(table, run.encode(images))
    np.testing.assert_array_equal(rebuilt, run.reconstruct(images))


def test_two_trainings_at_once_are_those_that_run_alone():
    images, model = samples.cards(10, size=12).images, ModelConfig.preset("rvae", hidden=(8, 8))

    def weights(seed):
        return fit(images, model, TrainConfig(epochs=4, batch_size=10, seed=seed, device="cpu")).state()

    with ThreadPoolExecutor(2) as both:
        together = list(both.map(weights, (0, 1)))
    for one, alone in zip(together, map(weights, (0, 1)), strict=True):
        assert all(torch.equal(one[name], alone[name]) for name in alone)


def test_mixed_precision_learns_as_well_as_single():
    cards = samples.cards(60, max_angle=30, max_shear=5, size=32, seed=2)

    def loss(precision):
        run = fit(cards.images, ModelConfig.preset("rvae", hidden=(64, 64)), TrainConfig(epochs=3, precision=precision))
        assert all(weight.dtype == torch.float32 for weight in run.state().values())
        return run.history["held_out"].iloc[-1]

    assert loss("mixed") == pytest.approx(loss("single"), rel=0.15)
