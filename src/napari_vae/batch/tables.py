"""Tasks that write a table per file: atoms, crystals, and the latents of a trained model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..core.errors import InputError
from ..core.folders import replacing
from ..io.reading import read
from ..io.writing import read_table, write_table
from ..models.columns import columns_of, read_columns
from ..models.given import encoding_given
from ..workflow.records import content_hash
from .facts import atom_facts, describe_detection, describe_likeness, image_facts, likeness_facts
from .loop import Found, Say

if TYPE_CHECKING:
    import pandas as pd

    from ..core.micrograph import Micrograph
    from ..runs.run import Run


@dataclass(frozen=True)
class Tables:
    """What tasks that write tables have in common.

    Parameters
    ----------
    detection : dict
        Options of `detect_atoms`.
    dataset : str, optional
        Name or number of the image in files with several.
    atoms : path, optional
        A table of atoms instead of detecting them; for one file only.
    """

    detection: dict[str, Any] = field(default_factory=dict)
    dataset: str | None = None
    atoms: Path | None = None

    name: ClassVar[str] = ""
    ending: ClassVar[str] = ""
    stages: ClassVar[tuple[str, ...]] = ("detect atoms",)

    def prepare(self, n_files: int) -> None:
        """Refuse a table of atoms for several images, or one that is none."""
        check_atoms(self.atoms, n_files)

    def settings(self) -> dict[str, Any]:
        """What the table depends on."""
        atoms = None if self.atoms is None else content_hash([self.atoms])
        asked = detection_settings(self.detection)
        return {"task": self.name, "detection": asked, "dataset": self.dataset, "atoms": atoms}

    def targets(self, places: Sequence[Path], out: Path) -> list[Path]:
        """FILE-ending.csv."""
        return [place.with_name(f"{place.name}-{self.ending}.csv") for place in places]

    def check(self, target: Path) -> None:
        """A table may replace a file, not a folder."""
        if target.is_dir():
            raise InputError(f"{target} is a folder; choose another folder for the results.")

    def found_atoms(self, image: Micrograph, say: Say) -> pd.DataFrame:
        """From the table, or detected."""
        from ..workflow.analyze import find_atoms

        return find_atoms(image, self.detection, say) if self.atoms is None else read_table(self.atoms)


@dataclass(frozen=True)
class Detect(Tables):
    """Find atoms and write their positions: ``FILE-atoms.csv``.

    Parameters
    ----------
    detection, dataset
        See `Tables`.
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

    def work(self, path: Path, target: Path, say: Say) -> Found:
        """Detect, and write the table."""
        from ..workflow.analyze import find_atoms

        image = read(path, dataset=self.dataset)
        atoms = find_atoms(image, self.detection, say, self.follow)
        table = write_table(atoms, target)
        facts = atom_facts(atoms) | image_facts(image)
        facts |= {"tracks": int(atoms["track"].nunique())} if "track" in atoms else {}
        if atoms.empty:
            words = "nothing stands out of noise and texture as atoms do; a lower --threshold may help"
            return Found(f"{words} ({table})", facts)
        return Found(f"{len(atoms)} atoms in {table}: {describe_detection(atoms, image)}", facts)


@dataclass(frozen=True)
class Encode(Tables):
    """Apply a trained model: ``FILE-latents.csv``, and whether the image looks like the training data.

    Parameters
    ----------
    run : path
        Folder of a trained model, or of an analysis.
    detection, dataset, atoms
        See `Tables`.
    condition : tuple of str
        Columns of `atoms` that a conditional model is told.

    Examples
    --------
    >>> Encode(run=Path("results/run")).name
    'encode'
    """

    run: Path = Path()
    condition: tuple[str, ...] = ()

    name = "encode"
    ending = "latents"
    stages: ClassVar[tuple[str, ...]] = ("detect atoms", "encode")

    @cached_property
    def model(self) -> Run:
        """The trained model."""
        from ..runs.run import load_run

        return load_run(self.folder)

    @property
    def folder(self) -> Path:
        """Of the model, which of an analysis lies within."""
        inside = Path(self.run) / "run"
        return inside if (inside / "run.json").is_file() else Path(self.run)

    def prepare(self, n_files: int) -> None:
        """Load the model, and refuse a condition that it does not fit."""
        super().prepare(n_files)
        table = None if self.atoms is None else read_table(self.atoms)
        given = read_columns(columns_of(condition=self.condition), table)
        encoding_given(self.model.model_config, self.model.scale, 0 if table is None else len(table), given)

    def settings(self) -> dict[str, Any]:
        """What the table depends on."""
        model = content_hash(self.folder / name for name in ("run.json", "weights.safetensors"))
        return super().settings() | {"run": model, "condition": self.condition}

    def work(self, path: Path, target: Path, say: Say) -> Found:
        """Detect, encode, compare, and write the table."""
        from ..workflow.analyze import Stage
        from ..workflow.apply import apply_run

        image = read(path, dataset=self.dataset)
        table = None if self.atoms is None else read_table(self.atoms)
        options: dict[str, Any] = {"condition": self.condition or None, "detection": self.detection}
        applied = apply_run(self.model, image, atoms=table, progress=say, **options)
        likeness, found = applied.likeness, atom_facts(applied.atoms) | image_facts(image)
        found |= {"windows": len(applied.latents), "elbo_median": float(applied.latents["elbo"].median())}
        say(Stage("encode", 1.0))
        words = f"{len(applied.latents)} atoms in {write_table(applied.latents, target)}: {describe_likeness(likeness)}"
        return Found(words, found | likeness_facts(likeness))


@dataclass(frozen=True)
class Crystal(Tables):
    """Measure the crystal: ``FILE-crystal.csv``, ``FILE-vacancies.csv`` and ``FILE-lattice.json``.

    Parameters
    ----------
    detection, dataset, atoms
        See `Tables`.
    sublattices : int or "auto"
        How many sublattices to tell apart first; 1 tells none.

    Examples
    --------
    >>> Crystal(sublattices=2).ending
    'crystal'
    """

    sublattices: int | str = "auto"

    name = "crystal"
    ending = "crystal"
    stages: ClassVar[tuple[str, ...]] = ("detect atoms", "measure the crystal")

    def settings(self) -> dict[str, Any]:
        """What the tables depend on."""
        return super().settings() | {"sublattices": self.sublattices}

    def work(self, path: Path, target: Path, say: Say) -> Found:
        """Measure, and write the tables; that of the columns last."""
        from ..core.micrograph import first_channel
        from ..core.progress import drain
        from ..crystal.description import Crystal as Described
        from ..crystal.description import iter_describe_crystal
        from ..crystal.sublattices import assign_sublattices
        from ..workflow.analyze import Stage

        image = first_channel(read(path, dataset=self.dataset))
        atoms = self.found_atoms(image, say)
        found = atom_facts(atoms) | image_facts(image)
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
        with replacing(target.with_name(f"{stem}-lattice.json")) as temporary:
            temporary.write_text(json.dumps(record, indent=2, ensure_ascii=False), encoding="utf-8")
        write_table(crystal.atoms, target)
        words = ", ".join(calibrated.describe(image.units).splitlines())
        facts = found | {"vacancies": len(crystal.vacancies), "lattice_spacing": calibrated.spacing}
        facts |= {"lattice_unit": image.units}
        return Found(f"{len(atoms)} atoms, {len(crystal.vacancies)} vacancies, {words}; see {target}", facts)


def check_atoms(atoms: Path | None, n_files: int) -> None:
    """Refuse a table of atoms for several images, or one that is none."""
    if atoms is None:
        return
    if n_files > 1:
        raise InputError("A table of atoms belongs to one image; give one file at a time with --atoms.")
    read_table(atoms)


def detection_settings(options: dict[str, Any]) -> dict[str, Any]:
    """Every option of the detection, also those that were left out; refuses what is none."""
    from ..atoms.recipe import Options

    asked = Options(**options)
    return asdict(asked) | {"refine": asked.placing}
