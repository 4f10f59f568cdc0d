"""Everything that is measured of a crystal, in one call."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.micrograph import as_micrograph
from ..core.positions import check_some, check_table, frame_numbers
from ..core.progress import drain, never
from ..core.square import on_pixels_of
from .displacements import measure_displacements
from .intensities import voronoi_intensities
from .lattice import Lattice
from .lattice_vectors import measure_grains, measure_lattice
from .vacancies import find_vacancies

if TYPE_CHECKING:
    from collections.abc import Callable

QUANTITIES = ("lattice", "vacancies", "displacements", "intensities")
COLUMNS = (
    "displacement_y", "displacement_x", "strain_xx", "strain_xy", "dilation", "local_rotation", "polarisation_y",
    "polarisation_x", "intensity", "cell_area", "grain",
)  # fmt: skip


@dataclass(frozen=True)
class Crystal:
    """What was measured of a crystal.

    Parameters
    ----------
    atoms : pandas.DataFrame
        The table of atoms with the new columns.
    lattice : Lattice or None
        The mean lattice, in pixels; of several grains that of the largest.
    vacancies : pandas.DataFrame or None
        One row per missing atom, as of `find_vacancies`.
    grains : tuple of Lattice
        The lattices of the grains, the largest first; empty for a movie. Of several, the column ``grain`` of `atoms`
        is their number.
    """

    atoms: pd.DataFrame
    lattice: Lattice | None = None
    vacancies: pd.DataFrame | None = None
    grains: tuple[Lattice, ...] = ()

    def describe_grains(self) -> str:
        """How the other grains are turned from the largest; empty for one grain."""
        if len(self.grains) < 2:
            return ""
        turns = [lattice.turn_from(self.grains[0]) for lattice in self.grains[1:]]
        words = ", ".join(f"{turn:.1f}° (modulo {period:.0f}°)" for turn, period in turns)
        return (
            f"{len(self.grains)} grains; the lattice is that of the largest, the others are turned from it by {words}"
        )

    @property
    def columns(self) -> pd.DataFrame:
        """Those columns of `atoms` that are measured here."""
        return self.atoms[[name for name in COLUMNS if name in self.atoms]]


@checks_arguments
def describe_crystal(
    atoms: pd.DataFrame,
    image: Any = None,
    *,
    quantities: Sequence[str] | None = None,
    reference: Lattice | None = None,
) -> Crystal:
    """Measure lattice, vacancies, displacements with strain, and column intensities of a table of atoms.

    Parameters
    ----------
    atoms : pandas.DataFrame
        Table with ``y``, ``x`` in pixels, as of `detect_atoms`; its column ``sublattice`` is made use of.
    image : Micrograph or array, optional
        What the atoms are on, for the intensities and to find vacancies near its edge.
    quantities : sequence of str, optional
        Any of ``"lattice"``, ``"vacancies"``, ``"displacements"``, ``"intensities"``; by default all, the last only
        with an image.
    reference : Lattice, optional
        What is unstrained, as in `measure_displacements`; by default the mean lattice.

    Returns
    -------
    Crystal

    Raises
    ------
    InputError
        For an unknown quantity, intensities without an image, and as the functions themselves.

    Examples
    --------
    >>> from napari_vae import samples, detect_atoms
    >>> image, truth = samples.micrograph("graphene", size=256)
    >>> crystal = describe_crystal(detect_atoms(image), image)
    >>> round(crystal.lattice.angle), "strain_xx" in crystal.atoms
    (120, True)

    See Also
    --------
    measure_lattice, find_vacancies, measure_displacements, voronoi_intensities, assign_sublattices
    """
    return drain(iter_describe_crystal(atoms, image, quantities=quantities, reference=reference))


@checks_arguments
def iter_describe_crystal(
    atoms: pd.DataFrame,
    image: Any = None,
    *,
    quantities: Sequence[str] | None = None,
    reference: Lattice | None = None,
    stop: Callable[[], bool] = never,
) -> Generator[tuple[str, float], None, Crystal]:
    """Describe like `describe_crystal`: yields (quantity, share done) before each, and returns what was measured."""
    check_table(atoms)
    check_some(atoms)
    wanted = _checked(quantities, image)
    if image is not None:
        frame_numbers(atoms, as_micrograph(image).n_frames)
    before = [name for name in COLUMNS if name in atoms]
    atoms = on_pixels_of(atoms, image)
    table, lattice, vacancies = atoms.drop(columns=before), None, None
    grains: tuple[Lattice, ...] = ()  # of an image; frames of a movie have a lattice each
    table.attrs = dict(atoms.attrs)
    for number, name in enumerate(wanted):
        if stop():
            break
        yield name, number / len(wanted)
        if name == "lattice":
            if frame_numbers(table).any():
                lattice = measure_lattice(table)
            else:
                named, lattices = measure_grains(table)
                lattice, grains = lattices[0], tuple(lattices)
                table = named if len(grains) > 1 else table
        elif name == "vacancies":
            vacancies = find_vacancies(table, image, lattice=grains[0] if grains else None)
        elif name == "displacements":
            table = measure_displacements(table, reference or (grains[0] if grains else None))
        else:
            table = voronoi_intensities(image, table)
    return Crystal(table, lattice, vacancies, grains)


def _checked(quantities: Sequence[str] | None, image: Any) -> list[str]:
    """The quantities in the order of the work."""
    if quantities is None:
        return [name for name in QUANTITIES if image is not None or name != "intensities"]
    if not set(quantities) <= set(QUANTITIES):
        raise InputError(f"The quantities are a list of {', '.join(QUANTITIES)}, not {quantities!r}.")
    if not quantities:
        raise InputError("Nothing is chosen to be measured; choose one of lattice, vacancies, displacements and so on.")
    if "intensities" in quantities and image is None:
        raise InputError("Intensities are summed over an image, and there is none; give the image as well.")
    return [name for name in QUANTITIES if name in quantities]
