"""Folders of results: opened in napari, written from layers, listed, renamed, moved, of older and newer versions."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from npe2 import PluginManager
from safetensors.numpy import load_file, save

import napari_vae as nv
from napari_vae.analysis.cells import class_labels
from napari_vae.core.placement import Placement
from napari_vae.layers.analysis import analysis_layers, read_run
from napari_vae.layers.identity import note
from napari_vae.layers.open_runs import OpenRun, keep_run, run_of, unread_folder
from napari_vae.layers.points import classes_to_labels
from napari_vae.layers.reader import get_reader

OLD = Path(__file__).parents[1] / "old_folders"
KEY = "napari_vae"


@pytest.fixture(scope="module")
def analysis(lattice):
    image = nv.Micrograph(lattice[0], 0.02, "nm", name="lattice")
    atoms = pd.DataFrame({"frame": 0, "y": lattice[1][:, 0], "x": lattice[1][:, 1], "mine": np.arange(len(lattice[1]))})
    train = nv.TrainConfig(epochs=1, device="cpu")
    return nv.analyze(image, model="vae", train=train, atoms=atoms, window=12, n_classes=2)


@pytest.fixture(scope="module")
def saved(analysis, tmp_path_factory):
    return analysis.save(tmp_path_factory.mktemp("results") / "first")


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "first")


@pytest.fixture(scope="module", autouse=True)
def _plugins():
    """Have the manifest found; in a window napari does this."""
    PluginManager.instance().discover()


def opened_run(viewer, points):
    """The run of an analysis opened as the window opens it."""
    assert run_of(viewer, points) is None
    note(points, run=keep_run(viewer, read_run(unread_folder(points))))
    assert unread_folder(points) == ""
    return run_of(viewer, points)


def test_a_dropped_analysis_is_all_its_layers(analysis, folder):
    viewer = ViewerModel()
    layers = viewer.open(folder, plugin="napari-vae")
    assert [layer.name for layer in layers] == [options["name"] for _, options, _ in analysis_layers(analysis)]
    (points,) = (layer for layer in layers if type(layer).__name__ == "Points")
    np.testing.assert_allclose(points.features["z1"].dropna(), analysis.latents["z1"], rtol=1e-5)
    assert str(points.units[-1]) == "nanometer" and points.scale[-1] == pytest.approx(0.02)
    assert points.metadata[KEY]["data_sha256"] == analysis.run.provenance["data_sha256"]
    opened = opened_run(viewer, points)  # its model can be asked to draw
    assert opened.window(3).shape == opened.rebuilt(3).shape == (12, 12)
    assert (opened.windows_of(points)[points.features["z1"].notna()] >= 0).all()
    assert run_of(viewer, points) is opened


def test_a_dropped_model_is_what_it_draws(analysis, folder):
    ((picture, options, kind),) = get_reader(str(folder / "run"))(str(folder / "run"))
    assert kind == "image" and np.isfinite(picture).all() and picture.shape == (9 * 12, 9 * 12)
    assert options["metadata"][KEY]["data_sha256"] == analysis.run.provenance["data_sha256"]


def test_layers_become_a_folder_again(analysis, folder, tmp_path):
    viewer = ViewerModel()
    image, *_, points = viewer.open(folder, plugin="napari-vae")
    opened_run(viewer, points)
    points.data = np.concatenate([points.data[:-1], points.data[-1:] - 0.25])  # moved by hand
    viewer.layers.selection = {image, points}
    (written,) = viewer.layers.save(str(tmp_path / "again.vae"), selected=True, plugin="napari-vae")
    again = nv.load_analysis(written)
    np.testing.assert_allclose(again.latents["z1"].iloc[:50], analysis.latents["z1"].iloc[:50], rtol=1e-3, atol=1e-3)
    assert again.latents["class"].tolist() == analysis.latents["class"].tolist()
    assert again.atoms["mine"].tolist() == analysis.atoms["mine"].tolist()
    assert again.atoms["y"].iloc[-1] == pytest.approx(analysis.atoms["y"].iloc[-1] - 0.25)
    assert (again.micrograph.pixel_size, again.micrograph.units) == ((0.02, 0.02), "nm")
    assert again.run.provenance["data_sha256"] == analysis.run.provenance["data_sha256"]


def test_layers_without_a_model_are_no_folder(folder, tmp_path):
    viewer = ViewerModel()
    viewer.add_image(np.zeros((20, 20)))
    viewer.add_points(np.ones((3, 2)))
    with pytest.raises(OSError, match="that a model has described"):
        viewer.layers.save(str(tmp_path / "new.vae"), plugin="napari-vae")
    assert not (tmp_path / "new.vae").exists()


def test_folders_are_listed_renamed_and_moved(analysis, folder, tmp_path):
    analysis.run.save(tmp_path / "models" / "mine")
    (tmp_path / "letters").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("[]")
    folder.rename(tmp_path / "renamed")
    moved = Path(shutil.move(tmp_path / "renamed", tmp_path / "letters" / "moved"))
    assert json.loads((moved / "analysis.json").read_text())["format"] == 1
    about = tmp_path / "models" / "mine" / "run.json"
    text = about.read_text()
    created = json.loads(text)["provenance"]["created"]
    assert created in text
    about.write_text(text.replace(created, "2999" + created[4:]))  # later than the analysis, which is found first
    runs = nv.list_runs(tmp_path)
    assert runs["kind"].tolist() == ["model", "analysis"]
    assert runs.index.tolist() == [0, 1] and runs["written"].is_monotonic_decreasing
    runs = runs.set_index("kind")
    assert set(runs.index) == {"analysis", "model"}
    assert runs.loc["analysis", "path"] == moved and runs.loc["model", "path"] == tmp_path / "models" / "mine"
    assert runs.loc["analysis", "source"] == "lattice" and runs.loc["analysis", "atoms"] == len(analysis.atoms)
    assert (runs["model"] == "vae").all()
    pd.testing.assert_frame_equal(nv.load_analysis(moved).latents, analysis.latents, check_dtype=False, rtol=1e-6)
    with pytest.raises(nv.ReadError, match="no folder"):
        nv.list_runs(tmp_path / "renamed")


def test_a_movie_on_disk_is_found_where_it_was_moved_together_with_its_analysis(analysis, folder, tmp_path):
    source = shutil.move(folder / "micrograph.tif", tmp_path / "scan.tif")
    record = json.loads((folder / "analysis.json").read_text())
    known = Path(source).stat()
    record["micrograph"]["metadata"] = {"path": "/where/it/was/scan.tif"}
    record["micrograph"]["stamp"] = [known.st_size, known.st_mtime_ns]
    (folder / "analysis.json").write_text(json.dumps(record))
    np.testing.assert_array_equal(nv.load_analysis(folder).micrograph.data, analysis.micrograph.data)
    Path(source).unlink()
    with pytest.raises(nv.ReadError, match=r"its micrograph scan\.tif is not in"):
        nv.load_analysis(folder)


@pytest.mark.parametrize("name", ["analysis.json", "run/run.json"])
def test_a_newer_version_is_told(folder, name):
    record = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(record | {"format": 99, "of": "the future"}))
    with pytest.raises(nv.ReadError, match="newer version"):
        nv.load_analysis(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e30])  # the last has no square in single precision
def test_weights_that_cannot_be_computed_with_are_refused(folder, value):
    path = folder / "run" / "weights.safetensors"
    weights = load_file(path)
    weights["decoder.layers.0.weight"][0, 0] = value
    path.write_bytes(save(weights))
    with pytest.raises(nv.ReadError, match="weights that are NaN or too large; train again"):
        nv.load_run(folder / "run")


@pytest.mark.parametrize("damage", ["a column is gone", "a number is a word", "a number is missing"])
def test_a_run_with_a_damaged_history_opens_but_is_not_gone_on_from(folder, damage):
    history = pd.read_csv(folder / "run" / "history.csv")
    wrong = {"a number is a word": "three", "a number is missing": np.nan}
    history = history.drop(columns="epoch") if damage == "a column is gone" else history.assign(kl_z1=wrong[damage])
    history.to_csv(folder / "run" / "history.csv", index=False)
    run, images = nv.load_run(folder / "run"), np.random.default_rng(0).uniform(size=(20, 12, 12))
    assert len(run.encode(images)) == 20
    with pytest.raises(nv.InputError, match=r"history .* damaged; train anew"):
        next(nv.iter_fit(images, start=run))


def test_a_folder_of_the_first_version_still_opens():
    """Written by the first version of the format, and never written anew."""
    analysis = nv.load_analysis(OLD / "analysis-1")
    np.testing.assert_allclose(analysis.run.encode(analysis.patches)["z1"], analysis.latents["z1"], atol=1e-4)
    assert analysis.run.decode([[0.0, 0.0]]).shape == (1, 12, 12)
    assert analysis.run.train_config.supervised_weight == 20


def test_a_column_of_the_history_has_its_new_name_in_old_runs_too(folder):
    table = folder / "run" / "history.csv"
    pd.read_csv(table).assign(lesson=0.5).to_csv(table, index=False)
    history = nv.load_run(folder / "run").history
    assert history["supervised"].eq(0.5).all() and "lesson" not in history


def test_tables_open_as_points_in_their_place(analysis, tmp_path):
    for package in ("pyarrow", "anndata"):
        pytest.importorskip(package, reason="needs the extra “tables”")
    viewer = ViewerModel()
    options = {"pixel_size": (0.02, 0.02), "units": "nm", "provenance": {"seed": 3}}
    for ending in (".csv", ".parquet", ".h5ad", ".xyz"):
        path = nv.write_table(analysis.latents, tmp_path / f"t{ending}", **options)
        (points,) = viewer.open(path, plugin="napari-vae")
        np.testing.assert_allclose(points.data, analysis.latents[["y", "x"]], atol=1e-6)
        np.testing.assert_allclose(points.features["z1"].astype(float), analysis.latents["z1"], rtol=1e-4)
        assert points.features["class"].astype(str).tolist() == analysis.latents["class"].astype(str).tolist()
        if ending != ".csv":
            assert points.scale[-1] == pytest.approx(0.02) and str(points.units[-1]) == "nanometer"
            assert points.metadata[KEY]["origin"]["provenance"] == {"seed": 3}


def test_points_are_saved_as_tables_and_labels_as_labels(analysis, tmp_path):
    viewer = ViewerModel()
    layers = analysis_layers(analysis)
    points = viewer.add_points(layers[-1][0], **layers[-1][1])
    assert viewer.layers.save(str(tmp_path / "t.csv"), plugin="napari-vae") == [str(tmp_path / "t.csv")]
    table = nv.read_table(tmp_path / "t.csv")
    np.testing.assert_allclose(table[["y", "x"]], points.data)
    np.testing.assert_allclose(table["z1"], points.features["z1"], rtol=1e-6)
    viewer.layers.clear()
    atoms, classes, shape = analysis.patches.atoms, analysis.classes, analysis.frame_shape
    placement = Placement.of_micrograph(analysis.micrograph)
    data, options, _ = classes_to_labels(class_labels(atoms, classes, shape, 3), placement, name="classes")
    viewer.add_labels(data, **options)
    viewer.layers.save(str(tmp_path / "l.tif"), plugin="napari-vae")
    (labels,) = viewer.open(tmp_path / "l.tif", plugin="napari-vae")
    assert type(labels).__name__ == "Labels" and labels.scale[-1] == pytest.approx(0.02, rel=1e-4)
    np.testing.assert_array_equal(labels.data, data)


def test_a_table_without_positions_is_one_sentence(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(nv.ReadError, match="no y and x; call the row"):
        get_reader(str(tmp_path / "t.csv"))(str(tmp_path / "t.csv"))


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"frame": ["", "1"]}, "NaN or an infinite number as their frame"),
        ({"frame": ["first", "1"]}, "frame of the atoms holds text"),
        ({"frame": ["inf", "1"]}, "NaN or an infinite number as their frame"),
        ({"frame": ["-1", "1"]}, "whole numbers counted from 0"),
        ({"y": ["", "1"]}, "NaN or infinite positions"),
        ({"y": ["high", "1"]}, "y and x of the atoms hold text"),
        ({"x": ["1e300", "1"]}, "pixels away"),
    ],
)
def test_tables_of_no_positions_are_one_sentence(tmp_path, cells, words):
    pd.DataFrame({"y": ["1", "2"], "x": ["3", "4"]} | cells).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(nv.ReadError, match=rf"^t\.csv cannot be shown\. .*{words}"):
        get_reader(str(tmp_path / "t.csv"))(str(tmp_path / "t.csv"))


@pytest.mark.parametrize("cells", [{"z1": ["low", "1"]}, {"class": ["inf", ""]}, {"class": ["a", "1.5"]}])
def test_latents_and_classes_of_any_kind_are_shown(tmp_path, cells):
    pd.DataFrame({"y": ["1", "2"], "x": ["3", "4"]} | cells).to_csv(tmp_path / "t.csv", index=False)
    (points,) = ViewerModel().open(tmp_path / "t.csv", plugin="napari-vae")
    assert points.data.tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"origin": {"pixel_size": [0.02, "small"]}}, "origin.pixel_size.1"),
        ({"origin": {"pixel_size": {"y": 1}}}, "origin.pixel_size"),
        ({"origin": ["somewhere"]}, "origin should be"),
        ({"napari_vae": {"spacing": -3.0}}, "napari_vae.spacing"),
    ],
)
def test_attributes_of_a_table_that_make_no_sense_are_one_sentence(tmp_path, attributes, words):
    pytest.importorskip("pyarrow", reason="needs the extra “tables”")
    table = pd.DataFrame({"y": [1.0, 2.0], "x": [3.0, 4.0]})
    table.attrs = attributes
    table.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(nv.ReadError, match=rf"t\.parquet is damaged: {words}"):
        nv.read_table(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"class": "many"}, "no finite numbers"),
        ({"class": 1e300}, "classes in latents.csv"),
        ({"z1": "low"}, "no finite numbers"),
        ({"z2": np.inf}, "no finite numbers"),
        ({"elbo": "good"}, "no finite numbers"),
        ({"atom": 3}, "rows of latents.csv"),
    ],
)
def test_latents_that_are_none_of_the_atoms_are_one_sentence(folder, cells, words):
    path = folder / "latents.csv"
    pd.read_csv(path).assign(**cells).to_csv(path, index=False)
    with pytest.raises(nv.ReadError, match=rf"is not complete \(.*{words}"):
        nv.load_analysis(folder)


def test_two_columns_of_one_name_are_one_sentence():
    atoms = pd.DataFrame([[1.0, 2.0, 3.0]], columns=["y", "x", "y"])
    with pytest.raises(nv.InputError, match="column y twice"):
        nv.extract_patches(np.random.default_rng(0).random((20, 20)), atoms, window=4)


def test_a_run_that_the_viewer_keeps_is_preferred(analysis, folder):
    viewer = ViewerModel()
    *_, points, _ = viewer.open(folder, plugin="napari-vae")
    opened = OpenRun(analysis.run, analysis.patches, Placement.of_micrograph(analysis.micrograph))
    points.metadata[KEY]["run"] = keep_run(viewer, opened)
    assert run_of(viewer, points) is opened


def test_saving_over_a_result_keeps_what_else_lies_there(analysis, folder):
    for name in ("notes.txt", "napari-window.png", "run/notes.txt", "run/windows.csv"):
        (folder / name).write_text("from another time")
    analysis.save(folder, overwrite=True)
    assert (folder / "notes.txt").exists() and not (folder / "napari-window.png").exists()
    (folder / "run" / "notes.txt").write_text("mine")
    (folder / "run" / "windows.csv").write_text("of the model of many files that was here")
    analysis.run.save(folder / "run")
    assert (folder / "run" / "notes.txt").exists() and not (folder / "run" / "windows.csv").exists()


def test_an_analysis_reads_no_other_file_than_its_micrograph(analysis, tmp_path):
    """Whatever path its record names."""
    np.save(tmp_path / "movie.npy", analysis.micrograph.data)
    np.save(tmp_path / "secret.npy", 1 - analysis.micrograph.data)
    image = nv.read(tmp_path / "movie.npy")
    image = nv.Micrograph(image.data, 0.02, "nm", metadata=image.metadata)
    folder = replace(analysis, micrograph=image).save(tmp_path / "whole")
    (folder / "micrograph.tif").unlink()  # as of a movie that is too large to be kept
    np.testing.assert_array_equal(nv.load_analysis(folder).micrograph.data, image.data)
    record = json.loads((folder / "analysis.json").read_text())
    record["micrograph"]["metadata"]["path"] = str(tmp_path / "secret.npy")
    (folder / "analysis.json").write_text(json.dumps(record))
    for place in (lambda: None, lambda: (folder / "secret.npy").symlink_to(tmp_path / "secret.npy")):
        place()
        with pytest.raises(nv.ReadError, match=r"its micrograph secret\.npy is not in the folder.*micrograph=…"):
            nv.load_analysis(folder)
    given = nv.load_analysis(folder, micrograph=tmp_path / "movie.npy")
    np.testing.assert_array_equal(given.micrograph.data, image.data)
    (folder / "secret.npy").unlink()
    np.save(folder / "secret.npy", image.data)
    np.testing.assert_array_equal(nv.load_analysis(folder).micrograph.data, image.data)
