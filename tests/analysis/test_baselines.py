"""Linear methods and mixtures, on windows whose kind is known."""

import numpy as np
import pytest

import napari_vae as nv
from napari_vae.analysis.baselines import _lines, _transformed, baselines

SIDE = 16


@pytest.fixture(scope="module")
def stripes():
    """Windows of stripes across and along, of any phase, and which each is."""
    y, x = np.mgrid[:96, :192]
    along = np.where(x < 96, x, y)
    image = np.sin(2 * np.pi * along / 6) + np.random.default_rng(0).normal(0, 0.1, along.shape)
    places = nv.patches.grid_positions(image, 7, window=SIDE)
    places = places[(places["x"] - 96).abs() > SIDE / 2]
    return nv.extract_patches(image, places, window=SIDE), (places["x"] > 96).to_numpy()


def agreement(classes, truth):
    return max((classes == truth).mean(), (classes != truth).mean())


def test_fourier_transforms_do_not_change_with_the_phase(stripes):
    patches, truth = stripes
    found = baselines(patches, n=2)
    assert set(found) == {f"{t}-{m}" for t in ("raw", "fourier", "radon") for m in ("pca", "nmf", "gmm")}
    assert all(table.index.equals(patches.atoms.index) for table in found.values())
    assert agreement(found["fourier-gmm"]["class"], truth) == 1
    one, two = (found["fourier-pca"]["z1"][truth == side] for side in (False, True))
    assert min(abs(one.mean() - two.mean()) / part.std() for part in (one, two)) > 4
    assert agreement(nv.cluster(found["fourier-nmf"], n=2), truth) > 0.98
    one, two = (found["raw-pca"]["z1"][truth == side] for side in (False, True))
    assert abs(one.mean() - two.mean()) / one.std() < 1


def test_sums_along_lines_are_those_of_the_radon_transform():
    """As scikit-image's, but for how pixels are shared between lines."""
    radon = pytest.importorskip("skimage.transform").radon
    y, x = np.mgrid[:33, :33] - 16.0
    blob = np.exp(-((x - 5) ** 2 + (y + 3) ** 2) / 18) * (np.hypot(x, y) <= 15)
    ours = (blob.reshape(-1) @ _lines(blob.shape)).reshape(18, 33)
    theirs = radon(blob, theta=np.arange(18) * 10.0, circle=True).T
    assert ours.sum(1) == pytest.approx(blob.sum(), rel=1e-3)
    assert np.abs(ours - theirs).max() < 0.02 * theirs.max()


def test_a_direction_is_seen_in_the_sums():
    y, x = np.mgrid[:SIDE, :SIDE]
    windows = np.stack([np.sin(x), np.sin(y)])[:, None].astype(np.float32)
    spread = _transformed(windows, "radon").reshape(2, 18, SIDE).std(2)
    assert spread.argmax(1).tolist() == [0, 9]


def test_too_few_windows_are_refused(stripes):
    with pytest.raises(nv.InputError, match="5 windows are too few"):
        baselines(stripes[0].rows(np.arange(5)))
