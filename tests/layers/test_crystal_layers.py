"""What was measured of a crystal in one call, and its layers: in the source's place, arrows as measured."""

import numpy as np
import pandas as pd
import pytest
from napari.layers import Image, Layer

from napari_vae import describe_crystal, detect_atoms, samples
from napari_vae.core.errors import InputError
from napari_vae.layers.crystal import add_columns, arrows, crystal_layers, is_untouched
from napari_vae.layers.points import placement_of

TURNED = {
    "scale": (0.02, 0.02),
    "translate": (5.0, -3.0),
    "rotate": 30,
    "shear": (0.1,),
    "affine": [[1.1, 0.1, 2], [0, 0.9, 1], [0, 0, 1]],
    "units": ("nm", "nm"),
    "axis_labels": ("y", "x"),
}


def square(missing=44):
    y, x = np.mgrid[:10, :10].reshape(2, -1) * 8.0 + 8
    atoms = pd.DataFrame({"frame": 0, "y": y, "x": x}).drop(index=missing).reset_index(drop=True)
    atoms.loc[22, ["y", "x"]] += [-0.5, 0.0]
    return atoms


@pytest.fixture
def scene():
    return Image(np.ones((90, 90)), name="scene", **TURNED)


def test_all_in_one_call():
    image, _ = samples.micrograph("graphene", size=256)
    crystal = describe_crystal(detect_atoms(image), image)
    assert crystal.lattice.spacing == pytest.approx(12.35, rel=0.01)
    assert {"neighbours", "y", "x"} <= set(crystal.vacancies)
    assert {"displacement_y", "strain_xx", "intensity"} <= set(crystal.columns)
    assert "amplitude" not in crystal.columns
    assert crystal.atoms.attrs["napari_vae"]["spacing"] > 0


def test_only_what_is_asked_for():
    atoms = square()
    crystal = describe_crystal(atoms, quantities=["vacancies"])
    assert (crystal.lattice, list(crystal.atoms), len(crystal.vacancies)) == (None, list(atoms), 1)
    again = describe_crystal(describe_crystal(atoms).atoms, quantities=["lattice"])
    assert not len(again.columns.columns)  # nothing of an earlier measurement is passed off as new
    for bad in ({"quantities": []}, {"quantities": ["colour"]}, {"quantities": ["intensities"]}):
        with pytest.raises(InputError):
            describe_crystal(atoms, **bad)


def test_layers_lie_where_the_image_lies(scene):
    atoms = square().assign(sublattice=0)
    for data in crystal_layers(describe_crystal(atoms, scene.data), placement_of(scene), source="atoms"):
        layer = Layer.create(*data)
        assert np.allclose(
            layer._transforms[1:].simplified.affine_matrix, scene._transforms[1:].simplified.affine_matrix
        )
        assert layer.units == scene.units and layer.axis_labels == scene.axis_labels
        assert is_untouched(layer.data, layer.metadata)
        assert not is_untouched(layer.data[1:], layer.metadata)


def test_an_arrow_is_as_measured_and_its_factor_is_told(scene):
    made = crystal_layers(describe_crystal(square()), placement_of(scene), source="atoms", factor=7)
    vectors, missing = (Layer.create(*data) for data in made)
    row = np.flatnonzero((vectors.data[:, 0] == [23.5, 24]).all(axis=1))[0]
    np.testing.assert_allclose(vectors.data[row, 1], [-0.5, 0], atol=1e-6)
    assert vectors.features.loc[row, "direction"] == pytest.approx(90)  # up on screen
    assert vectors.features.loc[row, "length"] == pytest.approx(0.5)
    assert vectors.length == 7 and vectors.metadata["napari_vae"]["factor"] == 7
    np.testing.assert_allclose(missing.data, [[40, 40]], atol=0.1)
    assert missing.features["neighbours"].tolist() == [8]


def test_a_movie_has_its_frames():
    movie = pd.concat([square(), square(55).assign(frame=1)], ignore_index=True)
    image = Image(np.ones((2, 90, 90)), scale=(1, 0.1, 0.1))
    made = crystal_layers(
        describe_crystal(movie, quantities=["vacancies", "displacements"]), placement_of(image), source=""
    )
    vectors, missing = (Layer.create(*data) for data in made)
    assert missing.data[:, 0].tolist() == [0, 1]
    assert set(vectors.data[:, 0, 0]) == {0, 1} and not vectors.data[:, 1, 0].any()


@pytest.mark.parametrize(("longest", "factor"), [(0.04, 100), (0.9, 2), (0.0, 1)])
def test_arrows_reach_half_way_to_the_neighbour(scene, longest, factor):
    atoms = square().assign(displacement_y=longest, displacement_x=0.0)
    assert arrows(atoms, "displacements", placement_of(scene), source="")[1]["length"] == factor


def test_columns_of_the_user_stay():
    crystal = describe_crystal(square(), quantities=["displacements"])
    features = pd.DataFrame({"mine": range(99), "dilation": "mine too"})
    first, written = add_columns(features, crystal)
    assert {"mine", "dilation", "vae_dilation", "strain_xx"} <= set(first) and "vae_dilation" in written
    second, _ = add_columns(first, crystal, written)
    assert list(second) == list(first) and (second["dilation"] == "mine too").all()
    third, owned = add_columns(second, describe_crystal(square(), quantities=["lattice"]), written)
    assert list(third) == list(second) and owned == written  # what is not measured again stays
