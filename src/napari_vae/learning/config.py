"""Settings of deep kernels and of explorations, which command line and window read without torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ..core.fields import AUTOMATIC, about
from ..core.settings import SEED, Count, Flag, NotNegative, Number, Seed, Whole, Widths, settings

FEWEST = 3  # measured targets that a model can be fitted to
JOINT = 2000  # candidates that are drawn together, and so the most of a batch


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


Acquisition = Literal["ei", "ucb", "pi", "thompson", "variance", "information"]


@settings
class ExplorationConfig:
    """Settings of an `Exploration`."""

    acquisition: Annotated[
        Acquisition,
        about(
            "Choose next by",
            "How the next place is chosen. Expected improvement suits a search and is the usual choice. Choose "
            "mean plus uncertainty to look further afield, chance of improvement to stay close to what is known, a "
            "draw for most variety. Largest uncertainty and most information are for learning the target everywhere.",
            choices={
                "ei": "expected improvement",
                "ucb": "mean plus uncertainty",
                "pi": "chance of improvement",
                "thompson": "a draw (Thompson)",
                "variance": "largest uncertainty",
                "information": "most information",
            },
        ),
    ] = "ei"
    goal: Annotated[
        Literal["max", "min"] | Number,
        about(
            "Goal",
            "Whether large or small values are looked for, or values near a number; of angles the wanted one in "
            "degrees, of classes the number of the wanted class.",
            words='"max", "min" or a number',
        ),
    ] = "max"
    target: Annotated[
        Annotated[Whole, about(ge=0)] | tuple[Number, ...],
        about(
            "Target",
            "Of several targets the one that is looked at, or a weight for each of them (in their own units).",
            words="the number of one target, from 0, or a weight for each",
        ),
    ] = 0
    kappa: Annotated[
        NotNegative,
        about(
            "Weight of sd",
            "Number of standard deviations (sd) that “mean plus uncertainty” adds to the mean. Raise it to look "
            "further afield.",
        ),
    ] = 2.0
    start: Annotated[
        Any, about("Start", "How many candidates are measured first, or which.", words="a number, or several rows")
    ] = 10
    spread: Annotated[
        Flag,
        about("Far apart", "Whether the first are far from each other in what the model sees; else drawn at random."),
    ] = False
    batch: Annotated[
        Whole,
        about(
            "Batch",
            "Number of places chosen at a time. Raise it when each visit of the instrument is dear: several save "
            "visits and refits, but each is chosen knowing less.",
            ge=1,
            le=JOINT,
        ),
    ] = 1
    refit_every: Annotated[Count, about("Refit every", "Fewest measurements between two fits of the model.")] = 1
    seed: Annotated[Seed, about("Seed", SEED)] = 0
