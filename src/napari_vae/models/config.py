"""Which model to train, and how: two frozen dataclasses, saved with every run."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, AliasChoices, Field

from ..core.arguments import checks_arguments
from ..core.class_colors import MOST_CLASSES
from ..core.errors import InputError
from ..core.fields import AUTOMATIC, about
from ..core.settings import SEED, Count, NotNegative, Positive, Seed, Whole, Widths, settings
from .kinds import KINDS, Kind, Name

Invariance = Literal["rotation", "translation", "scale", "strain", "mirror"]
Likelihood = Literal["auto", "bernoulli", "continuous-bernoulli", "gaussian", "poisson"]
INVARIANCES: tuple[Invariance, ...] = get_args(Invariance)

PRESETS = {
    "vae": "VAE: no invariance",
    "rvae": "rVAE: rotation",
    "tvae": "tVAE: translation",
    "svae": "sVAE: scale",
    "trvae": "trVAE: translation and rotation",
    "strain-rvae": "strain-rVAE: rotation and strain",
    "crvae": "crVAE: rotation, conditional",
    "ss-rvae": "ss-rVAE: rotation, few labels",
    "ss-strain-rvae": "ss-strain-rVAE: strain, few labels",
    "j-rvae": "j-rVAE: rotation, own classes",
    "j-strain-rvae": "j-strain-rVAE: strain, own classes",
}
_LETTERS: dict[str, Invariance] = {"t": "translation", "r": "rotation", "s": "scale"}
_WORDS = [name for name in INVARIANCES if name not in _LETTERS.values()]  # before the letters of the papers
_OF_PREFIX = {kind.prefix: name for name, kind in KINDS.items()}
_PRESET = re.compile(
    rf"({'|'.join(p for p in _OF_PREFIX if p.endswith('-'))})?((?:(?:{'|'.join(_WORDS)})-)*)(c?)([trs]*)vae"
)
Ramp = Annotated[
    NotNegative | tuple[NotNegative, NotNegative, NotNegative],
    about(words="a number from 0 or a ramp (start, end, epochs)"),
]


@settings
class ModelConfig:
    """What the model looks for, and what it shall not care about.

    Raises
    ------
    InputError
        If a value is not possible; the message names those that are.

    Examples
    --------
    >>> ModelConfig.preset("trvae", latent_dim=3).invariances
    ('rotation', 'translation')
    """

    kind: Annotated[
        Name,
        about(
            "Labels",
            "What is known of each atom besides its window. Nothing is usual. Choose a class or number for each "
            "to keep what you know already out of the latents; a few labels, classes or numbers, to have the rest "
            "predicted; classes by itself to have the atoms sorted into as many as you say.",
            choices={name: kind.words for name, kind in KINDS.items() if not kind.predicts},  # outputs: in Python
        ),
    ] = "vae"
    invariances: Annotated[
        tuple[Invariance, ...],
        AfterValidator(lambda given: tuple(name for name in INVARIANCES if name in given)),
        about(
            "May atoms be",
            "What shall not count as a difference between two atoms. It is measured for each atom instead, and kept "
            "out of the latents. Take what varies, but does not interest you.",
            words=f"any of {', '.join(INVARIANCES)}",
        ),
    ] = ()
    latent_dim: Annotated[
        Whole,
        about(
            "Latents",
            "Number of latents: the values that describe what is left to differ between atoms. Two can be drawn as a "
            "plane; take more when the residual still shows structure.",
            option="--latents",
            ge=1,
            le=64,
        ),
    ] = 2
    n_classes: Annotated[
        Annotated[Whole, about(ge=2, le=MOST_CLASSES)] | None,
        about(
            "Classes",
            "Number of classes into which the model shall sort the atoms. A joint model needs it; raise it when unlike "
            "atoms share a class. Other models take it from the labels or the condition where these are classes.",
        ),
    ] = None
    likelihood: Annotated[
        Likelihood,
        about(
            "Likelihood",
            "How pixels scatter about the reconstruction. Automatic takes the Bernoulli of the papers for images that "
            "span exactly 0 … 1, and else the Gaussian, which learns how noisy the pixels are: micrographs need that. "
            "Choose the Poisson for counted electrons.",
        ),
    ] = "auto"
    decoder: Annotated[
        Literal["canonical", "coordinate"],
        about(
            "Decoder",
            "How images are drawn. One upright image that is resampled into each pose is usual; or, as in the papers, "
            "a network is asked for the value at every point, which takes much more time.",
            choices={"canonical": "an upright image", "coordinate": "point by point"},
        ),
    ] = "canonical"
    encoder: Annotated[
        Literal["mlp", "conv"],
        about(
            "Encoder",
            "The network that reads windows. Fully connected layers are usual; convolutions before them suit large "
            "windows.",
            choices={"mlp": "fully connected", "conv": "two convolutions first"},
        ),
    ] = "mlp"
    angle_prior: Annotated[
        Positive | Literal["uniform"],
        about(
            "Spread of angles",
            "Spread of angles about 0 before an image is seen. Uniform, any angle, is usual; give a number when atoms "
            "are turned little.",
            unit="°",
        ),
    ] = "uniform"
    shift_prior: Annotated[
        Positive, about("Spread of shifts", "Spread of shifts before an image is seen, as a share of the window.")
    ] = 0.1
    scale_prior: Annotated[
        Positive, about("Spread of scales", "Spread of the logarithm of the scale before an image is seen.")
    ] = 0.1
    strain_prior: Annotated[
        Positive,
        about(
            "Spread of strains",
            "Spread of each strain component before an image is seen. A narrow one keeps the strains centred; clear "
            "images overrule it.",
        ),
    ] = 0.05
    hidden: Annotated[
        Widths, about("Hidden layers", "Widths of the hidden layers of encoder and decoder, a number for each.")
    ] = (256, 256)
    rotations: Annotated[
        Whole,
        about(
            "Coarse orientations",
            "Number of coarse orientations that are compared exactly; what lies between is inferred by the encoder.",
            ge=4,
            le=128,
        ),
    ] = 12

    def __post_init__(self) -> None:
        if self.n_classes is not None and not self.knows.anything:
            raise InputError('n_classes is for kinds other than "vae", which knows no classes.')
        if self.knows.predicts:
            self._check_prediction()

    @classmethod
    @checks_arguments
    def preset(cls, name: str, **changes: Any) -> Self:
        """The model of a published name, such as ``"rvae"``, ``"crvae"``, ``"ss-trvae"`` or ``"j-strain-rvae"``.

        Before ``vae`` any of the letters ``t``, ``r``, ``s`` name invariances, after ``c`` for a conditional model;
        ``strain-`` and ``mirror-`` add these; ``ss-`` makes it semi-supervised and ``j-`` joint.

        Raises
        ------
        InputError
            If the name is not of that form.
        """
        match = _PRESET.fullmatch(name.lower())
        prefix, words, conditional, letters = match.groups() if match else ("", "", "", "")
        invariances = [*(_LETTERS[letter] for letter in letters), *words.split("-")[:-1]]
        if match is None or len(set(invariances)) != len(invariances) or (prefix and conditional):
            raise InputError(f"There is no model {name!r}; use one of {', '.join(PRESETS)}.")
        return cls(**({"kind": _OF_PREFIX[prefix or conditional], "invariances": invariances} | changes))

    @property
    def name(self) -> str:
        """The preset that this is, such as ``"trvae"`` or ``"ss-strain-rvae"``."""
        letters = "".join(letter for letter, word in _LETTERS.items() if word in self.invariances)
        prefix = self.knows.prefix
        words = "".join(f"{word}-" for word in _WORDS if word in self.invariances)
        return f"{words}c{letters}vae" if prefix == "c" else f"{prefix}{words}{letters}vae"

    @property
    def knows(self) -> Kind:
        """What the model is given besides the images."""
        return KINDS[self.kind]

    @property
    def infers_classes(self) -> bool:
        """Whether the model infers the class of images itself."""
        return self.knows.inferred and self.n_classes is not None

    def _check_prediction(self) -> None:
        if surplus := {*self.invariances} - {"rotation", "mirror"}:
            raise InputError(
                f"An encoder-decoder keeps rotation and mirror out of its latents, not {' or '.join(sorted(surplus))}; "
                "leave the others out."
            )
        if self.n_classes is not None or self.decoder != "canonical" or self.likelihood not in ("auto", "gaussian"):
            raise InputError(
                "An encoder-decoder learns how its outputs scatter, and knows no classes; leave out n_classes, decoder "
                "and likelihood."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    @checks_arguments
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_dict`; unknown keys are refused."""
        return cls(**values)


@settings
class TrainConfig:
    """How to train.

    Raises
    ------
    InputError
        If a value is not possible.
    """

    epochs: Annotated[
        Literal["auto"] | Count,
        about(
            "Epochs",
            "Number of passes over all atoms. Automatic goes on until the loss (how badly windows are redrawn that are "
            "held out) stops improving; set it for a quick look.",
        ),
    ] = "auto"
    batch_size: Annotated[
        Literal["auto"] | Count,
        about(
            "Batch",
            "Number of atoms that are learned from at once. Automatic goes by how many there are, and takes more on an "
            "NVIDIA GPU; lower it when memory runs out.",
        ),
    ] = "auto"
    learning_rate: Annotated[
        Positive,
        about(
            "Step size",
            "Largest step of the optimiser Adam, a number; steps begin and end smaller. Lower it when the loss jumps.",
        ),
    ] = 2e-3
    beta: Annotated[
        Ramp,
        about(
            "Weight of KL",
            "β, a number: the weight of the KL term, the price of what the latents hold. Above 1 they are simpler and "
            "fewer are used, below 1 they hold more. Lower it when all atoms come out alike.",
        ),
    ] = 1.0
    beta_discrete: Annotated[
        Ramp,
        about(
            "Weight of KL of classes",
            "β of the classes, a number: the temperature at which atoms are shared among them. Raise it when atoms are "
            "sorted too early.",
        ),
    ] = 1.0
    supervised_weight: Annotated[
        NotNegative,
        about(
            "Weight of labels",
            "Weight of the supervised loss, by which given labels or numbers train the part of the encoder that "
            "guesses them, a number.",
        ),
    ] = Field(20.0, validation_alias=AliasChoices("supervised_weight", "lesson"))  # the name in earlier versions
    device: Annotated[
        str,
        about(
            "Device",
            "What computes. Automatic takes a graphics card (GPU) if there is one. Choose CPU when its memory is too "
            "small.",
            words='"auto" or a name such as "cpu" or "cuda:1"',
            choices={"auto": AUTOMATIC, "cpu": "CPU", "cuda": "NVIDIA GPU (CUDA)", "mps": "Apple GPU (MPS)"},
        ),
    ] = "auto"
    precision: Annotated[
        Literal["auto", "single", "mixed"],
        about(
            "Precision",
            "Precision of the networks. Mixed computes them in bfloat16, which automatic takes on an NVIDIA GPU; "
            "choose single to compare with a CPU.",
        ),
    ] = "auto"
    seed: Annotated[Seed, about("Seed", SEED)] = 0
    checkpoint: Annotated[
        Path | str | None,
        about(
            "Checkpoint",
            "Folder that keeps the state of the training, about twice a minute. The same training begun again after an "
            "interruption goes on from there.",
            words="a folder",
        ),
    ] = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; the checkpoint folder is no property of the result and left out."""
        return {key: value for key, value in asdict(self).items() if key != "checkpoint"}

    @classmethod
    @checks_arguments
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_dict`; unknown keys are refused."""
        return cls(**values)
