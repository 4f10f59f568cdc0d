"""Settings of a deep kernel, checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError

TARGETS = ("real", "angle", "class")
NETWORKS = ("auto", "linear", "mlp", "conv")
KERNELS = ("matern", "rbf")


@dataclass(frozen=True)
class DeepKernelConfig:
    """Settings of a `DeepKernelGP`; see there."""

    target: str = "real"
    embedding_dim: int = 3
    network: str = "auto"
    hidden: tuple[int, ...] = (16,)
    kernel: str = "matern"
    ensemble: int = 4
    fine_tune: bool = False
    steps: int = 300
    warm_steps: int = 30
    weight_decay: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(int(width) for width in np.atleast_1d(self.hidden)))
        for name, allowed in (("target", TARGETS), ("network", NETWORKS), ("kernel", KERNELS)):
            if getattr(self, name) not in allowed:
                raise InputError(f"{name} is one of {', '.join(allowed)}, not {getattr(self, name)!r}.")
        if not 1 <= self.embedding_dim <= 3:
            raise InputError(
                f"An embedding has 1 to 3 dimensions, so that it can be looked at; not {self.embedding_dim}."
            )
        for name in ("ensemble", "steps", "warm_steps", *(["hidden"] if not min(self.hidden, default=0) > 0 else [])):
            if name == "hidden" or not getattr(self, name) >= 1:
                raise InputError(f"{name} must be positive, not {getattr(self, name)!r}.")
        check_seed(self.seed)
        if not self.weight_decay >= 0:
            raise InputError(f"weight_decay is 0 or more, not {self.weight_decay!r}.")


def check_seed(seed: int) -> None:
    """Refuse what random numbers cannot start from.

    Raises
    ------
    InputError
        If it is no whole number from 0 to 2³¹ − 1.
    """
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**31:
        raise InputError(f"seed is a whole number from 0 to 2147483647, not {seed!r}.")
