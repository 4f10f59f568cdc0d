"""Two processes train as one does: the same weights but for rounding, one of them writes, and they end together."""

import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_vae import fit
from napari_vae.core.errors import InputError, TrainingError
from napari_vae.training.processes import Group, joined
from two_processes import together

SCRIPT = Path(__file__).parents[1] / "training_process.py"


def test_every_row_is_taken_once():
    rows = torch.arange(7)
    shares = [Group(rank, 3).share(rows) for rank in range(3)]
    assert torch.cat([share.rows for share in shares]).tolist() == rows.tolist()
    assert all(share.before + len(share.rows) + share.after == 7 for share in shares)
    few = [Group(rank, 3).share(rows[:1]) for rank in range(3)]
    assert sum(share.counts for share in few) == 1
    assert all(len(share.rows) == 1 and share.before + share.after == 0 for share in few)
    shares = [Group(rank, 5).share(rows[:2]) for rank in range(5)]
    assert sorted(share.rows.item() for share in shares if share.counts) == [0, 1]
    assert all(len(share.rows) == 1 and share.before + share.after == 1 for share in shares)


def test_a_process_that_has_gone_is_one_sentence(monkeypatch):
    def broken(tensor, *_):
        raise RuntimeError("Connection closed by peer")

    for name in ("all_reduce", "broadcast"):
        monkeypatch.setattr(torch.distributed, name, broken)
    group = Group(0, 2)
    for exchange in (lambda: group.add([torch.ones(1)]), lambda: group.agree([1.0]), lambda: group.any(True)):
        with pytest.raises(TrainingError, match="Another process"):
            exchange()


@pytest.mark.parametrize(("ours", "others"), [(False, 0), (True, 0), (False, 1), (True, 1), (False, 2)])
def test_one_process_that_wishes_it_is_enough(monkeypatch, ours, others):
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda wishes: wishes.add_(others))
    assert Group(0, 3).any(ours) is bool(ours or others)


@pytest.fixture
def announced(monkeypatch):
    """What torchrun says to the first of two processes, of which the other one does not come."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    told = {"WORLD_SIZE": 2, "RANK": 0, "LOCAL_RANK": 0, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    for name, value in told.items():
        monkeypatch.setenv(name, str(value))


def test_processes_that_torchrun_did_not_start_are_told_so(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(InputError, match="torchrun"), joined("cpu"):
        pass


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORLD_SIZE", "abc"),
        ("WORLD_SIZE", "0"),
        ("WORLD_SIZE", "2.5"),
        ("RANK", "2"),
        ("RANK", ""),
        ("LOCAL_RANK", "first"),
        ("MASTER_PORT", "70000"),
        ("MASTER_PORT", "http"),
        ("MASTER_ADDR", ""),
        ("MASTER_ADDR", "no such host"),
    ],
)
def test_nonsense_in_the_environment_is_one_sentence(announced, name, value, monkeypatch, command, tmp_path):
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=f"{name} is '{value}'.*torchrun"), joined("cpu"):
        pass
    code, _, err = command("train", tmp_path / "image.tif", "--out", tmp_path / "run")
    assert code == 2 and f"{name} is '{value}'" in " ".join(err.split())


@pytest.mark.parametrize("rank", ["0", "1"])
def test_processes_that_do_not_come_are_not_waited_for_longer_than_asked(announced, rank, monkeypatch):
    monkeypatch.setenv("RANK", rank)
    with pytest.raises(InputError, match=r"did not find each other within 0\.2 s"), joined("cpu", wait=0.2):
        pass
    with pytest.raises(InputError, match="wait is a number above 0"), joined("cpu", wait=0):
        pass


@pytest.mark.parametrize("name", ["rvae", pytest.param("ss-vae", marks=pytest.mark.slow)])
def test_two_processes_train_as_one(name, tmp_path):
    import training_process as job

    together(SCRIPT, tmp_path, name)
    config, train, given = job.TRAININGS[name]
    alone = fit(job.images(), config, train, **given)
    shared = np.load(tmp_path / f"{name}.npz")
    assert shared["ranks"].tolist() == [0]  # the others wrote nothing
    np.testing.assert_allclose(shared["held_out"], alone.history["held_out"], rtol=1e-5)
    for key, value in alone.state().items():
        np.testing.assert_allclose(shared[key], value.numpy(), atol=1e-4, err_msg=key)
    assert int(shared["stopped_at"]) == job.STOP_AT  # only the second process wished to stop
    assert "given different images" in (tmp_path / "refused-1.txt").read_text()
    # a thread of gloo that outlives its group aborts the process now and then, when Python ends
    assert [path.read_text() for path in tmp_path.glob("left-*.txt")] == ["", ""] * (sys.platform == "linux")
