"""CSV for spreadsheets, which would compute what a name says: ``=1+1`` is written as ``'=1+1``, and read as it was."""

from __future__ import annotations

import re
from collections.abc import Callable
from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FORMULA = re.compile(r"'*[=+\-@\t\r]")
QUOTED = re.compile(r"'+[=+\-@\t\r]")


def write_csv(table: pd.DataFrame, path: str | PathLike[str], index: str | None = None) -> None:
    """Write a table as CSV, with its index as the column of that name if one is given."""
    whole = table if index is None else table.rename_axis(index).reset_index()
    _in_words(whole, _as_text).to_csv(path, index=False)


def unquoted(table: pd.DataFrame) -> pd.DataFrame:
    """A table that was read, with words as `write_csv` was given them."""
    return _in_words(table, _as_it_was)


def _in_words(table: pd.DataFrame, change: Callable[[Any], Any]) -> pd.DataFrame:
    """A table whose names and words are changed."""
    from pandas.api.types import is_numeric_dtype

    changed = table.set_axis([change(name) for name in table.columns], axis=1)
    for number, dtype in enumerate(table.dtypes):
        if not is_numeric_dtype(dtype):
            column = table.iloc[:, number]
            others = {value: change(value) for value in column.dropna().unique() if change(value) != value}
            if others:
                changed.isetitem(number, column.astype(object).replace(others).to_numpy())
    return changed


def _as_text(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) and not _is_number(value) else value


def _as_it_was(value: Any) -> Any:
    return value[1:] if isinstance(value, str) and QUOTED.match(value) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
