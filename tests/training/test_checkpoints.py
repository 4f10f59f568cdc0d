"""A training goes on where it was: from a checkpoint, or from a run."""

import errno

import numpy as np
import pytest
import torch

from napari_vae import InputError, ModelConfig, TrainConfig, fit, iter_fit, samples
from napari_vae.training.step import Stepper


def test_a_killed_training_goes_on_and_ends_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_vae.training.checkpoint.EVERY", 0.0)
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
    monkeypatch.setattr("napari_vae.training.checkpoint.EVERY", 0.0)
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

    monkeypatch.setattr("napari_vae.training.checkpoint.EVERY", 0.0)
    monkeypatch.setattr("napari_vae.training.checkpoint.replace_folder", refuse)
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


def test_a_checkpoint_folder_of_other_files_is_refused_before_the_training(tmp_path):
    (tmp_path / "letter.txt").write_text("x")
    with pytest.raises(InputError, match="other files"):
        fit(samples.cards(10).images, train=TrainConfig(epochs=1, checkpoint=tmp_path))


def test_a_training_goes_on_from_a_run():
    sample = samples.cards(30, max_angle=180, size=32)
    model = ModelConfig.preset("rvae", hidden=(64, 64))
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
