"""Simulated micrographs of graphene and perovskites whose every atom is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.errors import InputError
from ..core.micrograph import Micrograph
from ..crystal.deformation import strain_of
from .crystals import Crystal, Layout, StrainField, crystal_site_names, graphene, perovskite
from .scan import Scan, contamination, render

Array = npt.NDArray[np.float64]

CRYSTALS = {"graphene": graphene, "perovskite": perovskite}
VACANT = "vacancy"
_MOST_STRAIN = 0.2


def micrograph(
    kind: str = "graphene",
    size: int | tuple[int, int] = 1024,
    dose: float = 100.0,
    seed: int = 0,
    *,
    pixel_size: float | None = None,
    angle: float = 7.0,
    grains: int = 1,
    strain: tuple[float, float, float] = (0.0, 0.0, 0.0),
    strain_field: float = 0.0,
    vacancies: float = 0.01,
    dopants: float | Mapping[str, float] = 0.02,
    displacement: float = 0.003,
    polar: float = 0.02,
    jitter: float = 0.2,
    drift: float = 2.0,
    background: float = 0.1,
    contaminated: float = 0.0,
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
    foreign = sum(dopants.values()) if isinstance(dopants, Mapping) else dopants
    shape = checked(kind, size, dose, grains, {"vacancies": vacancies, "dopants": foreign}, pixel_size)
    if not 0 <= strain_field <= _MOST_STRAIN:
        raise InputError(f"strain_field is a strain between 0 and {_MOST_STRAIN}, such as 0.03, not {strain_field}.")
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


def checked(
    kind: str, size: Any, dose: float, grains: int, fractions: dict[str, float], pixel_size: float | None
) -> tuple[int, int]:
    """Refuse what cannot be simulated, and return the image shape."""
    if kind not in CRYSTALS:
        raise InputError(f'There is no sample "{kind}"; choose one of {", ".join(map(repr, CRYSTALS))}.')
    shape = tuple(int(n) for n in np.broadcast_to(size, (2,)))
    if min(shape) < 16:
        raise InputError(f"An image of {shape[0]} × {shape[1]} pixels holds no lattice; give a size of at least 16.")
    if not dose > 0 or (pixel_size is not None and not pixel_size > 0):
        raise InputError("Dose and pixel size must be positive.")
    if grains < 1:
        raise InputError("A crystal has at least one grain; give grains=1 or more.")
    for name, value in fractions.items():
        if not 0 <= value <= 1:
            raise InputError(f"{name} is a fraction of the sites; give a number between 0 and 1, not {value}.")
    return shape[0], shape[1]


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
