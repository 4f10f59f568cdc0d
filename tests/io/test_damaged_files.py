"""Damaged files of every format are read, or refused in one sentence."""

import json
import struct
import zipfile

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_vae.core.errors import ReadError
from napari_vae.io import read
from napari_vae.io.writing import TABLE_ENDINGS, read_table, write_table


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
