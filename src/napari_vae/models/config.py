"""Which model to train, and how: two plain dataclasses, saved with every run."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from ..errors import InputError

INVARIANCES = ("rotation", "translation", "scale", "strain")
KINDS = ("vae", "conditional", "semi-supervised", "joint")
LIKELIHOODS = ("auto", "bernoulli", "continuous-bernoulli", "gaussian", "poisson")
DECODERS = ("canonical", "coordinate")
ENCODERS = ("mlp", "conv")
PRECISIONS = ("auto", "single", "mixed")

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
Ramp = float | tuple[float, float, float]


@dataclass(frozen=True)
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

    kind: str = "vae"
    invariances: tuple[str, ...] = ()
    latent_dim: int = 2
    n_classes: int | None = None
    likelihood: str = "auto"
    decoder: str = "canonical"
    encoder: str = "mlp"
    angle_prior: float | Literal["uniform"] = "uniform"
    shift_prior: float = 0.1
    scale_prior: float = 0.1
    strain_prior: float = 0.05
    hidden: tuple[int, ...] = (256, 256)
    rotations: int = 12

    def __post_init__(self) -> None:
        unknown = [name for name in self.invariances if name not in INVARIANCES]
        if isinstance(self.invariances, str) or unknown:
            raise InputError(f"Invariances are any of {', '.join(INVARIANCES)}; got {self.invariances!r}.")
        object.__setattr__(self, "invariances", tuple(name for name in INVARIANCES if name in self.invariances))
        hidden: tuple[int, ...] = tuple(np.atleast_1d(self.hidden).tolist())
        object.__setattr__(self, "hidden", hidden)
        choices = {"kind": KINDS, "likelihood": LIKELIHOODS, "decoder": DECODERS, "encoder": ENCODERS}
        for name, allowed in choices.items():
            value = getattr(self, name)
            _require(value in allowed, f"{name} is one of {', '.join(allowed)}, not {value!r}.")
        n = self.n_classes
        _require(n is None or (_whole(n) and 2 <= n <= 1000), f"n_classes is a whole number of 2 … 1000, not {n!r}.")
        _require(n is None or self.kind != "vae", 'n_classes is for kinds other than "vae", which knows no classes.')
        latents = self.latent_dim
        _require(_whole(latents) and 1 <= latents <= 64, f"latent_dim is a whole number of 1 … 64, not {latents!r}.")
        _require(
            self.angle_prior == "uniform" or _positive(self.angle_prior),
            f'angle_prior is "uniform" or a spread in degrees above 0, not {self.angle_prior!r}.',
        )
        for name in ("shift_prior", "scale_prior", "strain_prior"):
            _require(_positive(getattr(self, name)), f"{name} must be above 0, not {getattr(self, name)!r}.")
        _require(
            len(hidden) > 0 and all(_whole(n) and n > 0 for n in hidden), "hidden needs one or more positive widths."
        )
        _require(4 <= self.rotations <= 128, f"rotations must lie within 4 … 128, not {self.rotations}.")

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
        return cls(**_known(cls, values))


@dataclass(frozen=True)
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

    epochs: int | Literal["auto"] = "auto"
    batch_size: int | Literal["auto"] = "auto"
    learning_rate: float = 2e-3
    beta: Ramp = 1.0
    beta_discrete: Ramp = 1.0
    lesson: float = 20.0
    device: str = "auto"
    precision: str = "auto"
    seed: int = 0
    checkpoint: str | Path | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            _require(
                value == "auto" or (_whole(value) and value >= 1),
                f'{name} is "auto" or a whole number from 1, not {value!r}.',
            )
        _require(_positive(self.learning_rate), f"learning_rate must be above 0, not {self.learning_rate!r}.")
        for name in ("beta", "beta_discrete"):
            value = getattr(self, name)
            _require(_ramp(value), f"{name} is a number from 0 or a ramp (start, end, epochs), not {value!r}.")
        _require(self.lesson >= 0, f"lesson must not be negative, not {self.lesson!r}.")
        _require(self.precision in PRECISIONS, f"precision is one of {', '.join(PRECISIONS)}, not {self.precision!r}.")
        _require(
            _whole(self.seed) and 0 <= self.seed < 2**32, f"seed is a whole number of 0 … 2³² − 1, not {self.seed!r}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; the checkpoint folder is no property of the result and left out."""
        return {key: value for key, value in asdict(self).items() if key != "checkpoint"}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_dict`; unknown keys are refused."""
        return cls(**_known(cls, values))


def _positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and 0 < value < float("inf")


def _ramp(value: Any) -> bool:
    values = value if isinstance(value, tuple) else (value, value, 1.0)
    return len(values) == 3 and all(isinstance(v, (int, float)) and 0 <= v < float("inf") for v in values)


def _whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise InputError(sentence)


def _known(cls: type, values: dict[str, Any]) -> dict[str, Any]:
    """The values as keyword arguments of `cls`; JSON has made lists of its tuples."""
    unknown = set(values) - {f.name for f in fields(cls)}
    _require(
        not unknown, f"The settings hold {', '.join(sorted(unknown))}, which this version does not know; update it."
    )
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
