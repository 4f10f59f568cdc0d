"""Deep kernel learning: a Gaussian process on an embedding that is learned with it."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Discriminator, Field, Tag
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from ...core.arguments import checks_arguments
from ...core.arrays import LARGEST
from ...core.device import choose_device
from ...core.errors import InputError, ReadError
from ...core.folders import open_folder, replace_folder
from ...core.progress import never
from ...core.provenance import describe_versions
from ...core.settings import Count, Number, Saved, about, documented_by
from ...io.json_files import read_json
from ...models.networks import computable, load_weights
from ...runs.run import Run, load_run
from ..config import DeepKernelConfig
from .candidates import Floats, Prepared, plain_candidates
from .ensemble import Ensemble, held_out, mixed, widening
from .networks import RunEncoder
from .targets import Angle, Class, Outcome, Real, check_targets, outcome_of

FORMAT = 1
MARKER = "deep_kernel.json"
WEIGHTS = "weights.safetensors"


@documented_by(DeepKernelConfig)
class DeepKernelGP:
    """A Gaussian process on a learned embedding of images, for few labels.

    A feature network leads to an embedding of one to three dimensions, on which an exact Gaussian process predicts the
    target; both maximise its marginal likelihood. The networks of an ensemble start differently and see different parts
    of the labels; the labels that each did not see set the width of the intervals.

    Parameters
    ----------
    features : Run, optional
        A trained model whose encoder is used: its latents and pose are what the network sees. Without one it sees the
        pixels, or the rows, as they are.
    device : str
        Of the networks; the process itself is computed in double precision on the CPU.

    References
    ----------
    .. [1] A. G. Wilson, Z. Hu, R. Salakhutdinov, E. P. Xing, "Deep kernel learning", AISTATS (2016).
    .. [2] M. Valleti, R. K. Vasudevan, M. A. Ziatdinov, S. V. Kalinin, "Deep kernel methods learn better: from cards to
       process optimization", arXiv 2303.14554.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(40, 5))
    >>> mean, sd = DeepKernelGP(steps=20).fit(x[:20], x[:20, 0]).predict(x)
    >>> mean.shape, sd.shape
    ((40,), (40,))
    """

    @checks_arguments
    def __init__(self, features: Run | None = None, *, device: str | torch.device = "auto", **settings: Any) -> None:
        self.config = DeepKernelConfig(**settings)
        if self.config.fine_tune and features is None:
            raise InputError("There is no encoder to fine-tune; give a run as features.")
        if features is not None and self.config.network == "conv":
            raise InputError('The encoder of a run gives columns, not images; take network "mlp" or "linear".')
        self.device = choose_device(device)
        self.encoder = None if features is None else RunEncoder(features, trainable=self.config.fine_tune)
        self.ensemble: Ensemble | None = None
        self.outcome: Outcome | None = None
        self.widening: Floats = np.ones(1)  # of the intervals, for each target

    @property
    def target(self) -> str:
        """Kind of the target."""
        return self.config.target

    def prepare(self, x: Any) -> Prepared:
        """What the network sees of images or rows, computed once; ``prepared[rows]`` are some of them.

        Raises
        ------
        InputError
            If they are no finite numbers, or do not fit the run.
        """
        if isinstance(x, Prepared):
            return x
        return plain_candidates(x) if self.encoder is None else self.encoder.prepare(x)

    @checks_arguments
    @torch.inference_mode(False)  # within `no_grad` too there is something to learn
    def fit(self, x: Any, y: npt.ArrayLike, *, warm: bool = False, stop: Callable[[], bool] = never) -> DeepKernelGP:
        """Learn from labelled images or rows.

        Parameters
        ----------
        x : array (n, H, W), (n, C, H, W) or (n, F), Patches, or Prepared
        y : array (n,) or (n, T)
            Targets: numbers, angles in degrees, or classes.
        warm : bool
            Go on from the former fit, with fewer steps.
        stop : callable
            Called after each step; when it returns true the fit ends with what it has.

        Raises
        ------
        InputError
            If the targets are fewer than three, not finite or all the same, or do not fit the images.
        TrainingError
            If the covariance cannot be inverted.
        """
        seen = self.prepare(x)
        values = check_targets(y, len(seen), self.config.target)
        self._check_shape(seen)
        warm = warm and self.ensemble is not None
        if not warm or (isinstance(self.outcome, Class) and values.max() >= self.outcome.n):
            warm, self.outcome, self.ensemble = False, outcome_of(self.config.target, values), self._new_ensemble(seen)
        assert self.outcome is not None and self.ensemble is not None
        self._check_columns(self.outcome, values)
        targets, variance = self.outcome.encode(values, seen)
        hidden = held_out(len(seen), self.config.ensemble, self.config.seed)
        rows = np.array([np.flatnonzero(~some) for some in hidden])
        unseen = self.ensemble.fit(seen, targets, variance, rows, warm=warm, stop=stop)
        self.widening = np.ones(1)
        if hidden.any() and not isinstance(self.outcome, Class):  # whose labels are no numbers
            self.widening = self._calibrated(self.outcome, values, seen, hidden, unseen)
        return self

    def condition(self, x: Any, y: npt.ArrayLike) -> DeepKernelGP:
        """Condition the processes on labels in place of those that they know; networks, kernels and intervals stay.

        Parameters
        ----------
        x, y : as in `fit`
            All labels, those of the fit included.

        Raises
        ------
        InputError
            If the model is not fitted, the labels do not fit it, or one is of a class that the fit did not meet.
        """
        seen, outcome, ensemble = self._fitted(x)
        values = check_targets(y, len(seen), self.config.target)
        if isinstance(outcome, Class) and values.max() >= outcome.n:
            raise InputError(f"The model was fitted to {outcome.n} classes, from 0; fit it again for another.")
        self._check_columns(outcome, values)
        ensemble.condition(seen, *outcome.encode(values, seen))
        return self

    @checks_arguments
    def predict(self, x: Any, *, noise: bool = True) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the target.

        Parameters
        ----------
        x : array (N, H, W), (N, C, H, W) or (N, F), Patches, or Prepared
        noise : bool
            Whether the standard deviation is that of a measurement, or of the target behind it.

        Returns
        -------
        mean, sd : array (N,), or (N, T) for several targets
            In the units of the targets; of angles in degrees; of classes the probabilities (N, K).

        Raises
        ------
        InputError
            If the model is not fitted, or the images do not fit it.
        """
        seen, outcome, ensemble = self._fitted(x)
        moments = mixed(*ensemble.moments(seen, noise and not isinstance(outcome, Class)))
        mean, sd = outcome.decode(*moments, seen)
        sd = sd * self.widening
        return (mean[:, 0], sd[:, 0]) if mean.shape[1] == 1 else (mean, sd)

    def embed(self, x: Any) -> Floats:
        """The embedding (N, d) of the first network of the ensemble.

        Raises
        ------
        InputError
            If the model is not fitted, or the images do not fit it.
        """
        seen, _, ensemble = self._fitted(x)
        return ensemble.embed(seen)

    @checks_arguments
    def sample(self, x: Any, n: Count = 1, *, seed: Annotated[int, about(ge=0, lt=2**63)] = 0) -> Floats:
        """Joint draws of the target at all of `x`: (n, N), or (n, N, T).

        Each draw is one function of one network; functions of a process are drawn by Matheron's rule, so memory grows
        with the number of candidates and not with its square.

        Raises
        ------
        InputError
            If the model is not fitted, the images do not fit it, or `n` is no whole number from 1.

        References
        ----------
        J. T. Wilson et al., "Efficiently sampling functions from Gaussian process posteriors", ICML (2020).
        """
        seen, outcome, ensemble = self._fitted(x)
        generator, each = np.random.default_rng(seed), -(-n // self.config.ensemble)
        drawn = ensemble.draw(seen, each, int(generator.integers(2**31)))
        draws = generator.permutation(drawn.reshape(-1, *drawn.shape[2:]))[:n]  # the first are not all of one network
        values = outcome.draws(draws, seen)
        return values[..., 0] if values.shape[2] == 1 else values

    @checks_arguments
    def save(self, folder: str | PathLike[str]) -> Path:
        """Write the fitted model to a folder, with the run whose encoder it uses: whole or not at all.

        Raises
        ------
        InputError
            If the model is not fitted, or the folder holds something else.
        """
        if self.outcome is None or self.ensemble is None:
            raise InputError("This model is not fitted yet, so there is nothing to save.")
        settings = {
            "format": FORMAT,
            "config": asdict(self.config),
            "outcome": {"kind": type(self.outcome).__name__.lower(), **asdict(self.outcome)},
            "widening": self.widening.tolist(),
            "shape": list(self.ensemble.shape),
            "versions": describe_versions(),
        }
        with replace_folder(Path(folder), MARKER) as new:
            (new / WEIGHTS).write_bytes(save(self.ensemble.state()))
            if self.encoder is not None:
                self.encoder.run.save(new / "run")
            (new / MARKER).write_text(json.dumps(settings, indent=2), encoding="utf-8")
        return Path(folder)

    def _fitted(self, x: Any) -> tuple[Prepared, Outcome, Ensemble]:
        if self.outcome is None or self.ensemble is None:
            raise InputError("This model is not fitted yet; call fit with some labelled images first.")
        seen = self.prepare(x)
        self._check_shape(seen)
        return seen, self.outcome, self.ensemble

    def _check_columns(self, outcome: Outcome, values: Floats) -> None:
        known = len(outcome.centre) if isinstance(outcome, Real) else 1
        if values.shape[1] != known:
            raise InputError(
                f"The model was fitted to {known} targets, not {values.shape[1]}; fit another from scratch."
            )

    def _check_shape(self, seen: Prepared) -> None:
        if self.config.network == "conv" and seen.values.ndim != 4:
            raise InputError(
                'The network "conv" wants images (N, H, W) or (N, C, H, W); take "mlp" for rows of numbers.'
            )
        known = seen.values.shape[1:] if self.ensemble is None else self.ensemble.shape
        if seen.values.shape[1:] != known:
            raise InputError(f"The model was fitted to inputs of shape {known}, not {seen.values.shape[1:]}.")

    def _new_ensemble(self, seen: Prepared) -> Ensemble:
        return Ensemble(self.config, seen, self.encoder, self.device)

    def _calibrated(
        self,
        outcome: Real | Angle,
        values: Floats,
        seen: Prepared,
        hidden: npt.NDArray[np.bool_],
        unseen: tuple[Floats, Floats],
    ) -> Floats:
        """Factors of the intervals from labels that each network did not see, and from those left out."""
        assert self.ensemble is not None
        errors = []
        for rows, mean, variance in zip(hidden, *unseen, strict=True):
            errors.append(outcome.errors(values[rows], *outcome.decode(mean[rows], variance[rows], seen[rows])))
        left_out = outcome.decode(*mixed(*self.ensemble.left_out()), seen)
        return widening(np.concatenate(errors), outcome.errors(values, *left_out))


class DeepKernelFile(Saved):
    """What ``deep_kernel.json`` holds."""

    config: DeepKernelConfig
    outcome: Annotated[
        Annotated[Real, Tag("real")] | Annotated[Angle, Tag("angle")] | Annotated[Class, Tag("class")],
        Discriminator(lambda value: value.get("kind") if isinstance(value, dict) else None),
    ]
    widening: Annotated[list[Annotated[Number, Field(ge=0, le=LARGEST)]], Field(min_length=1)]
    shape: Annotated[tuple[Count, ...], Field(min_length=1, max_length=3)]

    def check(self, run: Run | None, weights: dict[str, Tensor]) -> None:
        """Refuse what does not fit together before networks are made, which could be larger than any memory."""
        config, outcome, columns = self.config, self.outcome, math.prod(self.shape)
        if run is not None and config.fine_tune:  # whose encoder turns images into a few columns
            if self.shape != (run.n_channels, *run.window):
                raise InputError("the run is of other images")
            columns = 1
        if not all(computable(value) for name, value in weights.items() if name.startswith("known.")):
            raise InputError("what it knows is not finite, or too large")
        sizes = (columns, *config.hidden) if config.network in ("auto", "mlp") else (columns, 1)
        least = config.ensemble * sum(a * b for a, b in itertools.pairwise(sizes))
        if least > sum(value.numel() for value in weights.values()):
            raise InputError("the weights are those of smaller networks")
        right = type(outcome).__name__.lower() == config.target and outcome.width == weights["known.y"].shape[-1]
        if not right or len(self.widening) not in (1, outcome.width):
            raise InputError("the weights are those of other targets")


@checks_arguments
def load_deep_kernel(folder: str | PathLike[str], *, device: str | torch.device = "auto") -> DeepKernelGP:
    """Read a model that `DeepKernelGP.save` wrote. Nothing in the folder can execute code.

    Raises
    ------
    ReadError
        If the folder holds no such model, a damaged one, or one of a newer version.

    Examples
    --------
    >>> model = load_deep_kernel("stiffness")  # doctest: +SKIP
    """
    with open_folder(folder, MARKER, f"is not the folder of a deep kernel: it has no {MARKER}.") as path:
        return _read(path, device)


def _read(path: Path, device: str | torch.device) -> DeepKernelGP:
    known = read_json(path / MARKER, DeepKernelFile)
    run = load_run(path / "run", device=device) if (path / "run").is_dir() else None
    try:
        model = DeepKernelGP(run, device=device, **asdict(known.config))
        model.outcome, model.widening = known.outcome, np.array(known.widening, float)
        weights = load_weights(path / WEIGHTS)
        known.check(run, weights)
        model.ensemble = model._new_ensemble(_blank(known.shape, model.encoder))
        model.ensemble.restore(weights)
    except (OSError, KeyError, TypeError, AttributeError, ValueError, RuntimeError, SafetensorError) as error:
        reason = error if isinstance(error, InputError) else "its weights do not fit its settings"
        raise ReadError(f"The deep kernel in {path} is damaged ({reason}); fit it again.") from error
    return model


def _blank(shape: tuple[int, ...], encoder: RunEncoder | None) -> Prepared:
    """One candidate of a shape, as `DeepKernelGP.prepare` would make it."""
    rotates = encoder is not None and encoder.rotates
    turn, circular = (np.zeros(1), np.zeros((1, 4))) if rotates else (None, None)
    return Prepared(np.zeros((1, *shape), np.float32), turn, circular, np.zeros(1, np.int64), encoder is not None)
