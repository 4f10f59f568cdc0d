"""Spectra and images from images: whatever their pose, with standard deviations that hold."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_vae import (
    InputError,
    ModelConfig,
    ReadError,
    TrainConfig,
    apply_run,
    extract_patches,
    fit,
    iter_fit,
    load_run,
)
from napari_vae.core.progress import drain
from napari_vae.layers.analysis import folder_layers
from napari_vae.learning.gp.networks import RunEncoder
from napari_vae.models.encoder_decoder import EncoderDecoder, Scatter
from napari_vae.models.networks import initialise
from napari_vae.samples import spectrum_image

MODEL = ModelConfig.preset("ed-rvae", hidden=(48,), latent_dim=3)
LONG, SHORT = TrainConfig(epochs=40, learning_rate=5e-3), TrainConfig(epochs=2)
BAND = 1.6449  # standard deviations on either side that hold 90 %


def windows(sample, **options):
    return extract_patches(sample.image, sample.structures, window=24, level="none", **options)


@pytest.fixture(scope="module")
def sample():
    return spectrum_image(12, points=30, seed=1)


@pytest.fixture(scope="module")
def patches(sample):
    return windows(sample)


@pytest.fixture(scope="module")
def run(sample, patches):
    return fit(patches, MODEL, LONG, outputs=sample.spectra)


def untrained(**settings):
    model = EncoderDecoder(replace(MODEL, **settings), 1, (24, 24), 5)
    return initialise(model, torch.Generator().manual_seed(0))


def test_predictions_are_in_the_units_of_the_outputs(run, sample, patches):
    mean, sd = run.predict(patches)
    assert mean.shape == sd.shape == sample.spectra.shape
    assert np.mean((mean - sample.expected) ** 2) < 0.5 * sample.expected.var(0).mean()
    assert 0.8 < (np.abs(mean - sample.spectra) < BAND * sd).mean() < 0.97


def test_other_units_give_the_same_predictions_in_them(sample, patches):
    one, other = (fit(patches, MODEL, SHORT, outputs=y) for y in (sample.spectra, 100 + 1e6 * sample.spectra))
    (mean, sd), (same, wide) = one.predict(patches), other.predict(patches)
    assert np.allclose(same, 100 + 1e6 * mean, atol=1e4) and np.allclose(wide, 1e6 * sd, rtol=0.02)


def test_a_quarter_turn_changes_no_prediction(run, patches):
    turned = replace(patches, data=np.ascontiguousarray(np.rot90(patches.data, axes=(-2, -1))))
    for one, other in zip(run.predict(patches), run.predict(turned), strict=True):
        assert np.allclose(one, other, atol=1e-5)


def test_the_mirror_image_is_the_same_where_the_hand_is_kept_out():
    images = torch.rand(4, 1, 24, 24, generator=torch.Generator().manual_seed(1))
    both, one = untrained(invariances=("rotation", "mirror")), untrained()
    (as_is, flipped), (seen, other) = ([m.looks(x).mean[:, 0] for x in (images, images.flip(-1))] for m in (both, one))
    assert torch.allclose(as_is, flipped, atol=1e-6)
    assert not torch.allclose(seen, other, atol=1e-5)


def test_a_prediction_does_not_depend_on_the_images_beside_it(run, patches):
    few = patches.rows(np.array([7, 3]))
    for one, other in zip(run.predict(few), run.predict(patches), strict=True):
        assert np.allclose(one, other[[7, 3]], atol=1e-5)


def test_a_saved_run_predicts_the_same(run, patches, tmp_path):
    run.save(tmp_path / "run")
    loaded = load_run(tmp_path / "run", device="cpu")
    assert loaded.scale == run.scale and loaded.model_config == run.model_config
    for one, other in zip(run.predict(patches), loaded.predict(patches), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("changes", [{"shape": [29]}, {"shape": []}, {"shape": [5, -6]}, {"spread": [1.0]}])
def test_a_damaged_folder_is_refused(run, tmp_path, changes):
    file = run.save(tmp_path / "run") / "run.json"
    told = json.loads(file.read_text(encoding="utf-8"))
    told["scale"] |= changes
    file.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(ReadError):
        load_run(tmp_path / "run")


def test_the_window_says_that_it_does_not_open_it(run, tmp_path):
    with pytest.raises(InputError, match="redraws no images"):
        folder_layers(run.save(tmp_path / "run"))


def test_an_interrupted_training_goes_on_and_ends_the_same(sample, patches, tmp_path):
    train, asked = replace(SHORT, epochs=4), itertools.count()
    whole = fit(patches, MODEL, train, outputs=sample.spectra)
    kept = replace(train, checkpoint=tmp_path / "kept")
    part = drain(iter_fit(patches, MODEL, kept, outputs=sample.spectra, stop=lambda: next(asked) > 12), None)
    again = fit(patches, MODEL, kept, outputs=sample.spectra)
    assert part.stopped and not again.stopped
    assert np.array_equal(again.predict(patches)[0], whole.predict(patches)[0])


def test_latents_are_drawn_as_outputs(run, patches):
    table = run.encode(patches)
    assert table.columns.tolist() == ["z1", "z1_sd", "z2", "z2_sd", "z3", "z3_sd"]
    assert table.index.equals(patches.atoms.index)
    assert np.allclose(run.decode(table[["z1", "z2", "z3"]]), run.predict(patches)[0], atol=0.15)
    assert run.manifold(3).shape == (3, 3, 30)


def test_images_from_signals():
    sample = spectrum_image(12, 0, points=30, seed=1)
    images = windows(sample).data[:, 0]
    run = fit(sample.spectra, replace(MODEL, invariances=()), LONG, outputs=images)
    mean, sd = run.predict(sample.spectra[:5])
    assert mean.shape == sd.shape == (5, 24, 24)
    assert run.manifold(2).shape == (2, 2, 24, 24)
    assert np.mean((run.predict(sample.spectra)[0] - images) ** 2) < 0.5 * images.var(0).mean()


def test_a_training_goes_on_with_outputs_of_the_same_shape(run, sample, patches):
    more = fit(patches, train=SHORT, outputs=sample.spectra, start=run)
    assert len(more.history) > len(run.history)
    assert more.scale == run.scale
    with pytest.raises(InputError, match="30 numbers per image; the outputs have 5 × 6"):
        fit(patches, outputs=sample.spectra.reshape(-1, 5, 6), start=run)


def test_numbers_that_are_not_known_are_left_out(sample, patches):
    outputs = np.where(np.random.default_rng(0).random(sample.spectra.shape) < 0.3, np.nan, sample.spectra)
    mean, sd = fit(patches, MODEL, SHORT, outputs=outputs).predict(patches)
    assert np.isfinite(mean).all() and (sd > 0).all()


def test_only_whole_windows_are_learnt_from_and_predicted_for(run, sample):
    table = sample.structures.copy()
    table.loc[3, "y"] -= 6.0
    part = windows(replace(sample, structures=table), partial=True)
    assert len(part.whole) == len(part) - 1
    mean, _ = run.predict(part)
    assert np.isnan(mean[3]).all() and np.isfinite(np.delete(mean, 3, 0)).all()
    again = fit(part, MODEL, SHORT, outputs=sample.spectra)
    assert again.provenance["n_images"] == len(part) - 1


def test_the_scatter_is_a_normal_distribution_for_every_number():
    mean, log_sd, y = torch.randn(3, 4, 1, 1, 6, generator=torch.Generator().manual_seed(0)) / 2
    y[0, 0, 0, :2] = torch.nan
    logits = torch.cat([mean, log_sd], -3)
    expected = -torch.distributions.Normal(mean, log_sd.exp()).log_prob(y.nan_to_num())
    assert torch.allclose(Scatter().nll(logits, y), torch.where(y.isnan(), 0, expected).sum((1, 2, 3)))


def test_calibration_measures_by_how_much_the_standard_deviations_are_too_small():
    model, random = untrained(), torch.Generator().manual_seed(2)
    images = torch.rand(600, 1, 24, 24, generator=random)
    mean, sd = model.predict(images)
    outputs = mean + 2.5 * sd * torch.randn(mean.shape, generator=random)
    model.calibrate([(images[:300], outputs[:300]), (images[300:], outputs[300:])])
    assert float(model.likelihood.factor) == pytest.approx(2.5, rel=0.05)
    assert torch.allclose(model.predict(images)[1], model.likelihood.factor * sd)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"invariances": ("translation",)}, "keeps rotation and mirror"),
        ({"likelihood": "poisson"}, "leave out n_classes, decoder and likelihood"),
        ({"decoder": "coordinate"}, "leave out n_classes"),
        ({"n_classes": 3}, "leave out n_classes"),
    ],
)
def test_settings_that_mean_nothing_to_it_are_refused(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        ModelConfig(kind="encoder-decoder", **settings)


@pytest.mark.parametrize(
    ("model", "given", "sentence"),
    [
        (MODEL, {}, "An encoder-decoder model learns from outputs; give it"),
        (MODEL, {"labels": np.arange(144) % 2}, "does not learn from labels"),
        (ModelConfig(), {"outputs": np.ones((144, 3))}, "A vae model does not learn from outputs"),
        (MODEL, {"outputs": np.ones((143, 3))}, "There are 144 images, but the outputs"),
        (MODEL, {"outputs": np.ones((144, 3))}, "the outputs are the same for all images"),
        (MODEL, {"outputs": np.full((144, 3), np.inf)}, "NaN or infinite"),
        (MODEL, {"outputs": np.full((144, 3), np.nan)}, "No image has a value of some of the outputs"),
        (MODEL, {"outputs": np.zeros((144, 101, 100))}, "at most 10000"),
    ],
)
def test_outputs_that_do_not_fit_are_one_sentence(patches, model, given, sentence):
    with pytest.raises(InputError, match="(?i)" + sentence):
        fit(patches, model, SHORT, **given)


def test_what_it_cannot_do_is_one_sentence(run, sample, patches):
    for wrong, sentence in {
        lambda: run.reconstruct(patches): "redraws no images",
        lambda: run.describe(patches): "redraws no images",
        lambda: apply_run(run, sample.image): "redraws no images",
        lambda: run.encode(patches, labels=np.zeros(144, int)): "takes no labels",
        lambda: run.decode([0, 0, 0], angle=3): "has no pose",
        lambda: run.decode([0, 0, 0], condition=np.zeros(30)): "neither classes nor a condition",
        lambda: RunEncoder(run): "predicts by itself",
        lambda: run.predict(patches.data[..., :20]): "takes images of 1 × 24 × 24",
        lambda: fit(sample.spectra, MODEL, SHORT, outputs=sample.spectra): "Signals can be shifted only",
    }.items():
        with pytest.raises(InputError, match=sentence):
            wrong()


def test_a_model_without_outputs_predicts_nothing(patches):
    plain = fit(patches, ModelConfig(hidden=(8,)), TrainConfig(epochs=1))
    with pytest.raises(InputError, match="trained without outputs"):
        plain.predict(patches)


@pytest.mark.slow
def test_what_was_hardly_turned_tells_of_any_angle():
    """Bars of the benchmark, at a third of its size."""
    learnt, tested = spectrum_image(30, 30, growth=0.1, seed=1), spectrum_image(20, growth=0.1, seed=2)
    patches = windows(learnt)
    model = ModelConfig.preset("ed-rvae", latent_dim=4)
    run = fit(patches, model, TrainConfig(epochs=100), outputs=learnt.spectra)
    mean, sd = run.predict(windows(tested, normalization=patches.normalization))
    error, noise = mean - tested.spectra, tested.noise
    assert np.sqrt(np.mean(error**2)) < 1.2 * np.sqrt(np.mean(noise**2))
    inside = np.abs(error) < BAND * sd
    assert 0.86 < inside.mean() < 0.94
    assert inside[noise < np.median(noise)].mean() > 0.84 and inside[noise > np.median(noise)].mean() > 0.84
