"""Training on more images than memory holds: the same model, and never many of them at once."""

import json
import os
import tracemalloc

import dask.array
import numpy as np
import pytest
import torch

from napari_vae import ModelConfig, TrainConfig, fit, samples
from napari_vae.core.errors import InputError, ReadError
from napari_vae.core.provenance import data_hash
from napari_vae.io import open_stack, write_stack
from napari_vae.models import images as model_images
from napari_vae.models.stored import Scaling, Stored
from napari_vae.training.batches import Batches

CONFIG = ModelConfig.preset("vae", hidden=(16, 16), likelihood="gaussian")
TRAIN = TrainConfig(epochs=1, batch_size=50, device="cpu")
LIMIT = 1 << 20


@pytest.fixture(scope="module")
def images():
    return 3 + 5 * np.concatenate([samples.cards(100, size=16, seed=seed).images for seed in range(4)])


@pytest.fixture(scope="module")
def whole(images):
    """A model of images in memory."""
    return fit(images, CONFIG, TRAIN)


@pytest.fixture
def scarce(monkeypatch):
    """Memory for a megabyte of images."""
    monkeypatch.setattr(model_images, "LARGE", LIMIT)
    monkeypatch.setattr(model_images, "free_memory", lambda: LIMIT)


class Watched:
    """An array on disk that notes how many images are asked for, at once and in all."""

    def __init__(self, data):
        self.data, self.shape, self.dtype, self.chunks = data, data.shape, data.dtype, (64,)
        self.most = self.read = 0

    def __getitem__(self, rows):
        part = self.data[rows]
        self.most, self.read = max(self.most, len(part)), self.read + len(part)
        return part


@pytest.mark.parametrize("ending", ["zarr", "parquet"])
def test_what_is_written_in_parts_is_read_by_rows(images, tmp_path, ending):
    pytest.importorskip({"zarr": "zarr", "parquet": "pyarrow"}[ending])
    path = write_stack(np.array_split(images, 7), tmp_path / f"stack.{ending}", length=len(images))
    stack, rows = open_stack(path), np.array([3, 200, 201, len(images) - 1])
    assert stack.shape == images.shape
    np.testing.assert_array_equal(stack[rows], images[rows].astype(np.float32))
    np.testing.assert_array_equal(stack[60:70], images[60:70].astype(np.float32))
    with pytest.raises(InputError, match="not 5"):
        write_stack([images], tmp_path / f"other.{ending}", length=5)
    with pytest.raises(InputError, match="There are 0 images, not 5"):
        write_stack([], tmp_path / f"other.{ending}", length=5)
    with pytest.raises(InputError, match="length is"):
        write_stack([], tmp_path / f"other.{ending}", length=0)
    assert not (tmp_path / f"other.{ending}").exists()


@pytest.mark.parametrize("kind", ["zarr", "parquet", "npy", "dask"])
def test_a_streamed_training_is_the_one_in_memory(images, whole, tmp_path, kind, scarce):
    if kind == "dask":
        stack = dask.array.from_array(images, chunks=(100, -1, -1))
    elif kind == "npy":
        np.save(tmp_path / "stack.npy", images)
        stack = open_stack(tmp_path / "stack.npy")
    else:
        pytest.importorskip({"zarr": "zarr", "parquet": "pyarrow"}[kind])
        stack = open_stack(write_stack([images], tmp_path / f"stack.{kind}", length=len(images)))
    streamed = fit(stack, CONFIG, TRAIN)
    np.testing.assert_allclose(streamed.normalization.low, whole.normalization.low, rtol=1e-3)
    assert streamed.history["held_out"].iloc[-1] == pytest.approx(whole.history["held_out"].iloc[-1], rel=0.01)
    np.testing.assert_allclose(streamed.encode(stack)["z1"], streamed.encode(images)["z1"], atol=1e-4)


def test_never_more_than_a_part_of_the_images_is_in_memory(scarce, monkeypatch):
    monkeypatch.setattr(model_images, "SAMPLE", 200_000)
    base = samples.cards(50, size=16).images
    big = np.lib.stride_tricks.as_strided(base, (20_000, 16, 16), (0, *base.strides[1:]))  # 20 MB in 32 bit
    stack = Watched(big)
    fit(base, CONFIG, TRAIN).encode(base)  # what the first training imports is not counted
    tracemalloc.start()
    try:
        run = fit(stack, CONFIG, TrainConfig(epochs=1, batch_size=500, device="cpu"))
        run.encode(stack)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert stack.most <= 1000
    assert peak < 10e6


@pytest.mark.parametrize("dtype", ["bool", "u1", "i1", "<u2", ">u2", "i2", "u4", ">i4", "i8", "u8", "f2", ">f4", "f8"])
@pytest.mark.parametrize("large", [False, True])
def test_images_of_any_type_become_the_same_numbers_wherever_they_are_kept(dtype, large, monkeypatch):
    monkeypatch.setattr(model_images, "LARGE", 0 if large else 2**40)
    array = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 100, (2300, 2, 4, 4)).astype(dtype)
    array = array + np.array(4 * 10**9, dtype) if dtype == "u4" else array
    array.flags.writeable = False  # as of a file that is mapped
    images, limits = model_images.training_images(array)
    rows = np.array([2299, 0, 1500])
    expected = limits.apply(array[rows])
    np.testing.assert_array_equal(images[rows], expected)
    np.testing.assert_array_equal(Stored(images, torch.device("cpu"))[torch.from_numpy(rows)].numpy(), expected)
    kept, scale = images.compact
    scaling = Scaling(kept.dtype, scale, torch.device("cpu"))  # as a card scales what is encoded
    np.testing.assert_array_equal(scaling(scaling.as_tensor(kept[2298:])).numpy(), limits.apply(array[2298:]))


def test_integers_that_memory_does_not_hold_are_known_by_their_digest_from_the_look_for_limits(images, scarce):
    array = np.clip(images, 0, 255).astype(np.uint8)
    stack = Watched(array)
    streamed, limits = model_images.training_images(stack)
    read = stack.read
    assert streamed.digest() == data_hash(array[:, None]) and stack.read == read
    assert limits == model_images.training_images(array)[1]


def test_a_single_pixel_beyond_0_and_1_is_seen_among_images_that_are_too_many(images, scarce, monkeypatch):
    monkeypatch.setattr(
        model_images, "SAMPLE", 1
    )  # so that the image is not among those of which percentiles are taken
    unit = np.clip(images, 0, 1).astype(np.float32)
    for value, far in ((-5.0, "low"), (6.0, "high")):
        unit[-1, 3, 3] = value
        assert abs(getattr(model_images.training_images(Watched(unit))[1], far)[0]) > 1
        unit[-1, 3, 3] = 0


@pytest.mark.parametrize(("n", "held_out"), [(20, 2), (300, 30), (20_000, 500)])
def test_a_tenth_of_the_images_is_held_out_at_most_500(n, held_out):
    batches = Batches(
        model_images.Images(np.zeros((n, 1, 2, 2), np.float32)), None, partly=False, batch_size=10, seed=0,
        device=torch.device("cpu"),
    )  # fmt: skip
    assert (len(batches.held_out), len(batches.rows)) == (held_out, n - held_out)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
@pytest.mark.parametrize("n_labelled", [0, 2, 12])
def test_an_epoch_has_as_many_steps_as_there_are_batches(n_labelled, batch_size):
    given = np.full((24, 2), np.nan, np.float32)
    given[:n_labelled] = np.eye(2)[np.arange(n_labelled) % 2]
    batches = Batches(
        model_images.Images(np.zeros((24, 1, 2, 2), np.float32)), given, partly=True, batch_size=batch_size, seed=0,
        device=torch.device("cpu"),
    )  # fmt: skip
    rows, labelled = zip(*batches.of_epoch(0, 0), strict=True)
    assert len(rows) == batches.steps_per_epoch
    assert sorted(torch.cat(rows).tolist()) == sorted(batches.rows.tolist())
    assert {len(some) for some in labelled} == {batches.n_labelled}
    assert set(torch.cat(labelled).tolist()) <= set(range(n_labelled))


def test_what_is_not_given_as_labels_of_some_images_leaves_all_of_them_to_be_learnt_from():
    given = np.full((40, 2), np.nan, np.float32)
    given[:10] = [0, 1]
    batches = Batches(
        model_images.Images(np.zeros((40, 1, 2, 2), np.float32)), given, partly=False, batch_size=10, seed=0,
        device=torch.device("cpu"),
    )  # fmt: skip
    assert not batches.n_labelled and not len(batches.labelled)
    assert sorted([*batches.held_out.tolist(), *batches.rows.tolist()]) == list(range(40))
    known = batches.load_given(torch.tensor([3, 30]))
    assert known[0].tolist() == [0, 1] and known[1].isnan().all()


def test_pixels_that_a_parquet_file_leaves_blank_are_no_numbers(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    images = np.arange(24, dtype=np.float32).reshape(6, 2, 2)
    path = write_stack([images], tmp_path / "a.parquet", length=6)
    table = parquet.read_table(path)
    kind, rows = table.schema.field("image").type, table.column("image").to_pylist()
    rows[1][2] = None
    parquet.write_table(pyarrow.table([pyarrow.array(rows, kind)], schema=table.schema), path)
    images[1, 1, 0] = np.nan
    np.testing.assert_array_equal(open_stack(path)[:], images)


def test_batches_are_no_larger_than_a_cpu_likes_on_a_cpu():
    images = model_images.Images(np.zeros((20_000, 1, 1, 1), np.float32))
    batches = Batches(images, None, partly=False, batch_size="auto", seed=0, device=torch.device("cpu"))
    assert batches.batch_size == 100 and batches.steps_per_epoch == 195


def test_a_training_that_goes_on_looks_at_all_images_once_before_it_begins(images, scarce):
    stack, more = Watched(images), Watched(images)
    run = fit(stack, CONFIG, TRAIN)
    model_images.training_images(more, run.takes)
    assert more.read == len(images)
    again = fit(more, train=TRAIN, start=run)
    assert again.normalization == run.normalization
    assert more.read - len(images) < stack.read - len(images), "the limits are not sought again"


def test_pickles_in_a_zarr_and_broken_files_are_refused_in_a_sentence(tmp_path):
    pytest.importorskip("zarr")
    about = {"zarr_format": 2, "shape": [4, 2, 2], "chunks": [4, 2, 2], "dtype": "<f4", "order": "C"}
    about |= {"compressor": None, "fill_value": 0, "filters": [{"id": "pickle", "protocol": 5}]}
    (tmp_path / "bad.zarr").mkdir()
    (tmp_path / "bad.zarr" / ".zarray").write_text(json.dumps(about))
    with pytest.raises(ReadError, match=r"pickled|no stack of images"):
        open_stack(tmp_path / "bad.zarr")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and no more")
    np.save(tmp_path / "flat.npy", np.zeros(5))
    for name in ("bad.parquet", "flat.npy", "missing.zarr"):
        with pytest.raises(ReadError):
            open_stack(tmp_path / name)
    with pytest.raises(InputError, match=r"end in \.zarr"):
        open_stack(tmp_path / "stack.txt")


@pytest.mark.parametrize("ending", ["zarr", "parquet"])
def test_a_stack_that_is_damaged_while_it_is_read_is_one_sentence(tmp_path, ending):
    pytest.importorskip({"zarr": "zarr", "parquet": "pyarrow"}[ending])
    images = samples.cards(50, size=8).images
    path = write_stack([images], tmp_path / f"stack.{ending}", length=200)
    opened = open_stack(path)
    damaged = (
        path if path.is_file() else max(path.glob("c/**/0"), key=lambda part: part.stat().st_size * part.is_file())
    )
    known = damaged.stat()
    content = bytearray(damaged.read_bytes())
    content[20 : len(content) // 2] = bytes(len(content) // 2 - 20)
    damaged.write_bytes(content)
    os.utime(damaged, ns=(known.st_atime_ns, known.st_mtime_ns))
    with pytest.raises(ReadError, match=r"stack\.\w+ is missing or no stack of images") as caught:
        fit(opened, CONFIG, TRAIN).encode(opened)
    assert "\n" not in str(caught.value)


def test_a_zarr_array_of_which_almost_nothing_is_stored_is_refused(tmp_path):
    zarr = pytest.importorskip("zarr")
    for shape, chunks in (((10**9, 8, 8), (64, 8, 8)), ((10, 8, 8), (10**9, 8, 8))):
        zarr.create_array(tmp_path / "a.zarr", shape=shape, chunks=chunks, dtype="f4", overwrite=True)
        with pytest.raises(ReadError, match=r"a\.zarr claims to unpack to .* GiB"):
            open_stack(tmp_path / "a.zarr")


def test_zeros_in_the_place_of_a_stack_do_not_keep_its_images(tmp_path):
    pytest.importorskip("zarr")
    for images in (np.ones((70, 8, 8)), np.zeros((70, 8, 8))):
        path = write_stack([images], tmp_path / "a.zarr", length=70)
        np.testing.assert_array_equal(open_stack(path)[:], images)


def test_a_stack_is_read_in_whole_images(images, tmp_path):
    pytest.importorskip("pyarrow", reason="parquet needs the extra “tables”")
    stack = open_stack(write_stack([images], tmp_path / "s.parquet", length=len(images)))
    assert stack.shape == images.shape and stack.chunks[1:] == images.shape[1:]
