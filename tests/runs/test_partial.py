"""Windows that were seen in part: what a model says of them is what it says of the whole ones."""

import numpy as np
import pytest

import napari_vae as nv
from napari_vae.core.provenance import data_hash

SIZE, BORDER = 260, 32


@pytest.fixture(scope="module")
def views():
    """A model of the inner part of an image; its windows, those at its border in part; and the same of all of it."""
    image, truth = nv.samples.micrograph("graphene", size=SIZE, seed=1)
    inner = nv.Micrograph(image.data[BORDER:-BORDER, BORDER:-BORDER], image.pixel_size, image.units)
    atoms = truth[["y", "x"]] - BORDER
    atoms = atoms[((atoms >= 0) & (atoms <= SIZE - 2 * BORDER - 1)).all(axis=1)]
    patches = nv.extract_patches(inner, atoms, level="none", partial=True)
    run = nv.fit(patches, nv.ModelConfig.preset("rvae"), nv.TrainConfig(epochs=6, device="cpu"))
    same = {"window": patches.window, "normalization": patches.normalization, "level": "none"}
    return run, patches, nv.extract_patches(image, patches.atoms + BORDER, **same)


def test_latents_and_angles_of_what_is_seen_are_those_of_the_whole(views):
    run, patches, whole = views
    told, truth = run.encode(patches), run.encode(whole)
    part = (told["seen"] < 1).to_numpy()
    assert part.sum() > 20 and told["seen"].min() >= 0.6 and told["elbo"][part].isna().all()
    assert np.allclose(told[~part][["z1", "z2", "angle"]], truth[~part][["z1", "z2", "angle"]], atol=1e-3)
    for z in ("z1", "z2"):
        assert np.sqrt(np.mean((told[z] - truth[z])[part] ** 2)) < 0.15  # of the prior's spread
    off = (told["angle"] - truth["angle"] + 180 / run.symmetry) % (360 / run.symmetry) - 180 / run.symmetry
    assert np.median(np.abs(off[part])) < 0.2


def test_a_model_learns_from_whole_windows_only(views):
    run, patches, _ = views
    assert run.provenance["n_images"] == len(patches.whole) < len(patches)
    assert run.provenance["data_sha256"] == data_hash(patches.data[patches.whole])
