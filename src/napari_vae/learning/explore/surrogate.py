"""The surrogate model as it is after so many measurements, whichever way they were reached."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ...core.progress import never
from ...core.provenance import data_hash
from ..config import FEWEST

T = TypeVar("T")
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

GROWTH = 1.25  # so many times more measurements between two fits from scratch
SHARE = 50  # measurements by one of which they must have grown to train the networks again
CHUNK = 16_384  # candidates that are predicted at a time


class Stopped(Exception):
    """A fit or a prediction was stopped on the way; nothing of it is kept."""


class Surrogate:
    """Copies of a model, fitted to growing numbers of measurements.

    From scratch each time that there are a quarter more of them, in between warm from there each time that there are
    two in a hundred more; on those after that the process is conditioned, and the networks stay as they are. So the
    model knows every measurement, and depends on them and not on how often there was a suggestion, an interrupted
    exploration goes on as if it had not been, and a network does not stay where its first few examples had put it.

    Parameters
    ----------
    template : DeepKernelGP
        Not fitted; is not changed.
    candidates : Prepared
        All of them, as its ``prepare`` made them.
    first : int
        Measurements at the first fit.
    every : int
        Measurements between two fits, at least.

    References
    ----------
    J. Ash, R. P. Adams, "On warm-starting neural network training", NeurIPS (2020).
    """

    def __init__(self, template: Any, candidates: Any, first: int, every: int) -> None:
        self.template, self.candidates = template, candidates
        self.first, self.every = max(first, FEWEST), every
        self.stop: Callable[[], bool] = never
        self._kept: dict[str, tuple[bytes, Any]] = {}

    def model(self, measured: Rows, values: Floats) -> Any:
        """The model after these measurements (n,), (n, T), in their order.

        Raises
        ------
        TrainingError
            If it cannot be fitted.
        """

        def make() -> Any:
            n = self._last_fit(values, lambda count: count + max(self.every, count // SHARE))
            model = self._trained(measured[:n], values[:n])
            if n == len(measured):
                return model
            model = copy.deepcopy(model)
            model.condition(self.candidates[measured], self._targets(values))
            return model

        return self._once("model", measured, values, make)

    def predict(self, measured: Rows, values: Floats) -> tuple[Floats, Floats]:
        """Mean and sd, without that of the noise, of all candidates after these measurements, in chunks."""
        model = self.model(measured, values)

        def make() -> tuple[Floats, Floats]:
            means, sds = zip(*(model.predict(part, noise=False) for part in self._chunks()), strict=True)
            return np.concatenate(means).astype(np.float64), np.concatenate(sds).astype(np.float64)

        return self._once("prediction", measured, values, make)

    def embed(self, measured: Rows, values: Floats) -> Floats:
        """All candidates in the embedding after these measurements, in chunks."""
        model = self.model(measured, values)
        return np.concatenate([model.embed(part) for part in self._chunks()])

    def _chunks(self) -> Iterator[Any]:
        rows = np.arange(len(self.candidates))
        for k in range(0, len(rows), CHUNK):
            if self.stop():
                raise Stopped
            yield self.candidates[rows[k : k + CHUNK]]

    def _once(self, name: str, measured: Rows, values: Floats, make: Callable[[], T]) -> T:
        """What was made last of the same measurements, or is made now."""
        key = measured.tobytes() + values.tobytes()
        if name not in self._kept or self._kept[name][0] != key:
            self._kept[name] = key, make()
        made: T = self._kept[name][1]
        return made

    def _trained(self, measured: Rows, values: Floats) -> Any:
        """The model whose networks were trained with these, warm from the last fit from scratch."""
        n = self._last_fit(values, lambda count: math.ceil(count * GROWTH))
        few, their = measured[:n], values[:n]

        def make() -> Any:
            base = self._once("scratch", few, their, lambda: self._fit(self.template, few, their))
            return base if n == len(measured) else self._fit(base, measured, values, warm=True)

        return self._once("trained", measured, values, make)

    def _fit(self, model: Any, measured: Rows, values: Floats, *, warm: bool = False) -> Any:
        """A copy of a model, fitted; one that was stopped on the way is not kept."""
        model = copy.deepcopy(model)
        model.fit(self.candidates[measured], self._targets(values), warm=warm, stop=self.stop)
        if self.stop():
            raise Stopped
        return model

    def _last_fit(self, values: Floats, after: Callable[[int], int]) -> int:
        """At how many of the measurements (n, T) was the last of fits that follow each other like this."""
        n, count = len(values), self.first
        while after(count) <= n:
            count = after(count)
        if target_kind(self.template) == "class":  # it must have met every class
            count = max(count, int(np.argmax(values[:, 0])) + 1)
        return count if count <= n and learnable(values[:count]) else n

    def _targets(self, values: Floats) -> npt.NDArray[Any]:
        single = values[:, 0] if values.shape[1] == 1 else values
        return single.astype(np.int64) if target_kind(self.template) == "class" else single


def learnable(values: Floats) -> bool:
    """Whether a model can be fitted to targets (n, T): at least three, and none of the targets always the same."""
    return len(values) >= FEWEST and bool((np.ptp(values, axis=0) > 0).all())


def target_kind(model: Any) -> str:
    """``"real"``, ``"angle"`` or ``"class"``: what a model predicts."""
    return str(getattr(model, "target", "real"))


def describe_model(model: Any) -> dict[str, Any]:
    """Name and settings of a model as plain values, and which run its features are of."""
    settings = json.loads(json.dumps(vars(getattr(model, "config", model)), default=str))
    run = getattr(getattr(model, "encoder", None), "run", None)
    origin = {} if run is None else {"features": run.provenance.get("data_sha256", "")}
    return {"name": type(model).__name__, **settings, **origin}


def encoder_hash(model: Any) -> str | None:
    """SHA-256 over the weights of the run whose encoder is used; runs of the same data may differ in nothing else."""
    run = getattr(getattr(model, "encoder", None), "run", None)
    if run is None:
        return None
    digest = hashlib.sha256()
    for name, value in sorted(run.state().items()):
        digest.update(f"{name}{data_hash(np.atleast_1d(value.numpy()))}".encode())
    return digest.hexdigest()
