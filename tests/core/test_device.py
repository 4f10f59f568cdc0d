"""Which device computes, in words, and what is said of a card that PyTorch cannot use."""

import os

import pytest
import torch

from napari_vae import InputError, ModelConfig, TrainConfig, iter_fit, samples
from napari_vae.core.device import choose_device, describe_device, free_memory, unused_card

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


def test_the_gpu_of_apple_is_chosen_where_torch_can_resample_on_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    for name in ("ones", "zeros"):  # there is none here: the CPU does what it would be asked to do
        make = getattr(torch, name)
        monkeypatch.setattr(torch, name, lambda *size, device, make=make, **options: make(*size, **options))
    assert choose_device().type == "mps" and not unused_card()

    def missing(*_, **options):
        raise NotImplementedError("The operator is not implemented for the MPS device.")

    monkeypatch.setattr(torch.nn.functional, "grid_sample", missing)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert choose_device() == CPU and "PyTorch 2.13" in unused_card()


def test_the_memory_of_a_card_is_what_is_free_of_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 * 2**30, 80 * 2**30))
    assert free_memory(torch.device("cuda")) == 3 * 2**30


def test_the_memory_that_is_free_is_known():
    assert 2**20 < free_memory() == pytest.approx(free_memory(CPU), rel=0.5)
