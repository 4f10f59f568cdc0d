"""What a training and a run ask of every model, and the encoder of turned copies that all of them have."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from .config import ModelConfig
from .decoders import CanonicalDecoder, CoordinateDecoder
from .draws import Draws
from .evidence import Evidence, Target
from .likelihood import Likelihood
from .networks import Encoder, pad_to_square, shrink
from .observed import Known
from .pose import Pose
from .posterior import PoseReader

COARSE, COARSE_SIGNAL = 24, 256  # side of the images, or signals, that the encoder sees, in samples


class Model(nn.Module, ABC):
    """An encoder that looks at copies of the image turned back by all coarse poses, latents, and a decoder of them.

    Parameters
    ----------
    config : ModelConfig
        Invariances, sizes, priors.
    channels : int
        Channels of the images.
    size : (int, int)
        Rows and columns of the images; one row is a signal.
    n_given : int
        Classes, or how many numbers, that the model knows of besides the images.
    """

    content: nn.Sequential  # whose last layer gives means and log-variances of the latents
    decoder: CanonicalDecoder | CoordinateDecoder
    likelihood: Likelihood
    observed: Known

    def __init__(self, config: ModelConfig, channels: int, size: tuple[int, int], n_given: int = 0) -> None:
        super().__init__()
        self.config, self.channels, self.size, self.n_given = config, channels, size, n_given
        self.side = max(size)
        self.reader = PoseReader(config, size)
        coarse = min(COARSE, self.side)
        self.seen = (1, min(COARSE_SIGNAL, self.side)) if size[0] == 1 else (coarse, coarse)
        self.features = Encoder(config.encoder, channels, self.seen, config.hidden)

    def copies(self, images: Tensor, offset: Tensor | None = None) -> Tensor:
        """Features (R, B, width) of images (B, C, H, W) in [0, 1], with each coarse pose undone; see `PoseReader`."""
        seen = shrink(images if self.size[0] == 1 else pad_to_square(images), self.seen)
        return self.reader.features(self.features, seen, offset)

    @property
    def symmetry(self) -> int:
        """Order n of the symmetry of the motif, where angles are known: these are given modulo 360°/n."""
        return 1

    def any_class(self, n: int) -> Tensor:
        """Rows (n, K) for images that may be of any class."""
        return next(self.parameters()).detach().new_full((n, self.n_given), 1 / max(1, self.n_given))

    @abstractmethod
    def draw(self, z: Tensor, y: Tensor, pose: Pose) -> Tensor:
        """What the likelihood takes (B, K, …), of latents (B, k) with y (B, n), in K poses each."""

    @abstractmethod
    def evidence(
        self,
        images: Tensor,
        draws: Draws,
        *,
        given: Tensor | None = None,
        centring: bool = False,
        target: Target | None = None,
    ) -> Evidence:
        """What images (B, C, H, W) cost, from one draw."""

    @torch.no_grad()
    def order_latents(self, order: list[int]) -> None:
        """Renumber the latents: the new latent ``i`` is the old ``order[i]``. What is drawn stays what it was."""
        last, first = self.content[-1], self.decoder.first
        assert isinstance(last, nn.Linear)
        rows = torch.tensor(order, device=last.weight.device)
        both = torch.cat([rows, rows + len(order)])  # means, then log-variances
        last.weight.copy_(last.weight[both])
        last.bias.copy_(last.bias[both])
        first.weight[:, : len(order)] = first.weight[:, rows]
