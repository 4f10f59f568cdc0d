"""The steps of measuring a crystal, run in their thread: nothing here touches a layer or a widget."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...core.micrograph import Micrograph
from ...core.placement import Placement
from ..common.jobs import Step

if TYPE_CHECKING:
    import pandas as pd

    from ...crystal.description import Crystal

WORDS = {
    "lattice": "Measuring the lattice …",
    "vacancies": "Looking for vacancies …",
    "displacements": "Measuring displacements and strain …",
    "intensities": "Summing intensities …",
}


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
