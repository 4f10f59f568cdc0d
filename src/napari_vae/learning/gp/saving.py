"""A fitted deep kernel as a folder of plain files, and back."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Discriminator, Field, Tag
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from ...core.arrays import LARGEST
from ...core.errors import InputError, ReadError
from ...core.folders import open_folder, replace_folder
from ...core.provenance import describe_versions
from ...core.settings import Count, Number, Saved
from ...io.json_files import read_json
from ...models.weights import computable, load_weights
from ...runs.run import Run, load_run
from .config import DeepKernelConfig
from .deep_kernel import DeepKernelGP
from .targets import Angle, Class, Real, outcome_to_dict

FORMAT = 1
MARKER = "deep_kernel.json"
WEIGHTS = "weights.safetensors"


class DeepKernelFile(Saved):
    """What ``deep_kernel.json`` holds."""

    config: DeepKernelConfig
    outcome: Annotated[
        Annotated[Real, Tag("real")] | Annotated[Angle, Tag("angle")] | Annotated[Class, Tag("class")],
        Discriminator(lambda value: value.get("kind") if isinstance(value, dict) else None),
    ]
    widening: Annotated[list[Annotated[Number, Field(ge=0, le=LARGEST)]], Field(min_length=1)]
    shape: Annotated[tuple[Count, ...], Field(min_length=1, max_length=3)]

    def check(self, run: Run | None, weights: dict[str, Tensor]) -> None:
        """Refuse what does not fit together before networks are made, which could be larger than any memory."""
        config, outcome, columns = self.config, self.outcome, math.prod(self.shape)
        if run is not None and config.fine_tune:  # whose encoder turns images into a few columns
            if self.shape != (run.n_channels, *run.window):
                raise InputError("the run is of other images")
            columns = 1
        if not all(computable(value) for name, value in weights.items() if name.startswith("known.")):
            raise InputError("what it knows is not finite, or too large")
        sizes = (columns, *config.hidden) if config.network in ("auto", "mlp") else (columns, 1)
        least = config.ensemble * sum(a * b for a, b in itertools.pairwise(sizes))
        if least > sum(value.numel() for value in weights.values()):
            raise InputError("the weights are those of smaller networks")
        right = type(outcome).__name__.lower() == config.target and outcome.width == weights["known.y"].shape[-1]
        if not right or len(self.widening) not in (1, outcome.width):
            raise InputError("the weights are those of other targets")


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
    known = read_json(path / MARKER, DeepKernelFile)
    run = load_run(path / "run", device=device) if (path / "run").is_dir() else None
    try:
        model = DeepKernelGP(run, device=device, **asdict(known.config))
        model.outcome, model.widening = known.outcome, np.array(known.widening, float)
        weights = load_weights(path / WEIGHTS)
        known.check(run, weights)
        model.ensemble = model.new_ensemble(model.blank(known.shape))
        model.ensemble.restore(weights)
    except (OSError, KeyError, TypeError, AttributeError, ValueError, RuntimeError, SafetensorError) as error:
        reason = error if isinstance(error, InputError) else "its weights do not fit its settings"
        raise ReadError(f"The deep kernel in {path} is damaged ({reason}); fit it again.") from error
    return model
