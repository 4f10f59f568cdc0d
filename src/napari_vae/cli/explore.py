"""Active learning replayed on what is known already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..analysis.labelling import is_text
from ..core.class_colors import class_name
from ..core.errors import InputError
from ..core.fields import read_as
from ..core.folders import holds
from ..core.progress import Stage, drain
from ..io.writing import read_table
from ..learning.config import Acquisition
from ..learning.explore.loop import iter_explore
from ..learning.gp.deep_kernel import DeepKernelGP
from ..runs.run import Run, load_run
from ..workflow.analysis_record import RECORD
from ..workflow.archive import load_analysis
from .options import names_in
from .terminal import progress_bars, say


@dataclass(frozen=True)
class Known:
    """Candidates, what is known of each, and the model whose encoder is used.

    Parameters
    ----------
    x : Patches or array (N, F)
    values : array (N,)
        Numbers; of classes their position in `classes`; NaN where nothing is known.
    classes : tuple of str
        Names, of a column of words.
    run : Run, optional
    index : Index
        Of the table: what each candidate is called.
    """

    x: Any
    values: npt.NDArray[np.float64]
    classes: tuple[str, ...]
    run: Run | None
    index: pd.Index


def replay(
    source: Path,
    target: str,
    out: Path,
    *,
    acquisition: str,
    goal: str,
    columns: str,
    angle: bool,
    model_run: Path | None,
    network: dict[str, Any],
    **plan: Any,
) -> None:
    """Explore what is known, and say how many measurements would have been enough."""
    known = known_of(source, target, columns, model_run)
    model = _model(known, angle, network)
    settings: dict[str, Any] = {"goal": _goal(goal, known), "seed": network["seed"], "model": model, **plan}
    with progress_bars() as bars:
        chosen = read_as("--acquisition", acquisition, Acquisition)
        job = iter_explore(known.x, known.values, chosen, record=out, **settings)
        record = drain(job, lambda event: bars(Stage("explore", event.fraction, event.message)))
    say(record.reason)
    if record.best is not None:
        value = record.goal.looked_at(record.targets)[record.measured == record.best][0]
        words = known.classes[int(value)] if known.classes else f"{value:.4g}"
        say(f"Best: {target} {words} of atom {known.index[record.best]}.")
    say(f"{record.tried} measurements, {len(record.failed)} of them without a value; see {out / 'measurements.csv'}")


def known_of(source: Path, target: str, columns: str, model_run: Path | None) -> Known:
    """Candidates and values from a folder of results, or from a table.

    Raises
    ------
    InputError
        If a column is missing or holds no numbers, or a trained model is given for a table.
    """
    if holds(source, RECORD) or source.is_dir():
        analysis = load_analysis(source)
        if columns:
            raise InputError("The model sees the windows of an analysis; give its latents.csv to choose columns.")
        run = analysis.run if model_run is None else load_run(model_run)
        values, classes = values_of(analysis.latents, target)
        return Known(analysis.patches, values, classes, run, analysis.latents.index)
    if model_run is not None:
        raise InputError("A trained model sees images, and a table has none; give the folder of an analysis.")
    table = read_table(source)
    values, classes = values_of(table, target)
    return Known(_features(table, target, columns), values, classes, None, table.index)


def values_of(table: pd.DataFrame, name: str) -> tuple[npt.NDArray[np.float64], tuple[str, ...]]:
    """A column as numbers (N,), and the names of its classes if it holds words.

    Raises
    ------
    InputError
        If there is no such column; the message names those that exist.
    """
    if name not in table:
        raise InputError(f"The table has no column {name}; it has {', '.join(str(column) for column in table)}.")
    column = table[name]
    if not is_text(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan), ()
    classes = tuple(sorted({class_name(word) for word in column.dropna()}))
    codes = [classes.index(class_name(word)) if word == word and word is not None else np.nan for word in column]
    return np.array(codes, np.float64), classes


def _features(table: pd.DataFrame, target: str, columns: str) -> npt.NDArray[np.float64]:
    names = names_in(columns) or [str(name) for name in table if str(name)[:1] == "z" and str(name)[1:].isdigit()]
    missing = [name for name in names if name not in table]
    if missing or not names:
        what = f"no column {', '.join(missing)}" if missing else "no latents"
        raise InputError(f"The table has {what}; choose with --columns from {', '.join(str(name) for name in table)}.")
    if target in names:
        raise InputError(f"The model would see the target itself; leave {target} out of --columns.")
    numbers = table[names].select_dtypes("number")
    if numbers.shape[1] < len(names):
        raise InputError("The columns that the model sees must hold numbers.")
    return numbers.to_numpy(np.float64)


def _model(known: Known, angle: bool, settings: dict[str, Any]) -> Any:
    if angle and known.classes:
        raise InputError("The target holds words, which are no angles; leave out --angle.")
    kind = "class" if known.classes else "angle" if angle else "real"
    return DeepKernelGP(known.run, target=kind, **settings)


def _goal(goal: str, known: Known) -> str | float:
    if goal in known.classes:
        return float(known.classes.index(goal))
    if goal in ("max", "min"):
        return goal
    if known.classes:
        raise InputError(f"--goal is one of {', '.join(known.classes)}, not {goal!r}.")
    try:
        return float(goal)
    except ValueError as error:
        raise InputError(f"--goal is max, min or a number, not {goal!r}.") from error
