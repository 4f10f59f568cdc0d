"""The gradients of resampled images, the same to the bit each time on a GPU too.

A GPU adds up what the samples give to each pixel in whatever order they come, and sums of floating-point numbers depend
on their order. Here they are sums of whole numbers, which do not: steps of 2⁻⁴⁰ of the largest of them.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

STEPS = 2.0**40  # that the largest summand is made of; a pixel may have 2²² of them
SMALLEST = 1e-20  # so that there are steps
BILINEAR, BICUBIC, BORDER = 0, 2, 1  # numbers by which torch knows them


def resampled(images: Tensor, grid: Tensor) -> Tensor:
    """`grid_sample` between the pixels of images (N, C, H, W), beyond the border what is at the border."""
    if images.is_cuda:
        return Resampled.apply(images.to(grid.dtype), grid)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


class Resampled(torch.autograd.Function):
    """`grid_sample` with a gradient that does not depend on the order in which it is added up."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        """The images at the places of the grid."""
        ctx.save_for_backward(images, grid)
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Gradients of images and grid."""
        (gradient,), (images, grid) = gradients, ctx.saved_tensors
        of_images = of_grid = None
        if ctx.needs_input_grad[0]:
            rows, columns = images.shape[-2:]
            x, y = ((g * n + n - 1) / 2 for g, n in zip(grid.unbind(-1), (columns, rows), strict=True))
            of_images = added_up(gradient, linear(x.clamp(0, columns - 1)), linear(y.clamp(0, rows - 1)), images)
        if ctx.needs_input_grad[1]:  # each place has one of its own
            ask = (gradient, images, grid, BILINEAR, BORDER, False, [False, True])
            of_grid = torch.ops.aten.grid_sampler_2d_backward(*ask)[1]
        return of_images, of_grid


def linear(places: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Pixels that have a share in a value between them, each with its share, of places along an axis."""
    first = places.floor()
    after = places - first
    return [(first, 1 - after), (first + 1, after)]


def cubic(places: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The same of bicubic interpolation, as torch has it."""
    first = places.floor()
    after = places - first

    def near(t: Tensor) -> Tensor:
        return (1.25 * t - 2.25) * t * t + 1

    def far(t: Tensor) -> Tensor:
        return ((-0.75 * t + 3.75) * t - 6) * t + 3

    shares = far(after + 1), near(after), near(1 - after), far(2 - after)
    return [(first + number - 1, share) for number, share in enumerate(shares)]


def added_up(
    values: Tensor, along_x: list[tuple[Tensor, Tensor]], along_y: list[tuple[Tensor, Tensor]], like: Tensor
) -> Tensor:
    """The adjoint of sampling: values (N, C, h, w) added up in images (N, C, H, W) `like` those that were sampled.

    Parameters
    ----------
    values : Tensor
    along_x, along_y : list of (Tensor, Tensor)
        Columns and rows (N, h, w) of the pixels that make up each sample, with their shares; pixels beyond the border
        stand for the nearest one.
    like : Tensor
    """
    rows, columns = like.shape[-2:]
    unit = STEPS / values.abs().amax().clamp_min(SMALLEST)
    total = torch.zeros(*like.shape[:2], rows * columns, dtype=torch.int64, device=values.device)
    for row, share_y in along_y:
        for column, share_x in along_x:
            pixel = row.clamp(0, rows - 1) * columns + column.clamp(0, columns - 1)
            part = (values * (share_x * share_y)[:, None] * unit).round().long().flatten(2)
            total.scatter_add_(2, pixel.long().flatten(1)[:, None].expand_as(part), part)
    return (total / unit).view_as(like).to(values.dtype)
