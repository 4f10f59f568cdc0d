"""Images sorted by their latents, for models with classes to begin with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..core.clusters import cluster
from ..models.vae import InvariantVAE
from .batches import Supply

BATCH = 200
AGREEMENT = 0.9  # share of the labelled images that must lie in a group of their own class
GROUPS_PER_CLASS = 2  # a labelled class may consist of several groups


def sort_images(model: InvariantVAE, supply: Supply) -> Tensor | None:
    """One-hot classes (N, K) of all images by groups of their latents; ``None`` if these contradict the labels."""
    means, n = _latents(model, supply), model.n_given
    if supply.given is None:
        classes = cluster(means, "gmm", n).to_numpy()
    else:
        labels = np.where(supply.given.isnan().any(1).cpu(), -1, supply.given.argmax(1).cpu())
        found = _classes_of_groups(means, labels, n)
        if found is None:
            return None
        classes = np.where(labels >= 0, labels, found)
    return torch.eye(n, device="cpu", dtype=torch.float32)[classes.tolist()].to(supply.rows.device)


def _classes_of_groups(
    means: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], n: int
) -> npt.NDArray[np.int64] | None:
    """The class of each image, every group being of the class that most of its labelled images have."""
    known = labels >= 0
    for groups in (n, GROUPS_PER_CLASS * n):
        group = cluster(means, "gmm", groups).to_numpy()
        votes = np.array([np.bincount(labels[known & (group == g)], minlength=n) for g in range(groups)])
        shares = votes / np.maximum(1, votes.sum(0))  # frequent classes do not outvote rare ones
        found = shares.argmax(1)[group]
        if (found == labels)[known].mean() >= AGREEMENT and votes.sum(1).all():
            return found
    return None


@torch.no_grad()
def _latents(model: InvariantVAE, supply: Supply) -> npt.NDArray[np.float32]:
    means = []
    for rows in torch.arange(supply.n_images, device="cpu").split(BATCH):
        features = model.look(supply.load(rows)).features
        means.append(model.infer(features, model.any_class(len(rows))[:, None]).mean[:, 0].cpu())
    return torch.cat(means).numpy()
