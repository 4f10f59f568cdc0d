"""The parts of a pose that a model may infer, one object for each invariance; every list of them comes from here.

What each does to a point is in `pose`. Torch is not imported here: the window and the command line list the
invariances before anything is computed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from ..core.errors import InputError
from .component import WIDEST, Array, Column, Component, Freedom, Normal, Window
from .config import Invariance, ModelConfig

if TYPE_CHECKING:
    from torch import Tensor

    from .evidence import Explanation
    from .pose import Pose

AUXILIARY_PRIOR = 0.1  # of an auxiliary strain
OVERLAP = 1.3  # each coarse orientation reaches a little into its neighbours, so that none is left between two
LOG_2PI_E = math.log(2 * math.pi * math.e)


class Rotation(Component):
    """The angle: coarse ones all round the circle are compared exactly, what lies between is inferred."""

    name, part, argument = "rotation", "angle", "angle"
    word = "turned"
    units: ClassVar = {"angle": "°"}
    tooltip = (
        "Every atom may be turned: its angle is found, in °, and kept out of the latents. Tick it when like "
        "atoms lie in several orientations."
    )

    def copies(self, config: ModelConfig) -> int:
        """As many as the model is set to."""
        return config.rotations if self.name in config.invariances else 1

    def bound(self, config: ModelConfig, window: Window) -> float:
        """A little more than half of the way to the next coarse angle."""
        return OVERLAP * math.pi / config.rotations

    def kl(self, pose: Pose, sd: Tensor, config: ModelConfig, window: Window) -> Tensor:
        """The prior of each coarse orientation is its share of the circle.

        So the mixture over orientations with weights 1/R is the prior over the whole circle.
        """
        sd = sd[..., 0]
        width = None if config.angle_prior == "uniform" else math.radians(config.angle_prior)
        return -sd.log() - 0.5 * LOG_2PI_E - pose.log_angle_density(sd, width) - math.log(config.rotations)

    def widened(self, width: float, config: ModelConfig) -> float:
        """The corners of a window lie √2 times as far out as its edges."""
        return width * math.sqrt(2)

    def part_of(self, values: Array) -> Array:
        """From degrees."""
        return np.deg2rad(values)

    def matrix(self, column: Column) -> Array:
        """Counter-clockwise on screen, where rows run down."""
        cos, sin = np.cos(angle := np.deg2rad(column("angle", 0.0))), np.sin(angle)
        return _matrices(cos, -sin, sin, cos)

    def columns(self, found: Explanation) -> dict[str, Tensor]:
        """The angle in degrees."""
        return {"angle": found.pose.degrees()[:, 0], "angle_sd": found.pose_sd[self.name][:, 0].rad2deg()}

    def sliders(self, window: Window) -> list[Freedom]:
        """The full circle."""
        return [Freedom("angle", -180.0, 180.0, 0.0, "°", "Rotation in °, counter-clockwise")]


class Translation(Normal):
    """The shift on screen."""

    name, part, argument, shape = "translation", "shift", "shift", (2,)
    word = "shifted"
    units: ClassVar = {"shift_y": "px", "shift_x": "px"}
    tooltip = (
        "Every atom may lie off the centre of its window: the shift is found, in px, and kept out of the "
        "latents. Tick it for a regular grid, or when positions are rough."
    )

    def size(self, window: Window) -> int:
        """One for signals, else two."""
        return 1 if window[0] == 1 else 2

    def bound(self, config: ModelConfig, window: Window) -> float:
        """Half a window."""
        return max(window) / 2

    def sd_unit(self, window: Window) -> float:
        """An eighth of the window."""
        return max(window) / 8

    def prior(self, config: ModelConfig, window: Window) -> float:
        """In pixels."""
        return config.shift_prior * max(window)

    def widened(self, width: float, config: ModelConfig) -> float:
        """Two standard deviations to either side."""
        return width + 4 * config.shift_prior

    def part_of(self, values: Array) -> Array:
        """From (row, column)."""
        return values[..., ::-1]

    def offset(self, column: Column) -> Array:
        """The shift."""
        return np.stack([column("shift_y", 0.0), column("shift_x", 0.0)], -1)

    def columns(self, found: Explanation) -> dict[str, Tensor]:
        """The shift on screen in pixels."""
        sd = found.pose_sd[self.name]
        table: dict[str, Tensor] = {}
        for axis in range(sd.shape[1])[::-1]:
            name = ("shift_x", "shift_y")[axis]
            table |= {name: found.pose.shift[:, 0, axis], f"{name}_sd": sd[:, axis]}
        return table

    def sliders(self, window: Window) -> list[Freedom]:
        """A quarter of the window either way."""
        height, width = (0.25 * side for side in window)
        return [
            Freedom("shift y", -height, height, 0.0, "px", "Shift down, in px"),
            Freedom("shift x", -width, width, 0.0, "px", "Shift to the right, in px"),
        ]


class Scale(Normal):
    """The size, by its logarithm."""

    name, part, argument, neutral, largest = "scale", "log_scale", "scale", 1.0, math.log(2.5)
    word = "magnified"
    units: ClassVar = {"scale": ""}
    tooltip = (
        "Every atom may be larger or smaller: the factor is found, 1 for the mean, and kept out of the latents. "
        "Tick it when size or magnification varies."
    )

    def widened(self, width: float, config: ModelConfig) -> float:
        """One standard deviation."""
        return width * math.exp(min(config.scale_prior, WIDEST))

    def part_of(self, values: Array) -> Array:
        """The logarithm."""
        if (values <= 0).any():
            raise InputError("A scale must be above 0; 1 leaves the size as it is.")
        return np.log(values)

    def matrix(self, column: Column) -> Array:
        """The factor in both directions."""
        return column("scale", 1.0)[:, None, None] * np.eye(2)

    def columns(self, found: Explanation) -> dict[str, Tensor]:
        """The factor."""
        size = found.pose.log_scale[:, 0].exp()
        return {"scale": size, "scale_sd": size * found.pose_sd[self.name][:, 0]}

    def sliders(self, window: Window) -> list[Freedom]:
        """Somewhat smaller to somewhat larger."""
        return [Freedom("scale", 0.6, 1.6, 1.0, "", "Size, a factor; 1 is the mean")]


class Strain(Normal):
    """Traceless strain in the object's own frame; auxiliary in models of rotation without it, see `curriculum`."""

    name, part, argument, shape, numbers, largest = "strain", "strain", "strain", (2,), 2, 0.6
    word = "strained"
    units: ClassVar = {"strain_xx": "", "strain_xy": "", "screen_strain_xx": "", "screen_strain_xy": ""}
    tooltip = (
        "Every cell may be stretched or sheared: the strain is found (a share: 0.01 is 1 %) and kept out of the "
        "latents. Tick it when the lattice is bent or strained."
    )

    def inferred(self, config: ModelConfig) -> bool:
        """Also where it is auxiliary."""
        return super().inferred(config) or has_auxiliary_strain(config)

    def prior(self, config: ModelConfig, window: Window) -> float:
        """Wider where it is auxiliary: a narrow one leaves it to the latents, and the angle jumps."""
        return AUXILIARY_PRIOR if has_auxiliary_strain(config) else config.strain_prior

    def widened(self, width: float, config: ModelConfig) -> float:
        """A quarter of a standard deviation."""
        return width * math.exp(min(config.strain_prior / 4, WIDEST))

    def matrix(self, column: Column) -> Array:
        """``exp(ε)``, with y up for ε."""
        xx, xy = column("strain_xx", 0.0), column("strain_xy", 0.0)
        size = np.hypot(xx, xy)
        even, odd = np.cosh(size), np.sinh(size) / np.where(size > 0, size, 1.0)
        return _matrices(even - odd * xx, -odd * xy, -odd * xy, even + odd * xx)

    def columns(self, found: Explanation) -> dict[str, Tensor]:
        """In the object's own frame, and on screen."""
        sd = found.pose_sd[self.name]
        table: dict[str, Tensor] = {}
        for axis, name in enumerate(("strain_xx", "strain_xy")):
            table |= {name: found.pose.strain[:, 0, axis], f"{name}_sd": sd[:, axis]}
        screen = found.pose.screen_strain()[:, 0]
        return table | {"screen_strain_xx": screen[:, 0], "screen_strain_xy": screen[:, 1]}

    def sliders(self, window: Window) -> list[Freedom]:
        """Far beyond what crystals stand."""
        words = "Stretch along the object's horizontal axis, a share: 0.01 is 1 %"
        return [
            Freedom("strain xx", -0.4, 0.4, 0.0, "", words),
            Freedom("strain xy", -0.4, 0.4, 0.0, "", "Shear of the object, a share: 0.01 is 1 %"),
        ]


class Mirror(Component):
    """The hand: whether the object is seen as it is, or mirrored. Both are compared exactly."""

    name, part, argument, numbers, suggested = "mirror", "hand", "mirror", 0, False
    word = "mirrored"
    units: ClassVar = {"mirror": "", "mirror_probability": ""}
    tooltip = (
        "Every atom may be seen mirrored, as a left hand is a mirrored right hand: which of the two is found, 0 or 1, "
        "and kept out of the latents. Tick it when a motif occurs in both hands."
    )

    def inferred(self, config: ModelConfig) -> bool:
        """Nothing lies between two hands."""
        return False

    def copies(self, config: ModelConfig) -> int:
        """Two hands."""
        return 2 if self.name in config.invariances else 1

    def part_of(self, values: Array) -> Array:
        """From 0 or 1; NaN, as of a motif that is its own mirror image, is 0."""
        if not np.isin(values := np.nan_to_num(values), (0, 1)).all():
            raise InputError("mirror must be 0, as it is, or 1, mirrored.")
        return 1 - 2 * values

    def matrix(self, column: Column) -> Array:
        """The reflection of x."""
        hand = np.where(column("mirror", 0.0) == 1, -1.0, 1.0)
        return _matrices(np.ones_like(hand), 0 * hand, 0 * hand, hand)

    def columns(self, found: Explanation) -> dict[str, Tensor]:
        """The hand, and how probable the mirrored one is; NaN where a motif is its own mirror image."""
        assert found.mirrored is not None and found.pose.hand is not None
        mirror = (found.pose.hand[:, 0] < 0).to(found.mirrored)
        return {"mirror": mirror.where(found.mirrored.isfinite(), found.mirrored), "mirror_probability": found.mirrored}

    def sliders(self, window: Window) -> list[Freedom]:
        """One hand or the other."""
        return [Freedom("mirror", 0.0, 1.0, 0.0, "", "0 as it is, 1 mirrored", whole=True)]


#: In the order in which they are listed everywhere, and act: the last first.
COMPONENTS: dict[Invariance, Component] = {
    part.name: part for part in (Rotation(), Translation(), Scale(), Strain(), Mirror())
}
#: Unit of each column of a pose.
UNITS = {name: unit for part in COMPONENTS.values() for name, unit in part.units.items()}


def screen_matrices(table: pd.DataFrame) -> tuple[Array, Array]:
    """Matrix (N, 2, 2) and shift (N, 2), both (row, column), that put an object on the screen.

    From those columns of a pose that a latent table has, in all by which a point is drawn; see `pose`.
    """

    def column(name: str, otherwise: float) -> Array:
        return table[name].to_numpy(float) if name in table else np.full(len(table), otherwise)

    matrix, shift = np.tile(np.eye(2), (len(table), 1, 1)), np.zeros((len(table), 2))
    for part in COMPONENTS.values():
        matrix, shift = matrix @ part.matrix(column), shift + part.offset(column)
    return matrix, shift


def components_of(config: ModelConfig) -> list[Component]:
    """Those that a model keeps out of its latents and says of each image; one that predicts says none."""
    return [] if config.knows.predicts else [COMPONENTS[name] for name in config.invariances]


def has_auxiliary_strain(config: ModelConfig) -> bool:
    """Whether a model without strain has one in the warm-up of its training, see `curriculum`."""
    return "rotation" in config.invariances and "strain" not in config.invariances and not config.knows.predicts


def may_lie_off_centre(config: ModelConfig) -> bool:
    """Whether an upright image that lies off its centre fits as well, by shifts that differ among coarse poses."""
    return "translation" in config.invariances and any(part.copies(config) > 1 for part in COMPONENTS.values())


def _matrices(a: Array, b: Array, c: Array, d: Array) -> Array:
    """Matrices (N, 2, 2) of their entries (N,), row by row."""
    return np.stack([a, b, c, d], -1).reshape(-1, 2, 2)
