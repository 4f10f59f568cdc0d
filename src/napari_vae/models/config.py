"""Which model to train, and how: two frozen dataclasses, saved with every run."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator

from ..core.class_colors import MOST_CLASSES
from ..core.errors import InputError
from ..core.settings import Count, NotNegative, Positive, Whole, Widths, about, settings

Invariance = Literal["rotation", "translation", "scale", "strain"]
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
_PRESET = re.compile(r"(ss-|j-)?(strain-)?(c?)([trs]*)vae")
_LETTERS = {"t": "translation", "r": "rotation", "s": "scale"}
_PREFIXES = {"ss-": "semi-supervised", "j-": "joint", "c": "conditional", "": "vae"}
DEVICES = '"auto" or a name such as "cpu"'
Ramp = Annotated[
    NotNegative | tuple[NotNegative, NotNegative, NotNegative],
    about(words="a number from 0 or a ramp (start, end, epochs)"),
]


@settings
class ModelConfig:
    """What the model looks for, and what it shall not care about.

    Parameters
    ----------
    kind : "vae", "conditional", "semi-supervised" or "joint"
        Unsupervised; given a class or numbers for every image, which the latents then leave out; with a few images
        labelled, by class or by numbers; or sorting images into classes without labels.
    invariances : tuple of str
        Any of ``"rotation"``, ``"translation"``, ``"scale"``, ``"strain"``: the model infers these for every image and
        keeps them out of the latents.
    latent_dim : int
        Number of latents.
    n_classes : int, optional
        How many classes there are. Taken from the labels or the condition where these are classes; a joint model needs
        it. Without it the condition or the targets are numbers.
    likelihood : "auto", "bernoulli", "continuous-bernoulli", "gaussian" or "poisson"
        How pixels scatter about the reconstruction. The Gaussian learns how noisy the pixels are, which micrographs
        need: what a small difference of intensity is worth depends on it. The Poisson is for counted electrons.
        ``"auto"`` takes the Bernoulli of the papers for arrays that span exactly 0 … 1, and the Gaussian otherwise.
    decoder : "canonical" or "coordinate"
        One upright image is decoded and resampled into each pose; or, as in the papers, a network is asked for the
        value at every point, which needs no pixels of its own but much more time.
    encoder : "mlp" or "conv"
        Fully connected layers, or two convolutions before them.
    angle_prior : "uniform" or float
        A uniform circle, or the spread in degrees of a wrapped normal about 0.
    shift_prior : float
        Spread of shifts, as a fraction of the window.
    scale_prior : float
        Spread of the logarithm of the scale.
    strain_prior : float
        Spread of each strain component. A narrow one keeps the strains centred; clear images overrule it.
    hidden : tuple of int
        Widths of the hidden layers.
    rotations : int
        Number of coarse orientations that are compared exactly; what lies between is inferred by the encoder.

    Raises
    ------
    InputError
        If a value is not possible; the message names those that are.

    Examples
    --------
    >>> ModelConfig.preset("trvae", latent_dim=3).invariances
    ('rotation', 'translation')
    """

    kind: Annotated[Literal["vae", "conditional", "semi-supervised", "joint"], about("Kind")] = "vae"
    invariances: Annotated[
        tuple[Invariance, ...],
        AfterValidator(lambda given: tuple(name for name in INVARIANCES if name in given)),
        about("Invariances", words=f"any of {', '.join(INVARIANCES)}"),
    ] = ()
    latent_dim: Annotated[Whole, about("Latents", ge=1, le=64)] = 2
    n_classes: Annotated[Annotated[Whole, about(ge=2, le=MOST_CLASSES)] | None, about("Classes")] = None
    likelihood: Annotated[Likelihood, about("Likelihood")] = "auto"
    decoder: Annotated[Literal["canonical", "coordinate"], about("Decoder")] = "canonical"
    encoder: Annotated[Literal["mlp", "conv"], about("Encoder")] = "mlp"
    angle_prior: Annotated[Positive | Literal["uniform"], about("Spread of angles", unit="°")] = "uniform"
    shift_prior: Annotated[Positive, about("Spread of shifts")] = 0.1
    scale_prior: Annotated[Positive, about("Spread of scales")] = 0.1
    strain_prior: Annotated[Positive, about("Spread of strains")] = 0.05
    hidden: Annotated[Widths, about("Widths of hidden layers")] = (256, 256)
    rotations: Annotated[Whole, about("Coarse orientations", ge=4, le=128)] = 12

    def __post_init__(self) -> None:
        if self.n_classes is not None and self.kind == "vae":
            raise InputError('n_classes is for kinds other than "vae", which knows no classes.')

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """The model of a published name, such as ``"rvae"``, ``"crvae"``, ``"ss-trvae"`` or ``"j-strain-rvae"``.

        Before ``vae`` any of the letters ``t``, ``r``, ``s`` name invariances, after ``c`` for a conditional model;
        ``strain-`` adds strain; ``ss-`` makes it semi-supervised and ``j-`` joint.

        Raises
        ------
        InputError
            If the name is not of that form.
        """
        match = _PRESET.fullmatch(name.lower())
        if match is None or len(set(match[4])) != len(match[4]) or (match[1] and match[3]):
            raise InputError(f"There is no model {name!r}; use one of {', '.join(PRESETS)}.")
        prefix, strain, conditional, letters = match.groups()
        invariances = tuple(_LETTERS[letter] for letter in letters) + (("strain",) if strain else ())
        kind = _PREFIXES[prefix or conditional]
        return cls(**({"kind": kind, "invariances": invariances} | changes))

    @property
    def name(self) -> str:
        """The preset that this is, such as ``"trvae"`` or ``"ss-strain-rvae"``."""
        letters = "".join(letter for letter, word in _LETTERS.items() if word in self.invariances)
        prefix = next(prefix for prefix, kind in _PREFIXES.items() if kind == self.kind)
        strain = "strain-" if "strain" in self.invariances else ""
        return f"{strain}c{letters}vae" if prefix == "c" else f"{prefix}{strain}{letters}vae"

    @property
    def sorts(self) -> bool:
        """Whether the model finds the class of images itself."""
        return self.kind == "joint" or (self.kind == "semi-supervised" and self.n_classes is not None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_dict`; unknown keys are refused."""
        return cls(**values)


@settings
class TrainConfig:
    """How to train.

    Parameters
    ----------
    epochs : "auto" or int
        Passes over the data; ``"auto"`` goes on until the loss on held-out images stops improving.
    batch_size : "auto" or int
        Images in a step; ``"auto"`` chooses by the number of images.
    learning_rate : float
        Peak step size of Adam; it is warmed up at the start and lowered towards the end.
    beta : float or (start, end, epochs)
        Weight of the latents' KL divergence, or a ramp of it.
    beta_discrete : float or (start, end, epochs)
        The same for the class: the temperature at which images are shared among classes.
    lesson : float
        Weight of what the given labels or numbers teach the part of the encoder that guesses them.
    device : str
        ``"auto"`` (CUDA, else MPS, else CPU), or a name that torch knows, such as ``"cuda:1"``.
    precision : "auto", "single" or "mixed"
        ``"mixed"`` computes the networks in bfloat16, which ``"auto"`` does on CUDA.
    seed : int
        Seed of everything random in this training, and of nothing else.
    checkpoint : str or Path, optional
        Folder to keep the state of the training in, about twice a minute; training the same again goes on from there.

    Raises
    ------
    InputError
        If a value is not possible.
    """

    epochs: Annotated[Literal["auto"] | Count, about("Epochs")] = "auto"
    batch_size: Annotated[Literal["auto"] | Count, about("Images in a step")] = "auto"
    learning_rate: Annotated[Positive, about("Step size")] = 2e-3
    beta: Annotated[Ramp, about("β")] = 1.0
    beta_discrete: Annotated[Ramp, about("β of the classes")] = 1.0
    lesson: Annotated[NotNegative, about("Weight of what is given")] = 20.0
    device: Annotated[str, about("Device", words=DEVICES)] = "auto"
    precision: Annotated[Literal["auto", "single", "mixed"], about("Precision")] = "auto"
    seed: Annotated[Whole, about("Seed", ge=0, lt=2**32)] = 0
    checkpoint: Annotated[Path | str | None, about("Checkpoint", words="a folder")] = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; the checkpoint folder is no property of the result and left out."""
        return {key: value for key, value in asdict(self).items() if key != "checkpoint"}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_dict`; unknown keys are refused."""
        return cls(**values)
