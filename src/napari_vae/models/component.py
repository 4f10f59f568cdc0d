"""What a part of a pose must answer, so that every list of them can be made; the parts are in `components`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from .config import Invariance, ModelConfig

if TYPE_CHECKING:
    from torch import Tensor

    from .evidence import Explanation
    from .pose import Pose

Array = npt.NDArray[Any]
Column = Callable[[str, float], Array]  # of a latent table (N,) by its name, or a number throughout where there is none
Window = tuple[int, int]  # rows and columns in pixels; one row is a signal, which shifts along x alone

WIDEST = 16  # windows that the canonical image may be wide


@dataclass(frozen=True)
class Freedom:
    """One number that a model draws by: `name`, range, the value that changes nothing, `unit`, and what it `means`.

    One that is `whole` has no values between whole numbers.
    """

    name: str
    low: float
    high: float
    neutral: float
    unit: str
    means: str
    whole: bool = False


class Component(ABC):
    """One part of the pose, of which some coarse values may be compared exactly, and numbers inferred within each.

    Attributes
    ----------
    name : str
        As `ModelConfig.invariances` and the window call it.
    part : str
        Attribute of `Pose` that holds it.
    argument : str
        Of `Run.decode`.
    neutral : float
        Value of that argument that changes nothing.
    shape : tuple of int
        Of one value of it.
    units : dict of str to str
        Columns that it has in the latent table, and the unit of each.
    word : str
        What atoms may be, such as “turned”, where the window asks for it.
    tooltip : str
        When to let the model ignore it, and what is found instead.
    numbers : int
        How many numbers the encoder gives.
    largest : float
        Largest size of such a number.
    suggested : bool
        Whether `advise` tries it; a hand explains some of what turns do, and would be suggested in their place.
    """

    name: ClassVar[Invariance]
    part: ClassVar[str]
    argument: ClassVar[str]
    neutral: ClassVar[float] = 0.0
    shape: ClassVar[tuple[int, ...]] = ()
    units: ClassVar[dict[str, str]]
    word: ClassVar[str]
    tooltip: ClassVar[str]
    numbers: ClassVar[int] = 1
    largest: ClassVar[float]
    suggested: ClassVar[bool] = True

    def inferred(self, config: ModelConfig) -> bool:
        """Whether the encoder of a model gives numbers for it, be it at the start of its training only."""
        return self.name in config.invariances

    def size(self, window: Window) -> int:
        """How many numbers the encoder gives for windows of a shape."""
        return self.numbers

    def copies(self, config: ModelConfig) -> int:
        """How many coarse values are compared exactly."""
        return 1

    def bound(self, config: ModelConfig, window: Window) -> float:
        """Largest size of a number within a coarse pose."""
        return self.largest

    def sd_unit(self, window: Window) -> float:
        """What the encoder gives standard deviations in."""
        return 1.0

    def kl(self, pose: Pose, sd: Tensor, config: ModelConfig, window: Window) -> Tensor:
        """KL divergence (B, R) from the prior, of poses (B, R) with spreads (B, R, n); 0 without numbers."""
        return pose.angle.new_zeros(pose.angle.shape)

    def standardised(self, pose: Pose, config: ModelConfig, window: Window) -> Tensor:
        """The numbers (B, n) of poses (B, 1) in units of the prior; none of what may turn with the image."""
        return pose.angle[:, :0]

    def widened(self, width: float, config: ModelConfig) -> float:
        """How wide, in windows, a canonical image must be that would have to be `width` wide without it."""
        return width

    def part_of(self, values: Array) -> Array:
        """What `Pose` holds of values (N, …) of the argument; raises `InputError` for those that cannot be."""
        return values

    def matrix(self, column: Column) -> Array:
        """What it does to points (row, column) of the object, (N, 2, 2) or (2, 2), by the columns of the table."""
        return np.eye(2)

    def offset(self, column: Column) -> Array | float:
        """By how much it moves points (row, column) on screen, (N, 2), by the columns of the table."""
        return 0.0

    @abstractmethod
    def columns(self, found: Explanation) -> dict[str, Tensor]:
        """Columns (B,) of the latent table, in the order of `units`."""

    @abstractmethod
    def sliders(self, window: Window) -> list[Freedom]:
        """What can be chosen of a drawing."""


class Normal(Component):
    """A part whose numbers are normal about 0."""

    def prior(self, config: ModelConfig, window: Window) -> float:
        """Standard deviation of the prior."""
        spread: float = getattr(config, f"{self.argument}_prior")
        return spread

    def values(self, pose: Pose) -> Tensor:
        """The numbers (…, n) of a pose (…)."""
        value: Tensor = getattr(pose, self.part)
        return value if value.ndim > pose.angle.ndim else value[..., None]

    def kl(self, pose: Pose, sd: Tensor, config: ModelConfig, window: Window) -> Tensor:
        """That of normal distributions."""
        prior = self.prior(config, window)
        mean, ratio = self.values(pose)[..., : sd.shape[-1]], sd / prior
        return (0.5 * ((mean / prior) ** 2 + ratio**2 - 1) - ratio.log()).sum(-1)

    def standardised(self, pose: Pose, config: ModelConfig, window: Window) -> Tensor:
        """All numbers."""
        return self.values(pose)[:, 0, : self.size(window)] / self.prior(config, window)
