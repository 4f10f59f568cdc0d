"""Simulated micrographs of graphene and perovskites whose every atom is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.micrograph import Micrograph
from ..core.settings import Seed, Share, about, checked
from ..crystal.deformation import strain_of
from .crystals import Crystal, Layout, StrainField, crystal_site_names, graphene, perovskite
from .scan import Scan, contamination, render

Array = npt.NDArray[np.float64]

CRYSTALS = {"graphene": graphene, "perovskite": perovskite}
VACANT = "vacancy"
_MOST_STRAIN = 0.2

Crystals = Literal["graphene", "perovskite"]
Side = Annotated[int, about(ge=16, le=2**15)]
Dose = Annotated[float, about(gt=0, le=1e12)]
PixelSize = Annotated[float, about(ge=1e-4, le=0.1)]
Grains = Annotated[int, about(ge=1, le=10**4)]
Strain = Annotated[float, about(ge=-0.5, le=0.5)]
Drift = Annotated[float, about(ge=-1000, le=1000)]
Length = Annotated[float, about(ge=0, le=1)]  # nm
Much = Annotated[float, about(ge=0, le=1000)]


@checks_arguments
def micrograph(
    kind: Crystals = "graphene",
    size: Side | tuple[Side, Side] = 1024,
    dose: Dose = 100.0,
    seed: Seed = 0,
    *,
    pixel_size: PixelSize | None = None,
    angle: float = 7.0,
    grains: Grains = 1,
    strain: tuple[Strain, Strain, Strain] = (0.0, 0.0, 0.0),
    strain_field: Annotated[float, about(ge=0, le=_MOST_STRAIN)] = 0.0,
    vacancies: Share = 0.01,
    dopants: Share | Mapping[str, Share] = 0.02,
    displacement: Length = 0.003,
    polar: Length = 0.02,
    jitter: Much = 0.2,
    drift: Drift = 2.0,
    background: Much = 0.1,
    contaminated: Much = 0.0,
) -> tuple[Micrograph, pd.DataFrame]:
    """Simulate an annular dark-field micrograph and return it with the truth about every atom.

    Each column is a Gaussian spot (the probe convolved with the thermal motion) whose peak follows the atomic number
    (about Z^1.7). On top come an amorphous background and, if asked for, a smooth contamination; the sum, in
    expected electrons per pixel, is drawn as Poisson counts.

    Graphene has a bond of 0.142 nm and N or Si in place of some C; its two sublattices see neighbourhoods turned by
    180°. The perovskite ABO3 has a cell of 0.39 nm seen along <100>: bright A columns, weaker B columns in the cell
    centres (oxygen does not show in dark field), dopants on either, and the B columns shifted off centre along a
    smooth polar field.

    Parameters
    ----------
    kind : {"graphene", "perovskite"}
        What to simulate.
    size : int or (int, int)
        Rows and columns of the image.
    dose : float
        Expected electrons per pixel at the peak of a carbon atom or an A column, background not counted.
    seed : int
        Seed of a local random generator: the same arguments give the same image.
    pixel_size : float, optional
        In nm. By default 0.0115 (graphene: 1024² hold about 5300 atoms) or 0.012 (perovskite: about 2000 columns).
    angle : float
        Rotation of the lattice in degrees, counter-clockwise on screen.
    grains : int
        Number of grains; each has an orientation of its own, the first has `angle`.
    strain : (float, float, float)
        Uniform strain e_yy, e_xx, e_xy.
    strain_field : float
        Largest traceless strain of a smooth random displacement field on top, whose waves are as long as the image or
        half of it; 0.03 is 3 %.
    vacancies : float
        Fraction of the sites that are empty.
    dopants : float or dict of str to float
        Fraction of the sites that hold another species, any of those named above. Or for each species its fraction of
        the sites where it may sit: ``{"Si": 0.03, "N": 0.01}``.
    displacement : float
        Standard deviation of the static displacement along each axis, in nm.
    polar : float
        Largest shift of the B columns along the polar field, in nm (perovskite only).
    jitter : float
        Standard deviation of the horizontal misplacement of each scan line, in pixels. The truth does not follow it.
    drift : float
        Distance by which the sample drifts during the scan, in pixels. The truth follows it.
    background : float
        Uniform background as a fraction of `dose`.
    contaminated : float
        Largest height of a smooth contamination as a fraction of `dose`.

    Returns
    -------
    Micrograph
        ``(rows, columns)`` float32 electron counts, with its pixel size in nm.
    pandas.DataFrame
        One row per atom inside the image: ``y``, ``x`` (pixels, as imaged), ``species``, ``sublattice`` (0, 1),
        ``grain``, ``angle`` (degrees, of the grain), ``dy``, ``dx`` (displacement from the ideal site in pixels),
        ``polar_y``, ``polar_x`` (its polar part, pixels), ``strain_xx``, ``strain_xy`` (traceless, on screen, y up),
        ``dilation`` (logarithm of the scale) and ``rotation`` (degrees, counter-clockwise) of the lattice around it, as
        imaged, so that they hold what the drift does, ``vacant_neighbours``, ``dopant_neighbours`` (counts among the
        nearest sites), ``peak`` (expected electrons per pixel at the centre) and ``sigma`` (pixels).
        ``truth.attrs["vacancies"]`` lists the empty sites as (y, x).

    Raises
    ------
    InputError
        For an unknown kind or a parameter out of range.

    Examples
    --------
    >>> image, truth = micrograph("graphene", size=256, seed=1)
    >>> image.shape, image.units, len(truth) > 250
    ((256, 256), 'nm', True)
    """
    checked("dopants", sum(dopants.values()) if isinstance(dopants, Mapping) else dopants, Share)
    shape = shape_of(size)
    rng = np.random.default_rng(seed)
    layout = Layout(shape, angle, grains, strain, margin=strain_field * max(shape))
    crystal: Crystal = CRYSTALS[kind](layout, pixel_size, polar, rng)
    species = occupy(crystal, vacancies, dopants, rng)
    shift = crystal.polar + rng.normal(0.0, displacement / crystal.pixel_size, crystal.sites.shape)
    scan = Scan.random(shape[0], jitter, drift, rng)
    field = StrainField.random(shape, strain_field, rng.spawn(1)[0])
    strained = crystal.sites + field.displacement(crystal.sites)
    position = scan.drifted(strained + shift)
    deformation = scan.gradient(strained) @ (np.eye(2) + field.gradient(crystal.sites)) @ layout.stretch
    peak = dose * crystal.brightness(species)

    expected = render(shape, position, peak, crystal.sigma, scan.jitter)
    expected += dose * (background + contaminated * contamination(shape, rng))
    image = rng.poisson(expected).astype(np.float32)

    table = _truth(crystal, species, position, shift, peak).assign(**strain_of(deformation))
    inside = ((position >= 0) & (position <= np.array(shape) - 1)).all(axis=1)
    empty = species == VACANT
    truth = table[inside & ~empty].reset_index(drop=True)
    truth.attrs["vacancies"] = [tuple(p) for p in position[inside & empty].tolist()]
    settings: dict[str, Any] = {"kind": kind, "dose": dose, "seed": seed, "simulated": True}
    return Micrograph(image, crystal.pixel_size, "nm", "YX", f"simulated {kind}", settings), truth


def shape_of(size: int | tuple[int, int]) -> tuple[int, int]:
    """Rows and columns."""
    rows, columns = (int(n) for n in np.broadcast_to(size, (2,)))
    return rows, columns


def occupy(
    crystal: Crystal, vacancies: float, dopants: float | Mapping[str, float], rng: np.random.Generator
) -> npt.NDArray[np.str_]:
    """Draw which species sits on every site."""
    host, guest = crystal_site_names(crystal)
    draw = rng.random(len(crystal.sites))
    if isinstance(dopants, Mapping):
        species = _doped(crystal, host, dopants, draw - vacancies)
    else:
        species = np.where(draw < vacancies + dopants, guest(rng), host)
    return np.where(draw < vacancies, VACANT, species)


def _doped(
    crystal: Crystal, host: npt.NDArray[np.str_], dopants: Mapping[str, float], draw: Array
) -> npt.NDArray[np.str_]:
    """The species of every site, given the share of each guest: one after the other takes the sites of its interval."""
    known = sorted({name for names in crystal.guests for name in names})
    species, taken = host, 0.0
    for name, share in dopants.items():
        if name not in known or not 0 <= share <= 1:
            raise InputError(f"dopants gives a fraction to {' or '.join(known)}, not {share} to {name!r}.")
        may = np.array([name in names for names in crystal.guests])[crystal.sublattice]
        species = np.where(may & (taken <= draw) & (draw < taken + share), name, species)
        taken += share
    return species


def _truth(crystal: Crystal, species: npt.NDArray[np.str_], position: Array, shift: Array, peak: Array) -> pd.DataFrame:
    """The table of all sites, empty ones and those outside the image included."""
    hosts = np.asarray(crystal.hosts)[crystal.sublattice]
    vacant, doped = species == VACANT, (species != hosts) & (species != VACANT)
    return pd.DataFrame(
        {
            "y": position[:, 0],
            "x": position[:, 1],
            "species": species,
            "sublattice": crystal.sublattice,
            "grain": crystal.grain,
            "angle": crystal.angles[crystal.grain],
            "dy": shift[:, 0],
            "dx": shift[:, 1],
            "polar_y": crystal.polar[:, 0],
            "polar_x": crystal.polar[:, 1],
            "vacant_neighbours": crystal.count_neighbours(vacant),
            "dopant_neighbours": crystal.count_neighbours(doped),
            "peak": peak,
            "sigma": crystal.sigma,
        }
    )
