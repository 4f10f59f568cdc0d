"""Which device computes, in words, and what is said of a card that PyTorch cannot use."""

import os

import pytest
import torch

from napari_vae import InputError, ModelConfig, TrainConfig, iter_fit, samples
from napari_vae.core.device import choose_device, describe_device, free_memory

CPU = torch.device("cpu")


@pytest.fixture
def with_card(tmp_path, monkeypatch):
    """A machine with the driver of an NVIDIA card, whatever PyTorch it has."""
    if torch.cuda.is_available():
        pytest.skip("PyTorch can use the card of this machine")
    program = tmp_path / ("nvidia-smi.exe" if os.name == "nt" else "nvidia-smi")
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_who_leaves_the_choice_is_told_how_to_use_the_card(with_card, monkeypatch):
    advice = "PyTorch with CUDA: pytorch.org" if torch.version.cuda is None else "update its driver"
    images = samples.cards(5, size=8).images
    for device, told in (("auto", True), ("cpu", False)):
        event = next(iter_fit(images, ModelConfig(hidden=(4,)), TrainConfig(epochs=1, device=device)))
        assert event.device.startswith("CPU, ") and (advice in event.device) is told
    with pytest.raises(InputError, match=advice):
        choose_device("cuda")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # who hides the card does not want it
    assert advice not in describe_device(CPU, advise=True)


def test_the_memory_that_is_free_is_known():
    assert 2**20 < free_memory() == pytest.approx(free_memory(CPU), rel=0.5)
