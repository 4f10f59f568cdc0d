"""Whether atoms lie as far apart in pixels as those of the training, where no calibration tells the magnification."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from napari_vae import extract_patches, samples
from napari_vae.core.positions import nearest_distance
from napari_vae.core.provenance import describe_data
from napari_vae.patches.grid import grid_positions
from napari_vae.runs.likeness import compare

ALIKE = {"elbo": [0.0, 0.0]}


def windows(kind="graphene", seed=1, pixel_size=1.0, **options):
    """Windows of an image whose pixels are so many times as large as usual; it does not know its calibration."""
    usual = samples.micrograph(kind, size=64, seed=0)[0].pixel_size[0]
    image, atoms = samples.micrograph(kind, size=192, seed=seed, pixel_size=pixel_size * usual, **options)
    return extract_patches(image.data, atoms, window=16)


def told(trained, now):
    known = describe_data(trained, len(trained), "")
    run = SimpleNamespace(usual_elbo=[-1.0, 0.0], n_channels=1, window=(16, 16), provenance=known)
    return compare(run, now, pd.DataFrame(ALIKE))


@pytest.mark.parametrize("kind", ["graphene", "perovskite"])
def test_another_magnification_is_told_without_a_calibration(kind):
    larger = told(windows(kind, 0), windows(kind, pixel_size=1 / 1.3))
    assert larger.spacing_ratio == pytest.approx(1.3, rel=0.03)
    assert larger.sentence.startswith("The atoms are 1.3 times as far apart in pixels as in the training data, by ")
    assert "another magnification or because they are only part of the atoms; train" in larger.sentence
    smaller = told(windows(kind, 0), windows(kind, pixel_size=1.3))
    assert smaller.spacing_ratio == pytest.approx(1 / 1.3, rel=0.03)
    assert "times as far apart" in smaller.sentence and "more of the atoms; train" in smaller.sentence
    assert told(windows(kind, 0), windows(kind)).sentence is None


def test_one_sublattice_of_all_atoms_is_told_as_that_too():
    every = windows("perovskite", 0)
    part = replace(every, atoms=every.atoms[every.atoms["species"] == "Sr"])
    assert told(every, part).spacing_ratio == pytest.approx(2**0.5, rel=0.02)
    assert "or because they are only part of the atoms" in told(every, part).sentence
    assert "or because they are more of the atoms" in told(part, every).sentence


@pytest.mark.parametrize("options", [{"dopants": 0.1}, {"vacancies": 0.05}, {"dose": 50}, {"dose": 200}, {"angle": 17}])
def test_images_of_the_same_kind_are_not_warned_of(options):
    assert told(windows(seed=0), windows(**options)).sentence is None


def test_the_spacing_of_pooled_files_is_that_within_one():
    patches = windows(seed=0)
    twice = pd.concat([patches.atoms.assign(file="a"), patches.atoms.assign(file="b", x=patches.atoms["x"] + 0.5)])
    assert nearest_distance(twice) == nearest_distance(patches.atoms)


def test_runs_of_earlier_versions_are_silent():
    run = SimpleNamespace(usual_elbo=[-1.0, 0.0], n_channels=1, window=(16, 16), provenance={})
    assert compare(run, windows(), pd.DataFrame(ALIKE)).spacing_ratio is None


def test_a_calibration_is_believed_instead_and_the_step_of_a_grid_says_nothing():
    known = replace(windows(seed=0), pixel_size=(1.0, 1.0), units="nm")
    finer = replace(windows(pixel_size=1 / 1.3), pixel_size=(1 / 1.3, 1 / 1.3), units="nm")
    ångström = replace(finer, pixel_size=(10 / 1.3, 10 / 1.3), units="Å")
    assert told(known, ångström).pixel_size_ratio == pytest.approx(1 / 1.3)
    assert told(known, replace(finer, units="1/nm")).pixel_size_ratio is None
    assert told(known, finer).spacing_ratio is None and "far apart" not in told(known, finer).sentence
    image = known.data[0, 0].repeat(4, 0).repeat(4, 1)
    grids = [extract_patches(image, grid_positions(image, window=16, step=step), window=16) for step in (4, 8)]
    assert told(*grids).spacing_ratio is None
