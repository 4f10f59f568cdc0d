"""The folder of a run: ``run.json``, ``weights.safetensors`` and ``history.csv``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save

from .errors import ReadError
from .folders import open_folder, replace_folder
from .io.csv_tables import write_csv
from .io.json_files import MOST_BYTES, read_json
from .io.regular import regular_file
from .models.config import ModelConfig, TrainConfig
from .models.given import Scale
from .models.vae import InvariantVAE
from .models.weights import are_finite, load_weights
from .normalization import Normalization

FORMAT = 1
MARKER = "run.json"
WEIGHTS, HISTORY = "weights.safetensors", "history.csv"


def write_run(
    folder: str | Path, settings: dict[str, Any], weights: dict[str, torch.Tensor], history: pd.DataFrame
) -> Path:
    """Write what a run consists of to a folder, whole or not at all.

    Raises
    ------
    InputError
        If the folder holds something that is not a run.
    """
    with replace_folder(folder, MARKER) as new:
        (new / WEIGHTS).write_bytes(save(weights))
        write_csv(history, new / HISTORY)
        (new / MARKER).write_text(json.dumps({"format": FORMAT} | settings, indent=2), encoding="utf-8")
    return Path(folder)


def read_run(folder: str | Path, device: torch.device) -> dict[str, Any]:
    """What `Run` is made of, from its folder.

    Raises
    ------
    ReadError
        If the folder holds no run, a damaged one, or one of a newer version.
    """
    with open_folder(folder, MARKER, f"is not the folder of a run: it has no {MARKER}.") as path:
        try:
            settings = read_json(path / MARKER)
            if settings["format"] > FORMAT:
                raise ReadError(f"{path} was written by a newer version; update napari-vae.")
            return _parts(path, settings, device)
        except ReadError:
            raise
        except Exception as error:
            raise ReadError(
                f"The run in {path} is damaged ({type(error).__name__}); train again or use a copy."
            ) from error


def _parts(folder: Path, settings: dict[str, Any], device: torch.device) -> dict[str, Any]:
    config = ModelConfig.from_dict(settings["model"])
    scale = Scale.from_dict(settings["scale"])
    with torch.device("meta"):  # nothing is drawn from the global random numbers
        model = InvariantVAE(config, settings["channels"], tuple(settings["window"]), scale.n)
    model.load_state_dict(load_weights(folder / WEIGHTS), assign=True)
    if not are_finite(model):
        raise ReadError(f"The run in {folder} holds weights that are not finite; train again or use a copy.")
    return {
        "model": model.to(device),
        "train_config": TrainConfig.from_dict(settings["train"]),
        "normalization": Normalization.from_dict(settings["normalization"]),
        "scale": scale,
        "history": pd.read_csv(regular_file(folder / HISTORY, MOST_BYTES)),
        "latent_range": settings["latent_range"],
        "usual_elbo": settings["usual_elbo"],
        "stopped": settings["stopped"],
        "note": settings["note"],
        "provenance": settings["provenance"],
    }
