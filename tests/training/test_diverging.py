"""A training that fails ends in a sentence: numbers that are none, memory that is full."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_vae import InputError, ModelConfig, TrainConfig, TrainingError, fit, iter_fit, samples
from napari_vae.training.batches import Batches
from napari_vae.training.step import TrainStep


@pytest.fixture(scope="module")
def small():
    return samples.cards(16, max_angle=60, max_shear=5, size=32)


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
        (NotImplementedError("The operator 'aten::x' is not currently implemented for the MPS device"), "a newer one"),
        (
            RuntimeError("CUDA error: unspecified launch failure\nSearch for it"),
            "and train again, or train on the CPU.$",
        ),
    ],
)
def test_errors_of_the_device_are_ours(monkeypatch, error, sentence):
    def fail(self, *batch):
        raise error

    monkeypatch.setattr(TrainStep, "take", fail)
    with pytest.raises(TrainingError, match=sentence) as caught:
        fit(samples.cards(10).images)
    assert not isinstance(caught.value, RuntimeError)


def test_a_training_that_diverges_is_a_sentence(tmp_path):
    """And no dead process: weights beyond what floating point squares have led outside of an image."""

    def told(error, *arguments, **options):
        with pytest.raises(error) as caught:
            fit(cards, *arguments, **options)
        return str(caught.value).split(";")[0]

    cards, model = samples.cards(20, size=16).images, ModelConfig.preset("trvae", hidden=(16, 16))
    quick = TrainConfig(epochs=2, device="cpu")
    no_number, no_weights = (
        "The loss is no longer a number",
        "The model to go on from has weights that are NaN or too large",
    )
    assert told(TrainingError, model, TrainConfig(epochs=20, learning_rate=100.0, device="cpu")) == no_number
    assert told(TrainingError, replace(model, angle_prior=1e-20), quick) == no_number
    run = fit(cards, model, quick)
    weight = run._model.pose_head.weight
    for value in (np.nan, 1e35):
        weight.fill_(value)
        assert told(InputError, None, quick, start=run) == no_weights
    weight.fill_(1e18)
    assert told(TrainingError, None, quick, start=run) == no_number
    run.decode([[0, 0]])
    run.save(tmp_path / "run")


@pytest.mark.parametrize("preset", ["rvae", "ss-rvae", "j-rvae"])
def test_weights_that_are_no_numbers_are_noticed_before_a_phase_learns_from_them(preset, monkeypatch):
    cards, take = samples.cards(30, size=16), TrainStep.take
    classes = {"n_classes": 4} if preset == "j-rvae" else {}
    given = {"labels": np.where(np.arange(len(cards)) % 2, cards.suit, -1)} if preset == "ss-rvae" else {}

    def spoil(self, step, *batch):
        evidence = take(self, step, *batch)
        if step == 30:
            with torch.no_grad():
                self.model.content[-1].weight.fill_(np.nan)
        return evidence

    monkeypatch.setattr(TrainStep, "take", spoil)
    monkeypatch.setattr("napari_vae.training.session.SHORTEST_EPOCH", 10_000)
    monkeypatch.setattr("napari_vae.training.session.LONGEST_EPOCH", 10_000)
    train = TrainConfig(epochs=20, batch_size=20, device="cpu")
    with pytest.raises(TrainingError, match="no longer a number"):
        fit(cards.images, ModelConfig.preset(preset, hidden=(16,), **classes), train, **given)


def test_who_stops_a_training_that_has_diverged_is_told_so(monkeypatch):
    def spoil(self, step, *batch):
        with torch.no_grad():
            self.model.content[-1].weight.fill_(np.nan)
        return take(self, step, *batch)

    take = TrainStep.take
    monkeypatch.setattr(TrainStep, "take", spoil)
    events = iter_fit(samples.cards(10, size=16).images, ModelConfig(hidden=(16,)), stop=lambda: True)
    with pytest.raises(TrainingError, match="no longer a number"):
        list(events)


def test_a_training_that_diverges_keeps_its_best_state(small, monkeypatch):
    learn, steps = TrainStep._accumulate, itertools.count()

    def diverge(self, rows, labelled, centring):
        evidence = learn(self, rows, labelled, centring)
        if next(steps) > 90:
            for parameter in self.model.parameters():
                parameter.grad.fill_(torch.nan)
        return evidence

    monkeypatch.setattr(TrainStep, "_accumulate", diverge)
    words = []
    run = fit(small.images, train=TrainConfig(epochs=100), callback=lambda event: words.append(event.message))
    assert "lower the learning rate" in run.note and words[-1] == run.note
    assert run.encode(small.images).notna().all().all()


def test_a_loss_that_is_never_a_number_is_one_sentence(small, monkeypatch):
    monkeypatch.setattr(Batches, "load", lambda self, rows: torch.full((len(rows), 1, 32, 32), torch.nan))
    with pytest.raises(TrainingError, match="lower the learning rate"):
        fit(small.images, train=TrainConfig(epochs=2))
