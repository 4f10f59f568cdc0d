"""Where the atoms are: columns of a lattice or single atoms, bright or dark, in an image or a movie."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.micrograph import Micrograph
from ..core.progress import drain, never
from ..core.region import Mask, inside, region_mask
from ..core.settings import Level
from ..core.square import on_image, pixel_sides, squared, with_sides
from .candidates import Candidates, Filtered
from .constants import FIXED
from .crowd import candidates_between
from .damage import mended_frame, usable_frame
from .estimates import measure
from .frames import BadFrameError, frame_list, note_skipped, open_frames, refuse_frame
from .recipe import Frames, Options, Recipe
from .spots import standing
from .subpixel import blank_table, place_atoms
from .tiles import Tile, each, is_large, put_together, tiles_of
from .weak import add_weak

Array = npt.NDArray[np.float64]


def detect_atoms(
    image: Any,
    *,
    method: str = "auto",
    polarity: str = "auto",
    spacing: float | None = None,
    threshold: float | None = None,
    refine: bool | str = True,
    frames: Frames = None,
    weak: bool = False,
    region: Any = None,
    level: Level = "auto",
) -> pd.DataFrame:
    """Find the atoms of an image or a movie and fit a 2-D Gaussian to each.

    Widths, polarities and kinds of threshold are hypotheses: that one is taken whose atoms explain most of parts of the
    image, are found again by a filter of another width, and are alike. A matched filter of this width scores every
    place by the amplitude of a local least-squares fit in standard errors; or a small network, trained on simulated
    images, scores it by the probability of an atom. Maxima above the threshold are the atoms; the filter also finds low
    ones that fill the gaps in a crowd of others. All of them are then fitted at once, with their neighbours, to
    sub-pixel positions (see `refine_spots`).

    Parameters
    ----------
    image : Micrograph, numpy or dask array
        (rows, columns), or (frames, rows, columns), which is read one frame at a time.
    method : {"auto", "filter", "learned"}
        How to find the candidates: matched filter or network. ``"auto"`` is the filter, which agrees better with
        people on the real images that we measure.
    polarity : {"auto", "bright", "dark"}
        What the columns look like. ``"auto"``: whichever explains the image better.
    spacing : float, optional
        Distance of neighbouring columns in pixels, of oblong ones in units of their shorter side; estimated from a few
        frames by default.
    threshold : float, optional
        Smallest score of an atom: standard errors for the filter, a probability for the network. By default it is found
        from the scores of the frame that shows the atoms best.
    refine : bool or {"gaussian", "elliptical", "centre of mass", "none"}
        How to find the positions to a fraction of a pixel: fit round Gaussians (``True``) or elliptical ones; take the
        centre of mass around each maximum, which is quick but knows no errors; or a parabola through the maximum
        (``False``).
    frames : int, slice or sequence of int, optional
        Frames of a movie to look at; all by default.
    weak : bool
        Look a second time, at what is left after the fitted columns are subtracted, for weak ones between them; the
        table then has a column ``found_in``, 1 or 2.
    region : array of bool (rows, columns), or sequence of polygons (N, 2), optional
        Part of every frame in which atoms are wanted: a mask, or corners (row, column) in pixels. Spacing, threshold
        and contrast are still those of the whole frame, and every atom is where it is without a region.
    level : {"auto", "none", "plane", "rows", "smooth"}
        Background to subtract from every frame before. What varies slowly is subtracted around every column anyway, so
        ``"auto"`` only evens out rows that differ much more from each other than columns of pixels do.

    Returns
    -------
    pandas.DataFrame
        One row per atom: ``frame``, ``y``, ``x`` (pixels), ``amplitude``, ``sigma`` (pixels), ``background``,
        ``y_err``, ``x_err`` (standard errors in pixels), ``score``, ``fitted`` (whether the position was refined). Of
        ellipses also ``sigma_major``, ``sigma_minor`` (pixels; ``sigma`` is their geometric mean) and ``orientation``
        of the longer axis, in degrees counter-clockwise from the horizontal. Amplitude and background are in the
        units of the image; the amplitude of dark columns is negative. What is not known is NaN: an atom whose fit fails
        stays at its maximum with NaN errors, and ``fitted`` False; one that the fit finds beyond the image is none.
        ``attrs["napari_vae"]`` holds spacing, polarity, threshold and the method that was used; how sure the choice is
        (`sure`, 0 to 1), what else it might have been (`alternatives`, the likeliest first), one sentence where it is
        not sure (`doubt`); and the `skipped_frames` that show nothing, if there are any.

    Notes
    -----
    Pixels that are NaN or infinite were not measured: no atoms are looked for there, and those beside are fitted to
    what was. Frames of a movie that were not measured at all, or are constant, are skipped.

    Raises
    ------
    InputError
        For images without contrast, in colour, complex or too small, and for unknown options.

    Examples
    --------
    >>> from napari_vae import samples
    >>> image, truth = samples.micrograph("graphene", size=256)
    >>> atoms = detect_atoms(image)
    >>> abs(len(atoms) - len(truth)) < 20
    True
    """
    events = iter_detect_atoms(
        image,
        method=method,
        polarity=polarity,
        spacing=spacing,
        threshold=threshold,
        refine=refine,
        frames=frames,
        weak=weak,
        region=region,
        level=level,
    )
    return drain(events)


def iter_detect_atoms(
    image: Any, *, stop: Callable[[], bool] | None = None, **options: Any
) -> Generator[tuple[int, int], None, pd.DataFrame]:
    """Detect like `detect_atoms`, frame by frame: yields (frames done, frames in all) and returns the table.

    Parameters
    ----------
    stop : callable, optional
        Asked before every frame, and every tile of large ones; when it returns True, the frames done so far are
        returned.
    **options
        Those of `detect_atoms`.

    Raises
    ------
    InputError
        As `detect_atoms`, when the first event is asked for.
    """
    asked = Options(**options)
    micrograph = open_frames(image, asked.level)
    numbers = frame_list(micrograph, asked.frames)
    recipe: Recipe | None = None
    tables: list[pd.DataFrame] = []
    skipped: list[int] = []
    seen: dict[int, Filtered] = {}
    for done, number in enumerate(numbers):
        if stop is not None and stop():
            break
        if recipe is None:
            recipe, seen = measure(micrograph, numbers, asked)
        try:
            found = detect_frame(micrograph, number, recipe, asked, stop or never, seen.pop(number, None))
        except BadFrameError:
            skipped.append(number)
            if len(skipped) == len(numbers):
                raise
            found = blank_table(0, number, asked.placing)
        if found is None:
            break
        tables.append(found)
        yield done + 1, len(numbers)
    table = pd.concat(tables, ignore_index=True) if tables else blank_table(0, 0, asked.placing)
    table.attrs["napari_vae"] = {"method": asked.method} | (recipe.summary if recipe else {})
    return note_skipped(with_sides(table, pixel_sides(micrograph.pixel_size)), skipped)


def detect_frame(
    micrograph: Micrograph,
    number: int,
    recipe: Recipe,
    asked: Options,
    stop: Callable[[], bool] = never,
    filtered: Filtered | None = None,
) -> pd.DataFrame | None:
    """The atoms of one frame, which may have been `filtered` before; ``None`` where stopped.

    Raises
    ------
    BadFrameError
        If the frame shows nothing.
    """
    from threadpoolctl import threadpool_limits

    region = _region(micrograph, asked)
    with threadpool_limits(1, user_api="blas"):  # the threads of our own are enough; more would wait for each other
        square = squared(micrograph)
        if is_large(square.shape[-2:]):
            found = _detect_large(square, number, recipe, asked, stop)
        else:
            found = _detect(filtered or Filtered(usable_frame(square, number), recipe.sigma), recipe, number, asked)
    return None if found is None else _within(region, on_image(found, micrograph))


def _detect_large(
    micrograph: Micrograph, number: int, known: Recipe, asked: Options, stop: Callable[[], bool]
) -> pd.DataFrame | None:
    """The atoms of a frame that is looked at tile by tile; None where stopped."""

    def part(tile: Tile) -> pd.DataFrame | None:
        if stop():
            return None
        filtered = Filtered(mended_frame(micrograph, number, tile.window), known.sigma)
        blank.append(filtered.blank)
        return _detect(filtered, known, number, asked)

    blank: list[bool] = []
    tiles = tiles_of(micrograph.shape[-2:], known)
    parts = [table for table in each(tiles, part) if table is not None]
    if len(parts) == len(tiles) and all(blank):
        refuse_frame(micrograph, number, "is constant, or was not measured")
    return put_together(parts, tiles) if len(parts) == len(tiles) else None


def estimate_spacing(image: Any, *, polarity: str = "auto") -> float:
    """Nearest-neighbour distance of the columns, in pixels.

    It is the median distance of the atoms that detection finds. Where nothing repeats (single atoms on a support) the
    result is the distance at which two columns would just stand apart, five column widths, which is still the right
    scale for windows.

    Parameters
    ----------
    image : Micrograph or array
        (rows, columns), or a movie, whose first frame is taken.
    polarity : {"auto", "bright", "dark"}
        What the columns look like.

    Raises
    ------
    InputError
        For images without contrast, in colour, complex or too small.

    Examples
    --------
    >>> from napari_vae import samples
    >>> image, _ = samples.micrograph("graphene", size=256)
    >>> 11.5 < estimate_spacing(image) < 13
    True
    """
    found = detect_atoms(image, polarity=polarity, refine=False, frames=0)
    return float(found.attrs["napari_vae"]["spacing"])


def candidate_atoms(image: Any, **options: Any) -> pd.DataFrame:
    """Everything that may be an atom on the first of the frames asked for, whatever its score, without a fit.

    Parameters
    ----------
    image, **options
        As in `detect_atoms`. The threshold in the attributes is what detection would take.
    """
    asked = Options(**options)
    micrograph = open_frames(image, asked.level)
    number = frame_list(micrograph, asked.frames)[0]
    recipe, seen = measure(micrograph, [number], asked)
    quick = replace(asked, refine=False, weak=False)
    everything = replace(recipe, threshold=0.0)
    found = detect_frame(micrograph, number, everything, quick, filtered=seen.get(number))
    table = blank_table(0, number, "none") if found is None else found
    table.attrs["napari_vae"] = recipe.summary
    return with_sides(table, pixel_sides(micrograph.pixel_size))


def _detect(filtered: Filtered, recipe: Recipe, number: int, asked: Options) -> pd.DataFrame:
    """The atoms of one frame; none in a blank one."""
    if filtered.blank:
        return blank_table(0, number, asked.placing)
    sign = recipe.sign
    found = filtered.found(recipe.method, sign, recipe.periodic)
    table = _above(filtered, found, recipe, number, asked)
    if recipe.crowd is not None:
        between = _above(*candidates_between(filtered, found, recipe.crowd, sign), recipe, number, asked)
        table = pd.concat([table, between], ignore_index=True)
    table["outside"] = place_atoms(filtered.mended, table, recipe.width, recipe.spacing, sign, asked.placing)
    if asked.weak:
        table = add_weak(filtered, table, recipe, asked.placing)
    missing = filtered.mended.in_gap(table[["y", "x"]].to_numpy(), 2 * recipe.width) | table.pop("outside").to_numpy()
    table = table[~missing].reset_index(drop=True)
    if filtered.mended.background is not None:
        below = filtered.mended.background
        there = np.rint(table[["y", "x"]].to_numpy()).astype(np.int64).clip(0, np.array(below.shape) - 1)
        table["background"] += below[tuple(there.T)]
    intensities = ["amplitude", "background"]
    with np.errstate(over="ignore"):  # a background below the least, or above the largest float is infinite
        table[intensities] = np.ldexp(table[intensities].to_numpy(float), filtered.mended.exponent)
    return table


def _above(filtered: Filtered, found: Candidates, recipe: Recipe, number: int, asked: Options) -> pd.DataFrame:
    """A table of the candidates that score enough, of those too near to each other the highest."""
    kept = np.flatnonzero(found.score >= recipe.threshold)
    height = recipe.sign * filtered.maps.amplitude[tuple(found.at[kept].T)]
    kept = kept[standing(found.at[kept], height, FIXED.filter_closest * recipe.spacing)]
    table = filtered.table(found.at[kept], found.place[kept], number, asked.placing)
    return table.assign(score=found.score[kept])


def _region(micrograph: Micrograph, asked: Options) -> Mask | None:
    return None if asked.region is None else region_mask(asked.region, micrograph.shape[-2:])


def _within(region: Mask | None, table: pd.DataFrame) -> pd.DataFrame:
    """The atoms inside; those beyond were fitted too, so that each is where it is in the whole image."""
    return table if region is None else table[inside(region, table[["y", "x"]])]
