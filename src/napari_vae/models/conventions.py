"""The end of a training: what the upright image leaves open is agreed with the images; see `gauge` and `polarity`.

The angle of a motif that looks the same when it is turned is known modulo a part of the circle only; one that looks the
same mirrored has no hand. A motif that looks the same after half a turn has a centre of its own. The mean of the shifts
would not give it: which of the two angles is found may depend on where the motif lies in the window.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .components import may_lie_off_centre
from .evidence import Explanation
from .pose import Pose
from .vae import InvariantVAE

FOLDS = (6, 4, 3, 2)
ALIKE = 0.02  # largest difference to the turned image, see `_unlikeness`
MOST = 0.75  # share of the images that must look the same
STEPS = 8  # from the middle to the end of where a centre is looked for
MOTIFS = 200  # images that show whether the motif is symmetric
FEWEST, ENOUGH = 200, 800  # images of a group that show whether it is polar
ODD_FOLD = {6: 3, 4: 1, 2: 1}  # what is left of the symmetry of polar motifs


def symmetry_order(model: InvariantVAE, z: Tensor, y: Tensor) -> int:
    """The largest n of 6, 4, 3, 2 for which the motifs look the same after a turn by 360°/n; else 1.

    Most of them must; what lies beside a defect may look otherwise.

    Parameters
    ----------
    model : InvariantVAE
    z, y : Tensor (B, k), (B, n)
        Latents, and class or condition, of some images.
    """
    return next((n for n in FOLDS if looks_same(model, z, y, n).float().mean() >= MOST), 1)


@torch.no_grad()
def looks_same(model: InvariantVAE, z: Tensor, y: Tensor, n: int) -> Tensor:
    """Which motifs (B,) look the same after a turn by 360°/n."""
    pose = Pose.identity((len(z), 1), z.device)
    turned = replace(pose, angle=pose.angle + 2 * math.pi / n)
    return _unlikeness(_drawn(model, z, y, pose), _drawn(model, z, y, turned))[:, 0] <= ALIKE


@torch.no_grad()
def own_mirror_image(model: InvariantVAE, z: Tensor, y: Tensor) -> Tensor:
    """Which motifs (B,) look the same as their mirror image, when it is turned, moved and strained as the model can.

    The model must take all motifs for such as have no hand, so that it does not mirror what it explains.
    """
    pose = Pose.identity((len(z), 1), z.device)
    mirrored = _drawn(model, z, y, replace(pose, hand=-torch.ones_like(pose.angle)))[:, 0]
    return _unlikeness(mirrored, model.likelihood.mean(model.explain(mirrored, y).logits)) <= ALIKE


@torch.no_grad()
def inversion_centres(model: InvariantVAE, z: Tensor, y: Tensor, reach: Tensor) -> Tensor:
    """Points (B, 2; x, y down, in pixels) about which the motifs look the same after half a turn; 0 where none do.

    Of several the nearest is taken: a lattice has many.

    Parameters
    ----------
    model : InvariantVAE
    z, y : Tensor (B, k), (B, n)
        Latents, and class or condition, of some images.
    reach : Tensor (B,)
        How far from 0 to look, in pixels.
    """
    offsets = torch.linspace(-1, 1, 2 * STEPS + 1, device=z.device, dtype=z.dtype)
    grid = torch.stack(torch.meshgrid(offsets, offsets, indexing="xy"), -1)  # (y, x, 2), in units of `reach`
    points = (grid * reach[:, None, None, None]).flatten(1, 2)
    pose = replace(Pose.identity(points.shape[:2], z.device), shift=-points)
    there = _drawn(model, z, y, pose)
    valley = F.pad(_unlikeness(there, there.flip(-2, -1)).unflatten(1, grid.shape[:2]), (1, 1, 1, 1), value=torch.inf)
    depth = valley[:, 1:-1, 1:-1]
    lowest = -F.max_pool2d(-valley[:, None], 3, stride=1)[:, 0] == depth
    distance = torch.where(lowest & (depth <= ALIKE), grid.norm(dim=-1), torch.inf).flatten(1)
    nearest, index = distance.min(1)
    best = _bottom(valley, index // len(offsets), index % len(offsets)) * (reach / STEPS)[:, None]
    best = best + points[torch.arange(len(z), device=z.device), index]
    return torch.where(nearest.isfinite()[:, None], best, 0)


def _bottom(valley: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Where the parabolas along x and y through points of (B, n + 2, n + 2) have their minima: (B, 2), in steps."""
    b = torch.arange(len(valley), device=valley.device)
    middle = valley[b, row + 1, column + 1]

    def minimum(before: Tensor, after: Tensor) -> Tensor:
        found = 0.5 * (before - after) / (before - 2 * middle + after)
        return torch.where(found.isfinite(), found, 0)  # a point at the border has one neighbour

    along_x = minimum(valley[b, row + 1, column], valley[b, row + 1, column + 2])
    return torch.stack([along_x, minimum(valley[b, row, column + 1], valley[b, row + 2, column + 1])], -1)


def _drawn(model: InvariantVAE, z: Tensor, y: Tensor, pose: Pose) -> Tensor:
    """Images (B, K, C, H, W) in poses (B, K)."""
    return model.likelihood.mean(model.draw(z, y, pose))


def _unlikeness(one: Tensor, two: Tensor) -> Tensor:
    """Half the mean squared difference (…) of images (…, C, H, W) within a disc, relative to the variance of one."""
    rows, columns = one.shape[-2:]
    y = torch.arange(rows, device=one.device)[:, None] - (rows - 1) / 2
    x = torch.arange(columns, device=one.device) - (columns - 1) / 2
    disc = y**2 + x**2 <= (min(rows, columns) / 2) ** 2
    return 0.5 * (one - two)[..., disc].square().mean((-2, -1)) / one[..., disc].var((-2, -1))


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
