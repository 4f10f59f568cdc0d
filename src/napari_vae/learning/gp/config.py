"""Settings of a deep kernel."""

from __future__ import annotations

from typing import Annotated, Literal

from ...core.fields import AUTOMATIC, about
from ...core.settings import SEED, Count, Flag, NotNegative, Seed, Whole, Widths, settings


@settings
class DeepKernelConfig:
    """Settings of a `DeepKernelGP`."""

    target: Annotated[
        Literal["real", "angle", "class"],
        about(
            "Kind",
            "What the target is: numbers, one or several; directions on the screen in degrees; or classes, which are "
            "whole numbers from 0.",
            choices={"real": "a number", "angle": "an angle", "class": "a class"},
        ),
    ] = "real"
    embedding_dim: Annotated[
        Whole,
        about(
            "Embedding",
            "Number of axes of the embedding: a space in which the network puts places with like values of the target "
            "close together. Two can be drawn as a plane; one suits very few measurements.",
            ge=1,
            le=3,
        ),
    ] = 3
    network: Annotated[
        Literal["auto", "linear", "mlp", "conv"],
        about(
            "Network",
            "Network that turns a window, or latents, into the embedding. Automatic is a small dense one and usual; "
            "choose linear when there are very few measurements; convolutional is for windows only, and wants many.",
            choices={
                "auto": AUTOMATIC,
                "linear": "linear",
                "mlp": "dense (mlp)",
                "conv": "convolutional (conv)",
            },
        ),
    ] = "auto"
    hidden: Annotated[Widths, about("Hidden layers", "Widths of the hidden layers of the network.")] = (16,)
    kernel: Annotated[
        Literal["matern", "rbf"],
        about(
            "Kernel",
            "Rule (kernel) for how alike neighbours in the embedding are. Matérn (ν = 5/2) allows for steps and is "
            "usual; choose Gaussian when the target varies smoothly.",
            choices={"matern": "Matérn", "rbf": "Gaussian (RBF)"},
        ),
    ] = "matern"
    ensemble: Annotated[
        Whole,
        about(
            "Ensemble",
            "Number of networks that are trained and averaged. More take longer; with 1 the uncertainty is not checked "
            "on measurements held out, and tends to be too small.",
            ge=1,
            le=100,
        ),
    ] = 4
    fine_tune: Annotated[
        Flag,
        about(
            "Encoder",
            "Let the measurements change the encoder of the trained model that the network stands on. Take it with a "
            "hundred measurements or more.",
        ),
    ] = False
    steps: Annotated[Count, about("Steps", "Most steps of Adam when learning from scratch.")] = 300
    warm_steps: Annotated[Count, about("Further steps", "Most steps of Adam when going on from the former fit.")] = 30
    weight_decay: Annotated[
        NotNegative, about("Weight decay", "Weight decay of the networks: larger keeps them simpler.")
    ] = 1.0
    seed: Annotated[Seed, about("Seed", SEED)] = 0
