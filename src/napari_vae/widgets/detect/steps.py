"""The steps of detection and measurement, run in their thread: nothing here touches a layer or a widget."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from ...core.micrograph import Micrograph, first_channel
from ...core.placement import Placement
from ...core.region import Mask
from ...layers.points import KEY
from ..common.jobs import Step, import_torch

if TYPE_CHECKING:
    from ...crystal.description import Crystal


WORDS = {
    "lattice": "Measuring the lattice …",
    "vacancies": "Looking for vacancies …",
    "displacements": "Measuring displacements and strain …",
    "intensities": "Summing intensities …",
}


@dataclass(frozen=True)
class DetectionRequest:
    """What the form asks for, taken on the main thread.

    `image` is the token of the layer. `spacing` is in pixels and, like `threshold`, ``None`` when it shall be found;
    `sublattices` of 1 looks for none.
    """

    image: str
    micrograph: Micrograph
    placement: Placement
    method: str = "auto"
    polarity: str = "auto"
    spacing: float | None = None
    threshold: float | None = None
    refine: bool = True
    weak: bool = False
    frame: int | None = None
    region: Mask | None = None
    sublattices: int | Literal["auto"] = 1
    follow: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of the detection."""
        frames = None if self.frame is None else [self.frame]
        where = {"frames": frames, "region": self.region}
        return {"method": self.method, "polarity": self.polarity, "spacing": self.spacing} | where


@dataclass(frozen=True)
class Candidates:
    """Everything on one frame that may be an atom, with its score, and what would be taken where nothing is chosen."""

    request: DetectionRequest
    atoms: pd.DataFrame
    threshold: float
    spacing: float
    polarity: str
    method: str


def detect_steps(stop: Callable[[], bool], request: DetectionRequest) -> Generator[Step, None, pd.DataFrame]:
    """Detect and, if asked, refine and tell sublattices apart."""
    from ...atoms import iter_detect_atoms
    from ...atoms.weak import note_weak
    from ...crystal.sublattices import assign_sublattices

    yield Step("Looking for atoms …")
    _prepare(request)
    begun = time.monotonic()
    image = first_channel(request.micrograph)
    how = {"threshold": request.threshold, "refine": request.refine, "weak": request.weak}
    events = iter_detect_atoms(image, stop=stop, **how, **request.options)
    while True:
        try:
            done, total = next(events)
        except StopIteration as end:
            atoms = end.value
            break
        left = (time.monotonic() - begun) * (total - done) / done if done and total > 1 else None
        yield Step(f"Frame {done} of {total}" if total > 1 else "Refining positions …", done / total, left)
    if request.refine and not request.weak and request.region is None and not stop():
        yield Step("Looking for weak columns …", 1.0)
        atoms = note_weak(atoms, image)
    if request.sublattices != 1 and len(atoms):
        yield Step("Telling sublattices apart …", 1.0)
        found = atoms.attrs
        atoms = assign_sublattices(atoms, image, n=request.sublattices)
        atoms.attrs = found
    if request.follow:
        atoms = yield from follow_steps(stop, atoms, image)
    return atoms


def follow_steps(
    stop: Callable[[], bool], atoms: pd.DataFrame, image: Micrograph
) -> Generator[Step, None, pd.DataFrame]:
    """Number the atoms through the frames; when stopped the table is as it was."""
    from ...atoms import iter_link_atoms

    linking = iter_link_atoms(atoms, stop=stop, image=image)
    while True:
        try:
            done, total = next(linking)
        except StopIteration as end:
            followed: pd.DataFrame = end.value
            return followed
        yield Step("Following atoms …", done / total)


def candidate_steps(
    stop: Callable[[], bool], request: DetectionRequest, before: Candidates | None
) -> Generator[Step, None, Candidates]:
    """Find every candidate on one frame, for the preview; what was chosen on a frame `before` holds for all frames."""
    from ...atoms.detect import candidate_atoms

    yield Step("Looking at this frame …")
    _prepare(request)
    chosen = {} if before is None else {name: getattr(before, name) for name in ("spacing", "polarity", "method")}
    atoms = candidate_atoms(first_channel(request.micrograph), **request.options | chosen)
    found = atoms.attrs[KEY] | chosen | ({} if before is None else {"threshold": before.threshold})
    return Candidates(request, atoms, **{name: found[name] for name in ("threshold", "spacing", "polarity", "method")})


def _prepare(request: DetectionRequest) -> None:
    """Load what the learned detector may need, so that the window does not freeze over it."""
    if request.method == "learned":
        import_torch()


@dataclass(frozen=True)
class CrystalRequest:
    """What the box asks for, taken on the main thread.

    Positions are in pixels of the placement; `unstrained` are rows whose lattice is the reference for strain, or None
    for the mean of the image.
    """

    atoms: pd.DataFrame
    placement: Placement
    image: Micrograph | None
    quantities: tuple[str, ...]
    unstrained: tuple[int, ...] | None = None


def crystal_steps(stop: Callable[[], bool], request: CrystalRequest) -> Generator[Step, None, Crystal]:
    """Measure what is asked for, one quantity after the other."""
    from ...crystal.description import iter_describe_crystal
    from ...crystal.lattice_vectors import measure_lattice

    yield Step("Measuring …")
    reference = None
    if request.unstrained is not None:
        reference = measure_lattice(request.atoms.iloc[list(request.unstrained)])
    events = iter_describe_crystal(
        request.atoms, request.image, quantities=request.quantities, reference=reference, stop=stop
    )
    while True:
        try:
            quantity, done = next(events)
        except StopIteration as end:
            return end.value
        yield Step(WORDS[quantity], done)
