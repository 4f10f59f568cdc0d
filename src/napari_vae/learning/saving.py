"""A fitted deep kernel as a folder of plain files, and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from os import PathLike
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import save

from ..errors import InputError, ReadError
from ..folders import open_folder, replace_folder
from ..io.json_files import read_json
from ..models.weights import load_weights
from ..provenance import describe_versions
from ..run import load_run
from .deep_kernel import DeepKernelGP
from .outcomes import outcome_from_dict, outcome_to_dict

FORMAT = 1
MARKER = "deep_kernel.json"
WEIGHTS = "weights.safetensors"


def save_deep_kernel(model: DeepKernelGP, folder: str | PathLike[str]) -> Path:
    """Write a model to a folder, whole or not at all; see `DeepKernelGP.save`."""
    if model.outcome is None or model.ensemble is None:
        raise InputError("This model is not fitted yet, so there is nothing to save.")
    settings = {
        "format": FORMAT,
        "config": asdict(model.config),
        "outcome": outcome_to_dict(model.outcome),
        "widening": model.widening.tolist(),
        "shape": list(model.ensemble.shape),
        "versions": describe_versions(),
    }
    with replace_folder(Path(folder), MARKER) as new:
        (new / WEIGHTS).write_bytes(save(model.ensemble.state()))
        if model.encoder is not None:
            model.encoder.run.save(new / "run")
        (new / MARKER).write_text(json.dumps(settings, indent=2), encoding="utf-8")
    return Path(folder)


def load_deep_kernel(folder: str | PathLike[str], *, device: str = "auto") -> DeepKernelGP:
    """Read a model that `DeepKernelGP.save` wrote. Nothing in the folder can execute code.

    Raises
    ------
    ReadError
        If the folder holds no such model, a damaged one, or one of a newer version.

    Examples
    --------
    >>> model = load_deep_kernel("stiffness")  # doctest: +SKIP
    """
    with open_folder(folder, MARKER, f"is not the folder of a deep kernel: it has no {MARKER}.") as path:
        return _read(path, device)


def _read(path: Path, device: str) -> DeepKernelGP:
    try:
        settings = read_json(path / MARKER)
        if settings["format"] > FORMAT:
            raise ReadError(f"{path} was written by a newer version; update napari-vae.")
        run = load_run(path / "run", device=device) if (path / "run").is_dir() else None
        model = DeepKernelGP(run, device=device, **settings["config"])
        model.outcome = outcome_from_dict(settings["outcome"])
        model.widening = np.array(settings["widening"], float)
        model.ensemble = model.new_ensemble(model.blank(tuple(settings["shape"])))
        model.ensemble.restore(load_weights(path / WEIGHTS))
    except (OSError, KeyError, TypeError, AttributeError, ValueError, RuntimeError, SafetensorError) as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(f"The deep kernel in {path} is damaged ({error}); fit it again.") from error
    return model
