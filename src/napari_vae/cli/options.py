"""The options of the command line: their types, their help, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from ..atoms.recipe import Options
from ..core.fields import Setting, read_as, settings_of
from ..core.settings import AutoCount
from ..models.config import ModelConfig, TrainConfig

Files = Annotated[
    list[Path],
    typer.Argument(
        help="Images (tif, png, jpg, npy, npz, dat, dm3, dm4, dm5, emd, ser, emi, mrc, hspy, zspy, hdf5, h5, nxs, "
        "nhdf, ndata, sxm, gwy, gsf, ibw, sm4, sur, bcf, blo, mib, prz, zarr), folders of them, or patterns: "
        "'today/*.dm4'. What is finished already is not done again.",
        readable=False,  # one that may not be read is no reason to leave the others
    ),
]
Model = Annotated[
    str,
    typer.Option(
        help="vae, or with r(otation), t(ranslation), s(cale): rvae, trvae, trsvae …, strain-rvae, mirror-rvae; "
        "conditional crvae …, semi-supervised ss-rvae …, joint j-rvae …"
    ),
]
Window = Annotated[str, typer.Option(help="Window in pixels, or auto: two lattice spacings; 24 on a grid.")]
Dataset = Annotated[str | None, typer.Option(help="Name or number of the image in files with several.")]
PixelSize = Annotated[
    str | None,
    typer.Option(metavar="NM", help="Size of a pixel in nm, in place of what the file says: SIDE, or HEIGHT,WIDTH."),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Dask scheduler whose workers do the frames: tcp://HOST:8786 or its file. Tables are parquet then.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace results of other images or settings.")]
Atoms = Annotated[Path | None, typer.Option(help="Table of atoms (columns y, x) instead of detecting them.")]
Grid = Annotated[
    str | None,
    typer.Option(metavar="STEP", help="Windows on a regular grid instead of atoms; its step in px, or as 24px, 2nm."),
]
Covariates = Annotated[
    str | None,
    typer.Option(
        "--covariate",
        metavar="WHAT",
        help="Temperature, bias, time or dose of every frame (or file): FILE.csv:COLUMN, NAME=300,310,…, NAME=300:490 "
        "in equal steps, or a field of the header.",
    ),
]
Labels = Annotated[
    str | None, typer.Option(help="Column of the table of atoms with classes, blank where unknown (ss- models).")
]
Condition = Annotated[
    str | None, typer.Option(help="Columns of the table of atoms that the model is given: COLUMN[,COLUMN] (crvae …).")
]
Targets = Annotated[
    str | None, typer.Option(help="Columns with numbers, blank where unknown: COLUMN[,COLUMN] (ss- models).")
]
Sublattices = Annotated[str, typer.Option(help="How many sublattices to tell apart first, or auto; 1 tells none.")]


DETECTION = [setting for setting in settings_of(Options).values() if setting.text]
#: Settings of a model but for its kind and invariances, which ``--model`` names.
MODEL = [setting for name, setting in settings_of(ModelConfig).items() if name not in ("kind", "invariances")]
TRAINING = [*settings_of(TrainConfig).values()]
#: Settings of short trainings, which choose the others themselves.
SHORT_TRAINING = [setting for setting in TRAINING if setting.name in ("learning_rate", "device", "precision", "seed")]


def asks(
    **groups: Sequence[Setting] | Callable[..., dict[str, Any]],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command an option for every setting of these groups; it is handed the values as a dict for each group.

    A group may also be a function, whose parameters become options: what it returns is handed on.
    """

    def add_options(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def asked(**given: Any) -> Any:
            for group, settings in groups.items():
                if callable(settings):
                    given[group] = settings(**{name: given.pop(name) for name in signature(settings).parameters})
                else:
                    given[group] = {one.name: one.read(given.pop(one.name)) for one in settings}
            return command(**given)

        own = [one for one in signature(command, eval_str=True).parameters.values() if one.name not in groups]
        options: list[Parameter] = []
        for group, settings in groups.items():
            if callable(settings):
                options += [one.replace(kind=Parameter.KEYWORD_ONLY) for one in signature(settings).parameters.values()]
            else:
                options += [_option(setting, group) for setting in settings]
        asked.__signature__ = Signature([*own, *options])  # type: ignore[attr-defined]
        asked.__annotations__ = {one.name: one.annotation for one in (*own, *options)}
        return asked

    return add_options


def names_in(text: str | None) -> list[str]:
    """Names that are separated by commas."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def pixel_size_of(text: str | None) -> tuple[float, float] | None:
    """The height and width of a pixel; of a square one its side is enough."""
    from ..core.micrograph import size_of_pixels

    return None if text is None else size_of_pixels(names_in(text))


def _option(setting: Setting, group: str) -> Parameter:
    """A setting as the parameter of a command."""
    value, flag = setting.default, setting.flag
    shown = ",".join(map(str, value)) if isinstance(value, list) else value if flag or value is None else str(value)
    kind = f" {setting.kind[:1].upper()}{setting.kind[1:]}."
    option = typer.Option(
        setting.option,
        help=setting.words + ("" if flag else kind),
        metavar=None if flag else "VALUE",
        rich_help_panel=group.replace("_", " ").capitalize(),
    )
    annotation: Any = Annotated[bool, option] if flag else Annotated[str | None, option]
    return Parameter(setting.name, Parameter.KEYWORD_ONLY, default=shown, annotation=annotation)


@asks(detection=DETECTION, model_settings=MODEL, training=TRAINING)
def to_learn(
    model: Model = "rvae",
    atoms: Atoms = None,
    grid: Grid = None,
    labels: Labels = None,
    condition: Condition = None,
    targets: Targets = None,
    covariate: Covariates = None,
    window: Window = "auto",
    dataset: Dataset = None,
    pixel_size: PixelSize = None,
    *,
    detection: dict[str, Any],
    model_settings: dict[str, Any],
    training: dict[str, Any],
) -> dict[str, Any]:
    """What tasks that train a model have in common; of several columns the names are separated by commas."""
    from ..io.covariates import read_covariate
    from ..models.columns import columns_of

    return {
        "model": ModelConfig.preset(model, **model_settings),
        "train": TrainConfig(**training),
        "window": read_as("--window", window, AutoCount),
        "detection": detection,
        "level": detection["level"],
        "dataset": dataset,
        "atoms": atoms,
        "grid": grid,
        "pixel_size": pixel_size_of(pixel_size),
        "covariate": None if covariate is None else read_covariate(covariate),
        "given": columns_of(labels, names_in(condition), names_in(targets)),
    }
