"""The folder of a run: ``run.json``, ``weights.safetensors`` and ``history.csv``."""

from __future__ import annotations

import json
import math
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Self

import pandas as pd
import torch
from pydantic import model_validator
from safetensors.torch import save

from ..core.errors import InputError, ReadError
from ..core.folders import RUN, open_folder, replace_folder
from ..core.normalization import Normalization
from ..core.provenance import Provenance
from ..core.settings import Flag, Limits, Saved, Whole, about
from ..io.csv_tables import write_csv
from ..io.json_files import MOST_BYTES, read_json
from ..io.regular import regular_file
from ..models.config import ModelConfig, TrainConfig
from ..models.given import Scale
from ..models.making import make_model
from ..models.networks import are_finite, load_weights

FORMAT = 1
Side = Annotated[Whole, about(ge=1, le=4096)]  # of a window, in pixels
WEIGHTS, HISTORY = "weights.safetensors", "history.csv"
OLD_COLUMNS = {"lesson": "supervised"}  # of the history, in earlier versions


class RunFile(Saved):
    """What ``run.json`` holds."""

    model: ModelConfig
    train: TrainConfig
    channels: Annotated[Whole, about(ge=1, le=1000)]
    window: tuple[Side, Side]
    normalization: Normalization
    scale: Scale
    latent_range: list[Limits]
    usual_elbo: Limits
    stopped: Flag
    note: str
    provenance: Provenance

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        limits, scale, n = self.normalization, self.scale, self.scale.n
        levels = self.provenance.levels
        fit = {
            "normalization": len(limits.low) == self.channels,
            "scale": len(scale.centre) == len(scale.spread) == (0 if self.model.n_classes else n)
            and len(scale.names) in (0, n)
            and n == (self.model.n_classes or n)
            and (math.prod(scale.shape) == n if self.model.knows.predicts else not scale.shape),
            "latent_range": len(self.latent_range) == self.model.latent_dim,
            "levels": levels is None or len(levels) == self.channels,
        }
        if wrong := [name for name, fits in fit.items() if not fits]:
            raise InputError(f"its {' and '.join(wrong)} do not fit the model")
        return self


def write_run(
    folder: str | PathLike[str], settings: dict[str, Any], weights: dict[str, torch.Tensor], history: pd.DataFrame
) -> Path:
    """Write what a run consists of to a folder, whole or not at all.

    Raises
    ------
    InputError
        If the folder holds something that is not a run.
    """
    with replace_folder(folder, RUN) as new:
        (new / WEIGHTS).write_bytes(save(weights))
        write_csv(history, new / HISTORY)
        (new / RUN).write_text(json.dumps({"format": FORMAT} | settings, indent=2), encoding="utf-8")
    return Path(folder)


def read_run(folder: str | PathLike[str], device: torch.device) -> dict[str, Any]:
    """What `Run` is made of, from its folder.

    Raises
    ------
    ReadError
        If the folder holds no run, a damaged one, or one of a newer version.
    """
    with open_folder(folder, RUN, f"is not the folder of a run: it has no {RUN}.") as path:
        return _parts(path, read_json(path / RUN, RunFile), device)


def _parts(folder: Path, known: RunFile, device: torch.device) -> dict[str, Any]:
    try:
        with torch.device("meta"):  # nothing is drawn from the global random numbers
            model = make_model(known.model, known.channels, known.window, known.scale.n)
        model.load_state_dict(load_weights(folder / WEIGHTS), assign=True)
        history = pd.read_csv(regular_file(folder / HISTORY, MOST_BYTES)).rename(columns=OLD_COLUMNS)
    except ReadError:
        raise
    except Exception as error:
        raise ReadError(
            f"The run in {folder} is damaged ({type(error).__name__}); train again or use a copy."
        ) from error
    if not are_finite(model):
        raise ReadError(f"The run in {folder} holds weights that are NaN or too large; train again or use a copy.")
    return {
        "model": model.to(device),
        "train_config": known.train,
        "normalization": known.normalization,
        "scale": known.scale,
        "history": history,
        "latent_range": known.latent_range,
        "usual_elbo": known.usual_elbo,
        "stopped": known.stopped,
        "note": known.note,
        "provenance": known.provenance.plain(),
    }
