"""Fitted positions against the Cramér–Rao limit, and errors that mean what they say."""

import os
from dataclasses import replace

import dask.array as da
import numpy as np
import pandas as pd
import pytest

import kinds
from measuring import detection
from napari_vae import detect_atoms
from napari_vae.atoms import iter_detect_atoms, tiles
from napari_vae.atoms.binning import Binning
from napari_vae.atoms.gaussians import BACKGROUND, WIDTH, Fit, X, Y
from napari_vae.atoms.model_image import draw_spots
from napari_vae.atoms.refine import _beyond, _shared, refine_spots
from napari_vae.core.errors import InputError
from napari_vae.samples import micrograph
from truth.limit import cramer_rao


@pytest.mark.parametrize("kind", ["graphene", "perovskite"])
@pytest.mark.parametrize("dose", [100, 10])
def test_positions_reach_the_limit_and_errors_are_calibrated(kind, dose):
    """Columns of graphene overlap: the limit is that of columns among neighbours that are unknown, too."""
    result = detection.precision(kind, dose, size=512)
    assert result.error < 1.08 * result.among
    assert 0.9 < result.spread < 1.1
    assert min(result.agreement.precision, result.agreement.recall) >= 0.999


def test_few_electrons():
    result = detection.precision("graphene", 100 / (2 * np.pi * 3.04**2), size=512)
    assert min(result.agreement.precision, result.agreement.recall) >= 0.97


def wide_columns(sigma, spacing, peak, side, seed=0):
    """Counts of round columns as wide as this, their centres and the limit of their positions."""
    rng = np.random.default_rng(seed)
    sites = spacing * (np.stack(np.mgrid[:side, :side], axis=-1).reshape(-1, 2) + 0.5)
    sites += rng.uniform(-1, 1, sites.shape)
    spots = np.column_stack([np.ones(len(sites)), np.zeros(len(sites)), sites, np.full(len(sites), sigma)])
    shape = (int(side * spacing), int(side * spacing))
    image = rng.poisson(peak * (draw_spots(shape, spots) + 0.1)).astype(float)
    truth = pd.DataFrame({"y": sites[:, 0], "x": sites[:, 1], "peak": float(peak), "sigma": sigma})
    return image, sites, cramer_rao(truth, 0.1 * peak, among=True, sample=20)


@pytest.mark.parametrize(("sigma", "spacing", "how"), [(9.2, 46, "gaussian"), (12.0, 60, "elliptical")])
def test_wide_columns_are_fitted_in_larger_pixels_at_the_same_limit(sigma, spacing, how):
    image, sites, limit = wide_columns(sigma, spacing, 10, side=12)
    atoms = detect_atoms(image, refine=how)
    judged = detection.judge(atoms[["y", "x"]].to_numpy(), sites, image.shape)
    assert judged.agreement.precision == judged.agreement.recall == 1
    assert judged.rms < 1.08 * limit
    assert 0.9 < np.nanstd(judged.errors / atoms[["y_err", "x_err"]].to_numpy()[judged.right]) < 1.1
    typical = atoms[["sigma", "amplitude", "background"]].median()
    assert typical.to_numpy() == pytest.approx([sigma, 10, 1], rel=0.02, abs=0.1)


@pytest.mark.parametrize("sigma", [0.8, 2.7, 5.9, 6.1, 14.0, 90.0])
def test_no_width_costs_more_than_six_pixels_and_narrow_ones_stay_as_they_are(sigma):
    binning = Binning((1001, 1024), sigma)
    assert min(sigma, 3) <= binning.width(sigma) <= 6.1
    frame = np.random.default_rng(0).random((1001, 1024))
    atoms = pd.DataFrame({"y": [3.1, 900.7], "x": [1000.3, 0.0], "amplitude": 2.0, "sigma": sigma, "y_err": 0.1})
    atoms["x_err"] = 0.2
    start = binning.start(atoms)
    found = binning.in_pixels(start.assign(sigma=binning.width(sigma)))
    if sigma < 6:
        assert np.array_equal(binning.image(frame), frame) and start.equals(atoms) and found.equals(atoms)
    np.testing.assert_allclose(found[["y", "x", "sigma"]], atoms[["y", "x", "sigma"]], atol=15 if sigma > 14 else 1e-9)


def test_amplitude_width_and_background_are_those_of_the_columns():
    image, truth = micrograph("perovskite", size=300, dose=2000, jitter=0, dopants=0, background=0.3)
    atoms = detect_atoms(image)
    inner = atoms[(atoms.y > 30) & (atoms.y < 270) & (atoms.x > 30) & (atoms.x < 270)]
    assert inner.sigma.median() == pytest.approx(truth.sigma[0], rel=0.02)
    assert inner.background.median() == pytest.approx(600, rel=0.05)
    bright = inner[inner.amplitude > 1500]
    assert bright.amplitude.median() == pytest.approx(2000, rel=0.02)


def test_neighbours_do_not_pull():
    """A weak column beside a bright one: noise-free, so what is left is the pull."""
    truth = np.array([[4.0, 0.0, 30.3, 30.0, 2.5], [1.0, 0.0, 30.0, 40.2, 2.5]])
    image = draw_spots((60, 70), truth).astype(float) + np.random.default_rng(0).normal(0, 0.002, (60, 70))
    start = pd.DataFrame({"amplitude": truth[:, 0], "background": 0.0, "y": [30.0, 30.0], "x": [30.0, 40.0]})
    fit = refine_spots(image, start, 2.3, 10.2)
    np.testing.assert_allclose(fit[["y", "x"]], truth[:, 2:4], atol=0.01)


def test_a_fit_that_fails_stays_at_its_maximum_without_errors():
    image = draw_spots((64, 64), np.array([[1.0, 0.0, 20.4, 20.2, 2.0]])).astype(float)
    image += np.random.default_rng(0).normal(0, 0.01, image.shape)
    start = pd.DataFrame({"amplitude": [1.0, 0.05], "background": 0.0, "y": [20.0, 50.0], "x": [20.0, 50.0]})
    image[45:56, 45:56] -= draw_spots((64, 64), np.array([[0.5, 0.0, 50, 50, 3.0]]))[45:56, 45:56]  # a hole
    fit = refine_spots(image, start, 2.0, 10.0)
    assert fit.y[0] == pytest.approx(20.4, abs=0.02)
    assert np.isfinite(fit.y_err[0])
    assert (fit.y[1], fit.x[1]) == (50.0, 50.0)
    assert fit.loc[1, ["sigma", "y_err", "x_err"]].isna().all()
    assert fit.fitted.tolist() == [True, False]


def test_columns_cut_by_the_border_stay_inside_the_image():
    y, x = np.mgrid[:200, :200]
    image = np.zeros((200, 200))
    for cy in np.arange(-1.5, 202, 20):
        for cx in np.arange(-1.5, 202, 20):
            image += np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 32)
    image += 0.01 * np.random.default_rng(0).normal(size=image.shape)
    atoms = detect_atoms(image)
    assert len(atoms) >= 81
    assert atoms[["y", "x"]].min().min() > -0.5 and atoms[["y", "x"]].max().max() < 199.5


def astigmatic(major, minor, degrees, dose=300):
    """Elliptical columns, their longer axis so many degrees counter-clockwise on screen; positions (N, 2)."""
    rng = np.random.default_rng(1)
    centres = np.stack(np.mgrid[10:250:20, 10:250:20], axis=-1).reshape(-1, 2) + rng.uniform(-0.5, 0.5, (144, 2))
    down, across = (grid[:, :, None] - axis for grid, axis in zip(np.mgrid[:240, :240], centres.T, strict=True))
    turn = np.deg2rad(degrees)
    along, beside = across * np.cos(turn) - down * np.sin(turn), across * np.sin(turn) + down * np.cos(turn)
    expected = 0.1 + np.exp(-0.5 * ((along / major) ** 2 + (beside / minor) ** 2)).sum(axis=2)
    return rng.poisson(dose * expected).astype(float), centres


@pytest.mark.parametrize(("major", "minor", "degrees"), [(3.6, 2.6, 30.0), (3.4, 2.4, -70.0)])
def test_ellipses_have_their_widths_and_their_orientation(major, minor, degrees):
    image, centres = astigmatic(major, minor, degrees)
    atoms = detect_atoms(image, refine="elliptical")
    assert len(atoms) == len(centres) and atoms.fitted.all()
    typical = atoms[["sigma_major", "sigma_minor", "sigma", "orientation"]].median()
    np.testing.assert_allclose(typical.iloc[:3], [major, minor, np.sqrt(major * minor)], rtol=0.02)
    assert typical.orientation == pytest.approx(degrees, abs=2)
    partner = detection.pair(atoms[["y", "x"]].to_numpy(), centres, 3)
    standardised = (atoms[["y", "x"]].to_numpy() - centres[partner]) / atoms[["y_err", "x_err"]].to_numpy()
    assert 0.85 < standardised.std() < 1.15  # 288 numbers


def test_ellipses_of_round_columns_are_round():
    image, _ = micrograph("perovskite", size=256, dose=300, jitter=0, dopants=0)
    atoms = detect_atoms(image, refine="elliptical").query("fitted")
    assert (atoms.sigma_major / atoms.sigma_minor).median() < 1.03
    assert atoms.orientation.between(-90, 90).all()


@pytest.mark.parametrize("kind", ["graphene", "perovskite"])
def test_centres_of_mass(kind):
    image, truth = micrograph(kind, size=256, dose=500, jitter=0, drift=0, dopants=0, vacancies=0)
    atoms = detect_atoms(image, refine="centre of mass")
    positions = truth[["y", "x"]].to_numpy()
    inner = atoms[atoms[["y", "x"]].to_numpy().min(axis=1) > 12].query("y < 244 and x < 244")
    partner = detection.pair(inner[["y", "x"]].to_numpy(), positions, 3)
    assert inner.fitted.all() and (partner >= 0).all()
    assert np.hypot(*(inner[["y", "x"]].to_numpy() - positions[partner]).T).max() < 0.2
    assert np.sqrt(((inner[["y", "x"]].to_numpy() - positions[partner]) ** 2).sum(axis=1).mean()) < 0.1
    assert inner[["sigma", "y_err", "x_err"]].isna().all(axis=None)


def test_centres_of_mass_of_wide_columns():
    image, sites, _ = wide_columns(12.0, 60, 50, side=8)
    atoms = detect_atoms(image, refine="centre of mass")
    judged = detection.judge(atoms[["y", "x"]].to_numpy(), sites, image.shape)
    assert judged.agreement.recall == 1 and atoms.fitted.all()
    assert judged.rms < 0.3


def test_a_crowd_without_noise_has_errors():
    """Nothing overflows where the variance vanishes; columns as close as this leave next to nothing to each other."""
    sites = np.stack(np.mgrid[6:100:8, 6:100:8], axis=-1).reshape(-1, 2)
    truth = np.column_stack([np.ones(len(sites)), np.zeros(len(sites)), sites, np.full(len(sites), 2.4)])
    start = pd.DataFrame({"amplitude": 1.0, "background": 0.0, "y": sites[:, 0], "x": sites[:, 1]})
    fit = refine_spots(draw_spots((104, 104), truth).astype(float), start, 2.2, 8.0)
    assert fit.fitted.all() and np.isfinite(fit.y_err).all()
    inner = ((sites > 10) & (sites < 90)).all(axis=1)
    np.testing.assert_allclose(fit.loc[inner, ["y", "x"]], sites[inner], atol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["gaussian", "centre of mass"])
def test_tiles_give_what_one_piece_gives(how, monkeypatch):
    image, _ = micrograph("perovskite", size=512)
    whole = detect_atoms(image, refine=how)
    monkeypatch.setattr(tiles, "FIXED", replace(tiles.FIXED, tile=256))
    lazy = da.from_array(image.data, chunks=200)
    divided = detect_atoms(lazy, refine=how)
    assert len(divided) == len(whole)
    assert divided.attrs["napari_vae"] == whole.attrs["napari_vae"]
    partner = detection.pair(divided[["y", "x"]].to_numpy(), whole[["y", "x"]].to_numpy(), 1)
    distance = np.hypot(*(divided[["y", "x"]].to_numpy() - whole[["y", "x"]].to_numpy()[partner]).T)
    assert (partner >= 0).all()
    assert np.mean(distance < 0.02) > 0.98


def test_tiles_refuse_what_frames_refuse_and_can_be_stopped(monkeypatch):
    monkeypatch.setattr(tiles, "FIXED", replace(tiles.FIXED, tile=128))
    image = micrograph("perovskite", size=300)[0].data.astype(float)
    with pytest.raises(StopIteration) as end:
        next(iter_detect_atoms(image, stop=lambda: True))
    assert len(end.value.value) == 0
    with pytest.raises(InputError, match="constant"):
        detect_atoms(np.ones((300, 300)))


@pytest.mark.parametrize("scatter", [0.0, 0.08])
def test_widths_differ_as_much_as_the_columns_do(scatter):
    """The prior follows the sample: alike columns get one width, others keep their own."""
    rng = np.random.default_rng(2)
    sites = np.stack(np.mgrid[10:300:14, 10:300:14], axis=-1).reshape(-1, 2) + rng.uniform(-0.5, 0.5, (441, 2))
    truth = np.column_stack([np.ones(441), np.zeros(441), sites, 3 * np.exp(scatter * rng.normal(size=441))])
    image = rng.poisson(200 * (draw_spots((300, 300), truth) + 0.1)).astype(float)
    start = pd.DataFrame({"amplitude": 200.0, "background": 20.0, "y": sites[:, 0].round(), "x": sites[:, 1].round()})
    fit = refine_spots(image, start, 2.8, 14.0)
    assert fit.fitted.all()
    assert fit.sigma.median() == pytest.approx(3, rel=0.01)
    if scatter:
        assert np.corrcoef(fit.sigma, truth[:, 4])[0, 1] > 0.95
        assert fit.sigma.std() == pytest.approx(truth[:, 4].std(), rel=0.15)
    else:
        assert fit.sigma.std() < 0.02  # 0.03 if each column were fitted alone


@pytest.mark.parametrize(
    ("kind", "width", "spacing", "worst"), [(kinds.adatoms, 2.8, 11.0, 0.5), (kinds.molecules, 3.0, 12.6, 0.4)]
)
def test_rough_supports_and_steps_do_not_pull(kind, width, spacing, worst):
    image, places = kind(np.random.default_rng(0))
    places = places[((places > 0) & (places < np.array(image.shape) - 1)).all(axis=1)]
    start = pd.DataFrame(places.round(), columns=["y", "x"])
    start["amplitude"] = image.std() / 2
    start["background"] = image[tuple(start[["y", "x"]].to_numpy(int).T)] - start["amplitude"]
    fit = refine_spots(image, start, width, spacing)
    inside = ((places > spacing) & (places < np.array(image.shape) - 1 - spacing)).all(axis=1)
    errors = fit[["y", "x"]].to_numpy()[inside] - places[inside]
    assert np.sqrt((errors**2).sum(axis=1).mean()) < worst


@pytest.mark.parametrize(("allowed", "expected"), [("1", 1), ("3", 3), ("99", 4), ("2,1", 2)])
def test_no_more_threads_than_the_process_may_use(monkeypatch, allowed, expected):
    from napari_vae.atoms.threads import n_threads

    monkeypatch.setenv("OMP_NUM_THREADS", allowed)
    assert n_threads(most=4) == expected


@pytest.mark.parametrize("unset", ["", "0", "many"])
def test_all_cores_where_nothing_is_said_of_threads(monkeypatch, unset):
    from napari_vae.atoms.threads import n_threads

    monkeypatch.setenv("OMP_NUM_THREADS", unset)
    assert n_threads(most=64) == os.cpu_count()


def test_how_far_columns_lie_beyond_the_image_is_told_in_their_standard_errors():
    values = np.zeros((4, 5))
    values[:, Y : X + 1] = [(-2.5, 10), (30, 44.5), (-0.5, 39.5), (12, 50.5)]
    curvature = np.tile(np.diag([1.0, 1.0, 4.0, 9.0, 1.0]), (4, 1, 1))
    beyond = _beyond(Fit(values, curvature, np.full(4, 0.25)), (40, 40))
    np.testing.assert_allclose(beyond, [2 * 4, 5 * 6, 0, 11 * 6])


def test_what_columns_have_in_common_is_learnt_from_the_round_before():
    assert _shared(0, False, 7) == _shared(0, True, 7) == []
    assert _shared(1, False, 7) == [BACKGROUND, WIDTH, WIDTH + 1, WIDTH + 2]
    assert _shared(2, True, 7) == [WIDTH, WIDTH + 1, WIDTH + 2]
