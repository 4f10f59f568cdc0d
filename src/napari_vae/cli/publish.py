"""What is taken from a finished analysis for a paper: figures and tables, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .terminal import say

Folder = Annotated[Path, typer.Argument(help="Folder that “analyze” or “demo” has written.")]


def add_commands(app: typer.Typer) -> None:
    """Add ``list``, ``figures`` and ``export`` to the command line."""
    app.command("list", epilog="Example: [bold]napari-vae list results[/]")(list_)
    app.command(
        epilog="Example: [bold]napari-vae figures results --out figures --format png,svg --color z1 "
        "--only overlay,angles[/]"
    )(figures)
    app.command(epilog="Example: [bold]napari-vae export results --to latents.h5ad[/]")(export)


def list_(folder: Annotated[Path, typer.Argument(help="Folder; those below it are looked through as well.")]) -> None:
    """List finished analyses and trained models, the last first."""
    from ..workflow.archive import list_runs

    runs = list_runs(folder)
    for run in runs.to_dict("records"):
        told = f"{run['model'] or 'model'} of {run['source'] or 'arrays'}, {run['atoms']} atoms"
        say(f"{str(run['written'])[:16]}  {run['kind']}  {run['path']}  {told}")
    say(f"{len(runs)} analyses and models in {folder}")


def figures(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="Folder for the figures; files of the same name are replaced.")],
    format_: Annotated[str, typer.Option("--format", help="png, svg or both: FORMAT[,FORMAT].")] = "png,svg",
    color: Annotated[str, typer.Option(help="Column that colours the atoms; z1 where there is one.")] = "",
    axes: Annotated[str, typer.Option(help="Columns of the scatter: X,Y; z1,z2 where there are these.")] = "",
    only: Annotated[
        str, typer.Option(help="Of overlay, scatter, angles, classes, manifold, loss: NAME[,NAME]; all by default.")
    ] = "",
) -> None:
    """Draw figures of a finished analysis, one column of a journal (85 mm) wide."""
    from ..analysis.figures import FigureData, save_figures
    from ..core.errors import InputError
    from ..workflow.archive import load_analysis

    plane = _names(axes) or ["", ""]
    if len(plane) != 2:
        raise InputError(f"--axes names two columns, X,Y, not {axes!r}.")
    data = FigureData.of(load_analysis(folder), color=color, plane=tuple(plane))
    written = save_figures(data, out, _names(format_.lower()), _names(only) or None)
    say(f"{', '.join(path.name for path in written)} in {out}")


def export(
    folder: Folder,
    to: Annotated[Path, typer.Option(help="The file; its name ends in .csv, .parquet or .h5ad (AnnData).")],
    atoms: Annotated[bool, typer.Option("--atoms", help="Every detected atom instead of those with latents.")] = False,
) -> None:
    """Write the table of latents of a finished analysis for other programs."""
    from ..io.writing import check_table_name, origin_in, write_table
    from ..workflow.archive import describe, load_analysis

    check_table_name(to)
    analysis = load_analysis(folder)
    table, image = analysis.atoms if atoms else analysis.latents, analysis.micrograph
    say(f"{len(table)} rows are in {write_table(table, to, **origin_in(image, describe(analysis)))}")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
