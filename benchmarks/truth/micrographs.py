"""Every real micrograph at hand with what is known to be right about it, from the folder NAPARI_VAE_DATA."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

import napari_vae as nv
from truth.labels import AUTHORS, CLICKED, DATA, NEAR, Labelled, gold_particle, lattices, read_labels, single_atoms
from truth.matching import Agreement, agreed, spacing_of

Interval = tuple[float, float]
Box = tuple[float, float, float, float]  # first row, first column, last row, last column


@dataclass(frozen=True)
class Known:
    """A real micrograph and what is right about its atoms; what is None is not known.

    Labels are matched within `radius` pixels inside the `box`, where atoms are also counted. `bar` is the least F1, and
    `count` and `spacing` (pixels) are intervals.
    """

    name: str
    image: object
    polarity: str | None = "bright"
    count: Interval | None = None
    spacing: Interval | None = None
    labels: np.ndarray | None = None
    radius: float = 0.0
    box: Box | None = None
    ignored: tuple[tuple[float, float, float], ...] = ()
    bar: float | None = None

    @property
    def is_judged(self) -> bool:
        """Whether more is known than the polarity."""
        return not (self.count is None and self.spacing is None and self.bar is None)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return np.shape(getattr(self.image, "data", self.image))[-2:]

    def counts(self, points: np.ndarray) -> np.ndarray:
        """Which of the positions (N, 2) lie in the box and outside what is ignored."""
        low, high = np.reshape(self.box or (0, 0, *self.shape), (2, 2))
        inside = ((points >= low) & (points <= high)).all(axis=1)
        for row, column, reach in self.ignored:
            inside &= np.hypot(*(points - (row, column)).T) > reach
        return inside


def micrographs(data: Path = DATA) -> Iterator[Known]:
    """The labelled images, then those of which only count, spacing or polarity is known."""
    yield from _labelled(data)
    yield from _counted(data)


def _labelled(data: Path) -> Iterator[Known]:
    unseen = data / "unseen"
    for sample in lattices(data / "lattices"):
        yield _away_from_border(sample, bar=0.98)
    yield _away_from_border(gold_particle(data / "lattices"), AUTHORS, bar=0.92)
    box = (170.0, 250.0, 470.0, 550.0)
    labels = read_labels(unseen / "reference" / "exp_hrstem_1.csv")
    layers = np.load(unseen / "exp_hrstem_1.npy")
    yield Known("modulated layers", layers, "bright", None, (7, 9.5), labels, 2.0, box, bar=0.95)
    gold = Labelled(
        "gold grain boundary",
        nv.read(unseen / "samples" / "gold_grain_boundary.png"),
        read_labels(unseen / "reference" / "gold_grain_boundary.csv"),
    )
    yield _away_from_border(gold, 4.5, bar=0.95)
    for folder in ("acstem", "re_bpy"):
        for sample in single_atoms(data / folder):
            yield Known(f"{folder} {sample.name[:11]}", sample.image, labels=sample.truth, radius=CLICKED)


def _away_from_border(sample: Labelled, radius: float | None = None, bar: float | None = None) -> Known:
    """A lattice, of which a rim one spacing wide does not count."""
    spacing = spacing_of(sample.truth)
    rows, columns = np.shape(getattr(sample.image, "data", sample.image))[-2:]
    box = (spacing, spacing, rows - 1 - spacing, columns - 1 - spacing)
    return Known(
        sample.name,
        sample.image,
        "bright",
        None,
        (0.9 * spacing, 1.1 * spacing),
        sample.truth,
        NEAR * spacing if radius is None else radius,
        box,
        sample.ignored,
        bar,
    )


def _counted(data: Path) -> Iterator[Known]:
    unseen, lattice = data / "unseen", data / "lattices"
    adatoms = nv.read(unseen / "Si_7x7_051.sxm")
    yield Known("Si(111)-7×7", adatoms, "bright", (352, 388))
    level = np.asarray(adatoms.data, dtype=float)
    yield Known("Si(111)-7×7, levelled", level - gaussian_filter(level, 25), "bright", (352, 388))
    molecules = nv.read(unseen / "example_LineProfile.sxm")
    below = (155.0, 0.0, *map(float, molecules.shape[-2:]))
    yield Known("molecules below a step", molecules, "bright", (120, 160), box=below)
    yield Known("STM without atoms", np.load(unseen / "createc_scan_11nm_ch0.npy"), None, (0, 10))
    yield Known("YBCO", nv.read(unseen / "YBCO_tem.tif"))
    yield Known("tungsten bronze, iDPC", nv.read(unseen / "BSSN_iDPC_70_id2154.tif"))
    checkerboard = nv.read(data / "formats" / "openNCEM_GPL3" / "Acquisition_18.emd")
    yield Known("perovskite checkerboard", checkerboard, "bright", (1805, 1995))
    yield Known("DyScO3", nv.read(unseen / "samples" / "DyScO3.png"))
    yield Known("Si dumbbells", nv.read(lattice / "Si110_5nmX25us_03_none_none.png"))
    yield Known("SrTiO3, ADF", nv.read(lattice / "test_ADF_cropped.hdf5"), "bright")
    yield Known("SrTiO3, ABF", nv.read(lattice / "test_ABF_cropped.hdf5"), "dark")
    survey = nv.read(lattice / "example_Au_nanoparticle.emd")
    resolved = (540.0, 1250.0, 1020.0, 1750.0)  # the one particle whose columns are
    yield Known("Au particles, survey", survey, "bright", (100, 250), box=resolved)


def agreement(known: Known, found: np.ndarray) -> Agreement:
    """Precision and recall of found positions (N, 2) against the labels, where they count."""
    assert known.labels is not None
    return agreed(found, known.labels, known.radius, known.counts)
