"""The record of an analysis: what ``analysis.json`` holds."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ..core.settings import Count, Open, Positive, Saved, Whole

#: The file that marks a folder as a saved analysis.
RECORD = "analysis.json"
FORMAT = 1
TABLES = ("atoms.csv", "latents.csv")


class _Metadata(Open):
    path: str = ""
    dataset: str | int | None = None
    notes: list[str] = Field(default_factory=list)


class MicrographFile(Open):
    """Of the micrograph: its calibration, its origin, and the file that it lay in."""

    pixel_size: tuple[Positive, Positive] | None
    units: str
    axes: Literal["YX", "TYX", "CYX"]
    name: str
    metadata: _Metadata
    shape: tuple[Count, ...]
    stamp: list[int] = Field(default_factory=list)  # of the file: size and date, by which it is known again


class _Detection(Open):
    spacing: float | None = None


class _Settings(Open):
    model: dict[str, Any] = Field(default_factory=dict)
    condition: list[str] | None = None


class AnalysisFile(Saved):
    """What ``analysis.json`` holds."""

    written: str
    micrograph: MicrographFile
    settings: _Settings
    detection: _Detection
    atoms: Whole
    provenance: Open
