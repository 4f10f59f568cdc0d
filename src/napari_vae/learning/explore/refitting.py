"""The model as it is after so many measurements, whichever way they were reached."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ...core.progress import never

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

FEWEST = 3  # measurements that a model can be fitted to
GROWTH = 1.25  # so many times more measurements between two fits from scratch
SHARE = 50  # measurements by one of which they must have grown to train the networks again
CHUNK = 16_384  # candidates that are predicted at a time


class Stopped(Exception):
    """A fit or a prediction was stopped on the way; nothing of it is kept."""


class Refits:
    """Fits copies of a model to growing numbers of measurements.

    From scratch each time that there are a quarter more of them, in between warm from there each time that there are
    two in a hundred more; those after that the process is told, and the networks stay as they are. So the model knows
    every measurement, and depends on them and not on how often it was asked, an interrupted exploration goes on as if
    it had not been, and a network does not stay where its first few examples had put it.

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
        self._scratch: tuple[bytes, Any] = (b"", None)
        self._warm: tuple[bytes, Any] = (b"", None)
        self._told: tuple[bytes, Any] = (b"", None)
        self._predicted: tuple[bytes, tuple[Floats, Floats] | None] = (b"", None)

    def model(self, measured: Rows, values: Floats) -> Any:
        """The model after these measurements (n,), (n, T), in their order.

        Raises
        ------
        TrainingError
            If it cannot be fitted.
        """
        key = _key(measured, values)
        if self._told[0] != key:
            n = self._at(values, lambda count: count + max(self.every, count // SHARE))
            model = self._fitted(measured[:n], values[:n])
            if n < len(measured):
                model = copy.deepcopy(model)
                model.condition(self.candidates[measured], _targets(values, model))
            self._told = key, model
        return self._told[1]

    def predict(self, measured: Rows, values: Floats) -> tuple[Floats, Floats]:
        """Mean and sd, without that of the noise, of all candidates after these measurements, in chunks."""
        model = self.model(measured, values)
        key, known = self._predicted
        if known is None or key != self._told[0]:
            means, sds = zip(*(model.predict(part, noise=False) for part in self._chunks()), strict=True)
            known = np.concatenate(means).astype(np.float64), np.concatenate(sds).astype(np.float64)
            self._predicted = self._told[0], known
        return known

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

    def _fit(self, model: Any, measured: Rows, values: Floats, *, warm: bool = False) -> None:
        """Fit a model; one that was stopped on the way is not kept."""
        model.fit(self.candidates[measured], _targets(values, model), warm=warm, stop=self.stop)
        if self.stop():
            raise Stopped

    def _fitted(self, measured: Rows, values: Floats) -> Any:
        """The model whose networks were trained with these, warm from the last fit from scratch."""
        key = _key(measured, values)
        if self._warm[0] != key:
            base = self._from_scratch(measured, values)
            model = copy.deepcopy(base[1])
            if base[0] != key:
                self._fit(model, measured, values, warm=True)
            self._warm = key, model
        return self._warm[1]

    def _from_scratch(self, measured: Rows, values: Floats) -> tuple[bytes, Any]:
        n = self._at(values, lambda count: math.ceil(count * GROWTH))
        key = _key(measured[:n], values[:n])
        if self._scratch[0] != key:
            model = copy.deepcopy(self.template)
            self._fit(model, measured[:n], values[:n])
            self._scratch = key, model
        return self._scratch

    def _at(self, values: Floats, after: Callable[[int], int]) -> int:
        """At how many of the measurements (n, T) was the last of fits that follow each other like this."""
        n, count = len(values), self.first
        while after(count) <= n:
            count = after(count)
        if getattr(self.template, "target", "real") == "class":  # it must have met every class
            count = max(count, int(np.argmax(values[:, 0])) + 1)
        return count if count <= n and learnable(values[:count]) else n


def learnable(values: Floats) -> bool:
    """Whether a model can be fitted to targets (n, T): at least three, and none of the targets always the same."""
    return len(values) >= FEWEST and bool((np.ptp(values, axis=0) > 0).all())


def _targets(values: Floats, model: Any) -> npt.NDArray[Any]:
    single = values[:, 0] if values.shape[1] == 1 else values
    return single.astype(np.int64) if getattr(model, "target", "real") == "class" else single


def _key(measured: Rows, values: Floats) -> bytes:
    return measured.tobytes() + values.tobytes()
