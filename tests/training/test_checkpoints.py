"""A training goes on where it was: from a checkpoint, or from a run."""

import errno
import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_vae import InputError, ModelConfig, TrainConfig, TrainingError, fit, iter_fit, samples
from napari_vae.core.progress import drain
from napari_vae.training.step import TrainStep


@pytest.fixture
def shortly_kept(monkeypatch):
    """A checkpoint and a row of the history after each epoch."""
    monkeypatch.setattr("napari_vae.training.checkpoint.EVERY", 0.0)
    monkeypatch.setattr("napari_vae.training.session.SHORTEST_EPOCH", 1)


def killed(images, model, settings, rows):
    """A training that ends without a word once its history has so many rows."""
    events = iter_fit(images, model, settings)
    while len(next(events).history) < rows:
        pass
    events.close()
    return settings.checkpoint


KILLED = {  # model, epochs, and after how many rows of the history
    "warm-up": ("rvae", 8, 1),
    "distillation": ("j-rvae", 8, 4),
    "free": ("j-rvae", 8, 7),
    "after the last step": ("rvae", 8, 8),
    "end not known yet": ("vae", "auto", 2),
    "after a plateau": ("vae", "auto", 4),
}


@pytest.mark.parametrize(("preset", "epochs", "rows"), KILLED.values(), ids=KILLED)
def test_a_killed_training_goes_on_and_ends_the_same(tmp_path, shortly_kept, monkeypatch, preset, epochs, rows):
    monkeypatch.setattr("napari_vae.training.schedule.MIN_STEPS", 8)
    monkeypatch.setattr("napari_vae.training.schedule.MAX_STEPS", 12)
    images = samples.cards(20, max_angle=120, max_shear=10, size=12).images
    model = ModelConfig.preset(preset, hidden=(16, 16), n_classes=4 if preset == "j-rvae" else None)
    straight = fit(images, model, TrainConfig(epochs=epochs, device="cpu"))
    settings = TrainConfig(epochs=epochs, device="cpu", checkpoint=tmp_path / "state")
    assert killed(images, model, settings, rows).is_dir()
    resumed = fit(images, model, settings)
    np.testing.assert_allclose(resumed.encode(images), straight.encode(images), rtol=1e-5, atol=1e-6)
    assert resumed.history["seconds"].is_monotonic_increasing
    one, other = (run.history.drop(columns="seconds") for run in (resumed, straight))
    pd.testing.assert_frame_equal(one, other)
    assert not (tmp_path / "state").exists(), "a finished training leaves no checkpoint"


def test_a_checkpoint_is_written_only_so_often(tmp_path, shortly_kept, monkeypatch):
    monkeypatch.setattr("napari_vae.training.checkpoint.EVERY", 1e9)
    settings = TrainConfig(epochs=8, device="cpu", checkpoint=tmp_path / "state")
    killed(samples.cards(5, size=16).images, ModelConfig.preset("vae", hidden=(16,)), settings, 3)
    assert not (tmp_path / "state" / "checkpoint.json").exists()


def test_a_checkpoint_of_an_earlier_version_goes_on(tmp_path, shortly_kept):
    images = samples.cards(20, max_angle=120, size=12).images
    model = ModelConfig.preset("j-rvae", hidden=(16, 16), n_classes=4)
    settings = TrainConfig(epochs=8, device="cpu", checkpoint=tmp_path / "state")
    state = killed(images, model, settings, 4)
    marker, weights = state / "checkpoint.json", state / "state.safetensors"
    text = marker.read_text()
    assert "supervised_weight" in text
    marker.write_text(text.replace("supervised_weight", "lesson").replace('"supervised"', '"lesson"'))
    tensors = {name.replace("teacher.", "guide."): value for name, value in load_file(weights).items()}
    assert any(name.startswith("guide.") for name in tensors)
    save_file(tensors, weights)
    resumed = fit(images, model, settings)
    straight = fit(images, model, TrainConfig(epochs=8, device="cpu"))
    np.testing.assert_allclose(resumed.encode(images), straight.encode(images), rtol=1e-5, atol=1e-6)
    assert list(resumed.history) == list(straight.history)


def test_a_checkpoint_keeps_the_best_weights_and_in_how_many_parts_a_batch_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_vae.training.checkpoint.EVERY", 0.0)
    images, model = samples.cards(20, size=16).images, ModelConfig.preset("vae", hidden=(16,))
    settings = TrainConfig(epochs=30, device="cpu", checkpoint=tmp_path / "state")
    events = iter_fit(images, model, settings)
    with monkeypatch.context() as patch:
        init = TrainStep.__init__
        patch.setattr(TrainStep, "__init__", lambda self, *parts: (init(self, *parts), setattr(self, "parts", 2))[0])
        while len(next(events).history) < 2:
            pass
    events.close()

    def diverge(self, step, *batch):
        assert self.parts == 2
        with torch.no_grad():
            self.model.content[-1].weight.fill_(np.nan)
        return take(self, step, *batch)

    take = TrainStep.take
    monkeypatch.setattr(TrainStep, "take", diverge)
    run = fit(images, model, settings)
    assert "best state until then was kept" in run.note
    assert run.encode(images).notna().all().all()


def test_a_training_whose_card_is_lost_goes_on_elsewhere_in_the_batches_that_it_began_with(
    tmp_path, shortly_kept, monkeypatch
):
    images, model = samples.cards(20, size=16).images, ModelConfig.preset("vae", hidden=(16,))
    settings = TrainConfig(epochs=3, device="cpu", checkpoint=tmp_path / "state")
    take = TrainStep.take

    def lost(self, step, *batch):
        if step == 5:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return take(self, step, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(TrainStep, "take", lost)
        patch.setattr("napari_vae.training.batches.automatic_batch", lambda n, on_gpu: 24)  # as on a card
        with pytest.raises(TrainingError, match=r"stopped computing.*goes on from the checkpoint"):
            fit(images, model, settings)
    resumed = fit(images, model, settings)
    straight = fit(images, model, TrainConfig(epochs=3, batch_size=24, device="cpu"))
    np.testing.assert_allclose(resumed.encode(images), straight.encode(images), rtol=1e-5, atol=1e-6)


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


def test_a_checkpoint_of_a_training_with_other_labels_is_refused(tmp_path):
    cards = samples.cards(12, size=16)
    model, settings = ModelConfig.preset("ss-vae", hidden=(8, 8)), TrainConfig(epochs=50, checkpoint=tmp_path / "state")
    calls = iter(range(1000))
    labels = np.where(np.arange(len(cards.suit)) % 2, cards.suit, -1)
    list(iter_fit(cards.images, model, settings, labels=labels, stop=lambda: next(calls) > 3))
    with pytest.raises(InputError, match="checkpoint of a training on other data"):
        fit(cards.images, model, settings, labels=np.roll(labels, 1))
    kept = tmp_path / "state" / "checkpoint.json"
    state = json.loads(kept.read_text())
    del state["identity"]["given_sha256"]  # as earlier versions wrote it
    kept.write_text(json.dumps(state))
    assert drain(iter_fit(cards.images, model, settings, labels=labels, stop=lambda: True)).stopped


def test_a_checkpoint_folder_of_other_files_is_refused_before_the_training(tmp_path):
    (tmp_path / "letter.txt").write_text("x")
    with pytest.raises(InputError, match="other files"):
        fit(samples.cards(10).images, train=TrainConfig(epochs=1, checkpoint=tmp_path))


def test_a_training_goes_on_from_a_run():
    sample = samples.cards(30, max_angle=180, size=24)
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
    with pytest.raises(InputError, match=r"window=\(24, 24\)"):
        fit(sample.images[:, 1:-1, 1:-1], start=first)
