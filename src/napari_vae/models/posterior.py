"""What the encoder says of images: latents, and a pose with its spread for every coarse orientation; what is drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .components import COMPONENTS, has_auxiliary_strain
from .config import Invariance, ModelConfig
from .draws import Draws
from .networks import Encoder
from .pose import Pose, turned_copies, uniform_angles


@dataclass
class Content:
    """Gaussian posterior of the latents, for each of Y hypotheses about the class.

    Attributes
    ----------
    mean, log_var : Tensor (B, Y, k)
    """

    mean: Tensor
    log_var: Tensor

    def sample(self, draws: Draws) -> Tensor:
        """One draw (B, Y, k)."""
        return self.mean + torch.exp(0.5 * self.log_var) * draws.normal(self.mean)

    def kl(self) -> Tensor:
        """KL divergence of each latent from N(0, 1): (B, Y, k)."""
        return 0.5 * (self.mean**2 + self.log_var.exp() - 1 - self.log_var)

    def select(self, index: Tensor) -> Content:
        """The hypotheses ``index`` (B, H)."""
        return Content(pick(self.mean, index), pick(self.log_var, index))


@dataclass
class PosePosterior:
    """Gaussian posterior of the pose within each of R coarse orientations.

    Attributes
    ----------
    pose : Pose (B, R)
        Means.
    spread : dict of str to Tensor (B, R, n)
        Standard deviations of the parts of the pose that the model infers.
    """

    pose: Pose
    spread: dict[Invariance, Tensor]

    def select(self, index: Tensor) -> PosePosterior:
        """The orientations ``index`` (B, K)."""
        return PosePosterior(self.pose.select(index), {name: pick(sd, index) for name, sd in self.spread.items()})

    def sample(self, draws: Draws) -> Pose:
        """One draw about each mean pose."""
        pose = self.pose
        for name, sd in self.spread.items():
            part = COMPONENTS[name].part
            mean: Tensor = getattr(pose, part)
            if mean.ndim < sd.ndim:
                sd = sd[..., 0]
            elif sd.shape[-1] < mean.shape[-1]:  # signals shift along x alone
                sd = F.pad(sd, (0, 1))
            pose = replace(pose, **{part: mean + sd * draws.normal(mean)})
        return pose


class PoseReader:
    """Reads poses from the outputs of the pose head, and their cost.

    Parameters
    ----------
    config : ModelConfig
        Invariances and priors.
    size : (int, int)
        Rows and columns of the window in pixels; one row is a signal, which shifts along x alone.

    Attributes
    ----------
    draws_strain : bool
        False where the strain is auxiliary, but for the warm-up of the training.
    """

    def __init__(self, config: ModelConfig, size: tuple[int, int]) -> None:
        self.config, self.window = config, size
        self.sizes = {part.name: part.size(size) for part in COMPONENTS.values() if part.inferred(config)}
        self.turns, self.hands = (COMPONENTS[name].copies(config) for name in ("rotation", "mirror"))
        self.copies = self.turns * self.hands  # first as they are, then mirrored
        self.draws_strain = not has_auxiliary_strain(config)

    def features(self, encoder: Encoder, images: Tensor, offset: Tensor | None = None) -> Tensor:
        """Features (R, B, width) of square images (B, C, S, S) with each coarse pose undone.

        All angles may have an `offset` () in radians.
        """
        halves = 2 - self.turns % 2  # of a circle: the other half shows the copies of the first after half a turn
        views = turned_copies(images, self.turns, halves, offset) if self.turns > 1 else images[:, None]
        views = views.transpose(0, 1)  # copy after copy, as they lie in memory
        views = torch.cat([views, views.flip(-1)]) if self.hands == 2 else views
        flat = views.flatten(0, 1)
        features = encoder.both_ways(flat) if halves == 2 else encoder(flat)[None]
        return features.unflatten(1, (self.hands, -1, len(images))).transpose(0, 1).flatten(0, 2)

    def read(self, raw: Tensor) -> PosePosterior:
        """Poses on screen from outputs (B, R, 2n): first the means, then the spreads."""
        total, sizes = sum(self.sizes.values()), list(self.sizes.values())
        means, sds = raw[..., :total].split(sizes, -1), F.softplus(raw[..., total:] - 3).split(sizes, -1)
        seen, spread = Pose.identity(raw.shape[:2], raw.device), {}
        for name, mean, sd in zip(self.sizes, means, sds, strict=True):
            if name not in self.config.invariances and not self.draws_strain:
                continue
            component = COMPONENTS[name]
            like = getattr(seen, component.part)
            values = torch.tanh(mean) * component.bound(self.config, self.window)
            values = values[..., 0] if like.ndim < values.ndim else F.pad(values, (0, like.shape[-1] - mean.shape[-1]))
            seen = replace(seen, **{component.part: values})
            spread[name] = sd * component.sd_unit(self.window)  # 0.05 of that at first
        angles, hand = uniform_angles(self.turns, raw.device).repeat(self.hands), None
        if self.hands == 2:
            hand = torch.ones_like(angles)
            hand[self.turns :] = -1
        return PosePosterior(seen.after(angles, hand), spread)

    def kl(self, posterior: PosePosterior) -> Tensor:
        """KL divergence (B, R) of each pose from its prior."""
        kl = torch.zeros_like(posterior.pose.angle)
        for name, sd in posterior.spread.items():
            kl = kl + COMPONENTS[name].kl(posterior.pose, sd, self.config, self.window)
        return kl


def pick(values: Tensor, index: Tensor) -> Tensor:
    """Gather ``index`` (B, K) along the second axis of (B, R, n)."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[-1]))


@dataclass
class Look:
    """What the encoder sees in a batch of images: features (B, width), and poses with their cost (B, R)."""

    features: Tensor
    posed: PosePosterior
    kl: Tensor


@dataclass
class Tried:
    """Upright images of H classes.

    Attributes
    ----------
    content : Content (B, H, k)
    y : Tensor (B, H, n)
        The classes, or what is given.
    weights : Tensor (B, H)
        Their probabilities.
    upright : Tensor (B·H, …)
        What the decoder makes of them.
    """

    content: Content
    y: Tensor
    weights: Tensor
    upright: Tensor


@dataclass
class Weighed:
    """Images drawn in K orientations each, and who is responsible for them.

    Attributes
    ----------
    nll : Tensor (B, H, K)
    posed : Tensor (B, H)
        Cost of each class, marginalised over orientations, without that of its latents.
    turns : Tensor (B, H, K)
        Responsibilities of the orientations within each class.
    """

    nll: Tensor
    posed: Tensor
    turns: Tensor
