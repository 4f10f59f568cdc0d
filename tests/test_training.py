"""Training finds the truth, reports what it does, stops when told to and goes on where it was."""

import errno
import subprocess
import sys
from dataclasses import replace

import dask.array
import numpy as np
import pandas as pd
import pytest
import torch

from napari_vae import (
    InputError,
    Micrograph,
    ModelConfig,
    TrainConfig,
    TrainingError,
    detect_atoms,
    extract_patches,
    fit,
    iter_fit,
    samples,
)
from napari_vae.likeness import compare
from napari_vae.schedule import MAX_STEPS, Schedule
from napari_vae.stepping import Stepper


def angle_errors(found, truth, suit):
    """Median |error| in degrees per suit, about the circular mean; ♦ modulo 180°."""
    medians = []
    for k in range(4):
        fold = 2 if k == 3 else 1
        phase = np.exp(1j * fold * np.deg2rad(found - truth)[suit == k])
        medians.append(np.median(np.abs(np.rad2deg(np.angle(phase * np.conj(phase.mean()))))) / fold)
    return np.array(medians)


SMALL = (128, 128)  # quick, and enough for cards


def train(sample, name, epochs=16):
    run = fit(sample.images, ModelConfig.preset(name, hidden=SMALL), TrainConfig(epochs=epochs))
    return run.encode(sample.images)


@pytest.fixture(scope="module")
def turned():
    """Cards turned by any angle, and a model that has learnt them."""
    sample = samples.cards(250, max_angle=180, max_shear=1, size=36, seed=1)
    return sample, fit(sample.images, ModelConfig.preset("rvae"), TrainConfig(epochs=16))


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


def test_strain_is_the_shear_that_was_applied():
    sample = samples.cards(250, max_angle=120, max_shear=20, size=36, seed=3)
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
    sample = samples.cards(250, max_angle=0.1, max_shift=6, size=36, seed=4)
    table = train(sample, "tvae")
    for k in range(4):
        error = (table[["shift_y", "shift_x"]].to_numpy() - sample.shift)[sample.suit == k]
        assert np.sqrt(((error - error.mean(0)) ** 2).sum(1).mean()) < 0.6


def test_scale_is_relative_size():
    sample = samples.cards(250, max_angle=0.1, scale=(0.7, 1.4), size=36, seed=5)
    table = train(sample, "svae")
    for k in range(4):
        error = np.log(table["scale"].to_numpy() / sample.scale)[sample.suit == k]
        assert np.median(np.abs(error - np.median(error))) < 0.02


def test_progress_tells_how_far_it_is():
    events = []
    fit(samples.cards(40).images, train=TrainConfig(epochs=12), callback=events.append)
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


def test_auto_ends_on_a_plateau_before_the_limit():
    rng = np.random.default_rng(0)
    noise = (0.5 + 0.1 * rng.normal(size=(200, 16, 16))).clip(0, 1)
    events = []
    run = fit(noise, callback=events.append)
    assert events[-1].step < MAX_STEPS / 2
    assert run.history["learning_rate"].iloc[-1] < 0.05 * run.train_config.learning_rate


def test_schedule_warms_up_and_cools_down():
    schedule = Schedule(1.0, 1000)
    rates = [schedule.rate(step) for step in range(1000)]
    assert rates[0] < 0.1 and max(rates) == 1 and rates[-1] < 0.02
    assert np.argmin(np.diff(rates)) > 400


def test_a_killed_training_goes_on_and_ends_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_vae.checkpoint.EVERY", 0.0)
    images = samples.cards(40, size=32).images
    straight = fit(images, ModelConfig.preset("rvae"), TrainConfig(epochs=12))
    settings = TrainConfig(epochs=12, checkpoint=tmp_path / "state")
    killed = iter_fit(images, ModelConfig.preset("rvae"), settings)
    while len(next(killed).history) < 2:
        pass
    killed.close()
    assert (tmp_path / "state").is_dir()
    resumed = fit(images, ModelConfig.preset("rvae"), settings)
    np.testing.assert_allclose(resumed.encode(images), straight.encode(images), rtol=1e-5, atol=1e-6)
    assert len(resumed.history) == len(straight.history)
    assert not (tmp_path / "state").exists(), "a finished training leaves no checkpoint"


def test_a_checkpoint_keeps_the_best_weights_and_in_how_many_parts_a_batch_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_vae.checkpoint.EVERY", 0.0)
    images, model = samples.cards(20, size=16).images, ModelConfig.preset("vae", hidden=(16,))
    settings = TrainConfig(epochs=30, device="cpu", checkpoint=tmp_path / "state")
    events = iter_fit(images, model, settings)
    with monkeypatch.context() as patch:
        init = Stepper.__init__
        patch.setattr(Stepper, "__init__", lambda self, *parts: (init(self, *parts), setattr(self, "parts", 2))[0])
        while len(next(events).history) < 2:
            pass
    events.close()

    def diverge(self, step, *batch):
        assert self.parts == 2
        with torch.no_grad():
            self.model.content[-1].weight.fill_(np.nan)
        return take(self, step, *batch)

    take = Stepper.take
    monkeypatch.setattr(Stepper, "take", diverge)
    run = fit(images, model, settings)
    assert "best state until then was kept" in run.note
    assert run.encode(images).notna().all().all()


def test_a_checkpoint_that_the_disk_does_not_take_ends_no_training(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left", "state")

    monkeypatch.setattr("napari_vae.checkpoint.EVERY", 0.0)
    monkeypatch.setattr("napari_vae.checkpoint.replace_folder", refuse)
    images = samples.cards(10, size=16).images
    run = fit(images, train=TrainConfig(epochs=3, device="cpu", checkpoint=tmp_path / "state"))
    assert not run.stopped and run.note.startswith(
        "The last checkpoint could not be written: No space left (state); make"
    )


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    images = samples.cards(20).images
    settings = TrainConfig(epochs=50, checkpoint=tmp_path / "state")
    calls = iter(range(1000))
    events = iter_fit(images, train=settings, stop=lambda: next(calls) > 3)
    assert list(events)
    with pytest.raises(InputError, match="checkpoint of a training on other data"):
        fit(images[::-1].copy(), train=settings)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "ran out of memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"),
            "ran out of memory",
        ),
        (MemoryError(), "ran out of memory"),
        (RuntimeError("bad kernel"), "bad kernel"),
    ],
)
def test_errors_of_the_device_are_ours(monkeypatch, error, sentence):
    def fail(self, *batch):
        raise error

    monkeypatch.setattr(Stepper, "take", fail)
    with pytest.raises(TrainingError, match=sentence) as caught:
        fit(samples.cards(10).images)
    assert not isinstance(caught.value, RuntimeError)


DIVERGING = """
from dataclasses import replace
import numpy as np, torch
from napari_vae import InputError, ModelConfig, TrainConfig, TrainingError, fit, samples

def told(*arguments, **options):
    try:
        fit(cards, *arguments, **options)
    except (InputError, TrainingError) as error:
        print(error)

cards, model = samples.cards(50, size=16).images, ModelConfig.preset("trvae", hidden=(16, 16))
quick = TrainConfig(epochs=2, device="cpu")
told(ModelConfig.preset("trvae"), TrainConfig(epochs=20, learning_rate=1.0, device="cpu"))
told(replace(model, angle_prior=1e-20), quick)
run = fit(cards, model, quick)
weight = run._model.pose_head.weight
for value in (np.nan, 1e35, 1e18):
    weight.fill_(value)
    told(None, quick, start=run)
run.decode([[0, 0]])
run.save("run")
"""


def test_a_training_that_diverges_is_a_sentence_and_no_dead_process(tmp_path):
    done = subprocess.run([sys.executable, "-c", DIVERGING], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [said.split(";")[0] for said in done.stdout.splitlines()] == [
        "The loss is no longer a number",
        "The loss is no longer a number",
        "The model to go on from has weights that are NaN or too large",
        "The model to go on from has weights that are NaN or too large",
        "The loss is no longer a number",
    ]


@pytest.mark.parametrize("preset", ["rvae", "ss-rvae", "j-rvae"])
def test_weights_that_are_no_numbers_are_noticed_before_a_phase_learns_from_them(preset, monkeypatch):
    cards, take = samples.cards(30, size=16), Stepper.take
    classes = {"n_classes": 4} if preset == "j-rvae" else {}
    given = {"labels": np.where(np.arange(len(cards)) % 2, cards.suit, -1)} if preset == "ss-rvae" else {}

    def spoil(self, step, *batch):
        evidence = take(self, step, *batch)
        if step == 30:
            with torch.no_grad():
                self.model.content[-1].weight.fill_(np.nan)
        return evidence

    monkeypatch.setattr(Stepper, "take", spoil)
    monkeypatch.setattr("napari_vae.session.SHORTEST_EPOCH", 10_000)
    monkeypatch.setattr("napari_vae.session.LONGEST_EPOCH", 10_000)
    train = TrainConfig(epochs=20, batch_size=20, device="cpu")
    with pytest.raises(TrainingError, match="no longer a number"):
        fit(cards.images, ModelConfig.preset(preset, hidden=(16,), **classes), train, **given)


def test_who_stops_a_training_that_has_diverged_is_told_so(monkeypatch):
    def spoil(self, step, *batch):
        with torch.no_grad():
            self.model.content[-1].weight.fill_(np.nan)
        return take(self, step, *batch)

    take = Stepper.take
    monkeypatch.setattr(Stepper, "take", spoil)
    events = iter_fit(samples.cards(10, size=16).images, ModelConfig(hidden=(16,)), stop=lambda: True)
    with pytest.raises(TrainingError, match="no longer a number"):
        list(events)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (np.random.rand(19, 16, 16), "19 patches are too few"),  # noqa: NPY002
        (np.zeros((30, 16, 16)), "constant"),
        (np.full((30, 16, 16), np.nan), "NaN or infinite"),
        (np.full((30, 16, 16), np.inf), "NaN or infinite"),
        (np.ones((30, 16, 16), complex), "complex"),
        (np.ones(30), r"\(N, height, width\)"),
        (np.ones((30, 1, 1, 16, 16)), r"signals as \(N, length\)"),
        (np.array([["a"]]), "not numbers"),
        (np.random.rand(30, 2, 2), "too small"),  # noqa: NPY002
        ([np.zeros((8, 8)), np.zeros((9, 9))] * 15, "in the same size"),
        (np.ma.masked_less(np.random.rand(30, 8, 8), 0.5), "masked"),  # noqa: NPY002
        (Micrograph(np.zeros((64, 64))), "extract_patches"),
        (torch.zeros(30, 8, 8, device="meta"), "no array"),
        (None, r"\(N, height, width\)"),
    ],
)
def test_bad_images_are_one_sentence(images, sentence):
    with pytest.raises(InputError, match=sentence):
        fit(images)


def test_images_that_a_lazy_array_has_not_counted_are_one_sentence():
    lazy = dask.array.from_array(samples.cards(10, size=8).images)
    with pytest.raises(InputError, match="compute_chunk_sizes"):
        fit(lazy[lazy[:, 0, 0] >= 0])


def test_images_may_be_tensors_of_any_kind():
    images, train = samples.cards(8, size=12).images, TrainConfig(epochs=1, device="cpu")
    images = torch.from_numpy(images).bfloat16().float()
    run = fit(images, ModelConfig(hidden=(8,)), train)
    kinds = (images.clone().requires_grad_(), images.bfloat16(), images.to_sparse(), list(images), images.numpy())
    for given in kinds:
        np.testing.assert_array_equal(fit(given, ModelConfig(hidden=(8,)), train).encode(images), run.encode(given))


def test_a_name_instead_of_a_configuration_is_refused():
    with pytest.raises(InputError, match="preset"):
        fit(samples.cards(10).images, "rvae")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"seed": None}, "seed is a whole number"),
        ({"device": "abacus"}, 'device="auto" or "cpu"'),
        ({"device": None}, 'device is "auto" or a name such as "cpu", not None'),
        ({"lesson": float("inf")}, "lesson is a number from 0, not inf"),
        ({"epochs": 10**30}, "epochs is"),
        ({"checkpoint": 3}, "checkpoint is a folder, not 3"),
    ],
)
def test_bad_settings_are_one_sentence(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        fit(samples.cards(10).images, train=TrainConfig(**arguments))


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
    run = fit(noisy, train=TrainConfig(epochs=60))
    left = run.encode(noisy)["reconstruction_error"].mean() ** 0.5
    span = run.normalization.high[0] - run.normalization.low[0]
    assert left * span == pytest.approx(0.05, rel=0.2)


def test_a_checkpoint_folder_of_other_files_is_refused_before_the_training(tmp_path):
    (tmp_path / "letter.txt").write_text("x")
    with pytest.raises(InputError, match="other files"):
        fit(samples.cards(10).images, train=TrainConfig(epochs=1, checkpoint=tmp_path))


def test_another_exposure_makes_no_difference_to_patches():
    image, _ = samples.micrograph("graphene", size=256)
    atoms = detect_atoms(image)
    brighter = Micrograph(50.0 * np.asarray(image.data) + 1000)
    run = fit(extract_patches(image, atoms), ModelConfig.preset("rvae"), TrainConfig(epochs=2))
    there, here = (run.encode(extract_patches(m, atoms, window=run.window)) for m in (brighter, image))
    np.testing.assert_allclose(there[["z1", "z2"]], here[["z1", "z2"]], atol=1e-2)


def test_a_training_goes_on_from_a_run():
    sample = samples.cards(60, max_angle=180, size=32)
    model = ModelConfig.preset("rvae")
    first = fit(sample.images, model, TrainConfig(epochs=12))
    more = fit(sample.images, train=TrainConfig(epochs=12), start=first)
    assert more.model_config == first.model_config
    assert len(more.history) > len(first.history)
    for column in ("step", "epoch", "seconds"):
        assert more.history[column].is_monotonic_increasing
    assert more.history["epoch"].iloc[-1] == 24
    assert more.history["held_out"].iloc[-1] < first.history["held_out"].iloc[-1] < first.history["held_out"].iloc[0]
    with pytest.raises(InputError, match="keeps its model"):
        fit(sample.images, ModelConfig.preset("tvae"), start=first)
    with pytest.raises(InputError, match=r"window=\(32, 32\)"):
        fit(sample.images[:, 1:-1, 1:-1], start=first)


def test_an_image_unlike_the_training_data_is_told_apart():
    def windows(kind, seed, levels=None, **options):
        image, atoms = samples.micrograph(kind, size=384, seed=seed, **options)
        return extract_patches(image, atoms, window=24, levels=levels)

    run = fit(windows("graphene", 0), ModelConfig.preset("rvae", hidden=SMALL), TrainConfig(epochs=20))
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


def test_mixed_precision_learns_as_well_as_single():
    cards = samples.cards(60, max_angle=30, max_shear=5, size=32, seed=2)

    def loss(precision):
        run = fit(cards.images, ModelConfig.preset("rvae", hidden=(64, 64)), TrainConfig(epochs=3, precision=precision))
        assert all(weight.dtype == torch.float32 for weight in run.state().values())
        return run.history["held_out"].iloc[-1]

    assert loss("mixed") == pytest.approx(loss("single"), rel=0.15)


@pytest.mark.parametrize(
    ("invariances", "good"),
    [
        ((), True),
        (("translation",), True),
        (("rotation",), False),
        (("scale",), False),
        (("translation", "strain"), False),
    ],
)
def test_signals_can_be_shifted_only(invariances, good):
    signals = np.random.default_rng(0).random((24, 1, 32))
    job = iter_fit(signals, ModelConfig(invariances=invariances), TrainConfig(epochs=1, device="cpu"))
    if good:
        assert next(job).step == 0
    else:
        with pytest.raises(InputError, match="shifted only"):
            next(job)


def test_a_callback_that_is_no_function_is_refused_before_work():
    with pytest.raises(InputError, match="function"):
        fit(samples.cards(10).images, callback=3)
