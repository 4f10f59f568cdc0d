"""The whole path on a sample whose truth is known, its folder, and what comes back from it."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

import napari_vae as nv
from napari_vae.core.progress import Stage
from napari_vae.layers.analysis import analysis_layers
from napari_vae.workflow.archive import check_folder

TRAIN = nv.TrainConfig(epochs=6, device="cpu")


@pytest.fixture(scope="module")
def sample():
    return nv.samples.micrograph("graphene", size=220, seed=3, dopants=0.0, vacancies=0.0)


@pytest.fixture(scope="module")
def stages():
    return []


@pytest.fixture(scope="module")
def analysis(sample, stages):
    return nv.analyze(sample[0], model="rvae", train=TRAIN, progress=stages.append)


@pytest.fixture(scope="module")
def folder(analysis, tmp_path_factory):
    return analysis.save(tmp_path_factory.mktemp("results") / "graphene")


def test_the_atoms_are_those_of_the_sample(analysis, sample):
    truth = sample[1]
    inside = analysis.latents[["y", "x"]].to_numpy()
    distance, _ = cKDTree(truth[["y", "x"]].to_numpy()).query(inside)
    assert np.mean(distance < 1.0) > 0.99
    assert len(analysis.latents) == len(analysis.patches) == pytest.approx(0.8 * len(truth), rel=0.2)


def test_the_angle_tells_the_two_sublattices_of_graphene_apart(analysis, sample):
    truth = sample[1]
    _, nearest = cKDTree(truth[["y", "x"]].to_numpy()).query(analysis.latents[["y", "x"]].to_numpy())
    sublattice = truth["sublattice"].to_numpy()[nearest]
    # Their surroundings are turned by 180°, each the same after 120°.
    turned = np.exp(3j * np.deg2rad(analysis.latents["angle"].to_numpy()))
    means = [turned[sublattice == s].mean() for s in (0, 1)]
    assert min(abs(mean) for mean in means) > 0.9
    assert abs(np.angle(means[0] / means[1])) == pytest.approx(np.pi, abs=0.2)


def test_latents_have_everything_in_one_table(analysis):
    assert {"frame", "y", "x", "amplitude", "z1", "z2", "angle", "elbo", "reconstruction_error", "class"} <= set(
        analysis.latents
    )
    assert analysis.latents.index.isin(analysis.atoms.index).all()
    assert np.isfinite(analysis.encoded.drop(columns="elbo").to_numpy(float)).all()
    assert (analysis.encoded["elbo"].notna() == (analysis.encoded["seen"] == 1)).all()
    assert set(analysis.encoded) == set(analysis.run.encode(analysis.patches))


def test_progress_tells_each_stage_from_begin_to_end(analysis, stages):
    names = list(dict.fromkeys(stage.name for stage in stages))
    assert names == ["detect atoms", "train", "encode"]
    for name in names:
        fractions = [stage.fraction for stage in stages if stage.name == name]
        assert fractions[0] == 0
        assert fractions[-1] == 1
        assert fractions == sorted(fractions)
    assert all(isinstance(stage, Stage) for stage in stages)


def test_layers_lie_on_the_micrograph(analysis):
    layers = analysis_layers(analysis)
    assert [kind for _, _, kind in layers] == ["image", "points"], "all else is made when it is asked for"
    for _, options, _ in layers:
        np.testing.assert_allclose(options["scale"], analysis.micrograph.scale)
        assert all(str(unit) in ("nm", "nanometer") for unit in options["units"])


def test_the_folder_holds_calibrated_images_and_tables(analysis, folder):
    for name in ("classes", "reconstruction", "residual", "micrograph"):
        image = nv.read(folder / f"{name}.tif")
        assert image.shape == analysis.micrograph.shape
        assert image.pixel_size == pytest.approx(analysis.micrograph.pixel_size, rel=1e-4)
    rebuilt, residual = (nv.read(folder / f"{name}.tif").data for name in ("reconstruction", "residual"))
    assert np.nanstd(residual) < np.nanstd(analysis.micrograph.data[np.isfinite(rebuilt)])
    np.testing.assert_array_equal(nv.read(folder / "micrograph.tif").data, analysis.micrograph.data)
    assert len(nv.read_table(folder / "atoms.csv")) == len(analysis.atoms)
    assert nv.load_run(folder / "run").window == analysis.patches.window


def test_what_is_written_down_is_plain_json(analysis, folder):
    record = json.loads((folder / "analysis.json").read_text())
    assert record["settings"]["model"]["invariances"] == ["rotation"]
    assert record["micrograph"]["units"] == "nm"
    assert record["atoms"] == len(analysis.atoms)
    assert isinstance(record["detection"]["spacing"], float)


def test_a_folder_gives_the_analysis_back(analysis, folder):
    again = nv.load_analysis(folder)
    pd.testing.assert_frame_equal(again.latents, analysis.latents, check_dtype=False, rtol=1e-6)
    np.testing.assert_allclose(again.patches.data, analysis.patches.data, atol=1e-6)
    np.testing.assert_allclose(again.reconstruction, analysis.reconstruction, atol=1e-5)
    assert len(analysis_layers(again)) == len(analysis_layers(analysis))


def test_a_folder_is_never_replaced_unasked(analysis, folder, tmp_path):
    with pytest.raises(nv.InputError, match="holds an analysis"):
        analysis.save(folder)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(nv.InputError, match="other files"):
            check_folder(tmp_path / "letters", overwrite=overwrite)
    with pytest.raises(nv.InputError, match="is a file"):
        check_folder(tmp_path / "letters" / "dear.txt")
    assert check_folder(tmp_path / "new") == tmp_path / "new"


def test_saving_that_fails_leaves_what_was_there(analysis, folder, monkeypatch):
    before = sorted(path.name for path in folder.parent.rglob("*"))

    def full(*args):
        raise OSError("no space left")

    monkeypatch.setattr("napari_vae.workflow.archive.write_report", full)
    with pytest.raises(OSError, match="no space"):
        analysis.save(folder, overwrite=True)
    assert sorted(path.name for path in folder.parent.rglob("*")) == before


@pytest.mark.parametrize("name", ["latents.csv", "analysis.json", "run/weights.safetensors", "micrograph.tif"])
@pytest.mark.parametrize("content", [None, b"\x00\x01"])
def test_a_damaged_folder_is_one_sentence(folder, tmp_path, name, content):
    import shutil

    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / name).unlink() if content is None else (copy / name).write_bytes(content)
    with pytest.raises(nv.ReadError) as caught:
        nv.load_analysis(copy)
    assert "\n" not in str(caught.value)


def test_a_movie_keeps_its_frames(sample, tmp_path):
    image = sample[0]
    movie = nv.Micrograph(np.stack([image.data[:150, :150], image.data[60:210, 60:210]]), image.pixel_size, "nm")
    said = []
    result = nv.analyze(movie, train=nv.TrainConfig(epochs=1, device="cpu"), n_classes=2, progress=said.append)
    assert 0.5 in [stage.fraction for stage in said if stage.name == "detect atoms"]  # one frame of two
    assert set(result.latents["frame"]) == {0, 1}
    folder = result.save(tmp_path / "movie")
    assert nv.read(folder / "classes.tif").shape == movie.shape
    assert nv.load_analysis(folder).micrograph.axes == "TYX"


def test_channels_and_no_classes(sample, tmp_path):
    data = sample[0].data[:150, :150]
    image = nv.Micrograph(np.stack([data, data.max() - data]), sample[0].pixel_size, "nm", axes="CYX")
    result = nv.analyze(image, model="vae", train=nv.TrainConfig(epochs=1, device="cpu"), n_classes=1)
    assert result.classes is None
    assert result.patches.data.shape[1] == 2
    folder = result.save(tmp_path / "channels")
    assert nv.read(folder / "reconstruction.tif").shape == image.shape
    assert nv.load_analysis(folder).micrograph.axes == "CYX"


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (np.full((64, 64), 3.0), {}),
        (np.full((64, 64), np.nan), {}),
        (np.zeros((64, 64), complex), {}),
        (np.zeros((64, 64, 3), np.uint8), {}),
        (np.zeros(64), {}),
        (np.random.default_rng(0).random((64, 64)), {"model": "nonsense"}),
        (np.random.default_rng(0).random((64, 64)), {"window": 65}),
    ],
)
def test_bad_input_is_one_sentence(image, options):
    with pytest.raises(nv.InputError) as caught:
        nv.analyze(image, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("axes", ["TYX", "CYX"])
def test_a_movie_of_one_frame_comes_back(sample, tmp_path, axes):
    image = nv.Micrograph(sample[0].data[None, :100, :100], axes=axes)
    result = nv.analyze(image, train=nv.TrainConfig(epochs=1, device="cpu"), n_classes=1)
    again = nv.load_analysis(result.save(tmp_path / "one"))
    assert again.micrograph.axes == axes
    assert again.micrograph.shape == image.shape


@pytest.mark.parametrize("options", [{"n_classes": 0}, {"n_classes": "many"}, {"n_classes": 256}, {"window": 300}])
def test_what_cannot_be_is_refused_before_the_work(sample, options):
    said = []
    with pytest.raises(nv.InputError):
        nv.analyze(sample[0], progress=said.append, **options)
    assert said == []


def test_more_classes_than_atoms_are_refused_before_the_training(sample):
    said = []
    with pytest.raises(nv.InputError, match=r"n_classes is .* not 200"):
        nv.analyze(sample[0].data[:110, :110], n_classes=200, progress=said.append)
    assert {stage.name for stage in said} == {"detect atoms"}


@pytest.fixture(scope="module")
def labelled(sample):
    """A corner of the sample and the table of its atoms: some with a species, all with numbers."""
    image = nv.Micrograph(sample[0].data[:150, :150], sample[0].pixel_size, "nm", name="corner")
    atoms = nv.detect_atoms(image)
    rng = np.random.default_rng(0)
    atoms["class"] = np.where(rng.random(len(atoms)) < 0.5, np.where(atoms["x"] < 75, "left", "right"), "")
    atoms["dose"], atoms["depth"] = rng.random((2, len(atoms)))
    return image, atoms


ONCE = nv.TrainConfig(epochs=1, device="cpu")


def test_classes_from_labels_keep_their_names(labelled, tmp_path):
    image, atoms = labelled
    said = []
    result = nv.analyze(image, model="ss-vae", atoms=atoms, labels="class", train=ONCE, progress=said.append)
    assert "detect atoms" not in {stage.name for stage in said}
    assert set(result.latents["class_given"]) <= {"left", "right", ""}
    names = np.array(["left", "right"])[result.latents["class"]]
    assert (result.latents["class_name"] == names).all()
    assert {"class_probability", "z1"} <= set(result.latents)
    folder = result.save(tmp_path / "labelled")
    again = nv.load_analysis(folder)
    assert (again.latents["class_name"] == names).all()
    assert len(analysis_layers(again)) == len(analysis_layers(result))
    assert result.latents["class_name"].iloc[0] in (folder / "report.html").read_text()


def test_columns_that_results_take_the_name_of_get_names_of_their_own(labelled):
    image, atoms = labelled
    older = atoms.assign(class_given="older")
    result = nv.analyze(image, model="ss-vae", atoms=older, labels="class", train=ONCE)
    assert result.latents.columns.is_unique and (result.latents["class_given"] == "older").all()
    assert set(result.latents["class_given2"]) <= {"left", "right", ""} and result.settings["labels"] == (
        "class_given2",
    )
    assert set(result.atoms) >= {"class_given", "class_given2"} and "class" not in result.atoms


def test_a_joint_model_brings_its_own_classes(labelled):
    image, atoms = labelled
    result = nv.analyze(image, model=nv.ModelConfig("joint", n_classes=3), atoms=atoms, train=ONCE, n_classes=2)
    told = result.run.encode(result.patches)
    np.testing.assert_array_equal(result.classes, told["class"])


def test_a_condition_goes_with_the_analysis(labelled, tmp_path):
    image, atoms = labelled
    result = nv.analyze(image, model="cvae", atoms=atoms, condition=["dose", "depth"], train=ONCE, n_classes=1)
    assert result.run.scale.n == 2
    again = nv.load_analysis(result.save(tmp_path / "conditional"))
    np.testing.assert_allclose(again.reconstruction, result.reconstruction, atol=1e-5)


def test_numbers_of_a_few_atoms_are_learnt(labelled):
    image, atoms = labelled
    some = atoms.assign(dose=atoms["dose"].where(atoms.index % 2 == 0))
    result = nv.analyze(image, model="ss-vae", atoms=some, targets="dose", train=ONCE, n_classes=1)
    assert np.isfinite(result.latents["target"]).all()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"model": "ss-vae", "labels": "species"}, "no column species; it has frame, y, x"),
        ({"model": "cvae"}, "condition"),
        ({"model": "j-vae"}, "n_classes"),
        ({"model": "vae", "labels": "class"}, "does not learn from labels"),
        ({"model": "ss-vae", "labels": "class", "atoms": None}, "table"),
        ({"model": "ss-vae", "targets": "class"}, "are no numbers"),
    ],
)
def test_columns_that_do_not_fit_are_refused_before_the_work(labelled, options, sentence):
    image, atoms = labelled
    said = []
    with pytest.raises(nv.InputError, match=sentence):
        nv.analyze(image, progress=said.append, **({"atoms": atoms} | options))
    assert said == []
