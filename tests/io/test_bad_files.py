"""Files that are no image, cut short or otherwise broken: one sentence each, and nothing is executed."""

import pickle
import struct
import sys
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from napari_vae.core.errors import ReadError
from napari_vae.io import read
from napari_vae.io.reading import FORMATS


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path("trap-was-sprung"),))


def test_nothing_is_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trap = np.empty((4, 4), object)
    trap[:] = Trap()
    np.save("a.npy", trap, allow_pickle=True)
    Path("b.npy").write_bytes(pickle.dumps(Trap()))
    for name in ("a.npy", "b.npy"):
        with pytest.raises(ReadError):
            read(name)
    assert not Path("trap-was-sprung").exists()


@pytest.mark.parametrize("suffix", sorted(set(FORMATS) - {".tiff", ".jpeg"}))
@pytest.mark.parametrize("content", [b"", b"\x00", b"no image at all", bytes(range(256)) * 20])
def test_a_file_that_is_no_image(tmp_path, suffix, content):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(ReadError) as caught:
        read(path)
    assert_one_sentence(caught.value, path)


@pytest.mark.parametrize("part", [0.01, 0.5, 0.95])
@pytest.mark.parametrize("name", ["a.tif", "b.tif", "a.png", "a.jpg", "a.npy", "stack.tif"])
def test_a_file_that_is_cut_short(tmp_path, name, part):
    path, noise = tmp_path / name, np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    if name == "a.tif":
        tifffile.imwrite(path, noise)
    elif name == "b.tif":
        tifffile.imwrite(path, noise, compression="zlib", imagej=False)
    elif name == "stack.tif":
        tifffile.imwrite(path, np.stack([noise] * 8), imagej=True)
    elif name == "a.npy":
        np.save(path, noise)
    else:
        imageio.imwrite(path, noise)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(ReadError) as caught:
        read(path)
    assert_one_sentence(caught.value, path)


def assert_one_sentence(error, path):
    text = str(error)
    assert path.name in text
    assert "\n" not in text
    assert len(text) < 250


def test_missing_folder_forbidden_and_unknown(tmp_path, monkeypatch):
    with pytest.raises(ReadError, match="no file"):
        read(tmp_path / "a.tif")
    with pytest.raises(ReadError, match="folder"):
        read(tmp_path)
    for name in ("a.docx", "a.xlsx", "a.raw", "noending"):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(ReadError, match="not supported; export it as TIFF"):
            read(tmp_path / name)
    (tmp_path / "a.zip").write_bytes(b"x")
    with pytest.raises(ReadError, match="archive; unpack it"):
        read(tmp_path / "a.zip")
    np.save(tmp_path / "a.npy", np.zeros((4, 4)))

    def forbidden(*args, **kwargs):
        raise PermissionError

    monkeypatch.setattr(np, "load", forbidden)
    with pytest.raises(ReadError, match="permissions"):
        read(tmp_path / "a.npy")


def test_formats_extra_missing(tmp_path, monkeypatch):
    (tmp_path / "a.dm3").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "rsciio.digitalmicrograph", None)
    with pytest.raises(ReadError, match=r'pip install "napari-vae\[formats\]"'):
        read(tmp_path / "a.dm3")


@pytest.mark.parametrize(
    "array", [np.zeros(5), np.zeros((2, 2, 2, 2)), np.array(["a"]), np.zeros((0, 4)), np.full((3, 3), "a")]
)
def test_arrays_that_are_no_image(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ReadError):
        read(tmp_path / "a.npy")


def test_every_real_file_reads_or_says_why_in_one_sentence(real_data):
    for path in [
        file for folder in ("formats", "lattices") for file in (real_data / folder).rglob("*.*") if file.is_file()
    ]:
        try:
            read(path)
        except ReadError as error:
            assert_one_sentence(error, path)


@pytest.mark.parametrize("name", ["lattices/16_STOimage_1.ser", "formats/openNCEM_GPL3/Acquisition_18.emd"])
def test_real_files_cut_short(real_data, tmp_path, name):
    path = tmp_path / Path(name).name
    path.write_bytes((real_data / name).read_bytes()[:300_000])
    with pytest.raises(ReadError) as caught:
        read(path)
    assert_one_sentence(caught.value, path)


def test_a_sentence_is_bounded_and_keeps_its_remedy():
    text = str(ReadError(f"There is no column {'a' * 70_000}; rename it."))
    assert len(text) < 400 and text.startswith("There is no column a") and text.endswith("a; rename it.")


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}])
def test_pages_that_lead_back_to_an_earlier_one_are_refused_and_not_followed(tmp_path, options):
    pages = np.random.default_rng(0).integers(0, 9, (4, 16, 16), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack", **options)
    assert np.array_equal(read(tmp_path / "a.tif").data, pages)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        first, last, kind = tiff.pages[0].offset, tiff.pages[-1], tiff.tiff
        end = last.offset + kind.tagnosize + len(last.tags) * kind.tagsize
        packed = struct.pack(kind.offsetformat, first)
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[end : end + len(packed)] = packed
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(ReadError, match="leads back to an earlier one"):
        read(tmp_path / "a.tif")
