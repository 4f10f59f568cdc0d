"""The commands on what is finished: its list, figures, tables, changes through a movie, active learning replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import napari_vae as nv

from ..core.errors import InputError
from ..core.fields import settings_of
from ..core.folders import check_writable
from ..learning.config import DeepKernelConfig, ExplorationConfig
from .options import TRAINING, asks, names_in
from .terminal import progress_bars, say

Folder = Annotated[Path, typer.Argument(help="Folder that “analyze” or “demo” has written.")]

EXPLORATION = [
    settings_of(ExplorationConfig)[name] for name in ("acquisition", "kappa", "spread", "batch", "refit_every")
]
#: Settings of a deep kernel but for its target, which the column and ``--angle`` tell; and where it is computed.
NETWORK = [setting for name, setting in settings_of(DeepKernelConfig).items() if name != "target"]
NETWORK += [setting for setting in TRAINING if setting.name == "device"]


def add_commands(app: typer.Typer) -> None:
    """Add ``list``, ``figures``, ``export``, ``transitions`` and ``explore`` to the command line."""
    app.command("list", epilog="Example: [bold]napari-vae list results[/]")(list_)
    app.command(
        epilog="Example: [bold]napari-vae figures results --out figures --format png,svg --color z1 "
        "--only overlay,angles[/]"
    )(figures)
    app.command(epilog="Example: [bold]napari-vae export results --to latents.h5ad[/]")(export)
    app.command(epilog="Example: [bold]napari-vae transitions latents.csv --frame-time 0.4 --unit s --out rates[/]")(
        transitions
    )
    app.command(
        epilog="Example: [bold]napari-vae explore results --target strain_xx --budget 60 --out exploration[/]\n\n"
        "On columns of a table: [bold]napari-vae explore latents.csv --columns z1,z2 --target dose --goal min "
        "--out exploration[/]"
    )(asks(exploration=EXPLORATION, network=NETWORK)(explore))


def list_(folder: Annotated[Path, typer.Argument(help="Folder; those below it are looked through as well.")]) -> None:
    """List finished analyses and trained models, the last first."""
    runs = nv.list_runs(folder)
    for run in runs.to_dict("records"):
        what = f"{run['model'] or 'model'} of {run['source'] or 'arrays'}, {run['atoms']} atoms"
        say(f"{str(run['written'])[:16]}  {run['kind']}  {run['path']}  {what}")
    say(f"{len(runs)} analyses and models in {folder}")


def figures(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="Folder for the figures; files of the same name are replaced.")],
    format_: Annotated[str, typer.Option("--format", help="png, svg or both: FORMAT[,FORMAT].")] = "png,svg",
    color: Annotated[str, typer.Option(help="Column that colours the atoms; z1 where there is one.")] = "",
    axes: Annotated[str, typer.Option(help="Columns of the scatter: X,Y; z1,z2 where there are these.")] = "",
    only: Annotated[
        str,
        typer.Option(
            help="Of overlay, scatter, angles, classes, changes, density, manifold, loss: NAME[,NAME]; all by default."
        ),
    ] = "",
) -> None:
    """Draw figures of a finished analysis, one column of a journal (85 mm) wide."""
    plane = names_in(axes) or ["", ""]
    if len(plane) != 2:
        raise InputError(f"--axes names two columns, X,Y, not {axes!r}.")
    data = nv.analysis.FigureData.of(nv.load_analysis(folder), color=color, plane=tuple(plane))
    written = nv.save_figures(data, out, names_in(format_.lower()), names_in(only) or None)
    say(f"{', '.join(path.name for path in written)} in {out}")


def export(
    folder: Folder,
    to: Annotated[Path, typer.Option(help="The file; its name ends in .csv, .parquet or .h5ad (AnnData).")],
    atoms: Annotated[bool, typer.Option("--atoms", help="Every detected atom instead of those with latents.")] = False,
) -> None:
    """Write the table of latents of a finished analysis for other programs."""
    from ..io import writing
    from ..workflow.findings import describe

    writing.check_table_name(to)
    analysis = nv.load_analysis(folder)
    table, image = analysis.atoms if atoms else analysis.latents, analysis.micrograph
    say(f"{len(table)} rows are in {nv.write_table(table, to, **writing.origin_in(image, describe(analysis)))}")


def transitions(
    table: Annotated[
        Path, typer.Argument(help="Table of atoms with the columns track (of “detect --follow”) and of classes.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the tables; files of the same name are replaced.")],
    column: Annotated[str, typer.Option(help="The classes.")] = "class",
    frame_time: Annotated[float, typer.Option(help="Time from one frame to the next.")] = 1.0,
    unit: Annotated[str, typer.Option(help="Of that time.")] = "frame",
) -> None:
    """Say how often atoms of a movie change from class to class, with 95 % intervals, and when and where they did."""
    folder = check_writable(out)
    rows = nv.read_table(table)
    with progress_bars() as bars:
        found = nv.analysis.transitions(rows, column, frame_time=frame_time, unit=unit, callback=bars)
    tables = {"rates.csv": found.table, "dwell.csv": found.dwell, "changes.csv": found.events}
    for name, written in tables.items():
        nv.write_table(written, folder / name)
    say(f"{found.sentence()} {', '.join(tables)} in {out}")


def explore(
    source: Annotated[
        Path, typer.Argument(metavar="RESULTS_OR_TABLE", help="Folder that “analyze” has written, or a csv or parquet.")
    ],
    target: Annotated[str, typer.Option(help="Column with what is to be found; it answers as the instrument would.")],
    out: Annotated[Path, typer.Option(help="Folder for the record; one that was interrupted is continued.")],
    goal: Annotated[str, typer.Option(help="max, min, a number to come near to, or the name of a class.")] = "max",
    budget: Annotated[int, typer.Option(min=1, help="Measurements in all.")] = 50,
    start: Annotated[int, typer.Option(min=1, help="Measurements at random to begin with.")] = 10,
    columns: Annotated[str, typer.Option(help="Columns that the model sees of a table; its latents by default.")] = "",
    angle: Annotated[bool, typer.Option("--angle", help="The target is an angle in degrees, on its circle.")] = False,
    model_run: Annotated[
        Path | None, typer.Option(help="Trained model whose encoder is used; that of the results by default.")
    ] = None,
    *,
    exploration: dict[str, Any],
    network: dict[str, Any],
) -> None:
    """Let a deep kernel choose what is measured next, on values that are known: how many would have been enough?"""
    from .explore import replay

    options: dict[str, Any] = {"goal": goal, "columns": columns, "angle": angle, "budget": budget, "start": start}
    replay(source, target, out, model_run=model_run, network=network, **options, **exploration)
