"""What a training is given: arrays and settings of any kind, and one sentence on what cannot be used."""

import dask.array
import numpy as np
import pytest
import torch

from napari_vae import InputError, Micrograph, ModelConfig, TrainConfig, fit, iter_fit, samples


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
        ({"device": None}, 'device is "auto" or a name such as "cpu" or "cuda:1", not None'),
        ({"supervised_weight": float("inf")}, "supervised_weight is a number from 0, not inf"),
        ({"epochs": 10**30}, "epochs is"),
        ({"checkpoint": 3}, "checkpoint is a folder, not 3"),
    ],
)
def test_bad_settings_are_one_sentence(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        fit(samples.cards(10).images, train=TrainConfig(**arguments))


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
