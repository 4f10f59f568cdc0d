"""The command line: ``napari-vae``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import InputError
from .publishing import add_commands
from .terminal import one_line_errors, progress_bars, say, warn

if TYPE_CHECKING:
    from .batch import Outcome
    from .columns import Given
    from .models.config import ModelConfig, TrainConfig

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

Files = Annotated[
    list[Path], typer.Argument(help="Images: tif, png, jpg, npy, dm3, dm4, emd, ser, emi, mrc, hspy, hdf5.")
]
Model = Annotated[
    str,
    typer.Option(
        help="vae, or with r(otation), t(ranslation), s(cale): rvae, trvae, trsvae …, strain-rvae; "
        "conditional crvae …, semi-supervised ss-rvae …, joint j-rvae …"
    ),
]
Latents = Annotated[int, typer.Option("--latents", min=1, help="How many latents describe a window.")]
Epochs = Annotated[str, typer.Option(help="Passes over the data, or auto.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same result.")]
Window = Annotated[str, typer.Option(help="Window around each atom in pixels, or auto: two lattice spacings.")]
Polarity = Annotated[str, typer.Option(help="bright or dark columns, or auto.")]
Spacing = Annotated[float | None, typer.Option(help="Distance between neighbours in pixels; estimated by default.")]
Threshold = Annotated[float | None, typer.Option(help="Lowest score of an atom; chosen by default.")]
Dataset = Annotated[str | None, typer.Option(help="Name or number of the image in files with several.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an analysis that is there already.")]
Atoms = Annotated[Path | None, typer.Option(help="Table of atoms (columns y, x) instead of detecting them.")]
Labels = Annotated[
    str | None, typer.Option(help="Column of the table of atoms with classes, blank where unknown (ss- models).")
]
Condition = Annotated[
    str | None, typer.Option(help="Columns of the table of atoms that the model is told: COLUMN[,COLUMN] (crvae …).")
]
Targets = Annotated[
    str | None, typer.Option(help="Columns with numbers, blank where unknown: COLUMN[,COLUMN] (ss- models).")
]
Classes = Annotated[
    int | None, typer.Option("--n-classes", help="Classes that a joint or semi-supervised model looks for.")
]


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
    config, given = _model(model, latents, n_classes), _given(labels, condition, targets)
    given.check(config, table)
    options: dict[str, Any] = {
        "model": config,
        "atoms": table,
        **given.names(),
        "train": _training(epochs, device, seed),
        "window": _auto_or_int(window, "--window"),
        "n_classes": _auto_or_int(classes, "--classes"),
        "detection": {"polarity": polarity, "spacing": spacing, "threshold": threshold},
    }
    with progress_bars() as bars:
        outcomes = analyze_files(files, out, options, dataset=dataset, overwrite=overwrite, bars=bars)
    _finish(outcomes)


@app.command(epilog="Example: [bold]napari-vae detect survey.dm3 --polarity dark --out atoms[/]")
def detect(
    files: Files,
    out: Annotated[Path, typer.Option(help="Folder for the tables, one FILE-atoms.csv each.")] = Path(),
    polarity: Polarity = "auto",
    spacing: Spacing = None,
    threshold: Threshold = None,
    dataset: Dataset = None,
) -> None:
    """Find atoms and write their sub-pixel positions as tables."""
    from .batch import for_each, tables_for
    from .io.reading import read
    from .io.writing import write_table
    from .pipeline import find_atoms

    options = {"polarity": polarity, "spacing": spacing, "threshold": threshold}
    tables = tables_for(files, out, "atoms")
    with progress_bars() as bars:

        def work(path: Path) -> str:
            atoms = find_atoms(read(path, dataset=dataset), options, bars)
            return f"{len(atoms)} atoms in {write_table(atoms, tables[path])}"

        outcomes = for_each(tables, work, bars)
    _finish(outcomes)


@app.command(
    epilog="Example: [bold]napari-vae train survey.dm3 --model trvae --out run[/]\n\n"
    "Told what is known: [bold]napari-vae train survey.dm3 --atoms atoms.csv --model crvae --condition sublattice "
    "--out run[/]"
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

    if out.exists():
        raise InputError(f"{out} exists already; give a new folder for the model.")
    check_folder(out)
    configurations = _model(model, latents, n_classes), _training(epochs, device, seed, checkpoint)
    size = _auto_or_int(window, "--window")
    table, given = None if atoms is None else read_table(atoms), _given(labels, condition, targets)
    given.check(configurations[0], table)
    with progress_bars() as bars:
        image = read(file, dataset=dataset)
        patches = extract_patches(image, find_atoms(image, {}, bars) if table is None else table, window=size)
        run = train_model(patches, *configurations, bars, given)
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
) -> None:
    """Apply a trained model to other images and write the latents as tables."""
    from .batch import encode_file, for_each, tables_for
    from .io.writing import read_table
    from .models.given import encoding_given
    from .run import load_run

    model, tables = load_run(run), tables_for(files, out, "latents")
    given, table = _given(None, condition, None), None if atoms is None else read_table(atoms)
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

    train, table = _training("auto", device, seed), None if atoms is None else read_table(atoms)
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


add_commands(app)


def _finish(outcomes: list[Outcome]) -> None:
    """Say what became of every file; when some failed, exit code 2, or 1 if one of them by a fault of ours."""
    for outcome in outcomes:
        (warn if outcome.failed else say)(str(outcome))
    codes = {outcome.code for outcome in outcomes if outcome.failed}
    if codes:
        raise typer.Exit(min(codes))


def _model(name: str, latents: int, n_classes: int | None) -> ModelConfig:
    from .models.config import ModelConfig

    return ModelConfig.preset(name, latent_dim=latents, n_classes=n_classes)


def _given(labels: str | None, condition: str | None, targets: str | None) -> Given:
    """Columns by name; of several the names are separated by commas."""
    from .columns import Given

    lists = ([name.strip() for name in text.split(",")] if text else None for text in (condition, targets))
    return Given.of(labels, *lists)


def _training(epochs: str, device: str, seed: int, checkpoint: Path | None = None) -> TrainConfig:
    from .models.config import TrainConfig

    return TrainConfig(epochs=_auto_or_int(epochs, "--epochs"), device=device, seed=seed, checkpoint=checkpoint)


def _auto_or_int(text: str, option: str) -> Any:
    if text == "auto":
        return "auto"
    if not text.isdigit() or int(text) == 0:
        raise InputError(f"{option} must be auto or a whole number above 0, not {text!r}.")
    return int(text)
