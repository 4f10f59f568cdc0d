"""Layer data: the source's place in the world on every output, plain feature columns, the user's columns untouched."""

import json
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, Points
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_vae.analysis.cells import class_labels
from napari_vae.core.class_colors import CLASS_COLORS
from napari_vae.core.errors import InputError, ReadError
from napari_vae.core.micrograph import Micrograph
from napari_vae.core.placement import Placement
from napari_vae.layers.identity import linked, made_of
from napari_vae.layers.images import micrograph_from_layer
from napari_vae.layers.points import (
    KEY,
    add_latents,
    atoms_from_points,
    atoms_to_points,
    blank_row,
    classes_to_labels,
    latents_to_points,
    placement_of,
)
from napari_vae.layers.results import pasted_layers, result_points
from napari_vae.layers.showing import colored, coloring_of, show, shown_column, write_features
from napari_vae.models.config import ModelConfig
from napari_vae.models.given import Scale
from napari_vae.patches.patches import extract_patches
from napari_vae.runs.decoding import tile

TURNED = {
    "scale": (0.02, 0.02),
    "translate": (5.0, -3.0),
    "rotate": 30,
    "shear": (0.1,),
    "affine": [[1.1, 0.1, 2], [0, 0.9, 1], [0, 0, 1]],
    "units": ("nm", "nm"),
    "axis_labels": ("y", "x"),
}


@pytest.fixture
def atoms():
    grid = np.stack(np.meshgrid(np.arange(10, 60, 8.0), np.arange(10, 60, 8.0), indexing="ij"), -1).reshape(-1, 2)
    table = pd.DataFrame({"frame": 0, "y": grid[:, 0], "x": grid[:, 1], "score": 0.5})
    table.attrs["napari_vae"] = {"spacing": 8.0}
    return table


@pytest.fixture
def scene():
    return np.random.default_rng(0).random((64, 64)).astype(np.float32)


class FakeRun:
    provenance: ClassVar = {"version": "1"}
    model_config: ClassVar = ModelConfig()
    scale: ClassVar = Scale()

    def reconstruct(self, patches):
        return patches.data * 0.5

    def manifold(self, n):
        return np.zeros((3, 3, 16, 16), np.float32)


def latents_of(patches):
    n = len(patches)
    columns = {"z1": np.linspace(-1, 1, n), "z2": np.zeros(n), "angle": np.arange(n, dtype=float)}
    classes = pd.Series(np.arange(n) % 3, index=patches.atoms.index)
    return pd.DataFrame(columns, index=patches.atoms.index), classes


def build(layer_data):
    return Layer.create(*layer_data)


def test_micrograph_keeps_the_calibration_of_its_layer(scene):
    micrograph = micrograph_from_layer(Image(scene, name="graphene", **TURNED | {"affine": np.eye(3)}))
    assert micrograph.pixel_size == pytest.approx((0.02, 0.02)) and micrograph.units == "nm"
    assert micrograph.name == "graphene"
    assert micrograph_from_layer(Image(scene)).pixel_size is None


@pytest.mark.parametrize(
    ("place", "size", "unit"),
    [
        ({"scale": (2.0, 0.002), "units": ("nm", "µm")}, (0.002, 0.002), "µm"),
        ({"scale": (0.2, 0.4), "units": ("Å", "nm")}, (0.02, 0.4), "nm"),
        ({"scale": (5e-10, 5e-10), "units": ("m", "m")}, (5e-10, 5e-10), "m"),
        ({"affine": np.diag([0.02, 0.03, 1]), "units": ("nm", "nm")}, (0.02, 0.03), "nm"),
        ({"scale": (0.1, 0.2), "rotate": 90, "units": ("nm", "nm")}, (0.1, 0.2), "nm"),
        ({"scale": (0.1, 0.2), "rotate": 25, "shear": (0.4,), "units": ("nm", "nm")}, (0.1, 0.2), "nm"),
        ({"scale": (-0.1, 0.2), "affine": np.diag([2, 3, 1]), "units": ("nm", "nm")}, (0.2, 0.6), "nm"),
        ({"scale": (0.1, 0.2), "units": ("s", "nm")}, None, "px"),
        ({"scale": (0.1, 0.2)}, None, "px"),
        ({"scale": (0.1, 0.2), "units": ("dimensionless", "dimensionless")}, None, "px"),
    ],
)
def test_the_size_of_a_pixel_is_that_of_the_whole_way_to_the_world_in_one_unit(scene, place, size, unit):
    micrograph = micrograph_from_layer(Image(scene, **place))
    assert micrograph.units == unit
    assert micrograph.pixel_size == (None if size is None else pytest.approx(size, rel=1e-9, abs=0))
    assert Placement.of_micrograph(micrograph).lies_like(placement_of(Image(scene, **place)))


@pytest.mark.parametrize("unit, length", [("angstrom", 10.0), ("µm", 1e-3), ("pm", 1e3), ("nm", 1.0), ("pixel", 1.0)])
def test_points_in_another_unit_are_where_the_canvas_shows_them(scene, unit, length):
    image = Image(scene, scale=(0.02, 0.02), translate=(1, 2), units=("nm", "nm"))
    pixels = np.array([[3.0, 4.0], [20.5, 41.25]])
    world = (pixels * 0.02 + (1, 2)) * length
    assert np.allclose(atoms_from_points(Points(world, units=(unit, unit)), placement_of(image))[["y", "x"]], pixels)
    spacing = Points(world, units=(unit, unit), scale=(2, 2), metadata={"napari_vae": {"spacing": 0.1 * length}})
    assert atoms_from_points(spacing, placement_of(image)).attrs["napari_vae"]["spacing"] == pytest.approx(10)


def test_multiscale_gives_full_resolution_and_channel_axes_are_seen(scene):
    assert micrograph_from_layer(Image([scene, scene[::2, ::2]], multiscale=True)).shape == (64, 64)
    stack = Image(np.stack([scene, scene]), axis_labels=("c", "y", "x"), scale=(1, 2, 2))
    assert micrograph_from_layer(stack).axes == "CYX"
    assert placement_of(stack).ndim == 2
    assert micrograph_from_layer(Image(np.stack([scene, scene]))).axes == "TYX"


def test_the_frame_in_view_is_known_in_any_unit_and_a_channel_is_none(scene):
    viewer = ViewerModel()
    place = {"scale": (5, 0.1, 0.1), "translate": (2, 0, 0)}
    movie = viewer.add_image(np.stack([scene] * 4), units=("ms", "nm", "nm"), **place)
    viewer.add_image(scene, units=("Å", "Å"))
    stack = viewer.add_image(np.stack([scene] * 4), axis_labels=("c", "y", "x"), units=("ms", "nm", "nm"), **place)
    viewer.dims.set_current_step(0, 3)
    assert placement_of(movie, viewer).frame == 3 and placement_of(stack, viewer).frame == 0
    viewer.add_points([[5e-6, 1, 1]], units=("s", "µm", "µm"))  # the slider is in ms as before
    viewer.dims.set_point(0, 2 + 5 * 2)
    assert placement_of(movie, viewer).frame == 2 and not placement_of(movie, viewer).bare
    viewer.add_image(scene)
    assert placement_of(movie, viewer).bare
    viewer.add_points([[-1e6, 1, 1]], units=("ms", "nm", "nm"))
    viewer.dims.set_current_step(0, 0)  # before the first frame
    assert placement_of(movie, viewer).frame == 0
    assert placement_of(Image(scene), viewer).frame == 0


def test_features_that_are_replaced_are_coloured_as_before_or_as_asked():
    points = Points(np.zeros((3, 2)), features={"z1": [1.0, 2.0, 3.0]})
    show(points, "z1")
    table = pd.DataFrame({"z1": [3.0, 2.0, 1.0], "z2": [0.0, 0.0, 5.0]})
    before = points.face_color.copy()
    write_features(points, table)
    assert shown_column(points) == "z1" and np.allclose(points.face_color, before[::-1])
    write_features(points, table, "z2")
    assert shown_column(points) == "z2" and np.allclose(points.face_color[0], points.face_color[1])


def test_points_with_and_without_borders_all_become_discs():
    points = Points(np.zeros((2, 2)), features={"z1": [1.0, 2.0]}, border_width=[0.0, 0.2])
    show(points, "z1")
    assert not points.border_width.any()


def test_colour_and_complex_layers_are_refused_with_a_remedy(scene):
    with pytest.raises(InputError, match="Split RGB"):
        micrograph_from_layer(Image(np.zeros((32, 32, 3), np.uint8), rgb=True))
    placed = Placement.of_layer(Image(scene)).kwargs()
    placed.pop("affine")
    with pytest.raises(InputError, match="complex"):
        micrograph_from_layer(
            SimpleNamespace(**placed, affine=Image(scene).affine, data=scene * 1j, ndim=2, name="fft", metadata={})
        )


def test_points_and_back_after_edits_by_hand(atoms, scene):
    placement = placement_of(Image(scene, **TURNED))
    layer = build(atoms_to_points(atoms, placement))
    layer.add([[30.5, 31.5]])
    layer.data = np.vstack([layer.data[:5] + 0.25, layer.data[5:]])
    layer.selected_data = {7}
    layer.remove_selected()
    back = atoms_from_points(layer, placement)
    assert len(back) == len(atoms)
    assert np.allclose(back[["y", "x"]].iloc[:5], atoms[["y", "x"]].iloc[:5] + 0.25)
    assert list(back[["y", "x"]].iloc[-1]) == [30.5, 31.5]
    assert back["score"].iloc[0] == 0.5 and back.attrs["napari_vae"]["spacing"] == 8.0


def test_points_that_lie_otherwise_are_found_in_the_image(scene):
    image = Image(scene, **TURNED)
    pixels = np.array([[3.0, 4.0], [20.5, 41.25]])
    world = np.array([image.data_to_world(p) for p in pixels])
    assert np.allclose(atoms_from_points(Points(world), placement_of(image))[["y", "x"]], pixels)


def test_movies_have_points_in_three_dimensions(atoms, scene):
    movie = Micrograph(np.stack([scene, scene]), pixel_size=0.1, units="nm")
    atoms["frame"] = np.arange(len(atoms)) % 2
    layer = build(atoms_to_points(atoms, Placement.of_micrograph(movie)))
    assert layer.ndim == 3 and str(layer.units[0]) == "pixel" and str(layer.units[1]) == "nanometer"
    assert list(atoms_from_points(layer)["frame"]) == list(atoms["frame"])


def test_a_dropped_axis_takes_its_entries_along(scene):
    image = Image(np.stack([scene] * 2), scale=(7, 2, 3), translate=(9, 1, 2), shear=(0.5, 0.6, 0.2), rotate=20)
    flat = Placement.of_layer(image).last(2)
    assert np.allclose(flat.scale, (2, 3)) and np.allclose(flat.shear, 0.2) and len(flat.units) == 2
    corner = flat.to_world() @ [10, 20, 1]
    assert np.allclose(corner[:2], image.data_to_world((0, 10, 20))[1:])


def test_units_that_pint_does_not_know_become_pixels(scene):
    assert Placement.of_micrograph(Micrograph(scene, pixel_size=2, units="<unspecified>")).units == ("pixel", "pixel")


@pytest.mark.filterwarnings("error")
def test_every_result_lies_where_the_source_lies(atoms, scene):
    source = Image(scene, name="TURNED", **TURNED)
    patches = extract_patches(micrograph_from_layer(source), atoms, window=16)
    latents, classes = latents_of(patches)
    placement, rebuilt = placement_of(source), FakeRun().reconstruct(patches)
    points = result_points(FakeRun(), patches, latents, classes, placement)
    assert points[1]["metadata"]["napari_vae"]["source"] == "TURNED"
    assert points[1]["metadata"]["napari_vae"]["version"] == "1"
    areas = classes_to_labels(class_labels(patches.atoms, classes, scene.shape, 4), placement, name="classes")
    layers = [build(d) for d in (*pasted_layers(patches, rebuilt, scene.shape, placement), areas, points)]
    assert [type(layer).__name__ for layer in layers] == ["Image", "Image", "Labels", "Points"]
    for layer in layers:
        assert np.allclose(layer.scale, source.scale) and np.allclose(layer.translate, source.translate)
        assert np.allclose(layer.rotate, source.rotate) and np.allclose(layer.shear, source.shear)
        assert layer.units == source.units and layer.axis_labels == source.axis_labels
        assert np.allclose(layer.affine.affine_matrix, source.affine.affine_matrix)


def test_reconstruction_and_residual_add_up_to_the_image(atoms, scene):
    patches = extract_patches(scene, atoms, window=17)
    placement = Placement.of_micrograph(Micrograph(scene))
    residual, reconstruction = (
        d[0] for d in pasted_layers(patches, FakeRun().reconstruct(patches), (64, 64), placement)
    )
    seen = np.isfinite(residual)
    assert seen.mean() > 0.5 and np.array_equal(seen, np.isfinite(reconstruction))
    assert np.allclose((residual + reconstruction)[seen], scene[seen], atol=1e-3)


def test_latents_are_plain_columns_and_users_columns_stay(atoms):
    features = pd.DataFrame({"score": 1.0, "z1": "mine"}, index=range(len(atoms)))
    latents = pd.DataFrame({"z1": [1.0, 2.0], "z2": [3.0, 4.0]}, index=[4, 2])
    joined, names = add_latents(features, latents, pd.Series([1, 0], index=[4, 2]))
    assert list(joined["z1"]) == ["mine"] * len(atoms)
    assert names == {"z1": "vae_z1", "z2": "z2", "class": "class"}
    assert list(joined["class"][:5]) == ["", "", "0", "", "1"]
    assert joined["vae_z1"].dtype == np.float32 and joined["vae_z1"][4] == 1 and np.isnan(joined["vae_z1"][0])
    assert isinstance(joined["class"].dtype, pd.CategoricalDtype)
    again, names = add_latents(joined, latents * 2, owned=tuple(names.values()))
    assert again["vae_z1"][2] == 4 and "class" not in again and list(again["z1"]) == ["mine"] * len(atoms)


@pytest.mark.filterwarnings("error")
def test_points_coloured_by_class_have_the_colours_of_the_labels(atoms, scene):
    patches = extract_patches(scene, atoms, window=16)
    latents, classes = latents_of(patches)
    placement = Placement.of_micrograph(Micrograph(scene))
    labels = build(classes_to_labels(class_labels(patches.atoms, classes, (64, 64), 4), placement, name="classes"))
    points = build(result_points(FakeRun(), patches, latents, classes, placement))
    assert isinstance(labels, Labels) and isinstance(points, Points)
    show(points, "class")
    for atom, color, number in zip(points.data, points.face_color, classes, strict=True):
        y, x = np.rint(atom).astype(int)
        assert labels.data[y, x] == number + 1
        assert np.allclose(labels.get_color(number + 1)[:3], color[:3])


def test_sixteen_classes_look_different():
    lab = rgb2lab(np.array([[int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)] for color in CLASS_COLORS]))
    apart = deltaE_ciede2000(lab[:, None], lab[None])
    assert len(lab) == 16 and apart[~np.eye(16, dtype=bool)].min() > 13


def test_classes_fill_the_cells_of_their_atoms_only():
    atoms = pd.DataFrame({"y": [20.0, 20.0], "x": [15.0, 25.0]})
    labels = class_labels(atoms, pd.Series([0, 1]), (40, 60), radius=7)
    assert labels[20, 19] == 1 and labels[20, 21] == 2 and labels[20, 33] == 0 and labels[30, 15] == 0
    movie = class_labels(atoms.assign(frame=[0, 1]), pd.Series([0, 1]), (2, 40, 60), radius=7)
    assert set(np.unique(movie[0])) == {0, 1} and set(np.unique(movie[1])) == {0, 2}


def test_extremes_do_not_set_the_colour_limits_and_edge_atoms_are_clear(atoms):
    values = np.concatenate([np.linspace(0, 1, len(atoms) - 2), [1e6]]).astype(np.float32)
    latents = pd.DataFrame({"z1": values}, index=atoms.index[1:])
    made = latents_to_points(atoms, latents, Placement.of_micrograph(Micrograph(np.zeros((64, 64)))))
    rings, layer = build(made), build(colored(made, "z1"))
    assert layer.face_color[0, 3] < 0.5 and (layer.face_color[1:, 3] == 1).all()
    assert shown_column(layer) == "z1" and np.array_equal(
        coloring_of(layer, "z1").rgba, np.rint(layer.face_color * 255)
    )
    assert (layer.size < 0.6 * rings.size).all() and not layer.border_width.any(), "the micrograph stays visible"
    show(layer, "")
    assert np.allclose(layer.size, rings.size) and not layer.face_color[:, 3].any() and shown_column(layer) == ""


def test_tiles_form_one_picture():
    tiles = np.arange(4, dtype=float)[:, None, None] * np.ones((4, 2, 3))
    assert np.array_equal(tile(tiles.reshape(2, 2, 2, 3))[::2, ::3], [[0, 1], [2, 3]])


@pytest.mark.filterwarnings("error")
def test_sublattices_of_a_layer_are_kept_when_latents_join_them(atoms, scene):
    placement = Placement.of_micrograph(Micrograph(scene))
    layer = build(atoms_to_points(atoms.assign(sublattice=np.arange(len(atoms)) % 2), placement))
    layer.features = layer.features.assign(
        sublattice=layer.features["sublattice"].where(np.arange(len(atoms)) != 4, "")
    )
    patches = extract_patches(scene, atoms_from_points(layer, placement), window=16)
    latents, classes = latents_of(patches)
    points = build(latents_to_points(patches.atoms, latents, placement, classes))
    assert list(points.features["sublattice"][:6]) == ["0", "1", "0", "1", "", "1"]


def test_the_spacing_of_points_is_in_pixels_of_the_image_asked_about(atoms, scene):
    layer = build(atoms_to_points(atoms, placement_of(Image(scene, scale=(0.02, 0.02)))))
    binned = placement_of(Image(scene[::2, ::2], scale=(0.04, 0.04)))
    assert atoms_from_points(layer, binned).attrs["napari_vae"]["spacing"] == pytest.approx(4)


def test_symbols_are_as_large_as_atoms_whatever_the_window(atoms, scene):
    sizes = []
    for window in ("auto", 32):
        patches = extract_patches(scene, atoms, window=window)
        latents, _ = latents_of(patches)
        placement = Placement.of_micrograph(Micrograph(scene))
        sizes.append(result_points(FakeRun(), patches, latents, None, placement)[1]["size"])
    assert sizes[0] == sizes[1]


def test_classes_with_names_are_named_where_the_points_and_the_areas_tell(atoms):
    latents = pd.DataFrame({"z1": [0.0, 1.0]}, index=[3, 5])
    classes = pd.Series([1, 0], index=[3, 5])
    features, written = add_latents(pd.DataFrame(index=atoms.index), latents, classes, names=("bulk", "defect"))
    assert (
        features["class_name"][[3, 4, 5]].tolist() == ["defect", "", "bulk"] and written["class_name"] == "class_name"
    )
    assert features["class"][[3, 4, 5]].tolist() == ["1", "", "0"] and features["z1"].dtype == np.float32
    layer = classes_to_labels(
        class_labels(atoms.loc[[3, 5]], classes, (64, 64), 5),
        Placement.of_micrograph(Micrograph(np.zeros((64, 64)))),
        name="classes",
        names=("bulk", "defect", "none seen"),
    )
    assert layer[1]["features"]["class"] == ["", "bulk", "defect"]


def test_points_added_by_hand_are_not_fitted():
    assert blank_row(pd.DataFrame({"sigma": [2.0], "fitted": [True]}))["fitted"] is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scale", [0, 1]),
        ("scale", [1e300, 1]),
        ("units", ["nm"]),
        ("shear", None),
        ("affine", [[1]]),
        ("rotate", [[0, 0], [0, 0]]),
    ],
)
def test_a_place_is_kept_as_plain_values_and_a_damaged_one_is_refused(scene, name, value):
    place = placement_of(Image(scene, **TURNED))
    kept = json.loads(json.dumps(place.to_dict()))
    assert Placement.from_dict(kept).lies_like(place)
    with pytest.raises(ReadError, match="damaged"):
        Placement.from_dict(kept | {name: value})


def test_of_an_image_of_many_channels_the_first_is_the_one_that_atoms_belong_to():
    image = {"channel_axis": 0, "name": ["a", "b", "c"], "metadata": {KEY: {}}}
    atoms = {"metadata": {KEY: {"kind": "atoms"}}}
    linked([(np.zeros((3, 4, 4)), image, "image"), (np.zeros((1, 2)), atoms, "points")])
    first, *others = image["metadata"]
    assert first[KEY] == {"token": atoms["metadata"][KEY]["image"]} and others == [{KEY: {}}] * 2


def test_what_was_made_of_an_image_is_of_the_kind_and_no_copy():
    kinds = ("atoms", "learned", "atoms")
    first, other, copied = (Points(np.zeros((1, 2)), metadata={KEY: {"kind": kind, "image": "t"}}) for kind in kinds)
    copied.metadata[KEY]["layer"] = first.unique_id
    assert made_of([first, other, copied], ["atoms"], image="t") == [first]
    assert not made_of([first], ["atoms"], image="u")
