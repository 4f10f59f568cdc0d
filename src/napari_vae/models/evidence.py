"""What images cost a model, in nats, and the best account that it gives of them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .config import Invariance
from .pose import Pose


@dataclass
class Evidence:
    """What a batch costs, in nats per image.

    Attributes
    ----------
    posed : Tensor (B,)
        Reconstruction and pose together, marginalised over the coarse orientations.
    reconstruction : Tensor (B,)
        The part of `posed` that is the likelihood's.
    latent_kl : Tensor (B, k)
        KL divergence of each latent from its prior.
    observed_kl : Tensor (B,)
        KL divergence of the class, or of the numbers that are not given, from their prior.
    supervised : Tensor (B,)
        Supervised loss: cost of the guess of a class or of numbers that are given.
    distillation : Tensor (B,)
        Distillation loss: cost of angles and latents other than those of the teacher, which is no part of the ELBO.
    """

    posed: Tensor
    reconstruction: Tensor
    latent_kl: Tensor
    observed_kl: Tensor
    supervised: Tensor
    distillation: Tensor

    def free_energy(self, beta: float | Tensor = 1.0, beta_discrete: float | Tensor = 1.0) -> Tensor:
        """Free energy (B,), the negative ELBO where the weights β are 1."""
        return self.posed + beta * self.latent_kl.sum(1) + beta_discrete * self.observed_kl

    def training_cost(self, beta: float | Tensor, beta_discrete: float | Tensor, supervised_weight: float) -> Tensor:
        """What a step makes smaller (B,)."""
        return self.free_energy(beta, beta_discrete) + supervised_weight * self.supervised + self.distillation

    def detach(self) -> Evidence:
        """The same numbers without their graph."""
        return Evidence(*(getattr(self, f.name).detach() for f in fields(self)))

    def clone(self) -> Evidence:
        """The same numbers in memory of their own."""
        return Evidence(*(getattr(self, f.name).clone() for f in fields(self)))

    def head(self, n: int) -> Evidence:
        """Of the first `n` images."""
        return Evidence(*(getattr(self, f.name)[:n] for f in fields(self)))

    @classmethod
    def joined(cls, parts: list[Evidence]) -> Evidence:
        """Several batches as one."""
        return cls(*(torch.cat([getattr(part, f.name) for part in parts]) for f in fields(cls)))

    def mean(self) -> Evidence:
        """Mean over all images, as a batch of one."""
        return Evidence(*(getattr(self, f.name).mean(0, keepdim=True) for f in fields(self)))


@dataclass
class Target:
    """What a model is to take over from its teacher, see `curriculum`.

    Attributes
    ----------
    turns : Tensor (B, 1)
        Coarse orientations.
    angle : Tensor (B, 1)
        The angles in them, in radians.
    strain : Tensor (B, 2)
        Along the axes in which the images of a class differ most and least, in units of its spread.
    """

    turns: Tensor
    angle: Tensor
    strain: Tensor


@dataclass
class Explanation:
    """The best account of each image: deterministic, from the means of the posterior.

    Attributes
    ----------
    mean, log_var : Tensor (B, k)
        Gaussian of the latents.
    pose : Pose (B, 1)
        The likeliest pose, of the object: see `gauge`.
    pose_sd : dict of str to Tensor (B, n)
        Its standard deviations; that of the angle covers the competing orientations too.
    logits : Tensor (B, C, H, W)
        The reconstruction, in the pose of the image.
    evidence : Evidence
    y : Tensor (B, n)
        Class or numbers that it is drawn with.
    inferred : tuple of Tensor (B, n)
        What the model says of class or numbers, see `Known.infer`.
    orientation : Tensor (B,)
        Coarse orientation in which the pose was found.
    mirrored : Tensor (B,) or None
        Probability that the object is seen mirrored; NaN where it is its own mirror image.
    circular : Tensor (B, 4)
        Means of cos φ, sin φ, cos 2φ, sin 2φ of the angle φ over the competing orientations: the first two are short
        where the image is the same after half a turn.
    """

    mean: Tensor
    log_var: Tensor
    pose: Pose
    pose_sd: dict[Invariance, Tensor]
    logits: Tensor
    evidence: Evidence
    y: Tensor
    orientation: Tensor
    circular: Tensor
    inferred: tuple[Tensor, ...] = ()
    mirrored: Tensor | None = None
