"""Gradients that do not depend on the order in which they are added up, against those of torch."""

import pytest
import torch
import torch.nn.functional as F

from napari_vae.models.networks import pad_to_square
from napari_vae.models.polarity import Aligned
from napari_vae.models.pose import Pose, object_points
from napari_vae.models.resampling import Resampled, added_up, cubic


def of_torch(images, grid):
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def poses(batch, each, seed=0):
    """Turned, moved (some far beyond the border), scaled, strained and mirrored."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(batch, each, *shape, generator=generator)

    return Pose(3 * random(), 4 * random(2), 0.5 * random(), 0.2 * random(2), random().sign())


@pytest.mark.parametrize(("channels", "each", "size"), [(1, 1, (8, 8)), (2, 3, (9, 6)), (1, 2, (1, 12))])
def test_gradients_are_those_of_torch(channels, each, size):
    images = torch.randn(3, channels, 11, 11)
    points = object_points(poses(3, each), size, size, unit=5.5)
    grid = points.transpose(1, 2).flatten(2, 3).movedim(1, -1)
    slope = torch.randn(3, channels, *grid.shape[1:3])
    found = []
    for sample in (of_torch, Resampled.apply):
        leaves = [values.clone().requires_grad_() for values in (images, grid)]
        drawn = sample(*leaves)
        found.append((drawn.detach(), *torch.autograd.grad((drawn * slope).sum(), leaves)))
    torch.testing.assert_close(found[0], found[1], atol=2e-5, rtol=1e-5)
    assert (grid.abs() > 1).any()


def test_gradients_are_right_in_double_precision():
    images = torch.randn(1, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    grid = (torch.rand(1, 4, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 3 - 1.5).detach()
    assert torch.autograd.gradcheck(lambda images: Resampled.apply(images, grid), (images,))


def test_images_alone_or_the_grid_alone_may_have_a_gradient():
    images, grid = torch.randn(1, 1, 4, 4), torch.rand(1, 3, 3, 2) - 0.5
    for number, leaf in enumerate((images, grid)):
        given = [images, grid]
        given[number] = leaf.clone().requires_grad_()
        Resampled.apply(*given).sum().backward()
        assert given[number].grad.isfinite().all()


def test_the_order_of_the_samples_does_not_matter():
    """Floating-point sums would differ in their last bits."""
    generator = torch.Generator().manual_seed(0)
    grid, slope = torch.rand(1, 60, 60, 2, generator=generator) * 2 - 1, torch.randn(1, 1, 60, 60, generator=generator)
    order = torch.randperm(3600, generator=generator)
    found = []
    for rows in (torch.arange(3600), order):
        images = torch.zeros(1, 1, 6, 6, requires_grad=True)
        drawn = Resampled.apply(images, grid.view(1, 3600, 1, 2)[:, rows])
        found.append(torch.autograd.grad((drawn * slope.view(1, 1, 3600, 1)[:, :, rows]).sum(), images)[0])
    assert torch.equal(*found)


def test_a_slope_that_is_no_number_is_not_hidden():
    images = torch.zeros(1, 1, 4, 4, requires_grad=True)
    Resampled.apply(images, torch.zeros(1, 1, 2, 2)).backward(torch.tensor([[[[1.0, torch.nan]]]]))
    assert not images.grad.isfinite().all()


def test_cubic_shares_are_those_of_torch():
    aligned = Aligned(torch.zeros(4, 2, 7, 7), poses(4, 1), 6.0)
    picture, values = torch.zeros(2, 15, 15), torch.randn(4, 2, 7, 7)
    x, y = ((aligned.points[..., axis] + 1) / 2 * 14 for axis in (0, 1))
    found = added_up(values.transpose(0, 1).flatten(1, 2)[None], cubic(x), cubic(y), picture[None])[0]
    torch.testing.assert_close(found, aligned.gather(values, picture), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(2, 5), (5, 2), (4, 4)])
def test_an_oblong_image_lies_in_the_middle_of_a_square(shape):
    image = torch.ones(1, 1, *shape)
    square = pad_to_square(image)[0, 0]
    assert len(set(square.shape)) == 1 and square.sum() == image.sum()
    centre = [(square.sum(1 - axis) * torch.arange(len(square))).sum() / square.sum() for axis in (0, 1)]
    assert all(abs(place - (len(square) - 1) / 2) <= 0.5 for place in centre)
