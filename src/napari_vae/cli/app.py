"""The command line: ``napari-vae``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import napari_vae as nv

from .. import batch
from ..core.errors import InputError, shown
from ..core.fields import read_as
from ..core.progress import Stage
from ..core.settings import AutoCount
from ..models.config import TrainConfig
from .files import run_on_files, train_on_files
from .options import (
    DETECTION,
    SHORT_TRAINING,
    Atoms,
    Condition,
    Dataset,
    Files,
    Grid,
    Overwrite,
    PixelSize,
    Scheduler,
    Sublattices,
    asks,
    names_in,
    pixel_size_of,
    to_learn,
)
from .results import add_commands
from .series import add_series, suggest_windows
from .terminal import no_logs, one_line_errors, progress_bars, say

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
    with one_line_errors(), no_logs():
        given = sys.argv[1:] if arguments is None else arguments
        if wrong := next((word for word in given if word.startswith("-") and shown(word) != word), ""):
            raise InputError(f"There is no option {shown(wrong)}; write a name that begins so as ./{shown(wrong)}.")
        app(args=arguments, prog_name="napari-vae")


@app.command(epilog="Example: [bold]napari-vae demo --out demo-output --no-window[/]")
@asks(training=SHORT_TRAINING)
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("demo-output"),
    kind: Annotated[str, typer.Option(help="graphene or perovskite, simulated.")] = "graphene",
    no_window: Annotated[
        bool, typer.Option("--no-window", help="Only write the results and a picture of the window.")
    ] = False,
    *,
    training: dict[str, Any],
) -> None:
    """Run everything on a built-in sample and show it in napari (a picture of the window without a display)."""
    from ..samples.micrographs import Crystals
    from ..workflow.archive import check_folder
    from . import window

    check_folder(out, overwrite=True)
    with progress_bars() as bars:
        analysis = window.analyze_sample(read_as("--kind", kind, Crystals), progress=bars, **training)
    analysis.save(out, overwrite=True)
    say(f"Tables, images, pictures and {out / 'report.html'} are written.")
    if window.has_display() and not no_window:
        say("The napari window opens; close it to end.")
        window.show(analysis)
        return
    picture = out / "napari-window.png"
    problem = window.save_screenshot(out, picture)
    say(problem or f"The napari window looks like {picture}.")


@app.command(
    epilog="Example: [bold]napari-vae analyze survey.dm3 movie.tif --model rvae --out results[/]\n\n"
    "Without atoms: [bold]napari-vae analyze domains.tif --grid 2nm --window 32 --out results[/]\n\n"
    "Classes without labels: [bold]napari-vae analyze survey.dm3 --model j-rvae --n-classes 2 --out results[/]\n\n"
    "From a few labels: [bold]napari-vae analyze survey.dm3 --atoms atoms.csv --model ss-rvae --labels species "
    "--out results[/]"
)
@asks(job=to_learn)
def analyze(
    files: Files,
    out: Annotated[Path, typer.Option(help="Folder for the results; of several files each gets its own in it.")],
    classes: Annotated[
        str, typer.Option(help="How many classes to form of the latents of other models, or auto; 1 forms none.")
    ] = "auto",
    overwrite: Overwrite = False,
    *,
    job: dict[str, Any],
) -> None:
    """Detect atoms, train, encode, classify; write tables, images, pictures and report.html."""
    task = batch.Analyze(**job, n_classes=read_as("--classes", classes, AutoCount))
    run_on_files(task, files, out, overwrite)


@app.command(
    epilog="Example: [bold]napari-vae detect survey.dm3 --polarity dark --out atoms[/]\n\n"
    "Of a movie, with a number for every atom: [bold]napari-vae detect movie.tif --follow[/]"
)
@asks(detection=DETECTION)
def detect(
    files: Files,
    out: Annotated[Path, typer.Option(help="Folder for the tables, one FILE-atoms.csv each.")] = Path(),
    follow: Annotated[
        bool, typer.Option("--follow", help="Follow atoms through the frames of a movie: column track.")
    ] = False,
    dataset: Dataset = None,
    pixel_size: PixelSize = None,
    overwrite: Overwrite = False,
    scheduler: Scheduler = None,
    *,
    detection: dict[str, Any],
) -> None:
    """Find atoms and write their sub-pixel positions as tables."""
    run_on_files(
        batch.Detect(detection, dataset, pixel_size=pixel_size_of(pixel_size), follow=follow),
        files,
        out,
        overwrite,
        scheduler,
    )


@app.command(epilog="Example: [bold]napari-vae crystal survey.dm3 --out tables[/]")
@asks(detection=DETECTION)
def crystal(
    files: Files,
    out: Annotated[
        Path, typer.Option(help="Folder for FILE-crystal.csv, FILE-vacancies.csv, FILE-lattice.json.")
    ] = Path(),
    atoms: Atoms = None,
    sublattices: Sublattices = "auto",
    dataset: Dataset = None,
    pixel_size: PixelSize = None,
    overwrite: Overwrite = False,
    *,
    detection: dict[str, Any],
) -> None:
    """Measure lattice, vacancies, displacements, strain and intensities of the columns."""
    number = read_as("--sublattices", sublattices, AutoCount)
    job = batch.Crystal(detection, dataset, atoms, pixel_size_of(pixel_size), sublattices=number)
    run_on_files(job, files, out, overwrite)


@app.command(
    epilog="Example: [bold]napari-vae train survey.dm3 --model trvae --out run[/]\n\n"
    "With what is known: [bold]napari-vae train survey.dm3 --atoms atoms.csv --model crvae --condition sublattice "
    "--out run[/]\n\n"
    "One model of all: [bold]napari-vae train 'today/*.dm4' --together --out run[/]\n\n"
    "On spectra: [bold]napari-vae train map.hspy --spectra --model tvae --out run[/]\n\n"
    "To predict spectra from images: [bold]napari-vae train survey.dm3 --outputs map.hspy --out run[/]\n\n"
    "By two processes: [bold]torchrun --nproc-per-node 2 -m napari_vae train survey.dm3 --out run[/]"
)
@asks(job=to_learn)
def train(
    files: Files,
    out: Annotated[Path, typer.Option(help="Folder for the trained model; of several files each gets its own in it.")],
    together: Annotated[bool, typer.Option("--together", help="One model of the windows of all files.")] = False,
    spectra: Annotated[
        bool, typer.Option("--spectra", help="Learn from the spectra in the files (vae, tvae …), not from images.")
    ] = False,
    band: Annotated[str | None, typer.Option(metavar="LOW,HIGH", help="Energies to learn from, of spectra.")] = None,
    outputs: Annotated[
        Path | None, typer.Option(help="Spectra of the area that the image shows; the model predicts them from it.")
    ] = None,
    wait: Annotated[float, typer.Option(help="Seconds in which processes of torchrun must find each other.")] = 60.0,
    overwrite: Overwrite = False,
    *,
    job: dict[str, Any],
) -> None:
    """Train a model on the windows around the atoms of an image; of several files, one model each or one of all."""
    if together and (spectra or outputs is not None):
        raise InputError("Spectra are learnt from file by file; leave out --together.")
    if spectra and outputs is not None:
        raise InputError("Spectra are learnt from, or predicted from an image; leave out --spectra or --outputs.")
    if band is not None and not spectra:
        raise InputError("Only spectra have a band; give --spectra as well, or leave out --band.")
    if spectra:
        energies = None if band is None else read_as("--band", band, tuple[float, float])
        train_on_files(batch.TrainSpectra(**job, band=energies), files, out, overwrite, together, wait)
    elif outputs is not None:
        train_on_files(batch.TrainPairs(**job, outputs=outputs), files, out, overwrite, together, wait)
    else:
        train_on_files(batch.Train(**job), files, out, overwrite, together, wait)


@app.command(
    epilog="Example: [bold]napari-vae encode results/run other.dm3 --out tables[/]\n\n"
    "A folder, or a pattern: [bold]napari-vae encode results/run 'today/*.dm4' --out tables[/]"
)
@asks(detection=DETECTION)
def encode(
    run: Annotated[Path, typer.Argument(help="Folder of a trained model.")],
    files: Files,
    out: Annotated[Path, typer.Option(help="Folder for the tables, one FILE-latents.csv each.")] = Path(),
    atoms: Atoms = None,
    grid: Grid = None,
    condition: Condition = None,
    dataset: Dataset = None,
    pixel_size: PixelSize = None,
    overwrite: Overwrite = False,
    scheduler: Scheduler = None,
    *,
    detection: dict[str, Any],
) -> None:
    """Apply a trained model to other images: detect, encode, compare with the training data, write tables."""
    job = batch.Encode(
        detection,
        dataset,
        atoms,
        pixel_size_of(pixel_size),
        run=run,
        condition=tuple(names_in(condition)),
        grid=grid,
    )
    run_on_files(job, files, out, overwrite, scheduler)


@app.command(epilog="Example: [bold]napari-vae predict run other.dm3 --grid 2nm --out predicted[/]")
def predict(
    run: Annotated[Path, typer.Argument(help="Folder of a model that “train --outputs” has written.")],
    files: Files,
    out: Annotated[Path, typer.Option(help="Folder for FILE-predicted.hspy and FILE-predicted-sd.hspy.")] = Path(),
    atoms: Annotated[
        Path | None, typer.Option(help="Table of places (columns y, x) instead of a regular grid like in the training.")
    ] = None,
    grid: Grid = None,
    dataset: Dataset = None,
    pixel_size: PixelSize = None,
    overwrite: Overwrite = False,
) -> None:
    """Predict the spectra of images, and how uncertain they are, as spectrum images."""
    job = batch.Predict(run, dataset, atoms, grid, pixel_size_of(pixel_size))
    run_on_files(job, files, out, overwrite)


@app.command(
    epilog="Example: [bold]napari-vae advise survey.dm3 --atoms atoms.csv[/]\n\n"
    "Of the window alone: [bold]napari-vae advise domains.tif --windows 8,16,24,32 --figure windows.png[/]"
)
@asks(training=SHORT_TRAINING)
def advise(
    file: Annotated[Path, typer.Argument(help="The image or movie to find a model for.")],
    atoms: Atoms = None,
    grid: Grid = None,
    dataset: Dataset = None,
    pixel_size: PixelSize = None,
    windows: Annotated[
        str | None,
        typer.Option(metavar="SIZES", help="Compare windows alone: PX,PX,… or auto, by what they teach of each pixel."),
    ] = None,
    figure: Annotated[Path | None, typer.Option(help="Of --windows, a PNG or SVG of all sizes.")] = None,
    *,
    training: dict[str, Any],
) -> None:
    """Suggest window, invariances and number of latents from a short scan, and show its table."""
    from ..workflow import atoms as places

    places.check_grid(grid, atoms)
    train, table = TrainConfig(**training), None if atoms is None else nv.read_table(atoms)
    with progress_bars() as bars:
        image = nv.read(file, dataset=dataset, pixel_size=pixel_size_of(pixel_size))
        if windows is not None:
            suggest_windows(image, table, windows, train, figure, bars)
            return
        found = places.place_windows(image, table, grid, "auto", bars)
        advice = nv.advise(
            image,
            found,
            train=train,
            callback=lambda progress: bars(Stage("compare models", progress.fraction, progress.message)),
        )
    model = advice.model
    say(advice.table.to_string(index=False, float_format="{:.2f}".format, na_rep="–"))
    say(advice.reasons)
    options = f"--model {model.name} --latents {model.latent_dim} --window {advice.window}"
    options += "" if grid is None else f" --grid {grid}"
    say(f"Suggested: napari-vae analyze {file} {options} --out results")


@app.command("open", epilog="Example: [bold]napari-vae open results[/]")
def open_(
    folder: Annotated[Path, typer.Argument(help="Folder that “analyze” or “demo” has written.")],
    screenshot: Annotated[Path | None, typer.Option(help="Save a picture of the window and end.")] = None,
) -> None:
    """Show a finished analysis in napari."""
    from . import window

    analysis = nv.load_analysis(folder)
    if screenshot is None:
        window.show(analysis)
    elif window.has_display():
        window.take_screenshot(analysis, screenshot)
    elif problem := window.save_screenshot(folder, screenshot):
        raise InputError(problem)


add_commands(app)
add_series(app)
