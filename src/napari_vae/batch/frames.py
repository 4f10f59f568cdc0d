"""What a worker does: one frame of a file, which it reads itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .parts import COUNT

if TYPE_CHECKING:
    import pandas as pd

    from ..atoms.recipe import Recipe
    from ..core.micrograph import Micrograph
    from ..runs.run import Run

KEY = "napari_vae"


@dataclass(frozen=True)
class Work:
    """What is done with every frame: atoms are detected and, with a run, their windows encoded.

    Parameters
    ----------
    detection : dict
        Options of `detect_atoms`.
    run : str
        Folder of a trained model; empty to detect only.
    version : int
        When the model was written, in nanoseconds.
    dataset : str or int, optional
        Name or number of the image in files with several.
    """

    detection: dict[str, Any] = field(default_factory=dict)
    run: str = ""
    version: int = 0
    dataset: str | int | None = None


@dataclass(frozen=True)
class FrameJob:
    """One frame of a file that was `changed` at a time; the first one, without `basis`, tells what the others need."""

    path: str
    changed: int
    work: Work
    basis: dict[str, Any] | None = None
    frame: int = -1


@dataclass(frozen=True)
class FrameResult:
    """The frames of the file, what its first one told, and the table of one of them, unless it was only measured."""

    frames: list[int]
    basis: dict[str, Any]
    frame: int = -1
    table: pd.DataFrame | None = None


def do_frame(job: FrameJob) -> FrameResult:
    """Detect the atoms of a frame, and encode them if there is a model.

    The recipe of the detection, and for a model the limits of the intensities, are those of the first frame. While the
    first one of a movie is detected the others would have to wait; where the recipe is enough it is only measured.

    Raises
    ------
    InputError
        As `read`, `detect_atoms`, `extract_patches` and `Run.encode`.
    """
    from ..atoms.detect import detect_frame
    from ..atoms.estimates import measure_frame
    from ..atoms.frames import frame_list, open_frames
    from ..atoms.recipe import Options, Recipe
    from ..core.micrograph import first_channel

    image = _opened(job.path, job.changed, job.work.dataset)
    searched, asked = open_frames(first_channel(image)), Options(**job.work.detection)
    frames = frame_list(searched, asked.frames)
    if job.basis is None and len(frames) > 1 and not job.work.run:
        return FrameResult(frames, _basis(measure_frame(searched, frames[0], asked)))
    number = frames[0] if job.basis is None else job.frame
    recipe = None if job.basis is None else Recipe(**job.basis["recipe"])
    recipe, table = detect_frame(searched, number, recipe, asked)
    assert table is not None  # nobody stops it
    table = table.reset_index(drop=True)
    attributes: dict[Any, Any] = {KEY: {"method": asked.method} | recipe.summary, COUNT: len(table)}
    limits = None if job.basis is None else job.basis["limits"]
    if job.work.run:
        table, limits = _encoded(_loaded(job.work.run, job.work.version), image, table, recipe, limits)
    table.attrs = attributes
    return FrameResult(frames, _basis(recipe, limits), number, table)


def _encoded(
    run: Run, image: Micrograph, atoms: pd.DataFrame, recipe: Recipe, limits: dict[str, Any] | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table with latents, of the atoms that have a window, and the limits that were used."""
    import pandas as pd

    from ..core.normalization import Normalization
    from ..models.columns import name_classes
    from ..patches.patches import extract_patches

    known = None if limits is None else Normalization.from_dict(limits)
    limits_of = {"levels": run.levels} if known is None else {"normalization": known}
    patches = extract_patches(image, atoms, window=run.window, spacing=recipe.spacing, **limits_of)
    encoded = name_classes(run.encode(patches), run.scale.names)
    kept = patches.atoms.drop(columns=list(encoded), errors="ignore")
    return pd.concat([kept, encoded], axis=1), patches.normalization.to_dict()


def let_go() -> None:
    """Close the file and forget the model that are kept for the next frame; Windows replaces no file that is open."""
    _opened.cache_clear()
    _loaded.cache_clear()


@lru_cache(maxsize=1)
def _opened(path: str, changed: int, dataset: str | int | None) -> Micrograph:
    """The file, kept open for its next frame."""
    from ..io.reading import read

    return read(path, dataset=dataset)


@lru_cache(maxsize=1)
def _loaded(folder: str, version: int) -> Run:
    from ..runs.run import load_run

    return load_run(folder)


def _basis(recipe: Recipe, limits: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the other frames need to know, as JSON keeps it, to the last digit."""
    plain = {key: value.item() if hasattr(value, "item") else value for key, value in asdict(recipe).items()}
    return {"recipe": plain, "limits": limits}


def jobs_of(first: FrameJob, basis: dict[str, Any], frames: Sequence[int]) -> list[FrameJob]:
    """The jobs of some frames, once the first frame has told its basis."""
    return [replace(first, basis=basis, frame=frame) for frame in frames]
