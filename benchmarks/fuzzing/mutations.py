"""Damage done to a copy of a file or folder: every choice is drawn from one generator, so a seed repeats it."""

from __future__ import annotations

import copy
import io
import json
import os
import random
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow.parquet import ParquetWriter

from napari_vae import read_table, write_table

NUMBERS = "nan -nan inf -inf 1e308 1e309 1e-320 -1 0 -0 0.5 1,5 1_0 0x10 65536 4294967296 -2147483649 100000000 " + (
    "1000000000000 -9223372036854775808 99999999999999999999"
)
LETTERS = 'x T None true =1+1 é Å☃µ \u202e \x1b]0;t\x07 \x00 " , ; ../../x /dev/zero %s{0}'
WORDS = ["", " ", "\t", "\n", "\r\n", "a" * 70_000, "1" * 5000, *NUMBERS.split(" "), *LETTERS.split(" ")]
SHORT = [word.replace("\0", "") for word in WORDS if len(word) < 100]  # for what holds no long ones
NAMES = ["y", "x", "frame", "class", "z1", "z2", "atom", "angle", "track", "Y", "", "axis-0", "index", "sublattice"]
NODES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 0.5, -0.5, 1e-320, 1e308, -1e308, 10**6, 2**31, 2**63, 10**30, -(10**30)),
    *(float("nan"), float("inf"), -float("inf"), [], {}, [[]], [0], [None], {"a": 1}, [1] * 100_000, ["a", 1, None]),
    *WORDS,
]
Damage = Callable[[bytes, random.Random], bytes]


# ---- bytes and text -------------------------------------------------------------------------------------------------


def any_bytes(data: bytes, rng: random.Random) -> bytes:
    """One to four changes of bytes."""
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        data = rng.choice([_flip, _flip, _cut, _chunk, _integer, _integer, _integer, number_words])(data, rng)
    return data


def _place(data: bytes, rng: random.Random) -> int:
    """Somewhere, but often near the ends, where headers and directories lie."""
    near = min(len(data), 600)
    return max(
        0, rng.choice([rng.randrange(near + 1), rng.randrange(len(data) + 1), len(data) - rng.randrange(near + 1)])
    )


def _flip(data: bytes, rng: random.Random) -> bytes:
    broken = bytearray(data)
    for _ in range(rng.choice([1, 1, 3, 30])):
        if (place := _place(data, rng)) < len(broken):
            broken[place] ^= 1 << rng.randrange(8)
    return bytes(broken)


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: _place(data, rng)]


def _chunk(data: bytes, rng: random.Random) -> bytes:
    start, length = _place(data, rng), rng.choice([1, 2, 4, 8, 64, 1000, len(data) // 3])
    part = data[start : start + length]
    new = [b"", part * 2, part * 50, bytes(length), b"\xff" * length, rng.randbytes(min(length, 1000)), part[::-1]]
    return data[:start] + rng.choice(new)[: 1 << 22] + data[start + length :]


def _integer(data: bytes, rng: random.Random) -> bytes:
    """A number of 1 to 8 bytes at the limits of its type, or near the size of the file."""
    width, order = rng.choice([1, 2, 4, 4, 8]), rng.choice(["little", "big"])
    top = 1 << 8 * width
    limits = [0, 1, 2, top - 1, top - 2, top // 2, top // 2 - 1, len(data), len(data) + 1, 1 << 20, 1 << 31, 1 << 40]
    place = _place(data, rng) // min(width, 4) * min(width, 4)
    return data[:place] + (rng.choice(limits) % top).to_bytes(width, order) + data[place + width :]


def number_words(data: bytes, rng: random.Random) -> bytes:
    """A number or word of the text in a file becomes another one."""
    found = list(re.finditer(rb"-?[0-9.]+(e-?[0-9]+)?|[A-Za-z_]{2,20}", data[: 1 << 16]))
    if not found:
        return _flip(data, rng)
    match = rng.choice(found)
    return data[: match.start()] + rng.choice(WORDS).encode() + data[match.end() :]


def lines(data: bytes, rng: random.Random) -> bytes:
    """A CSV file with other cells, names, columns, rows, separators or letters."""
    rows = [line.split(",") for line in data.decode("utf-8", "replace").splitlines()] or [[""]]
    row, column = rng.randrange(len(rows)), rng.randrange(max(1, len(rows[0])))
    word, kind = rng.choice(WORDS), rng.randrange(12)
    if kind < 3 and rows[row]:
        rows[row][rng.randrange(len(rows[row]))] = word
    elif kind == 3:
        rows[0][column] = rng.choice([word, *NAMES])
    elif kind == 4:
        rows = [rows[0], *([*cells[:column], word, *cells[column + 1 :]] for cells in rows[1:])]
    elif kind == 5:
        rows = [[*cells, *cells[column : column + 1]] for cells in rows]
    elif kind == 6:
        rows = [cells[:column] + cells[column + 1 :] for cells in rows]
    elif kind == 7:
        rows = rng.choice([rows[:1], rows[1:], rows * 2, [*rows, rows[row]], rows[:row], [*rows, [], []], rows[::-1]])
    elif kind == 8:
        rows[row] = rng.choice([rows[row][:1], rows[row] * 3, [word]])
    text = "\n".join(rng.choice([",", ";", "\t"] if kind == 9 else [","]).join(cells) for cells in rows) + "\n"
    return text.encode(rng.choice(["utf-16", "utf-8-sig", "utf-32", "latin-1"]) if kind == 10 else "utf-8", "replace")


# ---- JSON -----------------------------------------------------------------------------------------------------------


def json_nodes(data: bytes, rng: random.Random) -> bytes:
    """JSON of which one to three nodes are of another type, length or value, or are gone."""
    value = json.loads(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        value = json_value(value, rng)
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.03:  # names and nodes that the library would not write
        text = rng.choice(
            ["[" * 100_000 + text, text.replace("{", '{"format": 1, "format": {}, ', 1), text + text, "NaN"]
        )
    return text.encode("utf-8", "surrogatepass")


def json_value(value: Any, rng: random.Random) -> Any:
    """A copy of a value with one node changed."""
    top = [copy.deepcopy(value)]
    parent, key = _walk(top, rng)
    old, kind = parent[key], rng.randrange(10)
    if kind == 0 and parent is not top:
        del parent[key]
    elif kind == 1 and isinstance(parent, list):
        parent[key:key] = [old] * rng.choice([1, 3, 1000])
    elif kind == 1:
        parent[rng.choice(WORDS)] = parent.pop(key)
    elif kind == 2:
        parent[key] = rng.choice([[old], {"a": old}, [old, old], str(old), [[[[old]]]]])
    elif kind == 3:
        other, name = _walk(top, rng)
        parent[key] = copy.deepcopy(other[name])
    elif kind in (4, 5) and isinstance(old, int | float):
        parent[key] = rng.choice(
            [-old, old + 1, old - 1, old + 0.5, 3 * old, old * 1e6, old * 1e300, old / 1e300, str(old)]
        )
    elif kind in (4, 5) and isinstance(old, list):
        parent[key] = rng.choice([old[:-1], old[1:], old[::-1], old * 2, old * 1000, dict(enumerate(map(str, old)))])
    else:
        parent[key] = copy.deepcopy(rng.choice(NODES))
    return top[0]


def _walk(top: list[Any], rng: random.Random) -> tuple[Any, Any]:
    """Some node, as what holds it and its name there: each branch of a node is as likely as the others."""
    parent, key = top, 0
    while isinstance(parent[key], dict | list) and parent[key] and rng.random() < 0.85:
        parent = parent[key]
        key = rng.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
    return parent, key


def tensors(data: bytes, rng: random.Random) -> bytes:
    """Weights whose header is changed as JSON, or of which some are no numbers, or huge ones."""
    size = int.from_bytes(data[:8], "little")
    header, body = data[8 : 8 + size], bytearray(data[8 + size :])
    if rng.random() < 0.4:
        header = json_nodes(header, rng)
    else:
        told = [part for name, part in json.loads(header).items() if name != "__metadata__"]
        start, end = rng.choice(told)["data_offsets"]
        one = rng.random() < 0.3
        value = np.float32(rng.choice([np.nan, np.inf, -np.inf, 1e38, -1e30, 1e10, 0, 1e-40])).tobytes()
        body[start : start + 4 if one else end] = value if one else value * ((end - start) // 4)
    return len(header).to_bytes(8, "little") + header + bytes(body)


# ---- tables, HDF5 and archives --------------------------------------------------------------------------------------


def table(path: Path, rng: random.Random) -> None:
    """A table with other values, types, names, columns or rows, written by ours or, of parquet, by pandas."""
    if path.suffix == ".parquet" and rng.random() < 0.01:
        _repeated(path, rng)
        return
    frame = read_table(path)
    origin = frame.attrs.get("origin", {})
    for _ in range(rng.choice([1, 1, 2])):
        frame = _frame(frame, rng)
    if path.suffix == ".parquet" and rng.random() < 0.5:
        frame.attrs = {"origin": json_value(origin, rng)} if rng.random() < 0.5 else {}
        frame.reset_index().to_parquet(path)
        return
    write_table(frame, path, pixel_size=origin.get("pixel_size"), units=str(rng.choice([*SHORT, "nm", "µm", "Å"])))


def _repeated(path: Path, rng: random.Random) -> None:
    """A parquet file of very many equal rows, which take no room in it."""
    rows = pa.table({name: np.zeros(10**6) for name in ("y", "x", "frame")})
    with ParquetWriter(path, rows.schema) as file:
        for _ in range(rng.choice([1, 20, 150])):
            file.write_table(rows)


def _frame(frame: pd.DataFrame, rng: random.Random) -> pd.DataFrame:
    name = rng.choice(list(frame))
    column = frame[name] if isinstance(frame[name], pd.Series) else frame[name].iloc[:, 0]
    n = len(frame)
    whole = [10**12, -1, 10**8, 2**62, 0]
    values: list[Any] = [np.nan, np.inf, -np.inf, 1e308, -1e9, 1e12, 0.5]
    new: list[Callable[[], Any]] = [
        lambda: [rng.choice(WORDS) for _ in range(n)],
        lambda: [rng.choice([None, 1, "a", 2.5, b"x", True]) for _ in range(n)],
        lambda: np.full(n, rng.choice(whole)),
        lambda: np.where(np.arange(n) == rng.randrange(n), rng.choice(values), pd.to_numeric(column, "coerce")),
        lambda: np.full(n, rng.choice(values)),
        lambda: pd.array([None] + [1] * (n - 1), "Int64"),
        lambda: pd.date_range("2020", periods=n),
        lambda: pd.Categorical([rng.choice(WORDS) for _ in range(n)]),
        lambda: np.arange(n) % 2 == 0,
        lambda: column.astype(str).to_numpy(object),
    ]
    kind = rng.randrange(8)
    if kind < 4:
        return frame.assign(**{name: rng.choice(new)()})
    if kind == 4:
        return frame.rename(columns={name: rng.choice([*NAMES, *WORDS])})
    if kind == 5:
        return rng.choice([frame.drop(columns=[name]), frame[:0], frame[:1], frame[[name]], frame[::-1]])
    if kind == 6:
        return frame.set_axis(
            rng.choice([pd.Index([0] * n), pd.Index(["a"] * n), pd.Index(np.arange(n) * -1.5)]), axis=0
        )
    return pd.concat([frame, frame[[name]]], axis=1)


def hdf5(path: Path, rng: random.Random) -> None:
    """An HDF5 file in which one object is gone, of another kind or shape, of endless rows, or leads in a circle."""
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        name = rng.choice(names)
        item = file[name]
        if rng.random() < 0.4 and (holders := [h for h in (item, file) if len(h.attrs)]):
            holder = rng.choice(holders)
            key = rng.choice(sorted(holder.attrs))
            value = rng.choice([1, -1.5, np.nan, np.zeros(0), np.arange(5), b"\xff", 10**18, *SHORT])
            holder.attrs.pop(key, None)
            if rng.random() < 0.8:
                holder.attrs[key] = value
            return
        shape = getattr(item, "shape", None) or (3,)
        del file[name]
        kind = rng.randrange(9)
        rows = rng.choice([10**6, 6 * 10**8, 2**40])
        if kind == 0:
            file.create_group(name)
        elif kind == 1:
            file[name] = h5py.SoftLink(rng.choice([f"/{name}", "/", "/nowhere"]))
        elif kind == 2:
            file[name] = h5py.ExternalLink("other.h5", "/x")
        elif kind == 3:
            file.create_dataset(name, (rows, *shape[1:]), rng.choice(["f8", "u1"]), chunks=True, compression="gzip")
        elif kind == 4:
            file[name] = rng.choice([np.zeros(0), np.zeros((2, 3, 4, 5)), np.array(1.5), np.full(shape, np.nan)])
        elif kind == 5:
            file.create_dataset(name, data=[rng.choice(SHORT)] * 3, dtype=h5py.string_dtype())
        elif kind == 6:
            file.create_dataset(name, data=np.zeros(shape, rng.choice(["c16", "f2", "i8", "?", "S3", [("a", "f4")]])))
        elif kind == 7:
            file.create_dataset(name, dtype=rng.choice(["f4", "i4"]), data=h5py.Empty("f4"))


def archive(path: Path, rng: random.Random) -> None:
    """A ZIP archive of which one member is damaged, or gone."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    name = rng.choice(sorted(members))
    members[name] = damage_of(name, rng)(members[name], rng)
    if rng.random() < 0.1:
        members.pop(name)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as new:
        for name, content in members.items():
            new.writestr(zipfile.ZipInfo(name), content)
    path.write_bytes(buffer.getvalue())


# ---- files and folders ----------------------------------------------------------------------------------------------


def damage_of(name: str, rng: random.Random) -> Damage:
    """What is done to the content of a file, by its name; now and then it is plain bytes."""
    special = {".json": json_nodes, ".safetensors": tensors, ".csv": lines, ".xyz": number_words, ".sxm": number_words}
    return special.get(Path(name).suffix, any_bytes) if rng.random() < 0.8 else any_bytes


def mutate(target: Path, rng: random.Random) -> str:
    """Damage one file of the folder that `target` lies in; returns what was done, in words."""
    sample = target.parent
    files = sorted(path for path in sample.rglob("*") if path.is_file())
    path = (
        rng.choice([path for path in files if path.suffix == ".json"] or files)
        if rng.random() < 0.4
        else rng.choice(files)
    )
    name = path.relative_to(sample).as_posix()
    if rng.random() < 0.06:
        return f"{name}: {_in_place_of(path, files, rng)}"
    whole = {".parquet": table, ".h5": hdf5, ".h5ad": table, ".ndata": archive, ".npz": archive, ".prz": archive}
    whole |= dict.fromkeys((".emd", ".hspy", ".nhdf", ".hdf5", ".dm5", ".nxs"), hdf5)
    change = whole.get(path.suffix)
    if change is not None and rng.random() < 0.75:
        before = path.read_bytes()
        try:
            change(path, rng)
            return f"{name}: {change.__name__}"
        except Exception:  # a value that this format cannot hold
            path.write_bytes(before)
    damage = damage_of(name, rng)
    path.write_bytes(damage(path.read_bytes(), rng))
    return f"{name}: {damage.__name__}"


def _in_place_of(path: Path, files: list[Path], rng: random.Random) -> str:
    """Something else where a file should be."""
    other, kind = rng.choice(files).read_bytes(), rng.randrange(8)
    path.unlink()
    if kind == 0:
        path.mkdir()
    elif kind == 1:
        os.mkfifo(path)
    elif kind == 2:
        path.symlink_to(rng.choice(["/dev/zero", "/dev/full", "/dev/null"]))
    elif kind == 3:
        path.symlink_to(path)
    elif kind == 4:
        path.touch()
    elif kind == 5:
        path.write_bytes(other)
    elif kind == 6:
        path.touch()
        os.truncate(path, 1 << 34)
    words = (
        "a folder",
        "a FIFO",
        "a device",
        "a link to itself",
        "empty",
        "another file",
        "16 GiB of zeros",
        "missing",
    )
    return words[kind]
