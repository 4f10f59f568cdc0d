"""What the encoder says of a batch of images: the latents, and for every coarse orientation a pose with its spread."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import ModelConfig
from .draws import Draws
from .pose import Pose, uniform_angles, wrap

MAX_STRAIN = 0.6
MAX_LOG_SCALE = math.log(2.5)
LENT_PRIOR = 0.1  # of a strain that is lent; a narrow one leaves it to the latents, and the angle jumps
OVERLAP = 1.3  # each coarse orientation reaches a little into its neighbours, so that none is left between two
LOG_2PI_E = math.log(2 * math.pi * math.e)


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
    spread: dict[str, Tensor]

    def select(self, index: Tensor) -> PosePosterior:
        """The orientations ``index`` (B, K)."""
        return PosePosterior(self.pose.select(index), {name: pick(sd, index) for name, sd in self.spread.items()})

    def sample(self, draws: Draws) -> Pose:
        """One draw about each mean pose."""

        def draw(mean: Tensor, part: str) -> Tensor:
            if part not in self.spread:
                return mean
            sd = self.spread[part]
            if mean.ndim < sd.ndim:
                sd = sd[..., 0]
            elif sd.shape[-1] < mean.shape[-1]:  # signals shift along x alone
                sd = F.pad(sd, (0, 1))
            return mean + sd * draws.normal(mean)

        pose = self.pose
        return Pose(
            draw(pose.angle, "rotation"),
            draw(pose.shift, "translation"),
            draw(pose.log_scale, "scale"),
            draw(pose.strain, "strain"),
        )


class PoseReader:
    """Reads poses from the outputs of the pose head, and tells how unusual they are.

    Parameters
    ----------
    config : ModelConfig
        Invariances and priors.
    size : (int, int)
        Rows and columns of the window in pixels; one row is a signal, which shifts along x alone.

    Attributes
    ----------
    lent : float
        How much of the strain is drawn: 1, or 0 in a model that is only lent one at the start of its training.
    """

    def __init__(self, config: ModelConfig, size: tuple[int, int]) -> None:
        self.config, self.side = config, max(size)
        self.copies = config.rotations if "rotation" in config.invariances else 1
        sizes = {"rotation": 1, "translation": 1 if size[0] == 1 else 2, "scale": 1, "strain": 2}
        self.sizes = {
            name: n for name, n in sizes.items() if name in config.invariances or (name == "strain" and lends(config))
        }
        self.lent = 0.0 if lends(config) else 1.0

    def read(self, raw: Tensor) -> PosePosterior:
        """Poses on screen from outputs (B, R, 2n): first the means, then the spreads.

        The encoder sees each image turned back by a coarse angle, so the shift it reports is turned forward again.
        """
        batch, copies = raw.shape[:2]
        total, parts = sum(self.sizes.values()), list(self.sizes.values())
        means = dict(zip(self.sizes, raw[..., :total].split(parts, -1), strict=True))
        spread = dict(zip(self.sizes, F.softplus(raw[..., total:] - 3).split(parts, -1), strict=True))  # 0.05 at first
        pose = Pose.identity((batch, copies), raw.device)
        if "rotation" in means:
            residual = torch.tanh(means["rotation"][..., 0]) * (OVERLAP * math.pi / copies)
            pose.angle = uniform_angles(copies, raw.device) + residual
        if "translation" in means:
            pose.shift = self._turn(torch.tanh(means["translation"]) * (self.side / 2))
            spread["translation"] = spread["translation"] * (self.side / 8)
        if "scale" in means:
            pose.log_scale = torch.tanh(means["scale"][..., 0]) * MAX_LOG_SCALE
        if "strain" in means and self.lent:
            pose.strain = torch.tanh(means["strain"]) * MAX_STRAIN
        if not self.lent:
            spread.pop("strain", None)
        return PosePosterior(pose, spread)

    def kl(self, posterior: PosePosterior) -> Tensor:
        """KL divergence (B, R) of each pose from its prior.

        With R orientations the prior of each is its share of the circle, so that the mixture over orientations with
        weights 1/R is the prior over the whole circle.
        """
        pose, spread, config = posterior.pose, posterior.spread, self.config
        kl = torch.zeros_like(pose.angle)
        if "rotation" in spread:
            sd = spread["rotation"][..., 0]
            kl = kl - torch.log(sd) - 0.5 * LOG_2PI_E - _log_angle_prior(pose.angle, sd, config) - math.log(self.copies)
        normal = {
            "translation": (pose.shift, config.shift_prior * self.side),
            "scale": (pose.log_scale[..., None], config.scale_prior),
            "strain": (pose.strain, LENT_PRIOR if lends(config) else config.strain_prior),
        }
        for name, (mean, prior) in normal.items():
            if name in spread:
                ratio = spread[name] / prior
                mean = mean[..., : ratio.shape[-1]]
                kl = kl + (0.5 * ((mean / prior) ** 2 + ratio**2 - 1) - torch.log(ratio)).sum(-1)
        return kl

    def _turn(self, shift: Tensor) -> Tensor:
        """Shifts (B, R, n) of images that were turned back, as they are on screen: (B, R, 2)."""
        if shift.shape[-1] == 1:
            return F.pad(shift, (0, 1))
        angles = uniform_angles(self.copies, shift.device)
        cos, sin = torch.cos(angles), torch.sin(angles)
        x, y = shift.unbind(-1)
        return torch.stack([x * cos + y * sin, y * cos - x * sin], -1)


def lends(config: ModelConfig) -> bool:
    """Whether a model without strain is lent one at the start of its training, see `curriculum`."""
    return "rotation" in config.invariances and "strain" not in config.invariances


def pick(values: Tensor, index: Tensor) -> Tensor:
    """Gather ``index`` (B, K) along the second axis of (B, R, n)."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[-1]))


def _log_angle_prior(angle: Tensor, sd: Tensor, config: ModelConfig) -> Tensor:
    if config.angle_prior == "uniform":
        return torch.full_like(angle, -math.log(2 * math.pi))
    width = math.radians(float(config.angle_prior))
    turns = wrap(angle)[..., None] + 2 * math.pi * torch.arange(-2, 3, device=angle.device, dtype=angle.dtype)
    density = torch.logsumexp(-0.5 * (turns / width) ** 2, -1)
    return density - 0.5 * (sd / width) ** 2 - math.log(width * math.sqrt(2 * math.pi))
