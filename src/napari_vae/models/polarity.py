"""Which way round a motif lies that is nearly its own image after half a turn.

Either way rebuilds such an image nearly as well, so a training takes either, and the angle is known modulo 180° only.
What tells the ways apart is the part of the motif that changes its sign with half a turn: a polar column, a dumbbell
of two elements that look nearly alike. It is found without labels: the images are laid on their common even picture,
each in a pose that is refined to a small part of a pixel; what they have in common besides is an odd picture, in some
with the one sign and in the others with the other.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .draws import Draws
from .pose import Pose, drawable, wrap
from .resampling import BICUBIC, BORDER, added_up, cubic

FIRST, AGAIN = 8, 6  # steps of conjugate gradients for a picture, and for one that is nearly known
DAMPING = 1e-3
FARTHEST, MOST_BENT = 0.5, 0.05  # that one step moves an image (px), and changes the entries of its matrix
ROUNDS = 3  # of picture and poses in turn
SKETCHED = 200  # images, at least, that show the picture until the poses are refined
REFINED = 2  # steps of the pose of an image whose picture is known
POWERS = 10  # of the iteration that finds the odd picture
TWO_CLOUDS = 1.7  # most of the fourth moment over the square of the second, about 0: 1.8 if uniform, 1 without noise
FAINTEST = 1e-3  # least size of the scores against the contrast; less is of the interpolation


class Aligned:
    """Images laid on a common picture, each by an affine map that is refined until it fits.

    The picture is finer than the images, and drawn by cubic interpolation: what tells images apart that are nearly
    alike must not drown in what the interpolation does to them.

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
        self._lay()

    def part(self, rows: slice) -> Aligned:
        """Some of the images."""
        some = copy.copy(self)
        some.images, some.matrix, some.offset = self.images[rows], self.matrix[rows], self.offset[rows]
        some._lay()
        return some

    def draw(self, picture: Tensor) -> Tensor:
        """The picture (C, T, T) where each image lies: (N, C, H, W)."""
        drawn = F.grid_sample(picture[None], self.points, mode="bicubic", padding_mode="border", align_corners=True)
        return drawn[0].unflatten(1, self.images[:, 0].shape[:2]).transpose(0, 1)

    def gather(self, values: Tensor, like: Tensor) -> Tensor:
        """The adjoint of `draw`: values (N, C, H, W), added up where they lie in a picture (C, T, T)."""
        below = values.transpose(0, 1).flatten(1, 2)[None]
        if values.is_cuda:
            x, y = ((self.points[..., axis] + 1) / 2 * (like.shape[-1] - 1) for axis in (0, 1))
            return added_up(below, cubic(x), cubic(y), like[None])[0]
        ask = (below, like[None], self.points, BICUBIC, BORDER, True, [True, False])
        return torch.ops.aten.grid_sampler_2d_backward(*ask)[0][0]

    def _lay(self) -> None:
        """Find the points (1, N·H, W, 2) of the picture that the pixels show, all images below each other."""
        matrix, offset = drawable(self.matrix), drawable(self.offset)
        places = torch.einsum("nij,hwj->nhwi", matrix, self.pixels) + offset[:, None, None]
        self.points = (places / self.reach).flatten(0, 1)[None]

    def even_picture(self, start: Tensor, steps: int) -> Tensor:
        """The picture (C, T, T) that fits the images best of those that half a turn leaves as they are."""

        def normal(picture: Tensor) -> Tensor:
            return even(self.gather(self.draw(picture), start)) + keep * picture

        keep = DAMPING * self.images.numel() / start.numel()
        tiny = torch.finfo(start.dtype).tiny
        rest = even(self.gather(self.images - self.draw(start), start))
        picture, direction, size = start, rest, rest.square().sum()
        for _ in range(steps):
            bent = normal(direction)
            length = size / (direction * bent).sum().clamp_min(tiny)
            picture, rest = picture + length * direction, rest - length * bent
            before, size = size, rest.square().sum()
            direction = rest + size / before.clamp_min(tiny) * direction
        return picture

    def refine(self, picture: Tensor) -> None:
        """One step of Gauss and Newton of the map of each image, towards a better fit."""
        step = _fitted(*self.compared(picture))
        self.offset = self.offset + step[:, :2].clamp(-FARTHEST, FARTHEST)
        self.matrix = self.matrix + step[:, 2:].clamp(-MOST_BENT, MOST_BENT).unflatten(1, (2, 2))
        self._lay()

    def compared(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """How the drawn picture changes with offset and matrix of each image (N, 6, C·H·W); image less picture."""
        steep_y, steep_x = torch.gradient(picture, spacing=2 * self.reach / (len(picture[0]) - 1), dim=(-2, -1))
        drawn, along_x, along_y = self.draw(torch.cat([picture, steep_x, steep_y])).chunk(3, 1)
        x, y = self.pixels.unbind(-1)
        slopes = [along_x, along_y, along_x * x, along_x * y, along_y * x, along_y * y]
        return torch.stack(slopes, 1).flatten(2), (self.images - drawn).flatten(1)


def even(picture: Tensor) -> Tensor:
    """The part of pictures (…, T, T) that half a turn leaves as it is."""
    return (picture + picture.flip(-2, -1)) / 2


def odd(picture: Tensor) -> Tensor:
    """The part of pictures (…, T, T) that half a turn turns into its negative."""
    return (picture - picture.flip(-2, -1)) / 2


def left_over(slopes: Tensor, values: Tensor) -> Tensor:
    """What no change of the maps explains of values (N, D)."""
    return values - torch.einsum("nid,ni->nd", slopes, _fitted(slopes, values))


def _fitted(slopes: Tensor, values: Tensor) -> Tensor:
    """Changes (N, 6) of the maps that explain values (N, D) best."""
    normal = slopes @ slopes.transpose(1, 2)
    scale = normal.diagonal(dim1=1, dim2=2)
    normal = normal + torch.diag_embed(DAMPING * scale + torch.finfo(scale.dtype).eps)
    return torch.linalg.solve(normal, (slopes @ values[..., None])[..., 0])


class Polarity(nn.Module):
    """Even and odd pictures of the polar groups of motifs; there are none before `learn` finds some.

    Parameters
    ----------
    channels : int
    side : int
        Longer side of the window, in pixels.
    groups : int
        How many groups of motifs there may be.

    Attributes
    ----------
    pictures : Tensor (P, 2, C, T, T)
        Even and odd picture of each polar group.
    slope : Tensor (P,)
        Logarithm of the odds per unit of the score.
    which : Tensor (G,)
        The row of `pictures` of each group; −1 for those that are not polar.
    """

    pictures: Tensor
    slope: Tensor
    which: Tensor

    def __init__(self, channels: int, side: int, groups: int) -> None:
        super().__init__()
        self.reach = 0.75 * side  # covers the corners of the window
        fine = 2 * round(2.5 * self.reach) + 1  # five of its pixels are two of the window
        self.register_buffer("pictures", torch.empty(0, 2, channels, fine, fine))
        self.register_buffer("slope", torch.empty(0))
        self.register_buffer("which", torch.full((groups,), -1.0))

    def reset(self) -> None:
        """No group is polar."""
        self.pictures, self.slope = self.pictures[:0], self.slope[:0]
        self.which.fill_(-1)

    @torch.no_grad()
    def forward(self, images: Tensor, pose: Pose, group: Tensor) -> Tensor:
        """Logarithm of the odds (B,) that motifs lie as their poses say and not the other way round; 0 if not polar.

        Parameters
        ----------
        images : Tensor (B, C, H, W)
        pose : Pose (B, 1)
            Of the object, about whose centre half a turn is taken.
        group : Tensor (B,)
            Group of each motif.
        """
        odds = images.new_zeros(len(images))
        which = self.which[group]
        for number, (pictures, slope) in enumerate(zip(self.pictures, self.slope, strict=True)):
            rows = which == number
            if rows.any():
                aligned = Aligned(images[rows], pose.rows(rows), self.reach)
                for _ in range(REFINED):
                    aligned.refine(pictures[0])
                odds[rows] = slope * _scores(aligned, *pictures)
        return odds

    @torch.no_grad()
    def learn(self, group: int, images: Tensor, pose: Pose) -> None:
        """Find out whether a group of motifs, nearly even ones, is polar.

        The odd picture is learnt from every other image. If the scores of the images between are two clouds to both
        sides of 0, or one to one side, it is the motif's; noise has such a picture too, with scores about 0.

        Parameters
        ----------
        group : int
        images : Tensor (N, C, H, W)
        pose : Pose (N, 1)
            Of the object, about whose centre half a turn is taken.
        """
        aligned = Aligned(images, pose, self.reach)
        few = slice(0, None, max(1, len(images) // SKETCHED))
        first = aligned.part(few).even_picture(images.new_zeros(self.pictures.shape[2:]), FIRST)
        for left in reversed(range(ROUNDS)):
            aligned.refine(first)
            first = (aligned.part(few) if left else aligned).even_picture(first, AGAIN)
        second = _odd_picture(aligned.part(slice(0, None, 2)), first)
        scores = _scores(aligned.part(slice(1, None, 2)), first, second)
        size, contrast = scores.abs().mean(), images.flatten(1).std(1).mean() * images[0].numel() ** 0.5
        clouds = scores.pow(4).mean() / scores.square().mean().square()
        if not (clouds <= TWO_CLOUDS and size >= FAINTEST * contrast):  # nor where there are no numbers
            return
        if scores.mean() < 0:  # most stay as they are
            second = -second
        spread = (scores.abs() - size).square().mean().clamp_min(torch.finfo(scores.dtype).tiny)
        self.which[group] = len(self.slope)
        self.pictures = torch.cat([self.pictures, torch.stack([first, second])[None]])
        self.slope = torch.cat([self.slope, (2 * size / spread)[None]])

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        """As many polar groups as the state has; runs of earlier versions have none."""
        for name, value in {"pictures": self.pictures[:0], "slope": self.slope[:0], "which": self.which}.items():
            state_dict.setdefault(f"{prefix}{name}", torch.full_like(value, -1, device="cpu"))
        number = len(state_dict[f"{prefix}slope"])
        self.pictures = self.pictures.new_empty(number, *self.pictures.shape[1:])
        self.slope = self.slope.new_empty(number)
        super()._load_from_state_dict(state_dict, prefix, *args)


def one_way(angle: Tensor, best: Tensor, odds: Tensor) -> tuple[Tensor, Tensor]:
    """Competing angles, those of polar motifs on the side of the likelier way; and how likely that is the wrong one.

    Parameters
    ----------
    angle : Tensor (B, K)
    best : Tensor (B, 1)
        The likeliest of them, which the odds are about.
    odds : Tensor (B,)
        As `Polarity` gives them.

    Returns
    -------
    Tensor (B, K), Tensor (B, 1)
    """
    polar, turned = odds[:, None] != 0, odds[:, None] < 0
    beyond = wrap(angle - best).abs() > math.pi / 2
    wrong = torch.where(polar, torch.sigmoid(-odds[:, None].abs()), 0)
    return torch.where(polar & (beyond ^ turned), angle + math.pi, angle), wrong


def _odd_picture(aligned: Aligned, first: Tensor) -> Tensor:
    """The odd picture (C, T, T) that explains most of what the even one leaves over, by power iteration."""
    _, rest = _rest(aligned, first)
    scores = Draws(torch.Generator().manual_seed(0)).normal(rest[:, 0].cpu()).to(rest)
    for _ in range(POWERS):
        values = (rest * scores[:, None]).view_as(aligned.images)
        second = odd(aligned.gather(values, first))
        second = second / second.norm().clamp_min(torch.finfo(second.dtype).tiny)
        scores = (rest * aligned.draw(second).flatten(1)).sum(1)
    return second


def _scores(aligned: Aligned, first: Tensor, second: Tensor) -> Tensor:
    """How much of the odd picture is in what the even one leaves over of each image (N,)."""
    slopes, rest = _rest(aligned, first)
    return _projected(rest, left_over(slopes, aligned.draw(second).flatten(1)))


def _rest(aligned: Aligned, first: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes of the drawn even picture (N, 6, D), and what it leaves over of the images (N, D)."""
    slopes, apart = aligned.compared(first)
    return slopes, left_over(slopes, apart)


def _projected(values: Tensor, direction: Tensor) -> Tensor:
    size = direction.norm(dim=1).clamp_min(torch.finfo(direction.dtype).tiny)
    return (values * direction).sum(1) / size
