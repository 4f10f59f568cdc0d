"""The command line: ``napari-vae``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import exploring, publishing
from .errors import InputError
from .options import (
    Atoms,
    Classes,
    Condition,
    Dataset,
    Device,
    Epochs,
    Files,
    Labels,
    Latents,
    Model,
    Overwrite,
    Polarity,
    Refine,
    Scheduler,
    Seed,
    Spacing,
    Sublattices,
    Targets,
    Threshold,
    Window,
    auto_or_int,
    given_of,
    model_of,
    training_of,
)
from .terminal import one_line_errors, progress_bars, say, warn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .batch import Outcome
    from .cluster.files import FileResult

app = typer.Typer(
    name="napari-vae",
    help="See what varies from atom to atom: invariant variational autoencoders for atom-resolved microscopy.",
    epilog="First look: [bold]napari-vae demo[/]    Your image: [bold]napari-vae analyze HAADF.dm3 --out results[/]",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends with exit code 2 and one line when the input is bad, never with a traceback."""
    with one_line_errors():
        app(args=arguments, prog_name="napari-vae")


@app.command(epilog="Example: [bold]napari-vae demo --out demo-output --no-window[/]")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("demo-output"),
    kind: Annotated[str, typer.Option(help="graphene or perovskite, simulated.")] = "graphene",
    no_window: Annotated[
        bool, typer.Option("--no-window", help="Only write the results and a picture of the window.")
    ] = False,
    seed: Seed = 0,
) -> None:
    """Run everything on a built-in sample and show it in napari (a picture of the window without a display)."""
    from .archive import check_folder
    from .demonstration import analyze_sample
    from .showing import has_display, save_screenshot, show

    check_folder(out, overwrite=True)
    with progress_bars() as bars:
        analysis = analyze_sample(kind, seed=seed, progress=bars)
    analysis.save(out, overwrite=True)
    say(f"Tables, images, pictures and {out / 'report.html'} are written.")
    if has_display() and not no_window:
        say("The napari window opens; close it to end.")
        show(analysis)
        return
    picture = out / "napari-window.png"
    problem = save_screenshot(out, picture)
    say(problem or f"The napari window looks like {picture}.")


@app.command(
    epilog="Example: [bold]napari-vae analyze survey.dm3 movie.tif --model rvae --out results[/]\n\n"
    "Classes without labels: [bold]napari-vae analyze survey.dm3 --model j-rvae --n-classes 2 --out results[/]\n\n"
    "From a few labels: [bold]napari-vae analyze survey.dm3 --atoms atoms.csv --model ss-rvae --labels species "
    "--out results[/]"
)
def analyze(
    files: Files,
    out: Annotated[Path, typer.Option(help="Folder for the results; of several files each gets its own in it.")],
    model: Model = "rvae",
    latents: Latents = 2,
    atoms: Atoms = None,
    labels: Labels = None,
    condition: Condition = None,
    targets: Targets = None,
    n_classes: Classes = None,
    classes: Annotated[
        str, typer.Option(help="How many classes to form of the latents of other models, or auto; 1 forms none.")
    ] = "auto",
    window: Window = "auto",
    polarity: Polarity = "auto",
    spacing: Spacing = None,
    threshold: Threshold = None,
    refine: Refine = "gaussian",
    dataset: Dataset = None,
    epochs: Epochs = "auto",
    device: Device = "auto",
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Detect atoms, train, encode, classify; write tables, images, pictures and report.html."""
    from .batch import analyze_files
    from .io.writing import read_table

    table = None if atoms is None else read_table(atoms)
    config, given = model_of(model, latents, n_classes), given_of(labels, condition, targets)
    given.check(config, table)
    options: dict[str, Any] = {
        "model": config,
        "atoms": table,
        **given.names(),
        "train": training_of(epochs, device, seed),
        "window": auto_or_int(window, "--window"),
        "n_classes": auto_or_int(classes, "--classes"),
        "detection": {"polarity": polarity, "spacing": spacing, "threshold": threshold, "refine": refine},
    }
    with progress_bars() as bars:
        outcomes = analyze_files(files, out, options, dataset=dataset, overwrite=overwrite, bars=bars)
    _finish(outcomes)


@app.command(
    epilog="Example: [bold]napari-vae detect survey.dm3 --polarity dark --out atoms[/]\n\n"
    "Of a movie, with a number for every atom: [bold]napari-vae detect movie.tif --follow[/]"
)
def detect(
    files: Files,
    out: Annotated[Path, typer.Option(help="Folder for the tables, one FILE-atoms.csv each.")] = Path(),
    polarity: Polarity = "auto",
    spacing: Spacing = None,
    threshold: Threshold = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Follow atoms through the frames of a movie: column track.")
    ] = False,
    refine: Refine = "gaussian",
    weak: Annotated[bool, typer.Option("--weak", help="Look again, for weak columns between heavy ones.")] = False,
    dataset: Dataset = None,
    scheduler: Scheduler = None,
) -> None:
    """Find atoms and write their sub-pixel positions as tables."""
    from .batch import for_each, tables_for
    from .io.reading import read
    from .io.writing import write_table
    from .pipeline import find_atoms

    options = {"polarity": polarity, "spacing": spacing, "threshold": threshold, "refine": refine, "weak": weak}
    if scheduler is not None:
        from .cluster.files import detect_files

        if follow:
            raise InputError("Atoms are followed through a whole movie at once; leave out --follow or --scheduler.")
        _finish(_frame_by_frame(detect_files, files, out, scheduler=scheduler, dataset=dataset, **options))
        return
    tables = tables_for(files, out, "atoms")
    with progress_bars() as bars:

        def work(path: Path) -> str:
            atoms = find_atoms(read(path, dataset=dataset), options, bars, follow)
            table = write_table(atoms, tables[path])
            if atoms.empty:
                return f"nothing stands out of noise and texture as atoms do; a lower --threshold may help ({table})"
            return f"{len(atoms)} atoms in {table}"

        outcomes = for_each(tables, work, bars)
    _finish(outcomes)


@app.command(epilog="Example: [bold]napari-vae crystal survey.dm3 --out tables[/]")
def crystal(
    files: Files,
    out: Annotated[
        Path, typer.Option(help="Folder for FILE-crystal.csv, FILE-vacancies.csv, FILE-lattice.json.")
    ] = Path(),
    atoms: Atoms = None,
    sublattices: Sublattices = "auto",
    polarity: Polarity = "auto",
    spacing: Spacing = None,
    threshold: Threshold = None,
    dataset: Dataset = None,
) -> None:
    """Measure lattice, vacancies, displacements, strain and intensities of the columns."""
    from .batch import crystal_file, for_each, tables_for

    if atoms is not None and len(set(files)) > 1:
        raise InputError("A table of atoms belongs to one image; measure one file at a time with --atoms.")
    options = {"polarity": polarity, "spacing": spacing, "threshold": threshold}
    number, tables = auto_or_int(sublattices, "--sublattices"), tables_for(files, out, "crystal")
    with progress_bars() as bars:

        def work(path: Path) -> str:
            return crystal_file(path, tables[path], dataset, atoms, number, options, bars)

        outcomes = for_each(tables, work, bars)
    _finish(outcomes)


@app.command(
    epilog="Example: [bold]napari-vae train survey.dm3 --model trvae --out run[/]\n\n"
    "Told what is known: [bold]napari-vae train survey.dm3 --atoms atoms.csv --model crvae --condition sublattice "
    "--out run[/]\n\n"
    "By two processes: [bold]torchrun --nproc-per-node 2 -m napari_vae train survey.dm3 --out run[/]"
)
def train(
    file: Annotated[Path, typer.Argument(help="The image or movie to learn from.")],
    out: Annotated[Path, typer.Option(help="Folder for the trained model.")],
    model: Model = "rvae",
    latents: Latents = 2,
    atoms: Atoms = None,
    labels: Labels = None,
    condition: Condition = None,
    targets: Targets = None,
    n_classes: Classes = None,
    window: Window = "auto",
    dataset: Dataset = None,
    epochs: Epochs = "auto",
    device: Device = "auto",
    seed: Seed = 0,
    checkpoint: Annotated[Path | None, typer.Option(help="Folder to continue from after an interruption.")] = None,
) -> None:
    """Train a model on the windows around the atoms of an image."""
    from .archive import check_folder
    from .io.reading import read
    from .io.writing import read_table
    from .patches import extract_patches
    from .pipeline import find_atoms, train_model
    from .processes import joined

    if out.exists():
        raise InputError(f"{out} exists already; give a new folder for the model.")
    check_folder(out)
    configurations = model_of(model, latents, n_classes), training_of(epochs, device, seed, checkpoint)
    size = auto_or_int(window, "--window")
    table, given = None if atoms is None else read_table(atoms), given_of(labels, condition, targets)
    given.check(configurations[0], table)
    with joined(device) as group, progress_bars(quiet=not group.first) as bars:
        image = read(file, dataset=dataset)
        patches = extract_patches(image, find_atoms(image, {}, bars) if table is None else table, window=size)
        run = train_model(patches, *configurations, bars, given, group=group)
    if group.first:
        run.save(out)
        say(f"The model trained on {len(patches)} windows is in {out}; apply it with: napari-vae encode {out} FILES")


@app.command(epilog="Example: [bold]napari-vae encode results/run other.dm3 --out tables[/]")
def encode(
    run: Annotated[Path, typer.Argument(help="Folder of a trained model.")],
    files: Files,
    out: Annotated[Path, typer.Option(help="Folder for the tables, one FILE-latents.csv each.")] = Path(),
    atoms: Atoms = None,
    condition: Condition = None,
    dataset: Dataset = None,
    scheduler: Scheduler = None,
) -> None:
    """Apply a trained model to other images and write the latents as tables."""
    from .batch import encode_file, for_each, tables_for
    from .io.writing import read_table
    from .models.given import encoding_given
    from .run import load_run

    if scheduler is not None:
        from .cluster.files import encode_files

        if atoms is not None:
            raise InputError("With --scheduler the atoms are detected on every frame; leave out --atoms.")
        _finish(_frame_by_frame(encode_files, run, files, out, scheduler=scheduler, dataset=dataset))
        return
    model, tables = load_run(run), tables_for(files, out, "latents")
    given, table = given_of(None, condition, None), None if atoms is None else read_table(atoms)
    told = given.values(table).get("condition")
    encoding_given(model.model_config, model.scale, 0 if table is None else len(table), None, told)
    with progress_bars() as bars:

        def work(path: Path) -> str:
            return encode_file(model, path, tables[path], dataset, atoms, given, bars)

        outcomes = for_each(tables, work, bars)
    _finish(outcomes)


@app.command(epilog="Example: [bold]napari-vae advise survey.dm3 --atoms atoms.csv[/]")
def advise(
    file: Annotated[Path, typer.Argument(help="The image or movie to find a model for.")],
    atoms: Atoms = None,
    dataset: Dataset = None,
    device: Device = "auto",
    seed: Seed = 0,
) -> None:
    """Suggest window, invariances and number of latents from a short scan, and show its table."""
    from .batch import advise_on
    from .io.reading import read
    from .io.writing import read_table

    train, table = training_of("auto", device, seed), None if atoms is None else read_table(atoms)
    with progress_bars() as bars:
        advice = advise_on(read(file, dataset=dataset), table, train, bars)
    model = advice.model
    say(advice.table.to_string(index=False, float_format="{:.2f}".format, na_rep="–"))
    say(advice.reasons)
    options = f"--model {model.name} --latents {model.latent_dim} --window {advice.window}"
    say(f"Suggested: napari-vae analyze {file} {options} --out results")


@app.command("open", epilog="Example: [bold]napari-vae open results[/]")
def open_(
    folder: Annotated[Path, typer.Argument(help="Folder that “analyze” or “demo” has written.")],
    screenshot: Annotated[Path | None, typer.Option(help="Save a picture of the window and end.")] = None,
) -> None:
    """Show a finished analysis in napari."""
    from .archive import load_analysis
    from .showing import has_display, save_screenshot, show, take_screenshot

    analysis = load_analysis(folder)
    if screenshot is None:
        show(analysis)
    elif has_display():
        take_screenshot(analysis, screenshot)
    elif problem := save_screenshot(folder, screenshot):
        raise InputError(problem)


publishing.add_commands(app)
exploring.add_commands(app)


def _frame_by_frame(call: Callable[..., list[FileResult]], *arguments: Any, **options: Any) -> list[FileResult]:
    """Call one of `cluster.files`, with a bar for every file."""
    from .pipeline import Stage

    with progress_bars() as bars:
        return call(
            *arguments, **options, progress=lambda p: bars(Stage(p.path.name, p.done / p.total, f"{p.total} frames"))
        )


def _finish(outcomes: Sequence[Outcome | FileResult]) -> None:
    """Say what became of every file; when some failed, exit code 2, or 1 if one of them by a fault of ours."""
    for outcome in outcomes:
        (warn if outcome.failed else say)(str(outcome))
    codes = {outcome.code for outcome in outcomes if outcome.failed}
    if codes:
        raise typer.Exit(min(codes))
