"""Background is told from columns, and taken away, so that windows show the motif only; without any nothing changes."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

import kinds
from napari_vae import (
    InputError,
    Micrograph,
    ModelConfig,
    TrainConfig,
    analyze,
    apply_run,
    detect_atoms,
    extract_patches,
    fit,
    load_analysis,
    load_run,
)
from napari_vae.atoms import levelling
from napari_vae.atoms.levelling import background
from napari_vae.patches.grid import grid_positions
from napari_vae.runs.doubts import describe_doubts
from napari_vae.samples import micrograph

SIZE = 256
Y, X = np.mgrid[:SIZE, :SIZE].astype(float)
SPACING = {"graphene": 12.3, "perovskite": 23.0}


def unit(field):
    return (field - field.mean()) / field.std()


def fields():
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.normal(size=SIZE))
    spots = zip(rng.uniform(0, SIZE, 6), rng.uniform(0, SIZE, 6), rng.uniform(30, 50, 6), strict=True)
    return {
        "tilt": unit(Y + X / 2),
        "contamination": unit(sum(np.exp(-((Y - y) ** 2 + (X - x) ** 2) / (2 * s**2)) for y, x, s in spots)),
        "terraces": unit(np.floor((Y + 0.4 * X) / 78)),
        "rows": unit(np.repeat(walk[:, None], SIZE, axis=1)),
    }


FIELDS = fields()
SIMPLEST = {"tilt": "plane", "contamination": "smooth", "terraces": "plane", "rows": "plane"}  # none simpler will do


def sample(kind="graphene", **options):
    image, truth = micrograph(kind, size=SIZE, **options)
    atoms = truth[["y", "x"]].assign(frame=0)
    atoms.attrs["napari_vae"] = {"spacing": SPACING[kind]}
    return image.data.astype(float), atoms


def at(field, atoms):
    return field[tuple(np.rint(atoms[["y", "x"]].to_numpy()).astype(int).T)]


def correlation(values, field, atoms):
    return abs(np.corrcoef(values, at(field, atoms))[0, 1])


def raw(patches):
    return patches.normalization.undo(patches.data)[:, 0]


@pytest.mark.parametrize("kind", SPACING)
@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("strength", [1, 5])
def test_background_is_recognised_and_taken_away(kind, name, strength):
    image, atoms = sample(kind)
    field = strength * image.std() * FIELDS[name]
    before = extract_patches(image + field, atoms, level="none")
    assert correlation(raw(before).mean((1, 2)), field, before.atoms) > 0.9
    after = extract_patches(image + field, atoms)
    assert levelling.WAYS.index(after.level) >= levelling.WAYS.index(SIMPLEST[name])
    assert correlation(raw(after).mean((1, 2)), field, after.atoms) < 0.3
    assert np.corrcoef(after.brightness.ravel(), before.brightness.ravel())[0, 1] > 0.95


CLEAN = {
    "as it is": {},
    "few electrons": {"dose": 2.0},
    "grains": {"grains": 3},
    "strained": {"strain_field": 0.03},
    "along the rows": {"angle": 0.0},
    "dopants and vacancies": {"dopants": 0.1, "vacancies": 0.05},
}


@pytest.mark.parametrize("kind", SPACING)
@pytest.mark.parametrize("name", CLEAN)
def test_an_image_without_background_stays_as_it_is(kind, name):
    image, atoms = sample(kind, **CLEAN[name])
    patches = extract_patches(image, atoms)
    assert patches.level == "none"
    assert np.array_equal(patches.data, extract_patches(image, atoms, level="none").data)


@pytest.mark.parametrize("kind", SPACING)
@pytest.mark.parametrize("sign", [1, -1])
def test_grains_of_heavier_atoms_are_no_background_and_stay_different(kind, sign):
    image, atoms = sample(kind, background=0.0)
    image = sign * image * np.where(X > 120, 1.6, 1.0)
    assert extract_patches(image, atoms).level == "none"

    def ratio(level):
        cut = extract_patches(image, atoms, level=level)
        heavy = cut.atoms["x"].to_numpy() > 120
        contrast = raw(cut).std((1, 2))
        return np.median(contrast[heavy]) / np.median(contrast[~heavy])

    assert ratio("smooth") == pytest.approx(ratio("none"), rel=0.1)


@pytest.mark.parametrize("angle", [0.0, 7.0])
@pytest.mark.parametrize("level", ["plane", "rows", "smooth"])
def test_levelling_keeps_the_contrast_of_sublattices(level, angle):
    image, truth = micrograph("perovskite", size=SIZE, angle=angle, dose=500)
    second = truth["sublattice"].to_numpy() == 1

    def difference(way):
        cut = extract_patches(image, truth.assign(frame=0), window=46, level=way)
        middle = raw(cut)[:, 20:26, 20:26].mean((1, 2))
        return np.median(middle[~second[cut.atoms.index]]) - np.median(middle[second[cut.atoms.index]])

    assert difference(level) == pytest.approx(difference("none"), rel=0.15)


def test_latents_follow_the_background_only_where_it_is_left(tmp_path):
    image, atoms = sample()
    tilted = image + 2 * image.std() * FIELDS["tilt"]
    config, train = ModelConfig.preset("vae"), TrainConfig(epochs=8, device="cpu")
    runs = {level: fit(extract_patches(tilted, atoms, level=level), config, train) for level in ("none", "plane")}
    for level, run in runs.items():
        assert run.level == load_run(run.save(tmp_path / level)).level == level
        applied = apply_run(run, tilted, atoms=atoms)
        assert applied.patches.level == level
        follows = [correlation(applied.latents[z], FIELDS["tilt"], applied.latents) for z in ("z1", "z2")]
        sentence = describe_doubts(config, applied.latents, applied.patches)
        if level == "none":
            assert max(follows) > 0.9
            assert "follows the slow brightness of the image (r = " in sentence and "Background" in sentence
        else:
            assert max(follows) < 0.3
            assert sentence == ""


def test_an_analysis_tells_what_was_subtracted_and_opens_as_it_was(tmp_path):
    image, atoms = sample()
    image = image + 2 * image.std() * FIELDS["tilt"]
    analysis = analyze(image, model="vae", train=TrainConfig(epochs=1, device="cpu"), atoms=atoms, n_classes=1)
    assert "Background was subtracted before: a plane." in analysis.remarks
    folder = analysis.save(tmp_path / "analysis")
    assert "Background was subtracted before: a plane." in (folder / "report.html").read_text(encoding="utf-8")
    opened = load_analysis(folder)
    assert opened.patches.level == opened.run.level == "plane"
    assert np.allclose(opened.patches.data, analysis.patches.data, atol=1e-5)


def test_each_channel_is_levelled_and_gaps_stay_gaps():
    image, atoms = sample()
    tilted = image + 3 * image.std() * FIELDS["tilt"]
    tilted[100:120, 30:50] = np.nan
    both = extract_patches(Micrograph(np.stack([image, tilted]), axes="CYX"), atoms, window=24)
    assert both.level == "plane" and both.in_gaps > 0
    one = extract_patches(tilted, atoms, window=24)
    assert np.array_equal(both.data[:, 1], one.data[:, 0]) and list(one.atoms.index) == list(both.atoms.index)
    with pytest.raises(InputError, match="level is"):
        extract_patches(image, atoms, level="flat")


@pytest.mark.parametrize("kind", SPACING)
def test_uneven_rows_are_evened_out_before_atoms_are_looked_for(kind):
    image, truth = micrograph(kind, size=SIZE, jitter=0)
    rows = image.data.std() * np.random.default_rng(0).normal(size=(SIZE, 1))
    places = truth[["y", "x"]].to_numpy()

    def errors(level):
        found = detect_atoms(image.data + rows, level=level)
        distance, near = cKDTree(found[["y", "x"]].to_numpy()).query(places)
        assert (distance < 3).mean() > 0.9
        return (found[["y", "x"]].to_numpy()[near] - places)[distance < 3], found

    (before, _), (after, found) = errors("none"), errors("auto")
    assert after[:, 0].std() < 0.75 * before[:, 0].std()
    seen = found[found["fitted"]]
    levels = (image.data + rows).mean(axis=1)[np.rint(seen["y"]).astype(int)]
    assert np.corrcoef(seen["background"], levels)[0, 1] > 0.8
    pd.testing.assert_frame_equal(detect_atoms(image), detect_atoms(image, level="none"))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("size", "spacing"), [(96, 16), (128, 24)])
def test_brightness_that_goes_with_the_contrast_of_columns_is_no_background(size, spacing, sign):
    y, x = np.mgrid[:size, :size]
    at = np.mgrid[spacing / 2 : size : spacing, spacing / 2 : size : spacing].reshape(2, -1).T
    spots = np.exp(-((y - at[:, :1, None]) ** 2 + (x - at[:, 1:, None]) ** 2) / (2 * (0.08 * spacing) ** 2))
    heights = 1 + 0.3 * np.sin(2 * np.pi * at[:, 0] / size)
    image = (sign * np.tensordot(heights, spots, 1)).astype(np.float32)
    assert levelling._share(image, at, spacing) < 0.001
    slope = sign * (x / size).astype(np.float32)
    assert levelling._share(image + slope, at, spacing) > 0.2


@pytest.mark.parametrize("tilt", [0.0, 2.0, 50.0])
@pytest.mark.parametrize("uneven", [0.0, 1.0])
def test_rows_are_seen_to_be_uneven_however_strongly_the_image_is_tilted(uneven, tilt):
    rng = np.random.default_rng(0)
    offsets = uneven * rng.normal(size=(96, 1))
    slope = tilt * (np.linspace(-1, 1, 96)[:, None] + np.linspace(-2, 2, 96))
    taken = background(rng.normal(size=(96, 96)) + offsets + slope, "auto", 8.0)
    left = (offsets + slope - taken) if uneven else taken
    assert np.std(left - left.mean()) < 0.3


@pytest.mark.parametrize("strength", [0.0, 0.1, 1.0])
def test_offsets_of_rows_are_as_sure_as_rows_differ_more_than_columns_of_pixels(strength):
    errors = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        image = kinds.spots((160, 160), kinds.apart((160, 160), 150, 8.0, rng), 1.0, 2.6)
        rows = strength * rng.normal(size=(160, 1))
        of_atoms = np.median(image, axis=1).std()  # what plain medians are wrong by
        wrong = levelling.background(image + rows, "rows", 11.0) - rows
        errors.append(wrong.std() / of_atoms)
    assert np.mean(errors) < {0.0: 0.75, 0.1: 0.9, 1.0: 1.1}[strength]


def twisted(period, field, seed=0):
    """Columns whose height follows a moiré, over a background; the moiré; and the columns."""
    image, atoms = sample(angle=10.0, dose=500, background=0.0, seed=seed)
    turns = np.radians([20, 80, 140])[:, None, None]
    wave = np.cos(4 * np.pi / np.sqrt(3) / period * (np.sin(turns) * Y + np.cos(turns) * X)).sum(axis=0)
    moire = image.std() * unit(wave)
    return image + moire + 3 * image.std() * field, moire, atoms


@pytest.mark.parametrize("on_grid", [False, True])
@pytest.mark.parametrize("name", ["nothing", "tilt", "bowl"])
def test_a_moire_is_no_background_and_comes_out_from_under_it(name, on_grid):
    field = {"nothing": 0 * Y, "tilt": FIELDS["tilt"], "bowl": unit((Y - 100) ** 2 + (X - 140) ** 2)}[name]
    image, moire, atoms = twisted(60, field)
    if on_grid:
        atoms = grid_positions(image, 8, window=24)
    patches = extract_patches(image, atoms, window=24)
    assert patches.level == {"nothing": "none", "tilt": "plane", "bowl": "smooth"}[name]
    bright = raw(patches).mean((1, 2))
    assert name == "nothing" or correlation(bright, field, patches.atoms) < 0.3
    assert correlation(bright, moire, patches.atoms) > 0.95


@pytest.mark.parametrize("seed", range(5))
def test_noise_and_fringes_in_one_direction_are_no_moire(seed):
    noise = np.random.default_rng(seed).normal(size=(SIZE, SIZE))
    for image in (noise, noise + np.sin(2 * np.pi * (Y + X / 2) / 50)):
        assert len(levelling._waves(image, 8.0)) == 0


def test_a_few_windows_follow_nothing():
    image, atoms = sample()
    two = extract_patches(image, atoms, level="none").atoms[:2]
    patches = extract_patches(image, two, level="none")
    assert describe_doubts(ModelConfig(latent_dim=1), pd.DataFrame({"z1": [0.0, 1.0], "z1_sd": 0.1}), patches) == ""


@pytest.mark.parametrize(
    ("dose", "strength", "way"), [(40, 0.1, "none"), (40, 0.15, "plane"), (4, 0.08, "none"), (4, 0.11, "plane")]
)
def test_a_tilt_is_taken_away_from_a_third_of_the_variance_on_whatever_the_noise(dose, strength, way):
    image, atoms = sample(dose=dose)
    tilted = image + strength * image.std() * FIELDS["tilt"]
    assert levelling.choose([(tilted, atoms[["y", "x"]].to_numpy())], SPACING["graphene"]) == way
