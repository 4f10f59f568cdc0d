"""Real images with reference positions, from the folder NAPARI_VAE_DATA (by default ``../shared/data``)."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import napari_vae as nv

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("NAPARI_VAE_DATA", ROOT / ".." / "shared" / "data")).resolve()
CLICKED = 6.0  # px within which a position counts as the one that somebody clicked
AUTHORS = 8.0  # px, for the gold particle, whose columns were marked with a scatter of about 3 px along each axis
NEAR = 0.25  # of the nearest-neighbour distance, for fitted reference positions


@dataclass(frozen=True)
class Labelled:
    """A real image with reference positions (N, 2; row, column), and discs (row, column, radius) that do not count."""

    name: str
    image: object
    truth: np.ndarray
    ignored: tuple[tuple[float, float, float], ...] = ()


def lattices(folder: Path = DATA / "lattices") -> Iterator[Labelled]:
    """The labelled lattices."""
    for name, image, labels in (
        ("SrTiO3", "16_STOimage_1.ser", "NCEM_STO_ser.csv"),
        ("MoS2 with Se", "example_Se_implanted_MoS2.dm3", "TEMUL_Se_MoS2.csv"),
        ("oxide superlattice", "DMReader_Image_SI-Survey.dm3", "SciFiReaders_SI_Survey.csv"),
        ("MoS2", "MoS2_stem_Exp-001-5.npy", "SciLink_MoS2_Exp-001-5.csv"),
    ):
        yield Labelled(name, nv.read(folder / image), read_labels(folder / labels))
    heights = np.fromfile(folder / "image_with_defects.dat", "<f8", offset=8).reshape(256, 256)
    discs = ((232.0, 45.0, 58.0), (14.0, 8.0, 24.0))
    yield Labelled("STM with vacancies", heights, read_labels(folder / "spiepy_image_with_defects.csv"), discs)


def gold_particle(folder: Path = DATA / "lattices") -> Labelled:
    """The resolved gold particle, whose authors marked part of the columns."""
    import h5py

    with h5py.File(folder / "Au_NP_Atom_Lattice.hdf5") as file:
        found: list[np.ndarray] = []
        file.visititems(lambda _, item: found.append(item[()]) if getattr(item, "shape", ()) == (479, 504) else None)
    return Labelled("Au particle", found[0], np.load(folder / "Au_NP_atom_positions.npy")[:, 1::-1])


def single_atoms(folder: Path) -> Iterator[Labelled]:
    """Images of single atoms on a support with clicked positions."""
    for path in sorted(folder.iterdir()):
        if path.suffix in (".tif", ".png"):
            labels = (
                path.with_name(f"{path.stem[:3]}_Results.csv") if folder.name == "acstem" else path.with_suffix(".csv")
            )
            yield Labelled(path.stem, nv.read(path), read_labels(labels, last=True))


def read_labels(path: Path, last: bool = False) -> np.ndarray:
    """Row and column from a table whose first (or `last`) two columns are x and y."""
    with path.open(newline="") as file:
        rows = [[cell for cell in row if cell.strip()] for row in csv.reader(file)][1:]
    pairs = [row[-2:] if last else row[:2] for row in rows if len(row) >= 2]
    return np.array(pairs, dtype=float)[:, ::-1]
