"""A page of HTML that needs no other file, and tables in it."""

from __future__ import annotations

from html import escape
from typing import Any

CSS = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6570; --line: #dfe3e8; --paper: #ffffff; --card: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --soft: #9aa4af; --line: #343b44; --paper: #14181d; --card: #1d232a; }
}
body { margin: 0 auto; max-width: 1180px; padding: 2rem 1.5rem 4rem; background: var(--paper); color: var(--ink);
       font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.7rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .8rem; }
p.lead { color: var(--soft); margin: .3rem 0 1.5rem; max-width: 60rem; }
.facts { display: flex; flex-wrap: wrap; gap: .8rem; }
.facts div { background: var(--card); border-radius: 8px; padding: .7rem 1rem; min-width: 7rem; }
.facts b { display: block; font-size: 1.35rem; font-weight: 600; }
.facts span { color: var(--soft); font-size: .85rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 1.2rem; }
figure { margin: 0; background: var(--card); border-radius: 8px; padding: .8rem; }
figure img { width: 100%; border-radius: 4px; background: #fff; }
figcaption { color: var(--soft); font-size: .9rem; padding-top: .5rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem 1.1rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; } td.number, th.number { text-align: right; } td { overflow-wrap: anywhere; }
ul { padding-left: 1.2rem; } a { color: inherit; } footer { color: var(--soft); font-size: .85rem; margin-top: 3rem; }
"""


def page(title: str, body: str) -> str:
    """A complete HTML page; `title` is plain text, `body` is HTML."""
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style></head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def table_html(rows: list[list[Any]], header: list[str]) -> str:
    """A table of plain values, which are escaped; numbers are aligned to the right."""
    numeric = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(header))]

    def line(cells: list[Any], tag: str) -> str:
        marked = zip(cells, numeric, strict=True)
        inner = "".join(
            f"<{tag}{' class=number' if number else ''}>{escape(text_of(cell))}</{tag}>" for cell, number in marked
        )
        return f"<tr>{inner}</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return f'<div class="scroll"><table>{line(header, "th")}\n{body}</table></div>'


def text_of(value: Any) -> str:
    """A value as text; numbers with four digits, a dash for nothing."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(text_of(item) for item in value) or "none"
    return "–" if value is None or value == "" else str(value)
