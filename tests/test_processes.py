"""Two processes train as one does: the same weights but for rounding, one of them writes, and they end together."""

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_vae import fit
from napari_vae.errors import InputError, TrainingError
from napari_vae.processes import Group, joined
from two_processes import together

SCRIPT = Path(__file__).with_name("training_process.py")


def test_every_row_is_taken_once():
    rows = torch.arange(7)
    shares = [Group(rank, 3).share(rows) for rank in range(3)]
    assert torch.cat([share.rows for share in shares]).tolist() == rows.tolist()
    assert all(share.before + len(share.rows) + share.after == 7 for share in shares)
    few = [Group(rank, 3).share(rows[:1]) for rank in range(3)]
    assert sum(share.counts for share in few) == 1
    assert all(len(share.rows) == 1 and share.before + share.after == 0 for share in few)


def test_a_process_that_has_gone_is_one_sentence(monkeypatch):
    def broken(tensor, *_):
        raise RuntimeError("Connection closed by peer")

    for name in ("all_reduce", "broadcast"):
        monkeypatch.setattr(torch.distributed, name, broken)
    group = Group(0, 2)
    for exchange in (lambda: group.add([torch.ones(1)]), lambda: group.agree([1.0]), lambda: group.any(True)):
        with pytest.raises(TrainingError, match="Another process"):
            exchange()


def test_processes_that_torchrun_did_not_start_are_told_so(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(InputError, match="torchrun"), joined("cpu"):
        pass


def test_two_processes_train_as_one(tmp_path):
    import training_process as job

    together(SCRIPT, tmp_path, *job.TRAININGS)
    for name, (config, train, given) in job.TRAININGS.items():
        alone = fit(job.images(), config, train, **given)
        shared = np.load(tmp_path / f"{name}.npz")
        assert shared["ranks"].tolist() == [0]  # the others wrote nothing
        np.testing.assert_allclose(shared["held_out"], alone.history["held_out"], rtol=1e-5)
        for key, value in alone.state().items():
            np.testing.assert_allclose(shared[key], value.numpy(), atol=1e-4, err_msg=f"{name}: {key}")
        assert int(shared["stopped_at"]) == job.STOP_AT  # only the second process wished to stop
    assert "given different images" in (tmp_path / "refused-1.txt").read_text()
