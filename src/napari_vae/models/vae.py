"""The invariant variational autoencoder.

An image is a content image, decoded upright from a few latents ``z``, drawn in a pose (``pose.py``) plus scatter
(``likelihood.py``). The encoder infers content and pose.

How the pose is found
    A pose that is regressed alone ends in wrong basins: angles beyond ±60°, symmetric motifs. Here the encoder sees the
    image turned back by each of R coarse angles ``2πr/R`` and proposes, for each copy, a residual pose. Content comes
    from features averaged over the copies, so ``z`` cannot carry the rotation. The free energy marginalises over them,

        F = −log (1/R) Σ_r exp(−NLL_r − KL_r) + β KL_z,

    so every basin competes in every step. The sum is dominated by a few terms: a coarse look ranks all R, and only the
    likeliest are drawn at full resolution and trained (dropping terms keeps F an upper bound of −log p).

References
----------
.. [1] Bepler et al., "Explicitly disentangling image content from translation and rotation with spatial-VAE",
   arXiv 1909.11663.
.. [2] Nasiri & Bepler, "Unsupervised object representation learning using translation and rotation group equivariant
   VAE", arXiv 2210.12918.
.. [3] Valleti et al., arXiv 2303.18236.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from .config import ModelConfig
from .likelihood import make_likelihood
from .networks import CanonicalDecoder, PoseHead, mlp, shrink
from .pose import Pose, sample_canonical, turned_copies, uniform_angles, wrap
from .posterior import PARTS, Posterior, pose_kl, read_pose, sample_pose

COARSE = 24  # side of the images on which encoder and ranking look, in samples
KEEP = 3  # orientations that are drawn at full resolution


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
    """

    posed: Tensor
    reconstruction: Tensor
    latent_kl: Tensor

    def free_energy(self, beta: float = 1.0) -> Tensor:
        """Free energy (B,), the negative ELBO where `beta` is 1."""
        return self.posed + beta * self.latent_kl.sum(1)

    def detach(self) -> Evidence:
        """The same numbers without their graph."""
        return Evidence(self.posed.detach(), self.reconstruction.detach(), self.latent_kl.detach())

    @classmethod
    def mean(cls, parts: list[Evidence]) -> Evidence:
        """Mean over all images of several batches, as a batch of one."""
        joined = (torch.cat([getattr(part, f.name) for part in parts]) for f in fields(cls))
        return cls(*(values.mean(0, keepdim=True) for values in joined))


@dataclass
class Explanation:
    """The best account of each image: deterministic, from the means of the posterior.

    Attributes
    ----------
    posterior : Posterior
        Latents of the batch.
    pose : Pose (B, 1)
        The likeliest pose.
    pose_sd : dict of str to Tensor (B, n)
        Its standard deviations; that of the angle covers the competing orientations too.
    logits : Tensor (B, C, H, W)
        The reconstruction, in the pose of the image.
    evidence : Evidence
    """

    posterior: Posterior
    pose: Pose
    pose_sd: dict[str, Tensor]
    logits: Tensor
    evidence: Evidence


class InvariantVAE(nn.Module):
    """VAE whose latents do not depend on the pose of the image.

    Parameters
    ----------
    config : ModelConfig
        Invariances, sizes, priors.
    channels : int
        Channels of the images.
    size : (int, int)
        Rows and columns of the images.

    Examples
    --------
    >>> model = InvariantVAE(ModelConfig.preset("rvae"), channels=1, size=(32, 32))
    >>> model.infer(torch.rand(5, 1, 32, 32)).pose.angle.shape
    torch.Size([5, 16])
    """

    def __init__(self, config: ModelConfig, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.config, self.channels, self.size = config, channels, size
        self.side = max(size)
        self.copies = config.rotations if "rotation" in config.invariances else 1
        self.coarse = min(COARSE, self.side)
        width = config.hidden[-1]
        self.features = mlp((channels * self.coarse**2, *config.hidden))
        self.content = mlp((width, width), end=2 * config.latent_dim)
        outputs = 2 * sum(PARTS[name] for name in config.invariances)
        self.pose_head = PoseHead(width, outputs) if outputs else None
        self.decoder = CanonicalDecoder(
            config.latent_dim, config.hidden[::-1], channels, canvas_side(config, self.side)
        )
        self.likelihood = make_likelihood(config.likelihood, channels)

    def infer(self, images: Tensor) -> Posterior:
        """Posterior of images (B, C, H, W) in [0, 1]."""
        square = shrink(_pad_to_square(images), (self.coarse, self.coarse))
        if self.copies > 1:
            turned = turned_copies(square, uniform_angles(self.copies, images.device))
        else:
            turned = square[:, None]
        features = self.features(turned.flatten(2))  # (B, R, width)
        mean, log_var = self.content(features.mean(1)).chunk(2, -1)
        raw = features[..., :0] if self.pose_head is None else self.pose_head(features)
        pose, spread = read_pose(raw, self.config, self.side)
        return Posterior(mean, log_var.clamp(-12, 4), pose, spread)

    def draw(self, canonical: Tensor, pose: Pose) -> Tensor:
        """Logits (B, K, C, H, W) of canonical logits (B, C, S, S) in K poses each."""
        return sample_canonical(canonical, pose, self.size, self.size)

    def likeliest(self, images: Tensor, canonical: Tensor, posterior: Posterior, keep: int) -> Tensor:
        """Indices (B, keep) of the coarse orientations that explain the images best, best first, from a coarse look."""
        keep = min(keep, self.copies)
        if self.copies == 1:
            return torch.zeros(len(images), 1, dtype=torch.long, device=images.device)
        height, width = self.size
        extent = (max(1, round(height * self.coarse / self.side)), max(1, round(width * self.coarse / self.side)))
        with torch.no_grad():
            logits = sample_canonical(canonical, posterior.pose, self.size, extent)
            score = self.likelihood.nll(logits, shrink(images, extent)[:, None]) * (
                height * width / (extent[0] * extent[1])
            )
            score = score + pose_kl(posterior.pose, posterior.spread, self.config, self.side)
            return score.topk(keep, 1, largest=False).indices

    def evidence(self, images: Tensor, generator: torch.Generator, *, centring: bool = False) -> Evidence:
        """What images (B, C, H, W) cost, from one draw of latents and poses.

        With `centring` every image is drawn in one random orientation instead of the likeliest: the canonical images
        become round and the shifts learn to centre them. Trained from the start on the likeliest, a model of rotation
        and translation would turn all images until they are off-centre to the same side, and stay there.
        """
        posterior = self.infer(images)
        canonical = self.decoder(posterior.sample_latents(generator))
        if centring:
            index = torch.randint(self.copies, (len(images), 1), generator=generator, device=images.device)
        else:
            index = self.likeliest(images, canonical, posterior, KEEP)
        pose, spread = posterior.select(index)
        logits = self.draw(canonical, sample_pose(pose, spread, generator))
        return self._compare(images, logits, posterior, index)[0]

    @torch.no_grad()
    def explain(self, images: Tensor) -> Explanation:
        """The best latents, pose and reconstruction of images (B, C, H, W)."""
        posterior = self.infer(images)
        canonical = self.decoder(posterior.mean)
        index = self.likeliest(images, canonical, posterior, 2 * KEEP)
        pose, spread = posterior.select(index)
        logits = self.draw(canonical, pose)
        evidence, weights = self._compare(images, logits, posterior, index)
        best = weights.argmax(1, keepdim=True)
        chosen = pose.select(best)
        pose_sd = {k: v.gather(1, best[..., None].expand(-1, -1, v.shape[-1]))[:, 0] for k, v in spread.items()}
        if "rotation" in pose_sd:
            apart = wrap(pose.angle - chosen.angle)
            pose_sd["rotation"] = ((weights * (spread["rotation"][..., 0] ** 2 + apart**2)).sum(1, keepdim=True)).sqrt()
        rows = torch.arange(len(images), device=images.device)
        return Explanation(posterior, chosen, pose_sd, logits[rows, best[:, 0]], evidence)

    @torch.no_grad()
    def order_latents(self, order: list[int]) -> None:
        """Renumber the latents: the new latent ``i`` is the old ``order[i]``. Images stay what they were."""
        last, first = self.content[-1], self.decoder.layers[0]
        assert isinstance(last, nn.Linear) and isinstance(first, nn.Linear)
        rows = torch.tensor(order, device=last.weight.device)
        both = torch.cat([rows, rows + len(order)])  # means, then log-variances
        last.weight.copy_(last.weight[both])
        last.bias.copy_(last.bias[both])
        first.weight.copy_(first.weight[:, rows])

    def _compare(self, images: Tensor, logits: Tensor, posterior: Posterior, index: Tensor) -> tuple[Evidence, Tensor]:
        """Evidence from the drawn orientations `index` (B, K), and their responsibilities (B, K)."""
        nll = self.likelihood.nll(logits, images[:, None])
        kl = pose_kl(posterior.pose, posterior.spread, self.config, self.side).gather(1, index)
        posed = -torch.logsumexp(-(nll + kl), 1) + math.log(self.copies)
        weights = torch.softmax(-(nll + kl).detach(), 1)
        return Evidence(posed, (weights * nll).sum(1), posterior.latent_kl()), weights


@torch.no_grad()
def decode_manifold(
    model: InvariantVAE, limits: list[list[float]], n: int, axes: tuple[int, int]
) -> npt.NDArray[np.float32]:
    """Upright images (n, n, C, H, W) over two latents between their `limits`, the others at the middle of theirs.

    Rows follow the second of the `axes` from large to small and columns the first from small to large, as in a plot.
    """
    device = next(model.parameters()).device
    z = torch.tensor(limits, device=device).mean(1).repeat(n, n, 1)
    across, up = (torch.linspace(limits[axis][0], limits[axis][1], n, device=device) for axis in axes)
    z[..., axes[1]] = up.flip(0)[:, None]
    z[..., axes[0]] = across
    pose = Pose.identity((n * n, 1), device)
    images = model.likelihood.mean(model.draw(model.decoder(z.flatten(0, 1)), pose))
    return images.view(n, n, *images.shape[2:]).cpu().numpy()


def canvas_side(config: ModelConfig, side: int) -> int:
    """Side of the canonical image in pixels: large enough that common poses find something to show in every corner."""
    factor = 1.0
    if "rotation" in config.invariances:
        factor *= math.sqrt(2)
    if "translation" in config.invariances:
        factor += 4 * config.shift_prior
    if "scale" in config.invariances:
        factor *= math.exp(config.scale_prior)
    if "strain" in config.invariances:
        factor *= math.exp(config.strain_prior / 4)
    return math.ceil(factor * side)


def _pad_to_square(images: Tensor) -> Tensor:
    height, width = images.shape[-2:]
    if height == width:
        return images
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return nn.functional.pad(images, (left, side - width - left, top, side - height - top))
