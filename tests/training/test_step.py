"""Steps never make a GPU wait, and recorded ones train as others do.

A stand-in records where there is no GPU: it does the step again, on rows that are copied to a fixed place.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from napari_vae import ModelConfig, TrainConfig, fit, samples
from napari_vae.core.normalization import Normalization
from napari_vae.models.images import Images
from napari_vae.models.stored import Stored
from napari_vae.training.processes import ALONE, Group
from napari_vae.training.session import Session
from napari_vae.training.step import WARM, TrainStep

ASKING = ("_local_scalar_dense", "nonzero", "lift_fresh", "is_nonzero", "equal.default", "_unique", "masked_select")
LIMITS = Normalization((0.0,), (1.0,))
MODELS = {
    "rvae": {},
    "trvae": {},
    "svae": {},
    "strain-rvae": {},
    "crvae": {"condition"},
    "ss-rvae": {"labels"},
    "j-rvae": set(),
}


@pytest.fixture(scope="module")
def cards():
    return samples.cards(20, max_angle=60, max_shear=5, size=12)


def train(cards, preset, epochs=6, **config):
    """A short training through all phases, with what the model needs to be given."""
    known = {
        "crvae": {"condition": cards.suit},
        "ss-rvae": {"labels": np.where(np.arange(len(cards)) % 3, -1, cards.suit)},
    }
    if preset.startswith("j-"):
        config["n_classes"] = 4
    model = ModelConfig.preset(preset, hidden=(16, 16), **config)
    return fit(
        cards.images, model, TrainConfig(epochs=epochs, batch_size=20, learning_rate=1e-3), **known.get(preset, {})
    )


class Asked(TorchDispatchMode):
    """Notes what asks the device for a number, or sends it one."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if any(name in str(function) for name in ASKING):
            self.found.add(str(function))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("preset", MODELS)
def test_a_step_asks_the_device_for_nothing(cards, preset, monkeypatch):
    accumulate, phases, asked = TrainStep._accumulate, set(), Asked()

    def watched(self, *step):
        phases.add(self.supervision.phase)
        with asked:
            return accumulate(self, *step)

    monkeypatch.setattr(TrainStep, "_accumulate", watched)
    on_a_card = classmethod(lambda cls, images, device: cls(images, device))
    monkeypatch.setattr(Stored, "where_there_is_room", on_a_card)
    train(replace(cards, images=(255 * cards.images).astype(np.uint8)), preset, epochs=3)
    assert "free" in phases and not asked.found


class Recorder:
    """Stands in for `record_graph`."""

    def __init__(self, fails=False):
        self.fails, self.recorded, self.replayed = fails, 0, 0

    def __call__(self, take, rows, labelled, generator):
        if self.fails:
            torch.rand(3, generator=generator)  # a failed recording may spoil the generator
            raise RuntimeError("operation not permitted when stream is capturing")
        self.recorded += 1
        fixed = rows.clone(), labelled.clone()

        def replay(rows, labelled):
            fixed[0].copy_(rows)
            fixed[1].copy_(labelled)
            self.replayed += 1
            return take(*fixed).clone()

        return replay


def with_recorder(monkeypatch, recorder):
    make = TrainStep.__init__

    def init(self, *parts):
        make(self, *parts)
        self.record = recorder

    monkeypatch.setattr(TrainStep, "__init__", init)


@pytest.mark.parametrize("preset", ["trvae", pytest.param("ss-rvae", marks=pytest.mark.slow)])
def test_recorded_steps_train_as_others_do(cards, preset, monkeypatch):
    plain, recorder = train(cards, preset, epochs=20), Recorder()
    with_recorder(monkeypatch, recorder)
    run = train(cards, preset, epochs=20)
    steps = int(run.history["step"].iloc[-1])
    assert recorder.recorded >= 2, "each phase is recorded anew"
    assert recorder.replayed > 0.7 * steps and recorder.recorded * (WARM + 1) < steps
    np.testing.assert_array_equal(run.history["loss"], plain.history["loss"])


def test_where_recording_fails_steps_go_on_as_they_were(cards, monkeypatch):
    plain = train(cards, "rvae")
    with_recorder(monkeypatch, Recorder(fails=True))
    np.testing.assert_array_equal(train(cards, "rvae").history["loss"], plain.history["loss"])


def test_a_step_in_parts_is_the_step_in_one_piece_for_processes_that_train_together(cards, monkeypatch):
    """One of them may run out of memory, and not the others; all must go on with the same random numbers."""

    class Second(Group):
        def add(self, tensors):
            """What the other process would add is left out."""

    def taken(parts, failing):
        accumulate, left = TrainStep._accumulate, [failing]

        def short_of_memory(self, *step):
            evidence = accumulate(self, *step)
            if left[0]:
                left[0] -= 1
                raise torch.OutOfMemoryError("CUDA out of memory")
            return evidence

        config, group = ModelConfig.preset("trvae", hidden=(16, 16)), Second(1, 2)
        train = TrainConfig(batch_size=20, device="cpu")
        session = Session(Images(cards.images[:, None]), config, train, torch.device("cpu"), limits=LIMITS, group=ALONE)
        train_step = session.train_step
        train_step.group, train_step.parts = group, parts
        monkeypatch.setattr(TrainStep, "_accumulate", short_of_memory)
        for step, (rows, labelled) in zip(range(3), session._batches(), strict=False):
            evidence = train_step.take(step, 1e-3, rows, labelled)
        monkeypatch.undo()
        return evidence.posed.numpy(), train_step.generator.get_state()

    (whole, state), *others = taken(1, 0), taken(3, 0), taken(1, 2)
    for told, drawn in others:
        np.testing.assert_allclose(told, whole, rtol=1e-4)
        assert torch.equal(drawn, state)


def test_a_training_that_runs_out_of_memory_in_the_middle_goes_on_in_smaller_parts(cards, monkeypatch):
    evidence, taken = TrainStep.evidence, []

    def short_of_memory(self, rows, *options, **more):
        learns = torch.is_grad_enabled()
        if len(taken) >= 5 and learns and len(rows) > 5:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        if learns:
            taken.append(len(rows))
        return evidence(self, rows, *options, **more)

    monkeypatch.setattr(TrainStep, "evidence", short_of_memory)
    model, messages = ModelConfig.preset("rvae", hidden=(16, 16)), []
    settings = TrainConfig(epochs=3, batch_size=20, device="cpu")
    run = fit(cards.images, model, settings, callback=lambda event: messages.append(event.message))
    parts = [5] * 8 + [3] * 4 + [5] * 12 + [3] * 4  # halved twice, and every image is learnt from
    assert taken == [20, 20, 20, 12, 20, *parts]
    assert "memory is short: each batch is taken in 4 parts" in messages[-1]
    assert np.isfinite(run.history["loss"]).all() and run.history["epoch"].iloc[-1] == 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_recorded_steps_train_as_others_do_on_a_gpu(cards, monkeypatch):
    run = train(cards, "rvae", epochs=60)
    with_recorder(monkeypatch, None)
    np.testing.assert_allclose(
        run.history["loss"].iloc[-1], train(cards, "rvae", epochs=60).history["loss"].iloc[-1], rtol=0.05
    )


@pytest.mark.parametrize("precision", ["auto", "single", "mixed"])
def test_a_gpu_mixes_precisions_unless_asked_not_to_and_a_cpu_only_when_asked(precision):
    for device, mixed in (("cpu", precision == "mixed"), ("cuda", precision != "single")):
        train_step = SimpleNamespace(train=TrainConfig(precision=precision), device=torch.device(device))
        assert TrainStep._mixed(train_step) is mixed
