"""What a program sets for torch as a whole (dtype, device, no gradients) changes nothing of what is computed here."""

import numpy as np
import pytest
import torch

from napari_vae import (
    DeepKernelGP,
    ModelConfig,
    TrainConfig,
    detect_atoms,
    explore,
    fit,
    load_deep_kernel,
    load_run,
    samples,
)

CARDS = samples.cards(6, max_angle=60, max_shear=5, size=12)
SOME = np.where(np.arange(len(CARDS)) % 3, -1, CARDS.suit)
TRAIN = TrainConfig(epochs=3, batch_size=10, device="cpu")
MODELS = {
    "trvae": ({}, {}),
    "svae": ({"likelihood": "continuous-bernoulli"}, {}),
    "strain-rvae": ({"decoder": "coordinate", "encoder": "conv", "likelihood": "poisson"}, {}),
    "rvae": ({"angle_prior": 30.0, "likelihood": "gaussian"}, {}),
    "crvae": ({}, {"condition": CARDS.suit}),
    "ss-rvae": ({}, {"labels": SOME}),
    "ss-vae": ({}, {"targets": CARDS.angle}),
    "j-rvae": ({"n_classes": 3}, {}),
}


@pytest.fixture
def settings():
    """Double precision for what is made without saying of which it is, and no memory without saying where."""
    return torch.set_default_dtype(torch.float64), torch.set_default_device("meta")


@pytest.fixture(autouse=True)
def as_before():
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)


def trained(name, folder):
    """What a model learns, tells and draws, after it was saved, read and gone on from too."""
    settings, given = MODELS[name]
    needs = {"condition": CARDS.suit} if "condition" in given else {}
    run = fit(CARDS.images, ModelConfig.preset(name, hidden=(8, 8), **settings), TRAIN, **given)
    run.save(folder / "run")
    read = load_run(folder / "run", device="cpu")
    more = fit(CARDS.images, train=TRAIN, start=read, **given)
    table = more.encode(CARDS.images, **needs)
    return [
        *(weight.numpy() for weight in more.state().values()),
        read.reconstruct(CARDS.images, **needs),
        read.decode([[0.1, 0.2]], angle=30),
        read.manifold(3),
        *(table[name].to_numpy() for name in table),
    ]


def kernel(folder, target="real", features=None, **settings):
    """What a deep kernel says of all cards, before and after more of them are known, and when it was saved."""
    y = {"real": np.c_[CARDS.angle, CARDS.shear], "angle": CARDS.angle, "class": CARDS.suit}[target]
    model = DeepKernelGP(features, target=target, steps=4, warm_steps=2, ensemble=2, device="cpu", **settings)
    x, rows = CARDS.images, np.arange(len(CARDS))
    model.fit(x[rows % 2 == 0], y[rows % 2 == 0])
    first = model.predict(x)
    model.fit(x, y, warm=True).condition(x, y)
    read = load_deep_kernel(model.save(folder / "kernel"), device="cpu")
    return [*first, *model.predict(x), *read.predict(x), read.embed(x)], read.sample(x, 3)


@pytest.fixture(scope="module")
def run():
    return fit(CARDS.images, ModelConfig.preset("trvae", hidden=(8, 8)), TRAIN)


KERNELS = {
    "numbers": {"kernel": "rbf"},
    "classes": {"target": "class", "network": "linear"},
    "pixels": {"network": "conv", "hidden": (4,)},
    "angles of a run": {"target": "angle", "fine_tune": True},
}


@pytest.fixture(scope="module")
def usual(run, tmp_path_factory):
    """All that, computed where nothing was set."""
    trainings = {name: trained(name, tmp_path_factory.mktemp("run")) for name in MODELS}
    kernels = {}
    for name, settings in KERNELS.items():
        features = run if "run" in name else None
        kernels[name] = kernel(tmp_path_factory.mktemp("kernel"), features=features, **settings)
    return trainings, kernels


def same(told, expected):
    for one, other in zip(told, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_the_same(name, usual, tmp_path, request):
    request.getfixturevalue("settings")
    same(trained(name, tmp_path), usual[0][name])


@pytest.mark.parametrize("name", KERNELS)
def test_a_deep_kernel_is_the_same(name, usual, run, tmp_path, request):
    request.getfixturevalue("settings")
    told, draws = kernel(tmp_path, features=run if "run" in name else None, **KERNELS[name])
    expected, expected_draws = usual[1][name]
    same(told, expected)
    np.testing.assert_allclose(draws, expected_draws, rtol=1e-4, atol=1e-4)  # BoTorch draws in the default dtype


@pytest.mark.parametrize("acquisition", ["ei", "pi", "ucb"])
def test_an_exploration_asks_the_same(acquisition, request):
    def asked():
        model = DeepKernelGP(steps=2, warm_steps=2, ensemble=1, device="cpu")
        return explore(CARDS.images, CARDS.angle, acquisition, model=model, start=5, budget=8).measured.tolist()

    before = asked()
    request.getfixturevalue("settings")
    assert asked() == before


def test_the_learned_detector_finds_the_same(lattice, request):
    from napari_vae.atoms.network import load_network

    image = lattice[0][:96, :96]
    before, state = detect_atoms(image, method="learned", spacing=12), torch.get_rng_state()
    request.getfixturevalue("settings")
    load_network.cache_clear()
    np.testing.assert_array_equal(detect_atoms(image, method="learned", spacing=12), before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_what_learns_learns_where_gradients_are_off(mode, usual, run, tmp_path):
    with mode():
        told = trained("trvae", tmp_path)
        deep = kernel(tmp_path, features=run, **KERNELS["angles of a run"])
        read = load_deep_kernel(tmp_path / "kernel", device="cpu")
    same(told, usual[0]["trvae"])
    same(deep[0], usual[1]["angles of a run"][0])
    read.fit(CARDS.images, CARDS.angle, warm=True)  # what was read there can be trained elsewhere
