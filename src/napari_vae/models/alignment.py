"""Images laid on a common picture, each by an affine map that is refined until it fits.

The picture is finer than the images, and drawn by cubic interpolation: what tells images apart that are nearly alike
must not drown in what the interpolation does to them.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor

from .pose import Pose, drawable

CONJUGATE = 8  # steps of conjugate gradients for a picture
DAMPING = 1e-3
HALF_STEP = 0.25  # px, of the differences that show how steep a picture is
FARTHEST, MOST_BENT = 0.5, 0.05  # that one step moves an image (px), and changes the entries of its matrix


class Aligned:
    """Images, and where in the picture the pixels of each lie.

    Parameters
    ----------
    images : Tensor (N, C, H, W)
    pose : Pose (N, 1)
        Of the object that the picture shows.
    reach : float
        From the middle of the picture to its edges, in pixels.
    """

    def __init__(self, images: Tensor, pose: Pose, reach: float) -> None:
        matrix, offset = pose.screen_to_object()
        self.images, self.matrix, self.offset, self.reach = images, matrix[:, 0], offset[:, 0], reach
        y, x = (torch.arange(n, device=images.device, dtype=images.dtype) - (n - 1) / 2 for n in images.shape[-2:])
        self.pixels = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)  # (H, W, 2)

    def part(self, rows: slice) -> Aligned:
        """Some of the images."""
        some = copy.copy(self)
        some.images, some.matrix, some.offset = self.images[rows], self.matrix[rows], self.offset[rows]
        return some

    def draw(self, picture: Tensor, x: float = 0.0, y: float = 0.0) -> Tensor:
        """The picture (C, T, T) where each image lies, or (x, y down) pixels from there: (N, C, H, W)."""
        matrix, offset = drawable(self.matrix), drawable(self.offset)
        points = torch.einsum("nij,hwj->nhwi", matrix, self.pixels) + offset[:, None, None]
        points = ((points + points.new_tensor([x, y])) / self.reach).flatten(0, 1)  # all images below each other
        drawn = F.grid_sample(picture[None], points[None], mode="bicubic", padding_mode="border", align_corners=True)
        return drawn[0].unflatten(1, self.images[:, 0].shape[:2]).transpose(0, 1)

    def gather(self, values: Tensor, like: Tensor) -> Tensor:
        """The adjoint of `draw`: values (N, C, H, W), added up where they lie in a picture (C, T, T)."""
        with torch.enable_grad():
            blank = torch.zeros_like(like, requires_grad=True)
            return torch.autograd.grad((self.draw(blank) * values).sum(), blank)[0]

    def even_picture(self, start: Tensor) -> Tensor:
        """The picture (C, T, T) that fits the images best of those that half a turn leaves as they are."""

        def normal(picture: Tensor) -> Tensor:
            return even(self.gather(self.draw(picture), start)) + keep * picture

        keep = DAMPING * self.images.numel() / start.numel()
        tiny = torch.finfo(start.dtype).tiny
        rest = even(self.gather(self.images - self.draw(start), start))
        picture, direction, size = start, rest, rest.square().sum()
        for _ in range(CONJUGATE):
            bent = normal(direction)
            length = size / (direction * bent).sum().clamp_min(tiny)
            picture, rest = picture + length * direction, rest - length * bent
            before, size = size, rest.square().sum()
            direction = rest + size / before.clamp_min(tiny) * direction
        return picture

    def refine(self, picture: Tensor) -> None:
        """One step of Gauss and Newton of the map of each image, towards a better fit."""
        step = _fitted(self.slopes(picture), (self.images - self.draw(picture)).flatten(1))
        self.offset = self.offset + step[:, :2].clamp(-FARTHEST, FARTHEST)
        self.matrix = self.matrix + step[:, 2:].clamp(-MOST_BENT, MOST_BENT).unflatten(1, (2, 2))

    def slopes(self, picture: Tensor) -> Tensor:
        """How the drawn picture changes with offset and matrix of each image (N, C·H·W, 6)."""
        h = HALF_STEP
        along_x = (self.draw(picture, x=h) - self.draw(picture, x=-h)) / (2 * h)
        along_y = (self.draw(picture, y=h) - self.draw(picture, y=-h)) / (2 * h)
        x, y = self.pixels.unbind(-1)
        slopes = [along_x, along_y, along_x * x, along_x * y, along_y * x, along_y * y]
        return torch.stack(slopes, -1).flatten(1, 3)


def even(picture: Tensor) -> Tensor:
    """The part of pictures (…, T, T) that half a turn leaves as it is."""
    return (picture + picture.flip(-2, -1)) / 2


def odd(picture: Tensor) -> Tensor:
    """The part of pictures (…, T, T) that half a turn turns into its negative."""
    return (picture - picture.flip(-2, -1)) / 2


def left_over(slopes: Tensor, values: Tensor) -> Tensor:
    """What no change of the maps explains of values (N, D)."""
    return values - (slopes @ _fitted(slopes, values)[..., None])[..., 0]


def _fitted(slopes: Tensor, values: Tensor) -> Tensor:
    """Changes (N, 6) of the maps that explain values (N, D) best."""
    normal = slopes.transpose(1, 2) @ slopes
    scale = normal.diagonal(dim1=1, dim2=2)
    normal = normal + torch.diag_embed(DAMPING * scale + torch.finfo(scale.dtype).eps)
    return torch.linalg.solve(normal, (slopes * values[..., None]).sum(1))
