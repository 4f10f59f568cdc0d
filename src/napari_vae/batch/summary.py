"""One table and one page of everything that batches have made in a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from ..core.errors import InputError
from ..core.folders import replacing
from ..io.csv_tables import write_csv
from ..workflow.analysis_record import RECORD
from ..workflow.page import page, text_of
from ..workflow.records import BEGUN, FAILED, FOLDER, records_in
from .outcomes import Outcome

TABLE, PAGE = "summary.csv", "report.html"
FIRST = ("file", "task", "state", "result", "message")


def check_summary(folder: Path) -> None:
    """Ask whether a summary may be written to a folder.

    Raises
    ------
    InputError
        If it holds an analysis, or a table or page of that name that no batch has written.
    """
    if (folder / RECORD).exists():
        raise InputError(f"The folder {folder} holds an analysis; give a new one for several files.")
    ours = (folder / FOLDER).is_dir()
    foreign = [name for name in (TABLE, PAGE) if (place := folder / name).exists() and not (ours and place.is_file())]
    if foreign:
        raise InputError(f"{folder / foreign[0]} exists already and no batch has written it; choose another folder.")


def write_summary(folder: Path, task: str, outcomes: Sequence[Outcome]) -> None:
    """Write ``summary.csv``, with pyarrow ``summary.parquet``, and ``report.html``, if anything is known."""
    rows = summary_rows(folder, task, outcomes)
    if not rows:
        return
    table = _table(rows)
    with replacing(folder / TABLE) as temporary:
        write_csv(table, temporary)
    if find_spec("pyarrow") is not None:
        with replacing((folder / TABLE).with_suffix(".parquet")) as temporary:
            table.to_parquet(temporary, engine="pyarrow", index=False)
    with replacing(folder / PAGE) as temporary:
        temporary.write_text(_page(folder, rows), encoding="utf-8")


def summary_rows(folder: Path, task: str, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """A row per result: of this batch, and of former ones in the folder, by name."""
    rows = {name: _row(r.file, r.task, r.state, name, r.message, r.facts) for name, r in records_in(folder).items()}
    rows = {name: row for name, row in rows.items() if row["state"] != BEGUN}
    for outcome in outcomes:
        if outcome.failed:
            name = outcome.target.name
            rows[name] = _row(str(outcome.path), task, FAILED, name, outcome.message, {})
    return [rows[name] for name in sorted(rows)]


def _row(file: str, task: str, state: str, name: str, message: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    result = "" if state == FAILED else name
    return {"file": file, "task": task, "state": state, "result": result, "message": message, **facts}


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    columns = dict.fromkeys([*FIRST, *(name for row in rows for name in row)])
    # With these types whole numbers stay whole where some are missing.
    table = pd.DataFrame(rows, columns=list(columns)).convert_dtypes()
    return table.astype({name: "string" for name, column in table.items() if column.dtype == object})


def _page(folder: Path, rows: list[dict[str, Any]]) -> str:
    failed = sum(row["state"] == FAILED for row in rows)
    warned = sum(bool(row.get("warning")) for row in rows)
    empty = sum(row.get("atoms") == 0 for row in rows)
    counts = [f"{len(rows) - failed} of {len(rows)} files are done"]
    counts += [f"{failed} failed"] if failed else []
    counts += [f"{warned} with a warning"] if warned else []
    counts += [f"{empty} without atoms"] if empty else []
    columns = [str(name) for name in _table(rows) if name not in ("result", "message", "warning")]
    head = "".join(f"<th>{escape(name)}</th>" for name in [*columns, "what was found, or why it failed"])
    lines = "\n".join(_line(folder, row, columns) for row in rows)
    table = f'<div class="scroll"><table><tr>{head}</tr>\n{lines}</table></div>'
    links = f'<p>The same as a table: <a href="{TABLE}">{TABLE}</a></p>'
    return page("napari-vae", f"<h1>{escape('; '.join(counts))}</h1>\n{table}\n{links}")


def _line(folder: Path, row: dict[str, Any], columns: list[str]) -> str:
    """A row of the page; its file leads to the result."""
    cells = {name: escape(text_of(row.get(name))) for name in columns}
    cells["file"] = escape(os.path.basename(row["file"]))  # noqa: PTH119 - the path may be of another system
    if row["result"]:
        target = folder / row["result"]
        link = f"{quote(row['result'])}/{PAGE}" if (target / PAGE).exists() else quote(row["result"])
        cells["file"] = f'<a href="{link}">{cells["file"]}</a>'
    message = escape(row["message"])
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in [*cells.values(), message]) + "</tr>"
