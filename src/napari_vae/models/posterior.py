"""What the encoder says of a batch of images: content, and for every coarse orientation a pose with its spread."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import ModelConfig
from .pose import Pose, uniform_angles, wrap

MAX_STRAIN = 0.6
MAX_LOG_SCALE = math.log(2.5)
OVERLAP = 1.3  # each coarse orientation reaches a little into its neighbours, so that none is left between two
LOG_2PI_E = math.log(2 * math.pi * math.e)

# Outputs of the pose head per copy: a mean and a spread for each of these.
PARTS = {"rotation": 1, "translation": 2, "scale": 1, "strain": 2}


@dataclass
class Posterior:
    """Approximate posterior of latents and pose.

    Attributes
    ----------
    mean, log_var : Tensor (B, k)
        Gaussian of the latents.
    pose : Pose (B, R)
        Mean pose within each coarse orientation.
    spread : dict of str to Tensor (B, R, n)
        Standard deviations of the parts of the pose that the model infers.
    """

    mean: Tensor
    log_var: Tensor
    pose: Pose
    spread: dict[str, Tensor]

    def select(self, index: Tensor) -> tuple[Pose, dict[str, Tensor]]:
        """Pose and spreads of the orientations ``index`` (B, K)."""
        wide = index[..., None]
        return self.pose.select(index), {
            k: v.gather(1, wide.expand(-1, -1, v.shape[-1])) for k, v in self.spread.items()
        }

    def sample_latents(self, generator: torch.Generator) -> Tensor:
        """One draw of the latents (B, k)."""
        return self.mean + torch.exp(0.5 * self.log_var) * _noise(self.mean, generator)

    def latent_kl(self) -> Tensor:
        """KL divergence of each latent from N(0, 1): (B, k)."""
        return 0.5 * (self.mean**2 + self.log_var.exp() - 1 - self.log_var)


def read_pose(raw: Tensor, config: ModelConfig, side: float) -> tuple[Pose, dict[str, Tensor]]:
    """Turn the pose head's output (B, R, n) into poses on screen and their spreads.

    The encoder sees each image turned back by a coarse angle, so the shift it reports is turned forward again.
    `side` is the longer side of the window in pixels.
    """
    batch, copies = raw.shape[:2]
    names = [name for name in PARTS if name in config.invariances]
    sizes = [PARTS[name] for name in names]
    total = sum(sizes)
    means = dict(zip(names, raw[..., :total].split(sizes, -1), strict=True))
    spread = dict(zip(names, F.softplus(raw[..., total:] - 3).split(sizes, -1), strict=True))  # 0.05 at the start
    pose = Pose.identity((batch, copies), raw.device)
    if "rotation" in means:
        residual = torch.tanh(means["rotation"][..., 0]) * (OVERLAP * math.pi / copies)
        pose.angle = uniform_angles(copies, raw.device) + residual
    if "translation" in means:
        shift = torch.tanh(means["translation"]) * (side / 2)
        cos, sin = _coarse_rotation(copies, raw.device)
        x, y = shift.unbind(-1)
        pose.shift = torch.stack([x * cos + y * sin, y * cos - x * sin], -1)
        spread["translation"] = spread["translation"] * (side / 8)
    if "scale" in means:
        pose.log_scale = torch.tanh(means["scale"][..., 0]) * MAX_LOG_SCALE
    if "strain" in means:
        pose.strain = torch.tanh(means["strain"]) * MAX_STRAIN
    return pose, spread


def sample_pose(pose: Pose, spread: dict[str, Tensor], generator: torch.Generator) -> Pose:
    """One draw about each mean pose."""

    def draw(mean: Tensor, part: str) -> Tensor:
        if part not in spread:
            return mean
        sd = spread[part].view_as(mean)
        return mean + sd * _noise(mean, generator)

    return Pose(
        draw(pose.angle, "rotation"),
        draw(pose.shift, "translation"),
        draw(pose.log_scale, "scale"),
        draw(pose.strain, "strain"),
    )


def pose_kl(pose: Pose, spread: dict[str, Tensor], config: ModelConfig, side: float) -> Tensor:
    """KL divergence (B, R) of each pose from its prior.

    With R orientations the prior of each is its share of the circle, so that the mixture over orientations with weights
    1/R is the prior over the whole circle.
    """
    kl = torch.zeros_like(pose.angle)
    if "rotation" in spread:
        copies = pose.angle.shape[1]
        sd = spread["rotation"][..., 0]
        kl = kl - torch.log(sd) - 0.5 * LOG_2PI_E - _log_angle_prior(pose.angle, sd, config) - math.log(copies)
    normal = {
        "translation": (pose.shift, config.shift_prior * side),
        "scale": (pose.log_scale[..., None], config.scale_prior),
        "strain": (pose.strain, config.strain_prior),
    }
    for name, (mean, prior) in normal.items():
        if name in spread:
            ratio = spread[name] / prior
            kl = kl + (0.5 * ((mean / prior) ** 2 + ratio**2 - 1) - torch.log(ratio)).sum(-1)
    return kl


def _log_angle_prior(angle: Tensor, sd: Tensor, config: ModelConfig) -> Tensor:
    if config.angle_prior == "uniform":
        return torch.full_like(angle, -math.log(2 * math.pi))
    width = math.radians(float(config.angle_prior))
    turns = wrap(angle)[..., None] + 2 * math.pi * torch.arange(-2, 3, device=angle.device)
    density = torch.logsumexp(-0.5 * (turns / width) ** 2, -1)
    return density - 0.5 * (sd / width) ** 2 - math.log(width * math.sqrt(2 * math.pi))


def _coarse_rotation(copies: int, device: torch.device) -> tuple[Tensor, Tensor]:
    angles = uniform_angles(copies, device)
    return torch.cos(angles), torch.sin(angles)


def _noise(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)
