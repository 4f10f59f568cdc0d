"""The ferroelectric trajectories of the deep kernel experiments: fields, ways to see them, and what they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA

from napari_vae import ModelConfig, TrainConfig, fit, samples

TARGETS = ("curl", "polarization")
NUMBERS = ("amplitude", "growth", "frequency", "offset")
EVERY = 10  # points of time from one number of a row to the next


@dataclass(frozen=True)
class TrajectoriesData:
    """Candidates in several views (N, F), the numbers A, α, ω and B behind them (N, 4), and the targets (N,) by name.

    The views are ``"fields"``, every tenth of 900 points of time; ``"pca"``, their first two principal components; and
    ``"vae"``, the two latents of a variational autoencoder that was trained on them and never saw a target. The last
    two have unit variance.
    """

    views: dict[str, np.ndarray]
    numbers: np.ndarray
    targets: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.numbers)


def load(cache: Path | None = None, n: int = 7500) -> TrajectoriesData:
    """The trajectories of seed 0; what takes time is read from the file (.npz), or written to it."""
    trajectories = samples.field_trajectories(n, seed=0)
    numbers = np.column_stack([getattr(trajectories, name) for name in NUMBERS])
    fields = np.ascontiguousarray(trajectories.field[:, ::EVERY])
    made = _kept(cache, numbers)
    if made is None:
        response = samples.Ferroelectric(seed=0).drive(trajectories.field, device="cpu")
        made = {name: getattr(response, name).astype(float) for name in TARGETS} | {"vae": _latents(fields)}
        if cache is not None:
            np.savez(cache, numbers=numbers, **made)
    views = {"fields": fields, "pca": PCA(2, whiten=True).fit_transform(fields), "vae": made["vae"]}
    return TrajectoriesData(views, numbers, {name: made[name] for name in TARGETS})


def _kept(cache: Path | None, numbers: np.ndarray) -> dict[str, np.ndarray] | None:
    """What the file has of these trajectories."""
    if cache is None or not cache.exists():
        return None
    with np.load(cache, allow_pickle=False) as kept:
        same = np.array_equal(kept["numbers"], numbers) and {*TARGETS, "vae"} <= {*kept.files}
        return {name: kept[name] for name in (*TARGETS, "vae")} if same else None


def _latents(fields: np.ndarray) -> np.ndarray:
    """Two latents of every field."""
    latents = fit(fields, ModelConfig.preset("vae"), TrainConfig(seed=0)).encode(fields)[["z1", "z2"]].to_numpy()
    return (latents - latents.mean(0)) / latents.std(0)
