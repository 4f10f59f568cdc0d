"""The commands on series and fields: where latents change, what linear methods make of windows, how large these be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import napari_vae as nv

from ..core.errors import InputError
from ..core.fields import read_as
from ..core.folders import check_writable, replacing
from ..core.progress import Stage
from ..core.settings import AutoCount, Count
from .options import Atoms, Covariates, Dataset, Grid, PixelSize, Window, names_in, pixel_size_of
from .terminal import progress_bars, say

if TYPE_CHECKING:  # help needs no tables
    from collections.abc import Callable

    import pandas as pd

    from ..core.micrograph import Micrograph
    from ..models.config import TrainConfig

FORMAT = Annotated[str, typer.Option("--format", help="png, svg or both: FORMAT[,FORMAT].")]


def add_series(app: typer.Typer) -> None:
    """Add ``change`` and ``baselines`` to the command line."""
    app.command(
        epilog="Example: [bold]napari-vae change results --covariate temperature.csv:kelvin --out change[/]\n\n"
        "Of one model of many files: [bold]napari-vae change run/windows.csv --covariate bias=-2:2 --out change[/]"
    )(change)
    app.command(
        epilog="Example: [bold]napari-vae baselines movie.tif --grid 8 --window 24 --transform fourier --method gmm "
        "-n 4 --covariate temperature.csv:kelvin --out baselines[/]"
    )(baselines)


def change(
    source: Annotated[
        Path, typer.Argument(metavar="RESULTS_OR_TABLE", help="Folder that “analyze” has written, or a csv or parquet.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the table and figures; files of the same name are replaced.")],
    covariate: Covariates = None,
    columns: Annotated[
        str, typer.Option(help="What is looked at: COLUMN[,COLUMN], or a column of classes; latents and angles.")
    ] = "",
    format_: FORMAT = "png",
) -> None:
    """Say where along temperature, bias, time or dose latents change most, with a 95 % interval; draw their density."""
    folder = check_writable(out)
    analysis = nv.load_analysis(source) if source.is_dir() else None
    table = nv.read_table(source) if analysis is None else analysis.latents
    symmetry = 1 if analysis is None else analysis.run.symmetry
    found, written = _change(table, covariate, names_in(columns), folder, names_in(format_.lower()), symmetry)
    say(f"{found} {', '.join(path.name for path in written)} in {out}")


def baselines(
    file: Annotated[Path, typer.Argument(help="The image or movie.")],
    out: Annotated[Path, typer.Option(help="Folder for tables and figures; files of the same name are replaced.")],
    transform: Annotated[str, typer.Option(help="Of raw, fourier, radon: NAME[,NAME].")] = "raw,fourier,radon",
    method: Annotated[str, typer.Option(help="Of pca, nmf, gmm: NAME[,NAME].")] = "pca,nmf,gmm",
    n: Annotated[int, typer.Option("--components", "-n", min=1, help="Components, or classes of a mixture.")] = 3,
    atoms: Atoms = None,
    grid: Grid = None,
    window: Window = "auto",
    covariate: Covariates = None,
    dataset: Dataset = None,
    pixel_size: PixelSize = None,
    format_: FORMAT = "png",
) -> None:
    """Describe windows by PCA, NMF and Gaussian mixtures, and draw their densities along a covariate."""
    from ..io import covariates
    from ..workflow import atoms as around

    around.check_grid(grid, atoms)
    folder, size = check_writable(out), read_as("--window", window, AutoCount)
    known = None if covariate is None else covariates.read_covariate(covariate)
    image = nv.read(file, dataset=dataset, pixel_size=pixel_size_of(pixel_size))
    values = None if known is None else known.of_frames(image.n_frames)
    covariates.check_covariate(values, image)
    with progress_bars() as bars:
        places = around.place_windows(image, None if atoms is None else nv.read_table(atoms), grid, size, bars)
    places = places if values is None else covariates.with_covariate(places, values)
    patches = nv.extract_patches(image, places, window=size)
    chosen: Any = (names_in(transform.lower()), names_in(method.lower()))
    for name, described in nv.analysis.baselines(patches, *chosen, n=n).items():
        columns = [str(column) for column in described if column != "class_probability"]
        table = patches.atoms.drop(columns=described.columns, errors="ignore").join(described)
        nv.write_table(table, folder / f"{name}.csv")
        words = f"{len(table)} windows"
        if nv.analysis.FigureData(table).covariate:
            below = check_writable(folder / name)
            words, _ = _change(table, None if values is None else str(values.name), columns, below, names_in(format_))
        say(f"{name}: {words}")
    say(f"Tables and figures are in {out}")


def suggest_windows(
    image: Micrograph,
    atoms: pd.DataFrame | None,
    windows: str,
    train: TrainConfig,
    figure: Path | None,
    bars: Callable[[Stage], None],
) -> None:
    """Compare windows of several sizes, show their table, and draw them if asked."""
    from ..analysis import figures

    sizes = None if windows == "auto" else [read_as("--windows", size, Count) for size in names_in(windows)]
    kind = "" if figure is None else figure.suffix[1:].lower()
    if figure is not None and kind not in figures.FORMATS:
        raise InputError(f"The name of a figure ends in .{' or .'.join(figures.FORMATS)}, not {figure.name}.")
    scan = nv.workflow.scan_windows(
        image,
        atoms,
        windows=sizes,
        train=train,
        callback=lambda progress: bars(Stage("compare windows", progress.fraction, progress.message)),
    )
    say(scan.table.to_string(index=False, float_format="{:.3f}".format))
    say(scan.sentence())
    if figure is not None:
        with replacing(figure) as temporary:
            temporary.write_bytes(
                figures.saving.figure_bytes(figures.window_sizes_figure(scan.table, scan.units), kind)
            )
        say(f"The figure is {figure}")


def _change(
    table: pd.DataFrame,
    covariate: str | None,
    columns: list[str],
    folder: Path,
    formats: list[str],
    symmetry: int = 1,
) -> tuple[str, list[Path]]:
    """What changes along a covariate, in words, and the files that are written of it."""
    from ..io.covariates import read_covariate

    name = covariate or nv.analysis.FigureData(table).covariate
    if name and name not in table:
        known = read_covariate(name)
        table, name = known.added_to(table), known.name
    data = nv.analysis.FigureData(table, along=name)
    if not name:
        raise InputError("The table has one frame only; a change is looked for along several, or with --covariate.")
    found = nv.analysis.change_along(table, name, columns=columns or None, symmetry=symmetry)
    written = [nv.write_table(found.table, folder / "change.csv")]
    drawn = [column for column in [*(columns or data.latents), data.angle, data.classes] if column]
    for column in dict.fromkeys(drawn):
        written += nv.save_figures(data.colored(column), folder, formats, ["density"])
    return found.sentence(), written
