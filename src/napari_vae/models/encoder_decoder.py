"""From images to spectra, or to other images, and back: the encoder–decoder, with a spread for every number.

An image is described by a few latents ``z`` that do not know its pose, and from them every number of the output is
drawn with a mean and a standard deviation of its own,

    F = −Σ_i log N(y_i | μ_i(z), σ_i²(z)) + β KL(z).

The encoder sees the image turned back by R angles evenly round the circle, in training all of them with one random
offset a batch, so that no angle is special. The features of the copies are averaged with weights that they give
themselves, ``Σ_r softmax_r(w·h_r) h_r``: a turned image only changes their order. So what is learnt from images that
are hardly turned holds for images that are turned anyhow.

A prediction is the mixture over draws of ``z`` and offsets, by its mean and its standard deviation (law of total
variance). Standard deviations that were learnt are too small for images that were not seen; one factor for all of them
is measured on those.

The task is that of im2spec and spec2im (Kalinin, Ziatdinov and others), which pyroVED has as its model VED.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from .config import ModelConfig
from .decoders import CanonicalDecoder
from .draws import Draws
from .evidence import Evidence, Target
from .likelihood import LOG_2PI, LOG_SMALLEST_SD, Likelihood
from .model import Model
from .networks import mlp
from .observed import Known
from .pose import Pose
from .posterior import Content

OFFSETS = 4  # of the turned copies, in a prediction
DRAWS = 16  # of the latents in all
INSIDE, QUANTILE = 0.9, 1.6449  # share of the numbers within so many standard deviations


class Scatter(Likelihood):
    """Each number of the output is normal, with a standard deviation of its own; some may be NaN, which are not known.

    What a decoder draws is (…, 2, 1, n): means, and logarithms of standard deviations. The outputs are (…, 1, 1, n).
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("factor", torch.empty(()))
        self.factor: Tensor
        self.reset()

    def reset(self) -> None:
        """Nothing is known of images that were not learnt from."""
        self.factor.fill_(1.0)

    def mean(self, logits: Tensor) -> Tensor:
        """Means (…, 1, 1, n)."""
        return logits[..., :1, :, :]

    def sd(self, logits: Tensor) -> Tensor:
        """Standard deviations (…, 1, 1, n), as learnt."""
        return torch.exp(logits[..., 1:, :, :].clamp(LOG_SMALLEST_SD, 2))

    def nll(self, logits: Tensor, images: Tensor) -> Tensor:
        """Of the numbers that are known, summed."""
        logits, known = logits.float(), ~images.isnan()
        sd = self.sd(logits)
        residual = (torch.where(known, images, self.mean(logits)) - self.mean(logits)) / sd
        return torch.where(known, 0.5 * residual**2 + torch.log(sd) + 0.5 * LOG_2PI, 0).sum((-3, -2, -1))

    def floor(self, images: Tensor) -> Tensor:
        """None that all outputs have: some numbers may not be known."""
        return images.new_zeros(len(images))


class EncoderDecoder(Model):
    """Draws `n_given` numbers that belong to an image, whatever its pose; see the module, and `Model`.

    Examples
    --------
    >>> model = EncoderDecoder(ModelConfig.preset("ed-rvae"), channels=1, size=(24, 24), n_given=60)
    >>> mean, sd = model.predict(torch.rand(5, 1, 24, 24))
    >>> mean.shape
    torch.Size([5, 60])
    """

    likelihood: Scatter

    def __init__(self, config: ModelConfig, channels: int, size: tuple[int, int], n_given: int) -> None:
        super().__init__(config, channels, size, n_given)
        width = config.hidden[-1]
        self.score = nn.Linear(width, 1)
        self.content = mlp((width, width), end=2 * config.latent_dim)
        self.decoder = CanonicalDecoder(config.latent_dim, config.hidden[::-1], 2, (1, n_given))
        self.observed, self.likelihood = Known(0), Scatter()
        self.float()  # whatever the default of torch is

    def infer(self, images: Tensor, offset: Tensor | None = None) -> Content:
        """Latents (B, 1, k) of images (B, C, H, W) in [0, 1]."""
        copies = self.copies(images, offset)
        features = (torch.softmax(self.score(copies), 0) * copies).sum(0)
        mean, log_var = self.content(features)[:, None].chunk(2, -1)
        return Content(mean, log_var.clamp(-12, 4))

    def draw(self, z: Tensor, y: Tensor, pose: Pose) -> Tensor:
        """What the likelihood takes (B, 1, 2, 1, n), of latents (B, k); there is no pose to draw."""
        logits: Tensor = self.decoder(z)
        return logits[:, None]

    def evidence(
        self,
        images: Tensor,
        draws: Draws,
        *,
        given: Tensor | None = None,
        centring: bool = False,
        target: Target | None = None,
    ) -> Evidence:
        """What the outputs `given` (B, n) with images (B, C, H, W) cost, from one draw of latents and offset."""
        assert given is not None
        turn = torch.rand((), generator=draws.generator, device=images.device, dtype=torch.float32)
        content = self.infer(images, turn * 2 * math.pi)
        nll = self.likelihood.nll(self.decoder(content.sample(draws)[:, 0]), given[:, None, None])
        none = torch.zeros_like(nll)
        return Evidence(nll, nll, content.kl()[:, 0].float(), none, none, none)

    @torch.no_grad()
    def looks(self, images: Tensor) -> Content:
        """Latents (B, O, k) of images by each offset of their copies."""
        step = 2 * math.pi / (OFFSETS * self.reader.turns)
        offsets = torch.arange(OFFSETS if self.reader.turns > 1 else 1, device=images.device) * step
        seen = [self.infer(images, offset) for offset in offsets]
        return Content(torch.cat([c.mean for c in seen], 1), torch.cat([c.log_var for c in seen], 1))

    @torch.no_grad()
    def predict(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Means and standard deviations (B, n) of what belongs to images (B, C, H, W), whatever is beside them."""
        looks = self.looks(images)
        half = torch.randn(DRAWS // 2, looks.mean.shape[-1], generator=torch.Generator().manual_seed(0), device="cpu")
        draws, n = torch.cat([half, -half]).to(images), looks.mean.shape[1]
        total = squares = variance = images.new_zeros(len(images), self.n_given)
        for number, draw in enumerate(draws):
            mean, log_var = looks.mean[:, number % n], looks.log_var[:, number % n]
            logits = self.decoder(mean + torch.exp(0.5 * log_var) * draw)
            value, sd = self.likelihood.mean(logits)[:, 0, 0], self.likelihood.sd(logits)[:, 0, 0]
            total, squares, variance = total + value, squares + value**2, variance + sd**2
        mean = total / DRAWS
        spread = (variance / DRAWS + (squares / DRAWS - mean**2).clamp(min=0)).sqrt()
        return mean, spread * self.likelihood.factor

    def calibrate(self, unseen: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Set the factor of all standard deviations by batches of images and outputs that were not learnt from."""
        self.likelihood.reset()
        off = []
        for images, outputs in unseen:
            mean, sd = self.predict(images)
            off.append(((outputs - mean).abs() / sd)[~outputs.isnan()].cpu())
        apart = torch.cat(off)
        if len(apart):
            rank = max(1, round(INSIDE * len(apart)))
            self.likelihood.factor.fill_(max(float(apart.kthvalue(rank).values) / QUANTILE, 1e-3))
