"""Pose: how a content image is put on the screen by rotation, scale, strain and translation.

An object point ``u`` (about the centre of the canonical image) appears on screen at

    p = s · R(φ) · exp(ε) · D^h · u + t

with the angle φ counter-clockwise on screen, the scale s > 0, a traceless symmetric strain ε in the object's own
frame (so that dilation belongs to the scale; ``exp(ε)`` has determinant 1), the shift t, and, where the object is seen
mirrored (h = 1), the reflection D of x to −x. Vectors are
(x to the right, y down) in pixels inside this module; strain components are those of (x to the right, y **up**),
so that they turn with φ as a tensor does. Angles are in radians here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .resampling import resampled

FARTHEST = 1e6  # from the middle of an image, in halves of it


@dataclass
class Pose:
    """Batched pose; every member has the same leading shape ``(…)``.

    Attributes
    ----------
    angle : Tensor (…)
        Radians, counter-clockwise on screen.
    shift : Tensor (…, 2)
        Screen shift (x, y down) in pixels.
    log_scale : Tensor (…)
        Logarithm of the scale; > 0 is larger.
    strain : Tensor (…, 2)
        ``(ε_xx, ε_xy)`` in the object's frame, y up; ε_yy = −ε_xx.
    hand : Tensor (…) or None
        1, or −1 where the object is seen mirrored; ``None`` where none is.
    """

    angle: Tensor
    shift: Tensor
    log_scale: Tensor
    strain: Tensor
    hand: Tensor | None = None

    @classmethod
    def identity(cls, shape: tuple[int, ...], device: torch.device | None = None) -> Pose:
        """The pose that changes nothing."""
        zero, pair = (torch.zeros(*shape, *of, device=device, dtype=torch.float32) for of in ((), (2,)))
        return cls(zero, pair, zero, pair)

    @classmethod
    def joined(cls, poses: Sequence[Pose]) -> Pose:
        """The rows of several, one after the other."""
        names = [f.name for f in fields(cls) if getattr(poses[0], f.name) is not None]
        return cls(**{name: torch.cat([getattr(pose, name) for pose in poses]) for name in names})

    def select(self, index: Tensor) -> Pose:
        """Gather ``index`` (B, K) along the second axis of a (B, R) pose."""
        return self._each(
            lambda v: v.gather(1, index) if v.ndim == 2 else v.gather(1, index[..., None].expand(-1, -1, v.shape[-1]))
        )

    def rows(self, rows: slice | Tensor) -> Pose:
        """Some of the rows."""
        return self._each(lambda v: v[rows])

    def to(self, device: torch.device) -> Pose:
        """The same on a device."""
        return self._each(lambda v: v.to(device))

    def repeat(self, n: int) -> Pose:
        """Every row `n` times, one after the other: (B, …) -> (B·n, …)."""
        return self._each(lambda v: v.repeat_interleave(n, 0))

    def fold(self, n: int) -> Pose:
        """Rows of `n`: (B, H·n) -> (B·H, n)."""
        return self._each(lambda v: v.reshape(-1, n, *v.shape[2:]))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Pose:
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        return Pose(**{name: change(value) for name, value in parts.items() if value is not None})

    def screen_to_object(self) -> tuple[Tensor, Tensor]:
        """Matrix (…, 2, 2) and offset (…, 2) with ``u = matrix @ p + offset``, in pixels, (x, y down)."""
        cos, sin = torch.cos(self.angle), torch.sin(self.angle)
        inverse_rotation = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
        matrix = _stretch(-self.strain) @ inverse_rotation * torch.exp(-self.log_scale)[..., None, None]
        if self.hand is not None:
            matrix = torch.stack([matrix[..., 0, :] * self.hand[..., None], matrix[..., 1, :]], -2)
        return matrix, -(matrix @ self.shift[..., None])[..., 0]

    def after(self, angles: Tensor, hand: Tensor | None) -> Pose:
        """The poses (B, R) on screen of what is seen in these in images that were changed.

        They were turned back by angles (R,), and then, where a hand (R,) is −1, mirrored.
        """
        cos, sin = torch.cos(angles), torch.sin(angles)
        angle, strain, (x, y) = self.angle, self.strain, self.shift.unbind(-1)
        if hand is not None:
            angle, x, strain, hand = angle * hand, x * hand, mirrored_strain(strain, hand), hand.expand_as(angle)
        shift = torch.stack([x * cos + y * sin, y * cos - x * sin], -1)
        return replace(self, angle=angles + angle, shift=shift, strain=strain, hand=hand)

    def moved(self, points: Tensor, sign: float) -> Pose:
        """The pose, shifted by where it puts `points` (…, 2) of the object (x, y down): there (1) or back (−1)."""
        matrix, _ = self.screen_to_object()
        onscreen = torch.linalg.solve(matrix, points[..., None])[..., 0]
        return replace(self, shift=self.shift + sign * onscreen)

    def degrees(self) -> Tensor:
        """Angles (…) in (−180, 180]."""
        return torch.rad2deg(wrap(self.angle))

    def log_angle_density(self, sd: Tensor, width: float | None) -> Tensor:
        """Logarithm of a normal density of `width` about 0, wrapped round the circle, or of a uniform one.

        Its mean (…) over angles that scatter about these with standard deviations (…).
        """
        if width is None:
            return torch.full_like(self.angle, -math.log(2 * math.pi))
        turns = torch.arange(-2, 3, device=self.angle.device, dtype=self.angle.dtype)
        density = torch.logsumexp(-0.5 * ((wrap(self.angle)[..., None] + 2 * math.pi * turns) / width) ** 2, -1)
        return density - 0.5 * (sd / width) ** 2 - math.log(width * math.sqrt(2 * math.pi))

    def screen_strain(self) -> Tensor:
        """Strain components (…, 2) turned from the object's frame to the screen (y up)."""
        return turned_strain(self.strain, self.angle)


def mirrored_strain(strain: Tensor, hand: Tensor | None) -> Tensor:
    """Strain components (…, 2) in the axes of the object before it was mirrored, and back."""
    return strain if hand is None else torch.stack([strain[..., 0], strain[..., 1] * hand], -1)


def turned_strain(strain: Tensor, angle: Tensor) -> Tensor:
    """Strain components (…, 2), y up, in axes that are turned back by an angle (…)."""
    cos, sin = torch.cos(2 * angle), torch.sin(2 * angle)
    xx, xy = strain.unbind(-1)
    return torch.stack([xx * cos - xy * sin, xx * sin + xy * cos], -1)


def _stretch(strain: Tensor) -> Tensor:
    """``exp(ε)`` (…, 2, 2) of a traceless symmetric strain (…, 2), in (x, y down)."""
    xx, xy = strain.unbind(-1)
    size = torch.sqrt(xx**2 + xy**2 + 1e-12)  # the root has no gradient at 0
    cosh, sinhc = torch.cosh(size), torch.sinh(size) / size
    off = -sinhc * xy  # y down turns the sign of the mixed component
    return torch.stack([torch.stack([cosh + sinhc * xx, off], -1), torch.stack([off, cosh - sinhc * xx], -1)], -2)


def sample_canonical(canonical: Tensor, pose: Pose, size: tuple[int, int], extent: tuple[int, int]) -> Tensor:
    """Draw canonical images in given poses.

    Parameters
    ----------
    canonical : Tensor (B, C, S, S)
        Images in the object's frame, on pixels as large as those of the screen.
    pose : Pose (B, K)
        K poses for each.
    size : (int, int)
        Rows and columns of the window, in pixels.
    extent : (int, int)
        Number of samples taken along rows and columns: `size`, or fewer for a coarse look.

    Returns
    -------
    Tensor (B, K, C, *extent)
    """
    poses = pose.angle.shape[1]
    points = object_points(pose, size, extent, unit=canonical.shape[-1] / 2)  # the coordinates of grid_sample
    # All poses of an image side by side, so that it need not be repeated.
    grid = points.transpose(1, 2).flatten(2, 3).movedim(1, -1)
    drawn = resampled(canonical, grid)
    return drawn.unflatten(2, (poses, extent[0])).transpose(1, 2)


def object_points(pose: Pose, size: tuple[int, int], extent: tuple[int, int], *, unit: float) -> Tensor:
    """Coordinates (…, 2, *extent), x and then y down in units of `unit` pixels, of the object that a window shows."""
    matrix, offset = pose.screen_to_object()
    along_x, along_y = matrix[..., :1] * (size[1] / 2), matrix[..., 1:] * (size[0] / 2)
    return _affine_maps(drawable(torch.cat([along_x, along_y, offset[..., None]], -1) / unit), *extent)


def drawable(values: Tensor) -> Tensor:
    """Values that `grid_sample` can be led to places by: finite; what is no number leads to the middle.

    A place that is no number ends the process on a CPU (PyTorch's kernel of the gradient reads outside the image). A
    loss that is no number is noticed elsewhere.
    """
    return values.clamp(-FARTHEST, FARTHEST).nan_to_num(0.0)


def turned_copies(images: Tensor, n: int, share: int = 1, offset: Tensor | None = None) -> Tensor:
    """Copies of square images, turned back by each of `n` angles round the circle: (B, C, S, S) -> (B, n, C, S, S).

    The corners that no pixel reaches are 0. With a `share` of 2 only those of the first half of the circle; all angles
    may have an `offset` () in radians.
    """
    batch, channels, side, _ = images.shape
    quarters = 4 if n % 4 == 0 else share  # what a quarter of the circle shows only needs turning by right angles
    angles = uniform_angles(n, images.device)[: n // quarters]
    angles = angles if offset is None else angles + offset
    cos, sin, zero = torch.cos(angles), torch.sin(angles), torch.zeros_like(angles)
    theta = torch.stack([torch.stack([cos, sin, zero], -1), torch.stack([-sin, cos, zero], -1)], -2)
    grid = _affine_maps(theta, side, side).movedim(1, -1)
    # The batch rides along as channels: each grid is computed once, not once per image.
    flat = images.reshape(1, batch * channels, side, side).expand(len(angles), -1, -1, -1)
    turned = F.grid_sample(flat, grid, align_corners=False).view(-1, batch, channels, side, side)
    return torch.cat([turned.rot90(-k, (-2, -1)) for k in range(quarters // share)]).transpose(0, 1)


def _affine_maps(theta: Tensor, rows: int, columns: int) -> Tensor:
    """Maps (…, 2, rows, columns) of x and y that affine transformations (…, 2, 3) lead to.

    Faster than torch's, by one addition each; and `grid_sample` reads x and y faster apart than in pairs.
    """
    x = (torch.arange(columns, device=theta.device, dtype=theta.dtype) * 2 + 1) / columns - 1
    y = (torch.arange(rows, device=theta.device, dtype=theta.dtype) * 2 + 1) / rows - 1
    along_x = theta[..., 0, None] * x
    along_y = theta[..., 1, None] * y + theta[..., 2, None]
    return along_x[..., None, :] + along_y[..., None]


def uniform_angles(n: int, device: torch.device | None = None) -> Tensor:
    """`n` angles evenly around the circle, from 0, in radians."""
    return torch.arange(n, device=device, dtype=torch.float32) * (2 * math.pi / n)


def wrap(angle: Tensor) -> Tensor:
    """Radians brought into (−π, π]."""
    return -torch.remainder(math.pi - angle, 2 * math.pi) + math.pi


def circular_means(angle: Tensor, weights: Tensor) -> Tensor:
    """Weighted means (B, 4) of cos φ, sin φ, cos 2φ, sin 2φ over angles (B, K)."""
    waves = torch.stack([torch.cos(angle), torch.sin(angle), torch.cos(2 * angle), torch.sin(2 * angle)], -1)
    return (weights[..., None] * waves).sum(1)
