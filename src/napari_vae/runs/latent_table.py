"""The latent table: what a model says of images, as named columns in the units of the user."""

from __future__ import annotations

import torch
from torch import Tensor

from ..models.evidence import Explanation
from ..models.given import Scale
from ..models.pose import wrap


def latent_columns(told: Explanation, scale: Scale) -> dict[str, Tensor]:
    """Columns of the latent table, each (B,); see `Run.encode`."""
    return _latents(told) | _pose(told) | _observed(told, scale) | {"elbo": -told.evidence.free_energy()}


def _latents(told: Explanation) -> dict[str, Tensor]:
    sd = torch.exp(0.5 * told.log_var)
    table: dict[str, Tensor] = {}
    for i in range(sd.shape[1]):
        table |= {f"z{i + 1}": told.mean[:, i], f"z{i + 1}_sd": sd[:, i]}
    return table


def _pose(told: Explanation) -> dict[str, Tensor]:
    pose, spread = told.pose, told.pose_sd
    table: dict[str, Tensor] = {}
    if "rotation" in spread:
        table["angle"] = torch.rad2deg(wrap(pose.angle[:, 0]))
        table["angle_sd"] = torch.rad2deg(spread["rotation"][:, 0])
    if "translation" in spread:
        sd = spread["translation"]
        axes = {"shift_x": 0} if sd.shape[1] == 1 else {"shift_y": 1, "shift_x": 0}
        for name, axis in axes.items():
            table |= {name: pose.shift[:, 0, axis], f"{name}_sd": sd[:, axis]}
    if "scale" in spread:
        size = torch.exp(pose.log_scale[:, 0])
        table |= {"scale": size, "scale_sd": size * spread["scale"][:, 0]}
    if "strain" in spread:
        for name, axis in (("strain_xx", 0), ("strain_xy", 1)):
            table |= {name: pose.strain[:, 0, axis], f"{name}_sd": spread["strain"][:, axis]}
        screen = pose.screen_strain()[:, 0]
        table |= {"screen_strain_xx": screen[:, 0], "screen_strain_xy": screen[:, 1]}
    return table


def _observed(told: Explanation, scale: Scale) -> dict[str, Tensor]:
    if told.probabilities is not None:
        best = told.probabilities.max(1)
        entropy = -torch.xlogy(told.probabilities, told.probabilities).sum(1)
        return {"class": best.indices, "class_probability": best.values, "class_entropy": entropy}
    if told.quantity is None:
        return {}
    names = ["target"] if scale.n == 1 else [f"target{i + 1}" for i in range(scale.n)]
    table: dict[str, Tensor] = {}
    for i, name in enumerate(names):
        mean, sd = (values[:, i] for values in told.quantity)
        table |= {name: mean * scale.spread[i] + scale.centre[i], f"{name}_sd": sd * scale.spread[i]}
    return table
