"""Small files as instruments and other programs write them, of pixels 0.02 nm high and 0.03 nm wide.

Each function writes one image, or channels that are multiples of it; `tests/io` reads them back.
"""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

STEP_Y, STEP_X = 0.02e-9, 0.03e-9
Pixels = np.ndarray


def gsf(path: Path, pixels: Pixels) -> None:
    rows, columns = pixels.shape
    words = f"XRes = {columns}\nYRes = {rows}\nXReal = {columns * STEP_X}\nYReal = {rows * STEP_Y}\nXYUnits = m\n"
    header = f"Gwyddion Simple Field 1.0\n{words}ZUnits = V\nTitle = Phase\n".encode()
    path.write_bytes(header + bytes(4 - len(header) % 4) + pixels.astype("<f4").tobytes())


def _gwy_object(name: str, content: bytes) -> bytes:
    return name.encode() + b"\0" + struct.pack("<I", len(content)) + content


def _gwy_field(pixels: Pixels, unit: str) -> bytes:
    rows, columns = pixels.shape
    numbers = struct.pack("<I", pixels.size) + pixels.astype("<f8").tobytes()
    return _gwy_object(
        "GwyDataField",
        b"".join(
            [
                b"xres\0i" + struct.pack("<i", columns),
                b"yres\0i" + struct.pack("<i", rows),
                b"xreal\0d" + struct.pack("<d", columns * STEP_X),
                b"yreal\0d" + struct.pack("<d", rows * STEP_Y),
                b"si_unit_xy\0o" + _gwy_object("GwySIUnit", b"unitstr\0s" + unit.encode("latin-1") + b"\0"),
                b"si_unit_z\0o" + _gwy_object("GwySIUnit", b"unitstr\0sA\0"),
                b"data\0D" + numbers,
            ]
        ),
    )


def gwy(path: Path, pixels: Pixels) -> None:
    items = b"/0/data\0o" + _gwy_field(2 * pixels, "m") + b"/0/data/title\0sCurrent\0/0/base/min\0d" + bytes(8)
    items += b"/1/data\0o" + _gwy_field(pixels, "m") + b"/1/data/title\0sTopography\0/1/show\0b\1"
    items += b"/2/select\0D" + struct.pack("<I2d", 2, 1.0, 2.0) + b"/notes\0S" + struct.pack("<I", 2) + b"a\0b\0"
    path.write_bytes(b"GWYP" + _gwy_object("GwyContainer", items))


def gwy_1(path: Path, pixels: Pixels) -> None:
    """As version 1 wrote it, with a prefix of the unit that says nothing."""
    items = struct.pack("<I", 0x40) + b"/0/base/palette\0Blue\0" + struct.pack("<I", 0x50) + b"/0/data\0"
    items += _gwy_field(pixels, "\xb5m") + struct.pack("<I", 0x3C) + b"/0/base/min\0" + bytes(8)
    path.write_bytes(b"GWYO" + _gwy_object("GwyContainer", items))


def ibw(path: Path, pixels: Pixels, names: tuple[str, ...] = ("AmplitudeRetrace", "HeightRetrace")) -> None:
    """Layers that are multiples of the image, the last once, with names; without names one image."""
    layers = [pixels * (len(names) - n) for n in range(len(names))] or [pixels]
    numbers = np.stack(layers)[:, ::-1].astype("<f4").tobytes()
    labels = b"".join(name.encode().ljust(32, b"\0") for name in ("", *names)) if names else b""
    header = bytearray(384)
    struct.pack_into("<h", header, 0, 5)
    struct.pack_into("<4i", header, 4, 320 + len(numbers), 0, 6, 5)
    struct.pack_into("<i", header, 44, len(labels))
    struct.pack_into("<h", header, 80, 2)
    struct.pack_into("<4i", header, 132, *pixels.shape[::-1], len(names), 0)
    struct.pack_into("<2d", header, 148, STEP_X, STEP_Y)
    header[212:213], header[216:217], header[220:221], header[224:225] = b"m", b"m", b"m", b"s"
    path.write_bytes(bytes(header) + numbers + b"a note" + b"metre" + labels)


def sm4(path: Path, pixels: Pixels) -> None:
    """Two scans of topography and one of a current, upright and turned around as the signs of their steps say."""
    turned = pixels[::-1, ::-1]
    pages = [
        ("Current", 0, 2 * pixels, (1, -1)),
        ("Topography", 1, pixels, (1, -1)),
        ("Topography", 0, turned, (-1, 1)),
    ]
    signature = "STiMage 005.004 1".encode("utf-16-le").ljust(36, b"\0")
    start = 58 + 12  # of the index header: file header and one object
    content = struct.pack("<H", 56) + signature + struct.pack("<5I", len(pages), 1, 12, 0, 0)
    content += struct.pack("<3I", 1, start, 16) + struct.pack("<4I", len(pages), 1, 0, 0)
    content += struct.pack("<3I", 2, start + 28, 32 * len(pages))
    place = start + 28 + (32 + 24) * len(pages)
    index, bodies = b"", b""
    for name, way, image, (sign_x, sign_y) in pages:
        texts = [name, *[""] * 6, "m", "m", *(("A", "", "") if name == "Current" else ("m",))]
        words = b"".join(struct.pack("<H", len(text)) + text.encode("utf-16-le") for text in texts)
        rows, columns = image.shape
        header = struct.pack("<2H13I", 170, len(texts), 1, 0, 0, 0, 0, columns, rows, 0, way, 0, 4 * image.size, 0, 0)
        header += struct.pack("<11f", sign_x * STEP_X, sign_y * STEP_Y, 0.5, 0, 0, 0, 1.0, 0, 0, 0, 0)
        header += struct.pack("<4I", 0, 0, 0, 1) + bytes(64)
        header += struct.pack("<3I", 10, place + len(header) + 12, len(words))
        index += bytes(16) + struct.pack("<4I", 0, 0, 2, 6)
        index += struct.pack("<6I", 3, place, len(header), 4, place + len(header) + len(words), 4 * image.size)
        body = header + words + (2 * (image.astype("<i4") - 1)).tobytes()
        bodies, place = bodies + body, place + len(body)
    path.write_bytes(content + index + bodies)


def createc(path: Path, pixels: Pixels, version: str = "Paramco32") -> None:
    """Both directions of Z and the current; of the oldest version only Z."""
    rows, columns = pixels.shape
    channels = [pixels] if version == "Parameter" else [pixels, 2 * pixels, 3 * pixels, 4 * pixels]
    words = f"[{version}]\r\nNum.X / Num.X={columns}\r\nNum.Y / Num.Y={rows}\r\nScanmode / ScanXMode=2\r\n"
    words += f"Length x[A]={columns * STEP_X * 1e10}\r\nLength y[A]={rows * STEP_Y * 1e10}\r\n"
    words += f"Channels={len(channels)}\r\n"
    dtype = "<i2" if version == "Parameter" else "<f4"
    content = np.concatenate([[0], *(channel.ravel() for channel in channels)]).astype(dtype).tobytes()
    packed = b"DATA" + zlib.compress(content)
    path.write_bytes(words.encode().ljust(16380, b"\0") + (packed if version == "Paramco32" else bytes(4) + content))


def nxs(path: Path, pixels: Pixels) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        for n, name in enumerate(("current_backward", "current_forward", "z_backward", "z_forward")):
            group = file.create_group(f"entry/{name}")
            group.attrs["NX_class"], group.attrs["signal"], group.attrs["axes"] = "NXdata", "data", ["y", "x"]
            group["data"] = (4 - n) * pixels
            group["data"].attrs["units"] = "m"
            for axis, size, step in zip("yx", pixels.shape, (STEP_Y, STEP_X), strict=True):
                group[axis] = 1e-7 + step * np.arange(size)
                group[axis].attrs["units"] = "m"


def npz(path: Path, pixels: Pixels) -> None:
    np.savez_compressed(path, image=pixels, movie=np.stack([pixels] * 3)[:, None], words=np.array("none"))
    path.with_suffix(".json").write_text(json.dumps({"pixel_size": [STEP_Y * 1e9, STEP_X * 1e9], "units": "nm"}))


def prz(path: Path, pixels: Pixels) -> None:
    steps = [{"unit": "m", "value": step, "offset": 0} for step in (STEP_X, STEP_Y)]
    about = json.dumps([{"device.calib": steps, "repo_id": "scan.prz", "type": "2D"}])
    with path.open("wb") as file:
        np.savez_compressed(file, data=pixels, meta_data_json=about)


def zarr(path: Path, pixels: Pixels) -> None:
    """OME-Zarr with a movie in two sizes."""
    from zarr import open_group

    group = open_group(path, mode="w")
    group.create_array("0", data=np.stack([pixels] * 2))
    group.create_array("1", data=np.stack([pixels[::2, ::2]] * 2))
    axes: list[dict[str, Any]] = [{"name": "t", "type": "time"}]
    axes += [{"name": axis, "type": "space", "unit": "picometer"} for axis in "yx"]
    scale = {"type": "scale", "scale": [1.0, STEP_Y * 1e12, STEP_X * 1e12]}
    levels = [{"path": str(n), "coordinateTransformations": [scale]} for n in range(2)]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": levels}]}


def zspy(path: Path, pixels: Pixels) -> None:
    """As HyperSpy lays it out."""
    from zarr import open_group

    signal = open_group(path, mode="w", zarr_format=2).create_group("Experiments/scan")
    signal.create_array("data", data=pixels)
    for number, (axis, step) in enumerate((("y", STEP_Y), ("x", STEP_X))):
        about = {"name": axis, "scale": step * 1e9, "units": "nm", "offset": 0, "navigate": False}
        signal.create_group(f"axis-{number}").attrs.update(about | {"size": pixels.shape[number]})
    signal.create_group("metadata/General").attrs["title"] = "HAADF"
    signal.create_group("metadata/Signal").attrs["signal_type"] = ""


def blo(path: Path, pixels: Pixels) -> None:
    rows, columns = pixels.shape
    sizes = (0x0102, 0x1000, 0x1000 + pixels.size, 0, 4, 0, columns, rows, 0)
    header = b"IMGBLO" + struct.pack("<H3I5H2d", *sizes, STEP_X * 1e9, STEP_Y * 1e9)
    path.write_bytes(header.ljust(0x1000, b"\0") + pixels.astype("u1").tobytes() + bytes(16 * pixels.size))


def mib(path: Path, pixels: Pixels) -> None:
    """Three frames."""
    rows, columns = pixels.shape
    words = f"MQ1,000001,00384,01,{columns:04},{rows:04},U16,   1x1,01,2020-05-18T16:51:49.971626178Z,555000ns,6,"
    frame = words.encode().ljust(384, b"\0") + pixels[::-1].astype(">u2").tobytes()
    path.write_bytes(frame * 3)


def sur(path: Path, pixels: Pixels) -> None:
    from rsciio import digitalsurf

    named = zip("yx", pixels.shape, (STEP_Y, STEP_X), strict=True)
    axes = [
        {"name": axis, "size": size, "scale": step * 1e9, "units": "nm", "offset": 0, "navigate": False}
        | {"index_in_array": number}
        for number, (axis, size, step) in enumerate(named)
    ]
    about = {"General": {"title": "topography"}, "Signal": {"signal_type": ""}}
    digitalsurf.file_writer(
        str(path), {"data": pixels.astype(np.int32), "axes": axes, "metadata": about, "original_metadata": {}}
    )


WRITERS = {f".{one.__name__}": one for one in (gsf, gwy, ibw, sm4, nxs, npz, prz, zarr, zspy, blo, mib, sur)}
WRITERS[".dat"] = createc
