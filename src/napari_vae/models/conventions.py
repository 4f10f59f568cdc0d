"""The end of a training: what the upright image leaves open is agreed with the images; see `gauge` and `polarity`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from .components import may_lie_off_centre
from .evidence import Explanation
from .pose import Pose
from .symmetry import MOST, inversion_centres, looks_same, own_mirror_image, symmetry_order
from .vae import InvariantVAE

MOTIFS = 200  # images that show whether the motif is symmetric
FEWEST, ENOUGH = 200, 800  # images of a group that show whether it is polar
ODD_FOLD = {6: 3, 4: 1, 2: 1}  # what is left of the symmetry of polar motifs


def set_conventions(
    model: InvariantVAE, explained: list[Explanation], load: Callable[[Tensor], Tensor] | None = None
) -> list[list[float]]:
    """Set the zeros of shift, strain and scale, hands and symmetry of the motif, from batches of explained images.

    They must have been explained after `Gauge.reset` and `Polarity.reset`, by poses of the upright image.

    Parameters
    ----------
    model : InvariantVAE
    explained : list of Explanation
    load : callable, optional
        Gives images (B, C, H, W) of those that were explained by their numbers (B,); without it no group is looked at
        for polar motifs.

    Returns
    -------
    list of [float, float]
        1 and 99 percentiles of each latent.
    """
    z, y = torch.cat([e.mean for e in explained]), torch.cat([e.y for e in explained])
    rotates = "rotation" in model.config.invariances
    pose = Pose.joined([e.pose for e in explained])
    if not rotates or len(z) < FEWEST:
        load = None
    asked = bool(model.gauge.used.any()) or pose.hand is not None
    if asked or (load is not None and looks_same(model, z[:MOTIFS], y[:MOTIFS], 2).any()):
        group = model.gauge.fit(z, y, pose)
        if may_lie_off_centre(model.config):
            _centre(model, z, y, pose, group)
        if pose.hand is not None:
            _name_hands(model, z, y, pose, group)
        if load is not None:
            _orient(model, z, y, model.gauge.to_data(pose, z, y), group, load)
        if not asked and not len(model.polarity.slope):
            model.gauge.reset()  # nothing asks for the groups
    if rotates:
        fold = symmetry_order(model, z[:MOTIFS], y[:MOTIFS])
        model.gauge.fold.fill_(ODD_FOLD.get(fold, fold) if len(model.polarity.slope) else fold)
    latent_range: list[list[float]] = np.percentile(z.cpu().numpy(), [1, 99], axis=0).T.tolist()
    return latent_range


def _orient(
    model: InvariantVAE, z: Tensor, y: Tensor, pose: Pose, group: Tensor, load: Callable[[Tensor], Tensor]
) -> None:
    """Look for polar motifs in every group of those that are nearly even."""
    for number in group.unique():
        rows = torch.nonzero(group == number)[:, 0]
        even = looks_same(model, z[rows[:MOTIFS]], y[rows[:MOTIFS]], 2).float().mean() >= MOST
        if len(rows) >= FEWEST and even:
            rows = rows[:ENOUGH]
            model.polarity.learn(int(number), load(rows), pose.rows(rows))


def _name_hands(model: InvariantVAE, z: Tensor, y: Tensor, pose: Pose, group: Tensor) -> None:
    """Call the commoner hand of every group 0, if its motifs are not their own mirror images."""
    assert pose.hand is not None and model.gauge.hands is not None
    model.gauge.hands.zero_()
    rows = {int(number): torch.nonzero(group == number)[:, 0] for number in group.unique()}
    some = {number: of[:MOTIFS] for number, of in rows.items()}
    own = {number: own_mirror_image(model, z[of], y[of]).float().mean() >= MOST for number, of in some.items()}
    for number, of in rows.items():
        model.gauge.set_hand(number, 0 if own[number] else 1 if pose.hand[of].mean() >= 0 else -1, pose.rows(of))


def _centre(model: InvariantVAE, z: Tensor, y: Tensor, pose: Pose, group: Tensor) -> None:
    """Put the zero of the shift to the centre of motifs that have one."""
    groups = group.unique()
    means = torch.stack([z[group == g].mean(0) for g in groups])
    typical = torch.cdist(means, z).masked_fill(group != groups[:, None], torch.inf).argmin(1)
    reach = torch.stack([pose.shift[group == g].std() for g in groups])
    model.gauge.move(groups, inversion_centres(model, z[typical], y[typical], reach))
