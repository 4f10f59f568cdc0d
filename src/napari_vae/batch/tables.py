"""Tasks that write tables of atoms and crystals for every file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

from ..atoms.frames import describe_skipped
from ..atoms.weak import note_weak, weak_columns_show
from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.folders import replacing
from ..core.micrograph import first_channel
from ..core.progress import Stage, drain
from ..core.settings import AutoCount
from ..crystal.description import Crystal as Described
from ..crystal.description import iter_describe_crystal
from ..crystal.sublattices import assign_sublattices
from ..io.writing import write_table
from .columns import atom_columns, describe_detection, describe_doubt, passed_channel, pixel_columns, said
from .frames import Frames
from .inputs import Patterns
from .loop import run
from .outcomes import BatchProgress, Found, Outcome, Say
from .tasks import AtomTask, WritesTable

WEAK = "Weak columns show between these; --weak finds them."


@dataclass(frozen=True)
class Tables(WritesTable, AtomTask):
    """What tasks that write tables of atoms have in common; see `AtomTask`."""

    detection: dict[str, Any] = field(default_factory=dict)
    dataset: str | int | None = None
    atoms: Path | None = None
    pixel_size: tuple[float, float] | None = None


@dataclass(frozen=True)
class Detect(Tables):
    """Find atoms and write their positions: ``FILE-atoms.csv``.

    Parameters
    ----------
    detection, dataset, pixel_size
        See `AtomTask`.
    follow : bool
        Follow the atoms through the frames of a movie.

    Examples
    --------
    >>> Detect({"polarity": "dark"}).name
    'detect'
    """

    follow: bool = False

    name = "detect"
    ending = "atoms"
    stages: ClassVar[tuple[str, ...]] = ("detect atoms", "follow atoms")

    def settings(self) -> dict[str, Any]:
        """What the table depends on."""
        return super().settings() | {"follow": self.follow}

    def by_frame(self, overwrite: bool) -> Frames:
        """The same atoms, as parquet."""
        if self.follow:
            raise InputError("Atoms are followed through a whole movie at once; leave out --follow or --scheduler.")
        return Frames(self.detection, self.dataset, overwrite=overwrite, pixel_size=self.pixel_size)

    def work(self, path: Path, target: Path, say: Say) -> Found:
        """Detect, and write the table."""
        image = self.read(path)
        atoms = self.find_atoms(image, say, self.follow)
        table = write_table(atoms, target)
        facts = atom_columns(atoms) | pixel_columns(image.pixel_size, image.units)
        facts |= {"tracks": int(atoms["track"].nunique())} if "track" in atoms else {}
        remarks = passed_channel(image), describe_skipped(atoms), describe_doubt(atoms)
        if atoms.empty:
            lower = "" if describe_doubt(atoms) else "; a lower --threshold may help"
            return Found(said(f"no atoms{lower}", *remarks, see=table), facts)
        words = f"{len(atoms)} atoms: {describe_detection(atoms, image)}"
        weak = "" if self.detection.get("weak") else WEAK * weak_columns_show(note_weak(atoms, first_channel(image)))
        return Found(said(words, *remarks, weak, see=table), facts)


@dataclass(frozen=True)
class Crystal(Tables):
    """Measure the crystal: ``FILE-crystal.csv``, ``FILE-vacancies.csv`` and ``FILE-lattice.json``.

    Parameters
    ----------
    detection, dataset, atoms, pixel_size
        See `AtomTask`.
    sublattices : int or "auto"
        How many sublattices to tell apart first; 1 tells none.

    Examples
    --------
    >>> Crystal(sublattices=2).ending
    'crystal'
    """

    sublattices: AutoCount = "auto"

    name = "crystal"
    ending = "crystal"
    stages: ClassVar[tuple[str, ...]] = ("detect atoms", "measure the crystal")

    def settings(self) -> dict[str, Any]:
        """What the tables depend on."""
        return super().settings() | {"sublattices": self.sublattices}

    def work(self, path: Path, target: Path, say: Say) -> Found:
        """Measure, and write the tables; that of the columns last."""
        image = first_channel(self.read(path))
        atoms = self.find_atoms(image, say)
        found = atom_columns(atoms) | pixel_columns(image.pixel_size, image.units)
        if self.sublattices != 1 and "sublattice" not in atoms:
            atoms = assign_sublattices(atoms, image, n=self.sublattices)
        job = iter_describe_crystal(atoms, image)
        crystal: Described = drain(job, lambda done: say(Stage("measure the crystal", done[1], done[0])))
        say(Stage("measure the crystal", 1.0))
        assert crystal.lattice is not None and crystal.vacancies is not None  # nothing was left out
        stem = target.name.removesuffix("-crystal.csv")
        write_table(crystal.vacancies, target.with_name(f"{stem}-vacancies.csv"))
        calibrated = crystal.lattice.scaled(image.scale)
        record = {"unit": image.units, **asdict(calibrated), "in_pixels": asdict(crystal.lattice)}
        record["grains"] = [asdict(lattice.scaled(image.scale)) for lattice in crystal.grains]
        with replacing(target.with_name(f"{stem}-lattice.json")) as temporary:
            temporary.write_text(json.dumps(record, indent=2, ensure_ascii=False), encoding="utf-8")
        write_table(crystal.atoms, target)
        words = ", ".join(filter(None, [*calibrated.describe(image.units).splitlines(), crystal.describe_grains()]))
        facts = found | {"vacancies": len(crystal.vacancies), "lattice_spacing": calibrated.spacing}
        facts |= {"lattice_unit": image.units}
        words = f"{len(atoms)} atoms, {len(crystal.vacancies)} vacancies, {words}"
        return Found(said(words, passed_channel(image), describe_skipped(atoms), see=target), facts)


@checks_arguments
def detect_files(
    files: Patterns,
    out: str | PathLike[str],
    *,
    scheduler: Any = None,
    dataset: str | int | None = None,
    overwrite: bool = False,
    progress: Callable[[BatchProgress], object] | None = None,
    **options: Any,
) -> list[Outcome]:
    """Detect the atoms of images and movies frame by frame: ``FILE-atoms.parquet`` in `out` for each.

    Frames that are done are kept in ``FILE-atoms.parts`` until the table is complete, so a job that was broken off
    goes on where it was. The table is the one that `detect_atoms` returns, whoever computed the frames. A file whose
    table was made from the same content with the same options is not done again.

    Parameters
    ----------
    files : path or sequence of paths
        Images, folders of images, and patterns. With a scheduler on a disk that its workers see under the same name.
    out : path
        Folder for the tables; only this process writes there.
    scheduler : str, path or distributed.Client, optional
        Address or scheduler file of a Dask cluster that does the frames; by default this process does them.
    dataset : str or int, optional
        Name or number of the image in files with several.
    overwrite : bool
        Replace tables of other images or options that are there already; otherwise such a file fails.
    progress : callable, optional
        Called with a `BatchProgress` when a file is begun, and after every frame.
    **options
        Those of `detect_atoms`.

    Returns
    -------
    list of Outcome
        One per file, in order; a file that fails keeps no other from being done.

    Raises
    ------
    InputError
        For unknown options, a cluster that does not answer, or a folder that cannot be written to; before any work.

    Examples
    --------
    >>> detect_files(["movie.tif"], "tables", scheduler="tcp://node1:8786")  # doctest: +SKIP
    """
    task = Detect(options, dataset).by_frame(overwrite)
    how: dict[str, Any] = {"scheduler": scheduler, "overwrite": overwrite, "progress": progress}
    return run(task, files, out, summary=False, **how)
