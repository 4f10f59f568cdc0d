"""What every model promises, whatever its invariances."""

import inspect
import json
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
import torch

from napari_vae import InputError, ModelConfig, ReadError, TrainConfig, fit, iter_fit, load_run, samples
from napari_vae.atoms.recipe import Options
from napari_vae.core.fields import settings_of
from napari_vae.core.progress import drain
from napari_vae.learning.config import DeepKernelConfig, ExplorationConfig
from napari_vae.learning.explore.stopping import Stopping
from napari_vae.models.config import PRESETS
from napari_vae.models.kinds import KINDS
from napari_vae.models.vae import InvariantVAE

NAMES = [*PRESETS, "trsvae", "strain-trsvae", "ctvae", "ss-tvae"]
COLUMNS = {
    "rotation": {"angle", "angle_sd"},
    "translation": {"shift_y", "shift_y_sd", "shift_x", "shift_x_sd"},
    "scale": {"scale", "scale_sd"},
    "strain": {
        "strain_xx", "strain_xx_sd", "strain_xy", "strain_xy_sd", "screen_strain_xx", "screen_strain_xy",
    },
}  # fmt: skip
SHORT = TrainConfig(epochs=2, seed=3)


@pytest.fixture(scope="module")
def cards():
    return samples.cards(16, max_angle=60, max_shear=5, size=24)


def taught(name, cards):
    """What a model of this name learns from besides the images, and what it needs again to encode them."""
    kind = ModelConfig.preset(name).kind
    if kind == "conditional":
        return {"condition": cards.suit}, {"condition": cards.suit}
    if name == "ss-tvae":  # numbers
        return {"targets": np.where(np.arange(len(cards)) % 2, np.c_[cards.angle, cards.shear].T, np.nan).T}, {}
    return {"labels": np.where(np.arange(len(cards)) % 3, -1, cards.suit)} if kind == "semi-supervised" else {}, {}


def config(name, **changes):
    classes = {"n_classes": 4} if name.startswith("j-") else {}
    return ModelConfig.preset(name, **classes, **changes)


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def run(name, cards):
    return fit(cards.images, config(name, latent_dim=3), SHORT, **taught(name, cards)[0])


@pytest.fixture(scope="module")
def needs(name, cards):
    return taught(name, cards)[1]


def test_has_the_columns_of_its_invariances_and_no_others(run, cards, needs):
    table = run.encode(cards.images, **needs)
    expected = {"z1", "z2", "z3", "z1_sd", "z2_sd", "z3_sd", "elbo", "reconstruction_error"}
    expected |= set().union(*(COLUMNS[name] for name in run.model_config.invariances))
    expected |= {"class", "class_probability", "class_entropy"} if run.model_config.infers_classes else set()
    expected |= {"target1", "target1_sd", "target2", "target2_sd"} if run.model_config.name == "ss-tvae" else set()
    assert set(table) == expected
    assert len(table) == len(cards) and np.isfinite(table.to_numpy()).all()
    assert (table.filter(regex="_sd$") > 0).all().all()


def test_reconstructs_and_decodes_in_the_shape_of_the_data(run, cards, needs):
    assert run.reconstruct(cards.images, **needs).shape == cards.images.shape
    assert run.decode(np.zeros((5, 3)), angle=np.arange(5), shift=(1, 2), scale=1.1).shape == (5, 24, 24)
    assert run.manifold(4).shape == (4, 4, 24, 24)


def test_decoding_the_encoded_pose_is_the_reconstruction(run, cards, needs):
    """Angle, shift, scale and strain mean the same going in and coming out."""
    table = run.encode(cards.images, **needs)
    pose = {
        "angle": table.get("angle", 0),
        "shift": table[["shift_y", "shift_x"]] if "shift_y" in table else (0, 0),
        "scale": table.get("scale", 1),
        "strain": table[["strain_xx", "strain_xy"]] if "strain_xx" in table else (0, 0),
    }
    y = {"label": table["class"]} if "class" in table else {"label": cards.suit} if needs else {}
    if "target1" in table:
        y = {"condition": table[["target1", "target2"]]}
    decoded = run.decode(table[["z1", "z2", "z3"]], **pose, **y)
    np.testing.assert_allclose(decoded, run.reconstruct(cards.images, **needs), atol=2e-3)


def test_saved_and_loaded_it_is_the_same(run, cards, needs, tmp_path):
    loaded = load_run(run.save(tmp_path / "run"))
    pd.testing.assert_frame_equal(loaded.encode(cards.images, **needs), run.encode(cards.images, **needs))
    pd.testing.assert_frame_equal(loaded.history, run.history)
    assert (loaded.model_config, loaded.train_config) == (run.model_config, run.train_config)
    assert loaded.provenance == run.provenance
    assert {p.name for p in (tmp_path / "run").iterdir()} == {"run.json", "weights.safetensors", "history.csv"}


def test_encoding_in_parts_is_encoding_at_once(run, cards, needs):
    rows = slice(None, 7), slice(7, None)
    parts = [run.encode(cards.images[part], **{k: v[part] for k, v in needs.items()}) for part in rows]
    whole = run.encode(cards.images, **needs)
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole, atol=1e-3, rtol=1e-3)


def test_poses_that_a_coarse_look_rules_out_would_change_nothing(run, cards, needs, monkeypatch):
    table = run.encode(cards.images, **needs)
    monkeypatch.setattr("napari_vae.models.vae.ERROR", 1e9)  # now none is ruled out
    all_drawn = run.encode(cards.images, **needs)
    assert ((table - all_drawn).abs().max() <= 1e-4 * all_drawn.std()).all()


@pytest.mark.parametrize("likelihood", ["gaussian", "poisson"])
def test_a_model_that_is_made_holds_nothing_by_chance(likelihood):
    """Memory that was never written was NaN in one run of a thousand."""
    made = InvariantVAE(config("trsvae", likelihood=likelihood), 1, (8, 8))
    kept = made.gauge.state_dict() | made.likelihood.state_dict()
    assert len(kept) == 6 and all(
        set(values.flatten().tolist()) <= {0.0, 1.0} for name, values in kept.items() if name != "raw"
    )
    assert likelihood == "poisson" or made.likelihood.log_sd.item() == pytest.approx(np.log(0.1))


def test_what_reconstruction_costs_is_the_likelihood_of_the_drawn_image(cards):
    model = InvariantVAE(config("vae", likelihood="gaussian"), 1, (24, 24))
    images = torch.from_numpy(cards.images[:20, None]).float()
    found = model.explain(images)
    nll = model.likelihood.nll(found.logits[:, None], images[:, None])[:, 0]
    torch.testing.assert_close(found.evidence.reconstruction, nll)
    torch.testing.assert_close(found.evidence.posed, nll)  # there is no pose to pay for


def test_evaluation_changes_no_weight(run, cards, needs):
    before = run.state()
    run.encode(cards.images, **needs)
    run.reconstruct(cards.images, **needs)
    run.manifold(2)
    after = run.state()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_two_models_side_by_side_do_not_touch_each_other(name, cards, run, needs):
    """Steps of two trainings in turn give what each gives alone."""
    data, settings = taught(name, cards)[0], config(name, latent_dim=3)
    other = iter_fit(cards.images[:, 4:20, 4:20], ModelConfig.preset("trsvae", hidden=(8, 8)), SHORT)
    beside = drain(iter_fit(cards.images, settings, SHORT, **data), lambda _: next(other, None))
    pd.testing.assert_frame_equal(beside.encode(cards.images, **needs), run.encode(cards.images, **needs))


@pytest.mark.parametrize("dtype", [np.float16, np.uint8])
def test_any_dtype_encodes(run, cards, needs, dtype):
    images = (cards.images * 200).astype(dtype)
    assert np.isfinite(run.encode(images, **needs).to_numpy()).all()


def test_same_seed_same_result_and_no_global_state(cards):
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_default_dtype()  # noqa: NPY002
    first, second = (fit(cards.images, ModelConfig.preset("strain-trsvae"), SHORT) for _ in range(2))
    pd.testing.assert_frame_equal(first.encode(cards.images), second.encode(cards.images))
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert torch.get_default_dtype() == before[2]


def test_another_seed_is_another_training(cards):
    first = fit(cards.images, train=TrainConfig(epochs=1, seed=0)).encode(cards.images)
    assert not np.allclose(
        first["z1"], fit(cards.images, train=TrainConfig(epochs=1, seed=1)).encode(cards.images)["z1"]
    )


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_learns_a_few_images_by_heart(likelihood):
    few = samples.cards(8, max_angle=60, max_shear=5, size=32).images
    model = ModelConfig.preset("vae", likelihood=likelihood, latent_dim=8, hidden=(128, 128))
    run = fit(few, model, TrainConfig(epochs=150, learning_rate=4e-3, beta=0.1))
    assert run.encode(few)["reconstruction_error"].mean() < 0.1 * few.var()


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.uint8, np.int32])
def test_any_number_will_do(cards, dtype):
    images = (cards.images * 200).astype(dtype)
    run = fit(images, train=TrainConfig(epochs=1))
    assert np.isfinite(run.encode(images).to_numpy()).all()
    assert run.reconstruct(images).max() > 50, "reconstructions come in the units of the data"


def test_heights_of_a_tenth_of_a_nanometre(cards):
    run = fit(cards.images * 1e-10 + 3e-9, train=TrainConfig(epochs=30))
    images = run.reconstruct(cards.images * 1e-10 + 3e-9)
    assert 2.9e-9 < images.min() < images.max() < 3.2e-9


def test_channels_stay_apart():
    images = samples.cards(16, max_angle=60, max_shear=5, size=32).images
    two = np.stack([images, 1 - images], 1)
    run = fit(two, ModelConfig.preset("rvae", hidden=(64, 64)), TrainConfig(epochs=30, learning_rate=4e-3))
    assert run.reconstruct(two).shape == two.shape
    assert run.manifold(3).shape == (3, 3, 2, 32, 32)
    corner = run.reconstruct(two)[:, :, 0, 0].mean(0)
    assert corner[0] < 0.2 and corner[1] > 0.8


def test_images_need_not_be_square(cards):
    run = fit(cards.images[:, 3:], ModelConfig.preset("trvae"), SHORT)
    assert run.window == (21, 24)
    assert run.reconstruct(cards.images[:, 3:]).shape == (64, 21, 24)


def test_z1_says_most(cards):
    run = fit(cards.images, ModelConfig(latent_dim=4, hidden=(64, 64)), TrainConfig(epochs=25, learning_rate=4e-3))
    last = run.history.iloc[-1]
    kls = [last[f"kl_z{i}"] for i in (1, 2, 3, 4)]
    assert kls == sorted(kls, reverse=True)
    spread = run.encode(cards.images)[["z1", "z4"]].std()
    assert spread["z1"] > spread["z4"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"invariances": ("colour",)}, "rotation, translation, scale, strain"),
        ({"latent_dim": 0}, "1 … 64"),
        ({"latent_dim": 2.0}, "whole number"),
        ({"hidden": (0,)}, "hidden"),
        ({"likelihood": "cauchy"}, "bernoulli, gaussian"),
        ({"angle_prior": -3}, "uniform"),
        ({"shift_prior": 0}, "shift_prior"),
        ({"kind": "adversarial"}, "kind is one of vae, conditional, semi-supervised, joint"),
        ({"kind": "joint", "n_classes": 1}, "n_classes is a whole number of 2"),
        ({"n_classes": 3}, "knows no classes"),
        ({"rotations": 12.5}, "rotations is a whole number of 4 … 128, not 12.5"),
        ({"latent_dim": True}, "latent_dim is a whole number of 1 … 64, not True"),
        ({"latent_dim": 10**5000}, "latent_dim is a whole number of 1 … 64, not a number of thousands"),
        ({"hidden": [1] * 100_000}, "hidden is 1 to 16 values, each a whole number of 1 … 4096, not "),
        ({"hidden": ()}, "hidden is 1 to 16 values"),
        ({"scale_prior": 10**400}, "scale_prior is a number above 0"),
        ({"mirror": True}, "no setting 'mirror'; there are kind, invariances"),
    ],
)
def test_impossible_models_are_refused(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        ModelConfig(**arguments)


def test_settings_take_numbers_of_numpy_and_are_plain_values_then():
    config = ModelConfig("vae", np.array(["strain", "rotation"]), np.int64(3), hidden=np.array([8, 4]))
    assert config == ModelConfig("vae", ("rotation", "strain"), 3, hidden=[8, np.int32(4)])
    assert config == ModelConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert type(config.latent_dim) is int and replace(config, hidden=16).hidden == (16,)
    assert TrainConfig(learning_rate=np.float32(0.5), epochs=np.array(3)) == TrainConfig(learning_rate=0.5, epochs=3)


@pytest.mark.parametrize("config", [ModelConfig, TrainConfig, DeepKernelConfig, ExplorationConfig, Stopping, Options])
def test_every_setting_has_a_title_and_a_help_and_the_docstring_has_them(config):
    known = settings_of(config)
    assert list(known) == [field.name for field in fields(config)]
    for name, setting in known.items():
        if config is Options and name in ("frames", "region"):  # which are no choices of a user
            continue
        assert config.__pydantic_fields__[name].title == setting.title, name
        assert setting.text.endswith(".") and len(setting.text) > 20, name
        assert f"\n{name} : {setting.kind}\n" in config.__doc__, name
        assert setting.text in " ".join(config.__doc__.split()), name
        listed = setting.schema.get("enum", ())
        offered = {one for one in listed if not (name == "kind" and KINDS[one].predicts)}  # whose outputs no list has
        assert offered <= set(setting.choices), name
        for value in setting.choices:
            config(**{name: value})


def test_help_shows_defaults_without_annotations():
    assert str(inspect.signature(TrainConfig)).startswith("(epochs='auto', batch_size='auto', learning_rate=0.002, ")


def test_what_a_setting_may_be_comes_from_its_field():
    latents, beta = settings_of(ModelConfig)["latent_dim"], settings_of(TrainConfig)["beta"]
    assert (latents.title, latents.kind, latents.default) == ("Latents", "a whole number of 1 … 64", 2)
    assert (latents.number["minimum"], latents.number["maximum"]) == (1, 64)
    assert (latents.read("3"), beta.read("0.5"), beta.read("0,1,20")) == (3, 0.5, (0, 1, 20))
    assert settings_of(ModelConfig)["hidden"].read("64,32") == (64, 32)
    assert settings_of(TrainConfig)["checkpoint"].read("2024") == "2024"
    assert (
        settings_of(TrainConfig)["supervised_weight"].read("3") == 3
    )  # which was called otherwise in earlier versions
    for text in ("two", "65", "1.5", "nan", "1,2"):
        with pytest.raises(InputError, match=f"--latents is a whole number of 1 … 64, not '{text}'"):
            latents.read(text)


def test_presets_by_name():
    assert ModelConfig.preset("rvae").invariances == ("rotation",)
    assert ModelConfig.preset("rtvae") == ModelConfig.preset("trvae")
    assert [ModelConfig.preset(name).name for name in PRESETS] == list(PRESETS)
    assert ModelConfig.preset("ss-strain-trvae").kind == "semi-supervised"
    for name in ("xvae", "rrvae", "ss-crvae"):
        with pytest.raises(InputError, match=f"no model '{name}'; use one of vae, rvae"):
            ModelConfig.preset(name)


def test_images_that_do_not_fit_the_model_are_refused(cards):
    run = fit(cards.images, train=TrainConfig(epochs=1))
    with pytest.raises(InputError, match=r"window=\(24, 24\)"):
        run.encode(cards.images[:, 2:-2, 2:-2])
    with pytest.raises(InputError, match="NaN"):
        run.encode(np.full_like(cards.images, np.nan))
    with pytest.raises(InputError, match="must come as"):
        run.encode(np.zeros((3, 0, *cards.images.shape[-2:])))
    with pytest.raises(InputError, match="has 2 latents"):
        run.decode([1, 2, 3])
    with pytest.raises(InputError, match="scale must be above 0"):
        run.decode([1, 2], scale=0)


def test_a_folder_of_something_else_is_not_overwritten(cards, tmp_path):
    run = fit(cards.images, train=TrainConfig(epochs=1))
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="other files"):
        run.save(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    run.save(tmp_path / "run")
    run.save(tmp_path / "run")
    assert [p.name for p in tmp_path.glob(".*")] == [], "nothing temporary stays behind"


@pytest.mark.parametrize("damage", ["cut weights", "cut settings", "newer", "other weights"])
def test_damaged_runs_are_one_sentence(cards, tmp_path, damage):
    folder = fit(cards.images, train=TrainConfig(epochs=1)).save(tmp_path / "run")
    weights, settings = folder / "weights.safetensors", folder / "run.json"
    if damage == "cut weights":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif damage == "cut settings":
        settings.write_text(settings.read_text()[:100])
    elif damage == "newer":
        settings.write_text(settings.read_text().replace('"format": 1', '"format": 99'))
    else:
        other = fit(cards.images, ModelConfig(latent_dim=5), TrainConfig(epochs=1)).save(tmp_path / "other")
        weights.write_bytes((other / "weights.safetensors").read_bytes())
    with pytest.raises(ReadError, match=r"damaged|newer"):
        load_run(folder)


def test_no_run_there(tmp_path):
    with pytest.raises(ReadError, match="not the folder of a run"):
        load_run(tmp_path)


def test_the_upright_image_of_a_signal_is_a_signal():
    model = InvariantVAE(config("vae"), 1, (1, 40))
    upright = model.decoder(torch.zeros(2, model.config.latent_dim))
    assert upright.shape[-2] == 1 and upright.shape[-1] >= 40
