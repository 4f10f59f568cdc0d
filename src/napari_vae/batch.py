"""The steps of the command line for many files: one that fails is noted and the rest is done."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .archive import RECORD, check_folder, check_writable
from .errors import InputError
from .io.reading import read
from .io.writing import replacing
from .terminal import StageBars, exit_code, sentence

if TYPE_CHECKING:
    import pandas as pd

    from .adviser import Advice
    from .columns import Given
    from .micrograph import Micrograph
    from .models.config import TrainConfig
    from .progress import Progress
    from .run import Run


@dataclass(frozen=True)
class Outcome:
    """What became of one file: what was written, or why it failed and the exit code for that."""

    path: Path
    message: str
    code: int = 0

    @property
    def failed(self) -> bool:
        """Whether nothing was written."""
        return self.code != 0

    def __str__(self) -> str:
        named = self.failed and self.path.name in self.message
        return self.message if named else f"{self.path.name}: {self.message}"


def tables_for(files: Sequence[Path], out: Path, kind: str) -> dict[Path, Path]:
    """The table to write for each file, every one its own; refuses a folder that cannot be written to."""
    check_writable(out)
    files = list(dict.fromkeys(files))
    return {
        path: place.with_name(f"{place.name}-{kind}.csv") for path, place in zip(files, places(files, out), strict=True)
    }


def for_each(files: Iterable[Path], work: Callable[[Path], str], bars: StageBars) -> list[Outcome]:
    """Do `work`, which says what it wrote, on every file."""
    outcomes = []
    for path in files:
        bars.begin(str(path))
        try:
            outcomes.append(Outcome(path, work(path)))
        except Exception as error:
            if os.environ.get("NAPARI_VAE_DEBUG"):
                raise
            outcomes.append(Outcome(path, sentence(error), exit_code(error)))
    return outcomes


def analyze_files(
    files: Sequence[Path],
    out: Path,
    options: dict[str, Any],
    *,
    dataset: str | None,
    overwrite: bool,
    bars: StageBars,
) -> list[Outcome]:
    """Analyse every file into `out`, or into a folder of its own in `out` when there are several."""
    files = list(dict.fromkeys(files))
    several = len(files) > 1
    if several and options.get("atoms") is not None:
        raise InputError("A table of atoms belongs to one image; analyse one file at a time with --atoms.")
    if several and (out / RECORD).exists():
        raise InputError(f"The folder {out} holds an analysis; give a new one for several files.")
    folders = dict(zip(files, places(files, out), strict=True)) if several else {files[0]: out}
    check_folder(next(iter(folders.values())), overwrite=overwrite or several)

    def work(path: Path) -> str:
        from .pipeline import analyze

        folder = check_folder(folders[path], overwrite=overwrite)
        image = read(path, dataset=dataset)
        analysis = analyze(image, **options, progress=bars)
        analysis.save(folder, overwrite=overwrite)
        groups = "" if analysis.classes is None else f" in {analysis.classes.nunique()} classes"
        return f"{len(analysis.latents)} atoms{groups}; see {folder / 'report.html'}"

    outcomes = for_each(list(folders), work, bars)
    if several:
        _write_index(outcomes, folders, out)
    return outcomes


def atoms_of(image: Micrograph, table: Path | None, options: dict[str, Any], bars: StageBars) -> pd.DataFrame:
    """Atoms from a table, or detected when there is none."""
    from .io.writing import read_table
    from .pipeline import find_atoms

    return find_atoms(image, options, bars) if table is None else read_table(table)


def advise_on(image: Micrograph, table: pd.DataFrame | None, train: TrainConfig, bars: StageBars) -> Advice:
    """Suggest a model for an image, of which the atoms are detected when there is no table of them."""
    from .adviser import advise
    from .pipeline import Stage, find_atoms

    def show(progress: Progress) -> None:
        bars(Stage("compare models", progress.fraction, progress.message))

    atoms = find_atoms(image, {}, bars) if table is None else table
    return advise(image, atoms, train=train, seed=train.seed, callback=show)


def encode_file(
    run: Run, path: Path, target: Path, dataset: str | None, table: Path | None, given: Given, bars: StageBars
) -> str:
    """Apply a run to one file and write the table of latents.

    The intensities are taken in the limits of the image itself, so another exposure or gain makes no difference.
    """
    import pandas as pd

    from .io.writing import write_table
    from .patches import extract_patches
    from .pipeline import encode_patches

    image = read(path, dataset=dataset)
    atoms = atoms_of(image, table, {}, bars)
    patches = extract_patches(image, atoms, window=run.window)
    encoded = encode_patches(run, patches, given)
    latents = pd.concat([patches.atoms.drop(columns=list(encoded), errors="ignore"), encoded], axis=1)
    return f"{len(latents)} atoms in {write_table(latents, target)}"


def crystal_file(
    path: Path,
    target: Path,
    dataset: str | None,
    table: Path | None,
    sublattices: int | str,
    options: dict[str, Any],
    bars: StageBars,
) -> str:
    """Measure the crystal of one file; write the table of atoms, that of the vacancies, and the lattice."""
    from .atoms import assign_sublattices
    from .crystal.description import Crystal, iter_describe_crystal
    from .io.writing import write_table
    from .micrograph import first_channel
    from .pipeline import Stage
    from .progress import drain

    image = first_channel(read(path, dataset=dataset))
    atoms = atoms_of(image, table, options, bars)
    if sublattices != 1 and "sublattice" not in atoms:
        atoms = assign_sublattices(atoms, image, n=sublattices)
    job = iter_describe_crystal(atoms, image)
    crystal: Crystal = drain(job, lambda done: bars(Stage("measure the crystal", done[1], done[0])))
    bars(Stage("measure the crystal", 1.0))
    assert crystal.lattice is not None and crystal.vacancies is not None  # nothing was left out
    write_table(crystal.atoms, target)
    stem = target.name.removesuffix("-crystal.csv")
    write_table(crystal.vacancies, target.with_name(f"{stem}-vacancies.csv"))
    calibrated = crystal.lattice.scaled(image.scale)
    record = {"unit": image.units, **asdict(calibrated), "in_pixels": asdict(crystal.lattice)}
    with replacing(target.with_name(f"{stem}-lattice.json")) as temporary:
        temporary.write_text(json.dumps(record, indent=2, ensure_ascii=False), encoding="utf-8")
    words = ", ".join(calibrated.describe(image.units).splitlines())
    return f"{len(atoms)} atoms, {len(crystal.vacancies)} vacancies, {words}; see {target}"


def places(files: Sequence[Path], out: Path) -> list[Path]:
    """A place in `out` per file, named after it; with its suffix, and then a number, where names would clash."""
    names: list[str] = []
    stems = [path.stem for path in files]
    for path in files:
        name = path.stem if stems.count(path.stem) == 1 else path.name.replace(".", "-")
        number = sum(other == name or other.rpartition("_")[0] == name for other in names)
        names.append(f"{name}_{number + 1}" if number else name)
    return [out / name for name in names]


def _write_index(outcomes: list[Outcome], folders: dict[Path, Path], out: Path) -> None:
    """A page that links to the report of every file."""
    from .analysis.report import page

    lines = []
    for outcome in outcomes:
        line = escape(str(outcome))
        if not outcome.failed:
            name, folder = escape(outcome.path.name), quote(folders[outcome.path].name)
            line = f'<a href="{folder}/report.html">{name}</a>: {escape(outcome.message)}'
        lines.append(f"<li>{line}</li>")
    out.mkdir(parents=True, exist_ok=True)
    body = f"<h1>{len(outcomes)} files</h1>\n<ul>\n{chr(10).join(lines)}\n</ul>"
    (out / "report.html").write_text(page("napari-vae", body), encoding="utf-8")
