"""Files made to do harm: nothing is executed or written, no memory is filled, and each ends in one sentence."""

import json
import os
import pickle
import random
import shutil
import struct
import subprocess
import sys
import textwrap
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

import napari_vae as nv
from napari_vae.batch.records import Record, read_record, write_record
from napari_vae.dispatch.parts import Parts
from napari_vae.errors import InputError, ReadError
from napari_vae.io import hdf5_probe, read
from napari_vae.io.json_files import MOST_BYTES, read_json
from napari_vae.io.napari_reader import get_reader, read_layers
from napari_vae.io.reading import FORMATS
from napari_vae.io.writing import TABLE_ENDINGS, read_table, write_table
from plain_gp import PlainGP

OLD = Path(__file__).parent / "old_folders" / "analysis-1"
ALL = sorted({*FORMATS, *TABLE_ENDINGS} - {".tiff", ".jpeg"})


class Trap:
    """Makes a file when it is unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("sprung"),))


def assert_refused(path, read=read_layers):
    with pytest.raises(ReadError) as caught:
        read(str(path))
    text = str(caught.value)
    assert "\n" not in text and len(text) < 400 and path.name.split("/")[0] in text


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An inner folder, so that what climbs out of it is seen, and which ends with no trap sprung and no file more."""
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    yield inner
    assert not list(tmp_path.rglob("sprung*")) and [path.name for path in tmp_path.iterdir()] == ["inner"]


@pytest.mark.parametrize("suffix", ALL)
def test_pickles_under_any_name(here, suffix):
    (here / f"a{suffix}").write_bytes(pickle.dumps(Trap()))
    assert_refused(here / f"a{suffix}")


def test_object_arrays(here):
    trap = np.empty((9, 9), object)
    trap[:] = Trap()
    np.save(here / "a.npy", trap, allow_pickle=True)
    assert_refused(here / "a.npy")
    with zipfile.ZipFile(here / "a.ndata", "w") as archive:
        archive.write("a.npy", "data.npy")
        archive.writestr("metadata.json", "{}")
    assert_refused(here / "a.ndata")


def test_pickles_in_a_run_folder(here, tmp_path_factory):
    from napari_vae.run import load_run

    (here / "run.json").write_text("{}")
    (here / "weights.safetensors").write_bytes(pickle.dumps(Trap()))
    (here / "history.csv").write_bytes(pickle.dumps(Trap()))
    assert_refused(here, load_run)


def test_an_archive_writes_nothing_wherever_its_names_point(here):
    with zipfile.ZipFile(here / "a.ndata", "w") as archive:
        for name in ("../sprung", "/sprung", "..\\sprung", "data.npy/../../sprung"):
            archive.writestr(name, b"x")
    assert_refused(here / "a.ndata")


def test_hdf5_that_reaches_for_other_files(here):
    h5py = pytest.importorskip("h5py")
    with h5py.File(here / "secret.h5", "w") as file:
        file["image"] = np.ones((20, 20))
    (here / "secret.bin").write_bytes(bytes(400))
    for suffix in (".h5", ".emd", ".hspy"):
        with h5py.File(here / f"link{suffix}", "w") as file:
            file["data"] = h5py.ExternalLink("secret.h5", "image")
    with h5py.File(here / "raw.hdf5", "w") as file:
        file.create_dataset("data", (20, 20), "u1", external=[("secret.bin", 0, 400)])
    with h5py.File(here / "virtual.nhdf", "w") as file:
        layout = h5py.VirtualLayout((20, 20), "f8")
        layout[:] = h5py.VirtualSource("secret.h5", "image", (20, 20))
        file.create_virtual_dataset("data", layout)
    for name in ("link.h5", "link.emd", "link.hspy", "raw.hdf5", "virtual.nhdf"):
        with pytest.raises(ReadError, match="other files"):
            read(here / name)


@pytest.mark.parametrize("holder", ["attribute", "array"])
def test_hdf5_with_text_that_claims_to_be_of_gigabytes(here, holder):
    h5py = pytest.importorskip("h5py")
    pytest.importorskip("resource", reason="memory is bounded where the system counts it")
    with h5py.File(here / "a.h5ad", "w") as file:
        if holder == "attribute":
            file.attrs.create("name", "twelve words", dtype=h5py.string_dtype())
        else:
            file["name"] = "twelve words"
    content = (here / "a.h5ad").read_bytes()
    words = struct.pack("<IQI", 12, content.index(b"GCOL"), 1)  # length, place and number of the text
    assert content.count(words) == 1
    (here / "a.h5ad").write_bytes(content.replace(words, b"\xf0\xff\xff\xff" + words[4:]))
    assert_refused(here / "a.h5ad", lambda path: hdf5_probe.claimed_bytes(Path(path)))


def test_a_million_rows_where_a_reader_wants_a_group(here):
    h5py = pytest.importorskip("h5py")
    with h5py.File(here / "a.hspy", "w") as file:
        file.attrs["file_format"], file.attrs["file_format_version"] = "HyperSpy", "3.1"
        file.create_dataset("Experiments", (10**6,), "u1", chunks=True)
    assert_refused(here / "a.hspy")


def test_a_library_that_hangs_is_given_up(here, monkeypatch):
    h5py = pytest.importorskip("h5py")
    with h5py.File(here / "a.h5", "w") as file:
        file["image"] = np.ones((20, 20))
    monkeypatch.setattr(hdf5_probe, "SECONDS", 0.001)
    assert_refused(here / "a.h5")


LARGE = (1 << 30) + 1  # bytes, of which a file here has but some; such files are read lazily


@pytest.fixture(params=[(".dm3", ">{}i"), (".dm4", ">{}q")], ids=["dm3", "dm4"])
def digital_micrograph(here, request):
    """Writes a DigitalMicrograph file whose group ImageData holds one tag of some info words."""
    pytest.importorskip("rsciio")
    suffix, word = request.param

    def words(*numbers):
        return struct.pack(word.format(len(numbers)), *numbers)

    def write(*info, name=b"Data", size=0):
        wide = words(0) if suffix == ".dm4" else b""  # the size of a tag
        named = struct.pack(">BH", 21, len(name)) + name + wide + b"%%%%" + words(len(info), *info)
        group = struct.pack(">BH", 20, 9) + b"ImageData" + wide + b"\0\0" + words(2**31 - 1) + named
        path = here / f"a{suffix}"
        with path.open("wb") as file:
            file.write(struct.pack(">i", int(suffix[-1])) + words(100) + struct.pack(">i", 1) + b"\0\0" + words(1))
            file.write(group + bytes(8))
            file.truncate(max(size, file.tell()))
        return path, len(named)

    return write


@pytest.mark.parametrize("size", [0, LARGE])
@pytest.mark.parametrize("element", [(15, 0, 0), (18, 0)])
def test_arrays_of_countless_empty_elements(digital_micrograph, element, size):
    path, _ = digital_micrograph(20, *element, 0x7FFFFFFF, name=b"a", size=size)
    assert_refused(path)


@pytest.mark.parametrize("size", [0, LARGE])
def test_pixels_of_a_negative_number_before_which_the_same_tag_is_read_again(digital_micrograph, size):
    _, length = digital_micrograph(20, 10, 0)
    path, _ = digital_micrograph(20, 10, -length, size=size)
    assert_refused(path)


def test_images_that_are_all_the_same_place_of_a_file(here):
    pytest.importorskip("rsciio")
    images, side, start = 5000, 256, 34
    header = struct.pack("<3H4IQI", 0x4949, 0x197, 0x220, 0x4122, 0x4142, images, images, start, 0)
    offset = start + 8 * images
    image = struct.pack("<2dI2dIH2I", 0, 1, 0, 0, 1, 0, 1, side, side) + bytes(side * side)
    (here / "a.ser").write_bytes(header + struct.pack("<Q", offset) * images + image + bytes(16))
    (here / "a.emi").write_bytes(b"<ObjectInfo></ObjectInfo>")
    (here / "a_1.ser").write_bytes((here / "a.ser").read_bytes())
    for name in ("a.ser", "a.emi"):
        with pytest.raises(ReadError, match="cut short or damaged"):
            read(here / name)


def test_descriptions_that_all_end_at_the_same_place(here):
    pytest.importorskip("rsciio")
    (here / "a.emi").write_bytes(b"<ObjectInfo>" * 2000 + b"</ObjectInfo>")
    with pytest.raises(ReadError, match="cut short or damaged"):
        read(here / "a.emi")


def test_sizes_of_an_mrc_in_the_other_order_of_bytes(here):
    pytest.importorskip("rsciio")
    header = bytearray(1024)
    header[:16], header[208:212] = struct.pack(">4i", 256, 256, 256, 0), b"MAP "
    (here / "a.mrc").write_bytes(bytes(header) + bytes(range(256)) * 256 * 256)
    image = read(here / "a.mrc")  # in the first order a 256 TiB file, which its reader would cut into pieces for hours
    assert image.shape == (256, 256, 256) and np.array_equal(image.data[7, 3], np.arange(256))


# ---- claims ---------------------------------------------------------------------------------------------------------


def npy_header(file, dtype, shape):
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})


def bombs(folder):
    """Small files that claim to be large; the names of those written."""
    small = np.zeros((64, 64), np.uint8)
    with zipfile.ZipFile(folder / "zeros.ndata", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("data.npy", "w", force_zip64=True) as file:
            npy_header(file, "|u1", (600, 1 << 20))
            for _ in range(600):
                file.write(bytes(1 << 20))
        archive.writestr("metadata.json", "{}")
    with zipfile.ZipFile(folder / "claim.ndata", "w") as archive:
        with archive.open("data.npy", "w") as file:
            npy_header(file, "<f8", (10**6, 10**6))
        archive.writestr("metadata.json", "{}")
    tifffile.imwrite(folder / "claim.tif", small, compression="zlib")
    with tifffile.TiffFile(folder / "claim.tif", mode="r+") as tiff:
        for tag in ("ImageWidth", "ImageLength"):
            tiff.pages[0].tags[tag].overwrite(60_000)
    header = struct.pack(">II5B", 150_000, 150_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100_000))), (b"IEND", b"")]
    png = b"".join(struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks)
    (folder / "claim.png").write_bytes(b"\x89PNG\r\n\x1a\n" + png)
    with (folder / "claim.npy").open("wb") as file:
        npy_header(file, "<f8", (10**6, 10**6))
    (folder / "claim.dat").write_bytes(struct.pack("<2I", 2**31, 2**31) + bytes(800))
    mrc = bytearray(1024 + 400)
    mrc[:16] = struct.pack("<4i", 100_000, 100_000, 100_000, 2)
    (folder / "claim.mrc").write_bytes(mrc)
    (folder / "claim.xyz").write_text('999999999999\nProperties=species:S:1:pos:R:3 origin="{}" frame=0\n')
    (folder / "claim.sxm").write_bytes(
        b":SCANIT_TYPE:\nFLOAT MSBFIRST\n:SCAN_PIXELS:\n999999 999999\n:SCAN_RANGE:\n1 1\n:DATA_INFO:\n"
        b"\tName\tUnit\tDirection\n\tZ\tm\tboth\n:SCANIT_END:\n\x1a\x04" + bytes(400)
    )
    try:
        import h5py
    except ImportError:
        return
    for suffix in (".h5", ".hspy", ".emd"):
        with h5py.File(folder / f"claim{suffix}", "w") as file:
            file.create_dataset("data", (10**5, 10**5), "f8", chunks=(1000, 1000), compression="gzip")


def test_bombs_fill_no_memory(here):
    """In a process that may have 2 GiB of addresses, and counts what it had."""
    pytest.importorskip("resource", reason="limits of a process are those of Linux and macOS")
    bombs(here)
    script = """
        import resource, sys
        from pathlib import Path
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        from napari_vae.errors import ReadError
        from napari_vae.io import read
        from napari_vae.io.writing import read_table
        for path in sorted(Path(sys.argv[1]).iterdir()):
            try:
                (read_table if path.suffix == ".xyz" else read)(path).frame()
                print("READ", path.name)
            except ReadError as error:
                if "\\n" in str(error):
                    print("BAD", path.name, error)
        status = Path("/proc/self/status")  # what getrusage tells on Linux includes the process that started this one
        words = status.read_text().split() if status.exists() else []
        most = words[words.index("VmHWM:") + 1] if words else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(most)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(here)]
    one = {**os.environ, "OMP_NUM_THREADS": "1"}  # each thread has addresses of its own
    done = subprocess.run(command, capture_output=True, text=True, env=one, check=False)
    *bad, most = done.stdout.splitlines() or [done.stderr]
    assert not bad and done.returncode == 0, done.stdout + done.stderr
    assert int(most) < 700 << 10  # KiB


def test_json_of_100_mb_and_json_without_end(here):
    from napari_vae.archive import load_analysis
    from napari_vae.run import load_run

    for name, load in (("run.json", load_run), ("analysis.json", load_analysis)):
        with (here / name).open("wb") as file:
            file.write(b'{"a": "')
            file.truncate(100 << 20)
        with pytest.raises(ReadError, match=f"{name} holds more than {MOST_BYTES >> 20} MiB"):
            load(here)
        (here / name).write_text("[" * 10**6)
        with pytest.raises(ReadError, match="damaged JSON"):
            read_json(here / name, dict)
        (here / name).write_text('["no object"]')
        with pytest.raises(ReadError):
            load(here)
    np.save(here / "a.npy", np.zeros((9, 9)))
    (here / "a.json").write_text("[" * 10**6)
    with pytest.raises(ReadError, match="damaged JSON"):
        read(here / "a.npy")


def test_tables_that_claim_much_are_one_sentence(here):
    pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra “tables”")
    import pyarrow as pa

    few = pd.DataFrame({"y": [0.0, 1.0], "x": [0.0, 1.0]})
    for name, column in {"frame": [0, 10**12], "sublattice": [0, 10**8]}.items():
        write_table(few.assign(**{name: column}), here / f"{name}.csv")
        with pytest.raises(InputError, match=f"{name}.* (must hold whole numbers|at most 255)"):
            read_layers(str(here / f"{name}.csv"))
    table = pa.table({"y": np.zeros(1 << 20), "x": np.zeros(1 << 20)})
    with pq.ParquetWriter(here / "rows.parquet", table.schema, compression="zstd") as file:
        for _ in range(40):
            file.write_table(table)
    words = pa.table({"y": np.zeros(200_000), "x": np.zeros(200_000), "word": pa.array(["w" * 4000] * 200_000)})
    pq.write_table(words, here / "words.parquet", row_group_size=10_000)
    for name in ("rows", "words"):
        assert (here / f"{name}.parquet").stat().st_size < 2 << 20
        assert_refused(here / f"{name}.parquet")
    h5py = pytest.importorskip("h5py")
    write_table(few, here / "a.h5ad")
    with h5py.File(here / "a.h5ad", "r+") as file:
        del file["obsm/spatial"]
        file.create_dataset("obsm/spatial", (6 * 10**8, 2), "f8", chunks=(10**6, 2), compression="gzip")
    assert_refused(here / "a.h5ad", read_table)


def test_classes_of_high_numbers_open(here):
    write_table(pd.DataFrame({"y": [0.0, 1.0], "x": 0.0, "class": [0, 10**8]}), here / "a.csv")
    _, options, _ = read_layers(str(here / "a.csv"))[0]
    assert options["features"]["class"].astype(str).tolist() == ["0", "100000000"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of Unix")
def test_pipes_and_devices_in_the_place_of_files_are_not_opened(here):
    rows = np.random.default_rng(0).normal(size=(12, 3))
    images = nv.samples.cards(10, size=16).images
    run = nv.fit(images, nv.ModelConfig.preset("vae"), nv.TrainConfig(epochs=1, device="cpu"))
    folders = {
        nv.load_run: run.save(here / "run"),
        nv.load_deep_kernel: nv.DeepKernelGP(steps=3, ensemble=1).fit(rows, rows[:, 0]).save(here / "model"),
    }
    for load, folder in folders.items():
        for path in sorted(folder.iterdir()):
            kept = path.rename(here / "kept")
            for place in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
                place(path)
                with pytest.raises(ReadError) as caught:
                    load(folder)
                assert "\n" not in str(caught.value)
                path.unlink()
            kept.rename(path)
        assert load(folder) is not None
    for suffix in ALL:
        os.mkfifo(here / f"a{suffix}")
        assert_refused(here / f"a{suffix}")
    for suffix in (".npy", ".parquet", ".zarr"):
        path = here / f"b{suffix}"
        (path / "c").mkdir(parents=True) if suffix == ".zarr" else None
        os.mkfifo(path / "c" / "0" if suffix == ".zarr" else path)
        assert_refused(path, nv.open_stack)


# ---- JSON of ours with one wrong entry ------------------------------------------------------------------------------

WRONG = [
    None,
    True,
    -1,
    0,
    2,
    3.5,
    10**30,
    1e300,
    float("nan"),
    float("inf"),
    "text",
    "\ud800",
    [],
    {},
    [1] * 999,
    [[None]],
]


def entries(value, path=()):
    """Where there is something in JSON."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inside for found in entries(one, (*path, key)))]


def damage(value, rng):
    """Have one entry of JSON left out, doubled, or something else."""
    *above, last = rng.choice(entries(value)[1:])
    for key in above:
        value = value[key]
    if (choice := rng.random()) < 0.1:
        del value[last]
    elif choice < 0.2 and isinstance(value[last], list | str):
        value[last] *= 2
    else:
        value[last] = rng.choice(WRONG)


def saved_record(folder):
    x = np.random.default_rng(0).random((20, 2))
    settings = {"acquisition": "ucb", "model": PlainGP(0.3), "start": 3}
    nv.explore(x, x[:, 0], budget=5, record=folder, **settings)

    def load():
        record = nv.explore(x, x[:, 0], budget=7, record=nv.ExplorationRecord.load(folder), **settings)
        return record.table, record.curve

    return folder / "exploration.json", load


def saved_kernel(folder, kind="real"):
    x = np.random.default_rng(0).random((12, 3))
    y = {"real": x[:, 0], "angle": 90 * x[:, 0], "class": np.arange(12) % 2}[kind]
    nv.DeepKernelGP(target=kind, steps=1, ensemble=2, hidden=4, device="cpu").fit(x, y).save(folder)
    return folder / "deep_kernel.json", lambda: nv.load_deep_kernel(folder, device="cpu").predict(x)


def saved_checkpoint(folder):
    images = np.random.default_rng(0).random((30, 12, 12), np.float32)
    config = nv.ModelConfig(hidden=4)
    train = nv.TrainConfig(epochs=3, batch_size=10, device="cpu", checkpoint=folder)
    asked = iter([False] * 3)
    list(nv.iter_fit(images, config, train, stop=lambda: next(asked, True)))
    return folder / "checkpoint.json", lambda: next(nv.iter_fit(images, config, train))


def saved_batch(folder):
    write_record(
        folder / "a.csv", Record("a.tif", "detect", "done", "k", "m", {"n": 3, "w": "x", "s": None}, "c", [["a", 1]])
    )
    return folder / ".napari-vae" / "a.csv.json", lambda: read_record(folder / "a.csv")


def saved_job(folder):
    recipe = {"method": "filter", "sigma": 2.0, "spacing": 9.0, "sign": 1, "threshold": 4.5, "periodic": True}
    Parts(folder, {"stamp": [1]}).begin({"recipe": recipe, "limits": {"low": [0.0], "high": [1.0]}})
    return folder / "job.json", lambda: Parts(folder, {"stamp": [1]})


def saved_run(folder):
    shutil.copytree(OLD / "run", folder)
    return folder / "run.json", lambda: nv.load_run(folder, device="cpu").decode([[0.0, 0.0]])


def saved_analysis(folder):
    shutil.copytree(OLD, folder)
    return folder / "analysis.json", lambda: nv.load_analysis(folder).layers()


@pytest.mark.parametrize(
    "save", [saved_run, saved_analysis, saved_record, saved_kernel, saved_checkpoint, saved_batch, saved_job]
)
def test_one_wrong_entry_in_json_of_ours_is_one_sentence_or_nothing(save, tmp_path):
    marker, load = save(tmp_path / "a")
    whole = marker.read_text(encoding="utf-8")
    load()
    rng, refused = random.Random(0), 0
    for _ in range(30):
        broken = json.loads(whole)
        damage(broken, rng)
        marker.write_text(json.dumps(broken), encoding="utf-8")
        try:
            load()
        except InputError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 500
        if not marker.exists():  # what is none of this job is taken away
            marker.parent.mkdir(exist_ok=True)
    assert refused or save in (saved_batch, saved_job)


@pytest.mark.parametrize("suffix", [".csv", ".xyz", ".emi"])
def test_gigabytes_of_nothing_are_not_read(here, suffix):
    resource = pytest.importorskip("resource")
    if suffix == ".emi":
        pytest.importorskip("rsciio")
    with (here / f"a{suffix}").open("wb") as file:
        file.truncate(1 << 32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert_refused(here / f"a{suffix}")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # KiB


def test_a_word_of_a_million_letters_where_a_name_should_be(here):
    (here / "a.xyz").write_text(f"1\n{'a' * 1_000_000}\nX 0 0 0\n")
    assert_refused(here / "a.xyz")


# ---- damage ---------------------------------------------------------------------------------------------------------


def samples(folder):
    """A small file of every format that can be written here."""
    image = np.random.default_rng(0).integers(0, 200, (24, 32)).astype(np.uint16)
    tifffile.imwrite(folder / "a.tif", np.stack([image] * 3), imagej=True, metadata={"axes": "TYX", "unit": "nm"})
    tifffile.imwrite(folder / "b.tif", image, compression="zlib")
    np.save(folder / "a.npy", image)
    (folder / "a.dat").write_bytes(struct.pack("<2I", 24, 32) + image.astype("<f8").tobytes())
    import imageio.v3 as imageio

    for suffix in (".png", ".jpg"):
        imageio.imwrite(folder / f"a{suffix}", image.astype(np.uint8))
    (folder / "a.sxm").write_bytes(
        b":SCANIT_TYPE:\nFLOAT MSBFIRST\n:SCAN_PIXELS:\n32 24\n:SCAN_RANGE:\n1E-9 1E-9\n:DATA_INFO:\n"
        b"\tName\tUnit\tDirection\n\tZ\tm\tboth\n:SCANIT_END:\n\x1a\x04" + np.stack([image] * 2).astype(">f4").tobytes()
    )
    properties = json.dumps({"datum_dimension_count": 2, "dimensional_calibrations": [{"scale": 1, "units": "nm"}] * 2})
    with zipfile.ZipFile(folder / "a.ndata", "w") as archive:
        archive.write(folder / "a.npy", "data.npy")
        archive.writestr("metadata.json", properties)
    mrc = bytearray(1024)
    mrc[:16], mrc[208:212] = struct.pack("<4i", 32, 24, 1, 6), b"MAP "
    (folder / "a.mrc").write_bytes(bytes(mrc) + image.tobytes())
    table = pd.DataFrame({"y": [1.0, 2.0], "x": [3.0, 4.0], "z1": [0.1, 0.2], "kind": ["a", "b"]})
    for ending in TABLE_ENDINGS:
        write_table(table, folder / f"t{ending}", pixel_size=(0.1, 0.1), units="nm")
    import h5py

    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("data", data=image).attrs["properties"] = properties
    with h5py.File(folder / "b.emd", "w") as file:
        file.attrs["version_major"], file.attrs["version_minor"] = 0, 2
        group = file.create_group("data/image")
        group.attrs["emd_group_type"] = 1
        group["data"], group["dim1"], group["dim2"] = image, np.arange(24.0), np.arange(32.0)


def test_damaged_files_of_every_format_are_read_or_refused(here):
    for package in ("h5py", "pyarrow", "anndata"):
        pytest.importorskip(package, reason="needs the extras")
    whole = here / "whole"
    whole.mkdir()
    samples(whole)
    rng = np.random.default_rng(1)
    for path in sorted(whole.iterdir()):
        load = read_table if path.stem == "t" else read
        load(path)
        content, damaged = path.read_bytes(), here / path.name
        slow = path.suffix in (".h5", ".h5ad", ".emd")  # each is looked through in a process of its own
        for number in range(2 if slow else 12):
            broken = bytearray(content)
            for place in rng.integers(0, len(content) if number % 2 else min(len(content), 600), 1 + number):
                broken[place] ^= 1 << rng.integers(0, 8)
            damaged.write_bytes(broken if number else content[: len(content) // 2])
            try:
                load(damaged)
            except ReadError as error:
                assert "\n" not in str(error) and path.name in str(error)


@pytest.mark.parametrize("suffix", ["dm3", "dm4", "ser", "emi", "mrc", "tif"])
def test_damaged_real_files_are_read_or_refused(real_data, here, suffix):
    files = [path for path in sorted((real_data / "formats").rglob(f"*.{suffix}")) if path.stat().st_size < 200_000]
    rng = np.random.default_rng(2)
    for path in files[:4]:
        content, damaged = path.read_bytes(), here / path.name
        for number in range(8):
            broken = bytearray(content)
            for place in rng.integers(0, len(content) if number % 2 else 2000 % len(content), 1 + number):
                broken[place] ^= 1 << rng.integers(0, 8)
            damaged.write_bytes(broken)
            try:
                read(damaged).frame()
            except ReadError as error:
                assert "\n" not in str(error)


def test_readers_of_napari_never_fail_before_they_read(here):
    (here / "analysis.json").mkdir()
    assert get_reader(str(here)) is None and get_reader("a\0b.csv") is not None
