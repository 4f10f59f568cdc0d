"""What is found on a micrograph: its atoms, their windows, the model that describes them, and what that says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..atoms.frames import describe_skipped
from ..core.folders import stamp
from ..core.micrograph import Micrograph
from ..models.columns import columns_of, read_columns
from ..patches.patches import Patches
from ..runs.doubts import describe_doubts
from ..runs.run import Run
from .analysis_record import FORMAT

CLASS = ("class", "class_name")


@dataclass(frozen=True)
class Findings:
    """What was found on a micrograph: `Analysis` without its folder, see there."""

    micrograph: Micrograph
    atoms: pd.DataFrame
    patches: Patches
    run: Run
    latents: pd.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def classes(self) -> pd.Series | None:
        """Class of every row of `latents`, or ``None`` when there are none."""
        return self.latents.get("class")

    @property
    def encoded(self) -> pd.DataFrame:
        """The columns of `latents` that the model inferred."""
        return self.latents.drop(columns=[*self.atoms.columns, *CLASS], errors="ignore")

    @cached_property
    def reconstruction(self) -> npt.NDArray[np.float32]:
        """What the model makes of every window, (N, C, H, W) normalised like ``patches.data``."""
        return self.run.reconstruct(self.patches, condition=self.condition)

    @property
    def condition(self) -> npt.NDArray[Any] | None:
        """What a conditional model was given with every window, from the table of atoms."""
        return read_columns(columns_of(condition=self.settings.get("condition")), self.patches.atoms).condition

    @property
    def remarks(self) -> list[str]:
        """Sentences on what to know of the result: what was left out or subtracted, latents that say little."""
        cut = self.patches.describe_dropped(), self.patches.describe_level()
        doubts = describe_doubts(self.run.model_config, self.latents, self.patches)
        return [sentence for sentence in (describe_skipped(self.atoms), *cut, doubts) if sentence]

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of the micrograph without channels: ``(Y, X)`` or ``(T, Y, X)``."""
        return self.micrograph.shape[1:] if self.micrograph.axes == "CYX" else self.micrograph.shape


def describe(analysis: Findings) -> dict[str, Any]:
    """What is written down with an analysis: source, calibration, settings, versions and counts."""
    image = analysis.micrograph
    known = {key: value for key, value in vars(image).items() if key != "data"}
    source = Path(image.metadata.get("path", ""))
    return {
        "format": FORMAT,
        "napari_vae": version("napari-vae"),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "micrograph": {**known, "shape": image.shape, "dtype": str(image.data.dtype), "stamp": stamp(source)[1:]},
        "settings": analysis.settings,
        "detection": dict(analysis.atoms.attrs.get("napari_vae", {})),
        "atoms": len(analysis.atoms),
        "windows": len(analysis.patches),
        "classes": None if analysis.classes is None else int(analysis.classes.nunique()),
        "provenance": analysis.run.provenance,
    }
