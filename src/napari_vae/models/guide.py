"""What a former state of a model, which was lent a strain, tells the model that has to do without."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .posterior import pick

if TYPE_CHECKING:
    from .vae import InvariantVAE

SMALLEST_SPREAD = 1e-3  # of a strain


@dataclass
class Told:
    """How images are drawn.

    Attributes
    ----------
    turns : Tensor (B, 1)
        Coarse orientations.
    angle : Tensor (B, 1)
        The angles in them, in radians.
    stretch : Tensor (B, 2)
        Strain along the axes in which the images of a class differ most and least, in units of its spread.
    """

    turns: Tensor
    angle: Tensor
    stretch: Tensor


class Guide(nn.Module):
    """A copy of a model as it is, with the strain that it is lent.

    Parameters
    ----------
    model : InvariantVAE
    """

    means: Tensor
    axes: Tensor

    def __init__(self, model: InvariantVAE) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.model.reader.lent = 1.0
        self.classes = model.config.n_classes or 1
        like = next(model.parameters()).detach()
        self.register_buffer("means", like.new_zeros(self.classes, 2))
        self.register_buffer("axes", like.new_zeros(self.classes, 2, 2))

    def learn(self, images: list[Tensor], given: list[Tensor | None], y: list[Tensor]) -> None:
        """Find the axes of strain of each class, from batches of images and of the classes `y` (B, K)."""
        strain = torch.cat([self._pose(*batch)[2] for batch in zip(images, given, strict=True)])
        classes = self._classes(torch.cat(y))
        for k in range(self.classes):
            seen = strain[classes == k]
            if len(seen) > 2:
                sizes, axes = torch.linalg.eigh(torch.cov(seen.T).cpu())  # the smaller one first
                self.means[k] = seen.mean(0)
                self.axes[k] = (axes.flip(1) / sizes[1].sqrt().clamp(min=SMALLEST_SPREAD)).to(self.axes)

    def tell(self, images: Tensor, given: Tensor | None, y: Tensor) -> Told:
        """How images (B, C, H, W) are to be drawn, of which the guide is given `given`; their classes are `y`."""
        turns, angle, strain = self._pose(images, given)
        classes = self._classes(y)
        stretch = torch.einsum("bi,bij->bj", strain - self.means[classes], self.axes[classes])
        return Told(turns, angle, stretch)

    def _classes(self, y: Tensor) -> Tensor:
        return y.argmax(1) if self.classes > 1 else torch.zeros(len(y), dtype=torch.long, device=y.device)

    @torch.no_grad()
    def _pose(self, images: Tensor, given: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        look, turns = self.model.likeliest(images, given)
        pose = look.posed.pose
        return turns, pose.angle.gather(1, turns), pick(pose.strain, turns)[:, 0]
