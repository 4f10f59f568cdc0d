"""Settings of a deep kernel."""

from __future__ import annotations

from typing import Annotated, Literal

from ...core.settings import Count, Flag, NotNegative, Seed, Whole, Widths, about, settings


@settings
class DeepKernelConfig:
    """Settings of a `DeepKernelGP`; see there."""

    target: Literal["real", "angle", "class"] = "real"
    embedding_dim: Annotated[Whole, about("Dimensions of the embedding", ge=1, le=3)] = 3
    network: Annotated[Literal["auto", "linear", "mlp", "conv"], about("Network")] = "auto"
    hidden: Annotated[Widths, about("Widths of its layers")] = (16,)
    kernel: Annotated[Literal["matern", "rbf"], about("Kernel")] = "matern"
    ensemble: Annotated[Whole, about("Networks", ge=1, le=100)] = 4
    fine_tune: Annotated[Flag, about("Train the encoder further")] = False
    steps: Annotated[Count, about("Steps from scratch")] = 300
    warm_steps: Annotated[Count, about("Steps when going on")] = 30
    weight_decay: Annotated[NotNegative, about("Weight decay")] = 1.0
    seed: Annotated[Seed, about("Seed")] = 0
