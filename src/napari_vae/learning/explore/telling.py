"""What a user or an instrument tells of candidates, read as numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ...core.arrays import LARGEST
from ...core.errors import InputError
from .goals import Goal

Floats = npt.NDArray[np.float64]


def numbers(indices: npt.ArrayLike) -> list[int]:
    """Numbers of candidates, one or several.

    Raises
    ------
    InputError
        If they are no whole numbers, or one is there twice.
    """
    rows = np.atleast_1d(np.asarray(indices))
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or len(np.unique(rows)) < len(rows):
        raise InputError("Candidates are told by their numbers, each once.")
    return [int(i) for i in rows]


def as_table(values: npt.ArrayLike) -> Floats:
    """Values (n,) or (n, T); a single one as (1,).

    Raises
    ------
    InputError
        If they are no numbers.
    """
    try:
        return np.atleast_1d(np.asarray(values, np.float64))
    except (TypeError, ValueError) as error:
        raise InputError("Values are numbers; give classes as numbers from 0.") from error


def read_told(
    told: Mapping[int, npt.ArrayLike | str], goal: Goal, n_targets: int
) -> tuple[tuple[tuple[float, ...] | None, ...], dict[int, str]]:
    """Targets of each candidate, ``None`` where there are none, and why.

    Parameters
    ----------
    told : dict of int to array (T,) or str
        What was measured, or why that failed.
    goal : Goal
    n_targets : int
        As many as there were until now; 0 if these are the first.

    Raises
    ------
    InputError
        If they are no numbers, or the first of them do not fit the goal.
    """
    values: list[tuple[float, ...] | None] = []
    failures = {}
    for i, given in told.items():
        row = _readable(given) if isinstance(given, str) else as_table(given).reshape(-1)
        if not isinstance(row, str):
            if not n_targets and len(row) and np.isfinite(row).all():  # a failure does not tell how many there are
                n_targets = len(row)
                goal.check(n_targets)
            row = problem(row, goal, n_targets) or row
        values.append(None if isinstance(row, str) else tuple(row.tolist()))
        if isinstance(row, str):
            failures[i] = row
    return tuple(values), failures


def _readable(reason: str) -> str:
    """A reason as it can be written in UTF-8: bytes that an instrument sent in no encoding are spelt out."""
    return reason.encode("utf-8", "backslashreplace").decode("utf-8")


def problem(row: Floats, goal: Goal, n_targets: int) -> str:
    """Why a measurement is none; empty if it is one."""
    if not len(row):
        return "There is no value."
    if not np.isfinite(row).all():
        return "The value is not a number."
    if (np.abs(row) > LARGEST).any():
        return "The value is too large to compute with; give it in another unit."
    if len(row) != n_targets:
        return f"There are {n_targets} targets, but {len(row)} values."
    if goal.kind == "class" and (row[0] < 0 or row[0] % 1):
        return "A class is a whole number from 0."
    return ""
