"""What the upright image leaves open, agreed with the data.

An upright image that is off-centre, stretched or too large is drawn in the same places with other shifts, strains and
scales, so nothing in a training fixes their zeros. By convention they are the means over the training images
that are alike: of the same class, or in the same group of latents. Two sublattices, say, have a zero each.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor, nn

from ..core.clusters import components
from .components import may_lie_off_centre
from .config import ModelConfig
from .pose import Pose, mirrored_strain, turned_strain, wrap

MOST_GROUPS = 8
SHRINK = 20.0  # images of a group that weigh as much as the mean of all
GAP = 4.0  # standard deviations between groups
WIDEST = 1e-3  # added to the variances of a group


class Gauge(nn.Module):
    """Means of strain, logarithm of the scale and centre, for groups of images that are alike.

    Parameters
    ----------
    config : ModelConfig
        Which of them the model has; models with classes have a group for each.

    Attributes
    ----------
    groups : int
        How many groups there may be.
    used : Tensor (5,)
        Which of the values (strain, logarithm of the scale, centre) the model has; without any there is no fit.
    hands : Tensor (G,) or None
        Which hand of each group of motifs is hand 0: that of the upright image (1), the other (−1), or no hand where
        the motif is its own mirror image (0). Models without mirror have none.
    fold : Tensor ()
        Order of the motif's symmetry: angles are given modulo 360° divided by it.
    """

    fold: Tensor
    hands: Tensor | None
    values: Tensor
    means: Tensor
    precisions: Tensor
    log_weights: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.k, self.classes = config.latent_dim, config.n_classes
        used = [name in config.invariances for name in ("strain", "strain", "scale")]
        used += [may_lie_off_centre(config)] * 2
        self.used = torch.tensor(used, device="cpu")
        self.groups = n = self.classes or MOST_GROUPS
        self.register_buffer("fold", torch.empty(()))
        self.register_buffer("values", torch.empty(n, 5))  # strain, log scale, centre (x, y down; px)
        self.register_buffer("hands", torch.empty(n) if "mirror" in config.invariances else None)
        self.register_buffer("means", torch.empty(n, self.k))
        self.register_buffer("precisions", torch.empty(n, self.k, self.k))
        self.register_buffer("log_weights", torch.empty(n))
        self.reset()

    def reset(self) -> None:
        """Everything at 0, and no symmetry."""
        self.fold.fill_(1)
        if self.hands is not None:
            self.hands.fill_(1)
        for values in (self.values, self.means, self.precisions, self.log_weights):
            values.zero_()

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """Zeros (B, 5) of images with latents (B, k) and class (B, K)."""
        if self.classes:
            return y @ self.values
        return torch.softmax(self._fit(z), -1) @ self.values

    def group(self, z: Tensor, y: Tensor) -> Tensor:
        """The likeliest group (B,) of images with latents (B, k) and class (B, K)."""
        return (y if self.classes else self._fit(z)).argmax(1)

    @torch.no_grad()
    def fit(self, z: Tensor, y: Tensor, pose: Pose) -> Tensor:
        """Take the means over images with poses (N, 1); returns the group (N,) of each."""
        seen = self._seen(pose)
        group = y.argmax(1) if self.classes else torch.from_numpy(_groups(z.cpu().numpy())).to(z.device)
        self.reset()
        self.log_weights.fill_(-torch.inf)
        for g in range(len(self.values)):
            rows = group == g
            n = int(rows.sum())
            self.values[g] = (seen[rows].sum(0) + SHRINK * seen.mean(0)) / (n + SHRINK)
            if n > self.k and not self.classes:
                spread = torch.cov(z[rows].T).view(self.k, self.k)
                spread.diagonal().add_(WIDEST)
                self.means[g], self.precisions[g] = z[rows].mean(0), torch.linalg.inv(spread.cpu()).to(z.device)
                self.log_weights[g] = math.log(n / len(z)) - 0.5 * torch.logdet(spread.cpu())
        return group

    @torch.no_grad()
    def set_hand(self, group: int, hand: int, pose: Pose) -> None:
        """Say which hand of a group is hand 0, see `hands`; where there is none, its poses (N, 1) as it is count."""
        assert self.hands is not None and pose.hand is not None
        self.hands[group] = hand
        if hand == 0 and (pose.hand > 0).any():
            self.values[group] = self._seen(pose.rows(pose.hand[:, 0] > 0)).mean(0)

    @torch.no_grad()
    def move(self, groups: Tensor, points: Tensor) -> None:
        """Move the zero of the shift of some groups by points (G, 2) of the object (x, y down, px)."""
        self.values[groups, 3:] += points

    def to_data(self, pose: Pose, z: Tensor, y: Tensor) -> Pose:
        """Poses (B, K) of the upright image as poses of the object."""
        strain, log_scale, centre = self._zeros(pose, z, y)
        moved = replace(pose.moved(centre, 1), hand=self._named(pose, z, y))
        return self._folded(replace(moved, strain=pose.strain - strain, log_scale=pose.log_scale - log_scale))

    def hand_cost(self, pose: Pose, z: Tensor, y: Tensor) -> Tensor | float:
        """What to add to the KL divergence of poses (B, K), for objects that have one hand only are not mirrored."""
        if self.hands is None or pose.hand is None:
            return 0.0
        only = torch.where(pose.hand < 0, torch.inf, -math.log(2))
        return torch.where(self.hands[self.group(z, y)][:, None] == 0, only, 0.0)

    def mirrored(self, pose: Pose, weights: Tensor, z: Tensor, y: Tensor) -> Tensor | None:
        """Probability (B,) that objects are seen mirrored, from poses of the upright image and their weights (B, K)."""
        hand = self._named(pose, z, y)
        if self.hands is None or hand is None:
            return None
        return torch.where(self.hands[self.group(z, y)] == 0, torch.nan, (weights * (hand < 0)).sum(1))

    def turned(self, pose: Pose, which: Tensor) -> Pose:
        """Poses (B, K) of the object, those in the rows `which` (B,) after half a turn about its centre."""
        return self._folded(replace(pose, angle=torch.where(which[:, None], pose.angle + math.pi, pose.angle)))

    def apart(self, angle: Tensor) -> Tensor:
        """Angles brought into the part of the circle that the symmetry of the motif leaves."""
        return wrap(angle * self.fold) / self.fold

    def _folded(self, pose: Pose) -> Pose:
        """The poses with angles brought into the part of the circle; on screen the strain stays what it is."""
        angle = self.apart(pose.angle)
        return replace(pose, angle=angle, strain=turned_strain(pose.strain, pose.angle - angle))

    def to_upright(self, pose: Pose, z: Tensor, y: Tensor) -> Pose:
        """The inverse of `to_data`, but for turns that leave the motif as it is."""
        pose = replace(pose, hand=self._named(pose, z, y))
        strain, log_scale, centre = self._zeros(pose, z, y)
        return replace(pose, strain=pose.strain + strain, log_scale=pose.log_scale + log_scale).moved(centre, -1)

    @torch.no_grad()
    def order(self, rows: Tensor) -> None:
        """Renumber the latents."""
        self.means.copy_(self.means[:, rows])
        self.precisions.copy_(self.precisions[:, rows][:, :, rows])

    def _fit(self, z: Tensor) -> Tensor:
        """Logarithm of the odds (B, G), up to a constant, that latents (B, k) are of each group."""
        apart = z[:, None] - self.means
        return self.log_weights - 0.5 * torch.einsum("bgi,gij,bgj->bg", apart, self.precisions, apart)

    def _zeros(self, pose: Pose, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        zeros = self(z, y)[:, None].expand(*pose.angle.shape, -1)
        return mirrored_strain(zeros[..., :2], pose.hand), zeros[..., 2], zeros[..., 3:]

    def _named(self, pose: Pose, z: Tensor, y: Tensor) -> Tensor | None:
        """Hands (B, K) of the object of poses of the upright image, and back."""
        if self.hands is None:
            return pose.hand
        sign = torch.where(self.hands[self.group(z, y)] < 0, -1.0, 1.0)[:, None].expand_as(pose.angle)
        return sign if pose.hand is None else sign * pose.hand

    def _seen(self, pose: Pose) -> Tensor:
        """Strain, logarithm of the scale and centre (N, 5) in poses (N, 1), as far as they are used."""
        point = pose.screen_to_object()[1][:, 0]  # of the object, at the centre of the window
        seen = torch.cat([mirrored_strain(pose.strain, pose.hand)[:, 0], pose.log_scale, point], 1)
        return torch.where(self.used.to(seen.device), seen, 0)


def _groups(z: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Groups of latents with gaps between them: components of a Gaussian mixture that overlap are one."""
    component = components(z, MOST_GROUPS)
    numbers = np.unique(component)
    means = np.array([z[component == c].mean(0) for c in numbers])
    spreads = np.array([np.atleast_2d(np.cov(z[component == c].T, ddof=0)) for c in numbers])
    apart = means[:, None] - means
    both = spreads[:, None] + spreads + WIDEST * np.eye(z.shape[1])
    distance = np.einsum("abi,abi->ab", apart, np.linalg.solve(both, apart[..., None])[..., 0])
    _, group = connected_components(distance < GAP**2)
    return group.astype(np.int64)[np.searchsorted(numbers, component)]
