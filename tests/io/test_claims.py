"""Small files that claim to be large, or to hold much: no memory is filled, and each ends in one sentence."""

import os
import struct
import subprocess
import sys
import textwrap
import zipfile
import zlib
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_vae.core.errors import InputError, ReadError
from napari_vae.io import hdf5_arrays, read, vendor_checks
from napari_vae.io.json_files import MOST_BYTES, read_json
from napari_vae.io.vendor_checks import check_file
from napari_vae.io.writing import read_table, write_table
from napari_vae.layers.reader import read_layers
from refusing import assert_refused


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
    assert_refused(here / "a.h5ad", lambda path: hdf5_arrays.claimed_bytes(Path(path)))


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
    monkeypatch.setattr(hdf5_arrays, "SECONDS", 0.001)
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


@pytest.mark.parametrize(
    ("content", "sound"),
    [
        (b"<a><ObjectInfo>1</ObjectInfo><ObjectInfo>2</ObjectInfo></a>", True),
        (b"<a></a>", True),
        (b"<a><ObjectInfo>1<ObjectInfo>2</ObjectInfo></a>", False),
        (b"<a><ObjectInfo>1</ObjectInfo><ObjectInfo>2</a>", False),
    ],
    ids=["two", "none", "first without an end", "last without an end"],
)
def test_every_description_has_an_end_of_its_own(here, content, sound):
    (here / "a.emi").write_bytes(content)
    with nullcontext() if sound else pytest.raises(ReadError, match="cut short or damaged"):
        assert check_file(here / "a.emi") == "<"


def test_what_the_reader_takes_one_by_one_has_a_limit_and_pixels_have_none(digital_micrograph, monkeypatch):
    for name, most in ((b"a", 400), (b"a", 399), (b"Data", 399)):
        path, _ = digital_micrograph(20, 3, 100, name=name, size=4096)  # 100 numbers of 4 bytes
        monkeypatch.setattr(vendor_checks, "MOST_BYTES", most)
        with pytest.raises(ReadError, match="damaged") if (name, most) == (b"a", 399) else nullcontext():
            check_file(path)


@pytest.mark.parametrize(("said", "code", "size"), [("120\n", 0, 120), ("120", 1, None), ("", 0, None), ("x", 0, None)])
def test_what_is_claimed_is_believed_only_of_a_library_that_ends_well(here, monkeypatch, said, code, size):
    done = subprocess.CompletedProcess([], code, said, "")
    monkeypatch.setattr(hdf5_arrays.subprocess, "run", lambda *_, **options: done)
    with nullcontext() if size else pytest.raises(ReadError, match="damaged"):
        assert hdf5_arrays.claimed_bytes(here / "a.h5") == size


def test_sizes_of_an_mrc_in_the_other_order_of_bytes(here):
    pytest.importorskip("rsciio")
    header = bytearray(1024)
    header[:16], header[208:212] = struct.pack(">4i", 256, 256, 256, 0), b"MAP "
    (here / "a.mrc").write_bytes(bytes(header) + bytes(range(256)) * 256 * 256)
    image = read(here / "a.mrc")  # in the first order a 256 TiB file, which its reader would cut into pieces for hours
    assert image.shape == (256, 256, 256) and np.array_equal(image.data[7, 3], np.arange(256))


def npy_header(file, dtype, shape):
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})


def png_header(side, colour):
    """A picture that claims to have so many rows and columns, of a kind of colours."""
    header = struct.pack(">II5B", side, side, 8, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100_000))), (b"IEND", b"")]
    png = b"".join(struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks)
    return b"\x89PNG\r\n\x1a\n" + png


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # from 89 million pixels on
def test_a_picture_of_four_colours_that_its_library_would_unpack(here):
    (here / "a.png").write_bytes(png_header(13_000, 6))
    with pytest.raises(ReadError, match=r"unpack to 0\.6 GiB"):
        read(here / "a.png")


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
    (folder / "claim.png").write_bytes(png_header(150_000, 0))
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
        from napari_vae.core.errors import ReadError
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
    from napari_vae.runs.run import load_run
    from napari_vae.workflow.archive import load_analysis

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
    assert "damaged JSON" in read(here / "a.npy").metadata["notes"][-1]


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
    words = pa.table({"y": np.zeros(10_000), "x": np.zeros(10_000), "word": pa.array(["w" * 4000] * 10_000)})
    with pq.ParquetWriter(here / "words.parquet", words.schema) as file:
        for _ in range(20):
            file.write_table(words)
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
