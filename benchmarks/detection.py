"""Detection measured: real lattices and single atoms with labels, simulated micrographs, time.

Run ``python benchmarks/detection.py``; real images are looked for in the folder NAPARI_VAE_DATA, by default
``../shared/data``. Every image is detected with the same defaults.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import cKDTree

import napari_vae as nv

ROOT = Path(__file__).resolve().parent.parent
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


@dataclass(frozen=True)
class Agreement:
    """Precision and recall of found positions."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-12)


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


def spacing_of(points: np.ndarray) -> float:
    return float(np.median(cKDTree(points).query(points, 2)[0][:, 1]))


def pair(found: np.ndarray, truth: np.ndarray, radius: float) -> np.ndarray:
    """The true position (index) that each found one is paired with, −1 for none; as many pairs as possible."""
    if not len(found) or not len(truth):
        return np.full(len(found), -1)
    near = cKDTree(found).query_ball_tree(cKDTree(truth), radius)
    edges = np.array([(i, j) for i, others in enumerate(near) for j in others], dtype=int).reshape(-1, 2)
    graph = csr_matrix((np.ones(len(edges)), edges.T), shape=(len(found), len(truth)))
    return maximum_bipartite_matching(graph, perm_type="column")


def compare(sample: Labelled, found: np.ndarray, radius: float, border: float) -> Agreement:
    """Precision and recall inside the border and outside the ignored discs."""
    shape = np.array(np.shape(getattr(sample.image, "data", sample.image)))

    def counts(points: np.ndarray) -> np.ndarray:
        inside = ((points >= border) & (points <= shape - 1 - border)).all(axis=1)
        for row, column, reach in sample.ignored:
            inside &= np.hypot(points[:, 0] - row, points[:, 1] - column) > reach
        return inside

    partner = pair(found, sample.truth, radius)
    hit = np.zeros(len(sample.truth), dtype=bool)
    hit[partner[partner >= 0]] = True
    return Agreement(float((partner >= 0)[counts(found)].mean()), float(hit[counts(sample.truth)].mean()))


def agreement(
    sample: Labelled, radius: float | None = None, border: float | None = None, method: str = "auto"
) -> tuple[Agreement, float]:
    """Agreement of the default detection, or of another method, with the labels, and the spacing it found.

    `radius` is within which a position counts as found, by default a quarter of the spacing; `border` does not count,
    by default one spacing. Both in pixels.
    """
    atoms = nv.detect_atoms(sample.image, method=method)
    spacing = spacing_of(sample.truth)
    radius, border = NEAR * spacing if radius is None else radius, spacing if border is None else border
    return compare(sample, atoms[["y", "x"]].to_numpy(), radius, border), atoms.attrs["napari_vae"]["spacing"]


def cramer_rao(truth: pd.DataFrame, background: float, among: bool, sample: int = 300) -> float:
    """Smallest 2-D RMS error in pixels that Poisson noise allows for Gaussian columns of one known width.

    Each is taken alone, with its own noise; or `among` its neighbours, whose noise it has too, and whose heights and
    positions are as unknown as its own. From columns away from the border.
    """
    sigma, points, peaks = float(truth["sigma"].iloc[0]), truth[["y", "x"]].to_numpy(), truth["peak"].to_numpy()
    reach = int(5 * sigma)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    tree = cKDTree(points)
    inner = ((points > 3 * reach) & (points < points.max(axis=0) - 3 * reach)).all(axis=1) & (peaks > 0)
    variances = []
    for one in np.flatnonzero(inner)[:: max(1, int(inner.sum()) // sample)]:
        near = [one, *(k for k in tree.query_ball_point(points[one], 2 * reach) if k != one and peaks[k] > 0)]
        near = near if among else near[:1]
        down, across = (
            grid - (points[near, axis] - np.rint(points[one, axis]))[:, None, None] for axis, grid in ((0, y), (1, x))
        )
        shape = np.exp(-(down**2 + across**2) / (2 * sigma**2))
        derivatives = np.stack(
            [
                shape,
                peaks[near, None, None] * shape * down / sigma**2,
                peaks[near, None, None] * shape * across / sigma**2,
            ],
            1,
        )
        expected = (peaks[near, None, None] * shape).sum(0) + background
        flat = derivatives.reshape(3 * len(near), -1)
        flat = flat[(flat**2).sum(axis=1) > 1e-12 * (flat**2).sum(axis=1).max()]
        information = (flat / expected.ravel()) @ flat.T
        information[np.diag_indices(len(information))] *= 1 + 1e-9  # neighbours at the rim are hardly seen
        variances.append(np.linalg.inv(information)[1:3, 1:3].trace())
    return float(np.sqrt(np.mean(variances)))


@dataclass(frozen=True)
class Precision:
    """Simulated micrograph: agreement, 2-D RMS error, its limits (px), spread of the standardised errors."""

    agreement: Agreement
    error: float
    limit: float
    among: float
    spread: float


def precision(kind: str, dose: float, size: int = 1024, seed: int = 0) -> Precision:
    """Detect a simulated micrograph without scan noise and compare with its truth."""
    image, truth = nv.samples.micrograph(kind, size=size, dose=dose, seed=seed, jitter=0, drift=0, background=0.1)
    atoms = nv.detect_atoms(image)
    position, found = truth[["y", "x"]].to_numpy(), atoms[["y", "x"]].to_numpy()
    spacing = spacing_of(position)
    agreed = compare(Labelled(kind, image, position), found, NEAR * spacing, spacing)
    partner = pair(found, position, NEAR * spacing)
    inside = ((found > spacing) & (found < size - 1 - spacing)).all(axis=1) & (partner >= 0)
    error = found[inside] - position[partner[inside]]
    standardised = error / atoms[["y_err", "x_err"]].to_numpy()[inside]
    return Precision(
        agreed,
        float(np.sqrt((error**2).sum(axis=1).mean())),
        cramer_rao(truth, 0.1 * dose, among=False),
        cramer_rao(truth, 0.1 * dose, among=True),
        float(np.nanstd(standardised)),
    )


def seconds(call: Callable[[], object], repeats: int = 5) -> float:
    """Shortest wall time of a few calls."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return min(times)


def print_table(*rows: tuple[object, ...]) -> None:
    head, *body = [[f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    for row in (head, ["---"] * len(head), *body):
        print("| " + " | ".join(row) + " |")
    print()


def print_lattices(method: str) -> None:
    rows: list[tuple[object, ...]] = []
    gold = gold_particle()
    for sample, radius in (*((lattice, None) for lattice in lattices()), (gold, None), (gold, AUTHORS)):
        agreed, spacing = agreement(sample, radius, method=method)
        name = sample.name if radius is None else f"{sample.name}, within {radius:.0f} px"
        rows.append((name, len(sample.truth), agreed.precision, agreed.recall, agreed.f1, round(spacing, 1)))
    print(f"Real lattices, {method} (within 0.25 of the nearest-neighbour distance, away from the border)\n")
    print_table(("image", "labels", "precision", "recall", "F1", "spacing (px)"), *rows)


def print_single_atoms(method: str) -> None:
    rows: list[tuple[object, ...]] = []
    for name in ("acstem", "re_bpy"):
        scores = [agreement(sample, CLICKED, 0, method)[0] for sample in single_atoms(DATA / name)]
        means = (float(np.mean([getattr(score, what) for score in scores])) for what in ("precision", "recall", "f1"))
        rows.append((name, len(scores), *means))
    print(f"Single atoms, {method} (clicked, within 6 px; means over the images)\n")
    print_table(("set", "images", "precision", "recall", "F1"), *rows)


def print_simulated() -> None:
    rows: list[tuple[object, ...]] = []
    for kind in ("graphene", "perovskite"):
        for dose in (200.0, 10.0, 1.6):
            p = precision(kind, dose)
            found = p.agreement.precision, p.agreement.recall
            rows.append((kind, dose, *found, p.error, p.limit, p.error / p.limit, p.error / p.among, p.spread))
    print("Simulated 1024² (error: 2-D RMS in px; limit: Cramér–Rao of columns alone, and among their neighbours)\n")
    head = ("sample", "electrons/px at peak", "precision", "recall", "error", "limit", "ratio", "ratio among", "spread")
    print_table(head, *rows)


def print_times() -> None:
    rows: list[tuple[object, ...]] = []
    for kind, size in (("graphene", 1024), ("perovskite", 1024), ("graphene", 2048)):
        image, truth = nv.samples.micrograph(kind, size=size)
        rows.append((f"{kind} {size}²", len(truth), seconds(lambda image=image: nv.detect_atoms(image))))
    print("Time to detect and refine\n")
    print_table(("image", "atoms", "seconds"), *rows)


if __name__ == "__main__":
    if (DATA / "lattices").is_dir():
        for method in ("filter", "learned"):
            print_lattices(method)
            print_single_atoms(method)
    print_simulated()
    print_times()
