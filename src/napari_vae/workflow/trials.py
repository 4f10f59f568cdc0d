"""Small trainings of several models on the same windows, compared step by step; the adviser's working part."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.progress import Progress, Stopped
from ..models.components import COMPONENTS
from ..models.config import Invariance, ModelConfig, TrainConfig
from ..patches.patches import Patches
from ..training.fit import iter_fit

STEPS, BATCH = 300, 50  # of each training
TRIED = [name for name, part in COMPONENTS.items() if part.suggested]
LATENTS = (1, 2, 3, 5)  # invariances are compared with the most, so that none is taken for want of latents
CLEAR = 0.05  # nats a pixel: about what it takes to lower the unexplained variance by 10 %
STEADIER = 0.15  # agreement by which another window must beat the usual one
EXPECTED = 15  # trainings, about


@dataclass(frozen=True)
class Choice:
    """A window and a model."""

    window: int
    model: ModelConfig = field(default_factory=ModelConfig)

    def __str__(self) -> str:
        return f"{', '.join(self.model.invariances) or 'no invariance'}; {_latents(self.model.latent_dim)}"


@dataclass
class _Trial:
    """What the trainings of a choice gave, one entry per seed: held-out losses, and latents (N, k)."""

    losses: list[float] = field(default_factory=list)
    latents: list[npt.NDArray[np.float64]] = field(default_factory=list)


class Scan:
    """The trainings so far, and the best choice by them.

    Parameters
    ----------
    patches : dict of int to Patches
        By window, the usual one first.
    train : TrainConfig
    stop : callable
    """

    def __init__(self, patches: dict[int, Patches], train: TrainConfig, stop: Callable[[], bool]) -> None:
        self.patches, self.train, self.stop = patches, train, stop
        self.trials: dict[Choice, _Trial] = {}
        self.reasons: list[str] = []
        self.best = Choice(next(iter(patches)))
        self._began, self._done = time.perf_counter(), 0

    def choose_invariances(self) -> Iterator[Progress]:
        """Add the invariance that gains most, as long as one gains clearly."""
        while len(self.best.model.invariances) < len(TRIED):
            known = self.best.model.invariances
            now = self._with(known, LATENTS[-1])
            rivals = [self._with((*known, name), LATENTS[-1]) for name in TRIED if name not in known]
            for choice in (now, *rivals):
                yield from self._train(choice, 0)
            for rival in sorted(rivals, key=lambda choice: self.trials[choice].losses[0]):
                if (yield from self._is_clear(rival, now)):
                    break
            else:
                break
            (name,) = set(rival.model.invariances) - set(known)
            self.reasons.append(f"{name.capitalize()} explains held-out windows better, by {self._gain(rival, now)}.")
            self.best = self._with(rival.model.invariances, self.best.model.latent_dim)
        left = [name for name in TRIED if name not in self.best.model.invariances]
        if left:
            self.reasons.append(f"No clear gain: {', '.join(left)}.")

    def choose_latents(self) -> Iterator[Progress]:
        """Take the fewest latents that are not clearly worse than the best number."""
        choices = [self._with(self.best.model.invariances, n) for n in LATENTS]
        for choice in choices:
            yield from self._train(choice, 0)
        best = min(choices, key=lambda choice: self.trials[choice].losses[0])
        for choice in choices:
            if choice is best or not (yield from self._is_clear(best, choice)):
                break
        n = choice.model.latent_dim
        more = f", better than 1 by {self._gain(choice, choices[0])}" if n > LATENTS[0] else ""
        self.reasons.append(f"{_latents(n)}{more}; more gain nothing clear.")
        self.best = choice

    def choose_window(self) -> Iterator[Progress]:
        """Take another window than the usual one if two trainings agree clearly better on it."""
        choices = [replace(self.best, window=window) for window in self.patches]
        for choice in choices:
            for number in (0, 1):
                yield from self._train(choice, number)
        agreements = {choice.window: self._agreement(choice) for choice in choices}
        steadiest = max(choices, key=lambda choice: agreements[choice.window])
        if agreements[steadiest.window] > agreements[self.best.window] + STEADIER:
            self.best = steadiest
        values = ", ".join(f"{window} px {value:.2f}" for window, value in agreements.items())
        self.reasons.append(f"Window of {self.best.window} px; agreement of two trainings: {values}.")

    def table(self) -> pd.DataFrame:
        """See `Advice`."""
        rows = [
            {
                "window": choice.window,
                "invariances": ", ".join(choice.model.invariances) or "none",
                "latents": choice.model.latent_dim,
                "held_out": float(np.mean(trial.losses)),
                "spread": float(np.ptp(trial.losses)) if len(trial.losses) > 1 else float("nan"),
                "agreement": self._agreement(choice),
                "suggested": choice == self.best,
            }
            for choice, trial in self.trials.items()
        ]
        columns = ["window", "invariances", "latents", "held_out", "spread", "agreement", "suggested"]
        return pd.DataFrame(rows, columns=columns)

    def _with(self, invariances: tuple[Invariance, ...], latents: int) -> Choice:
        return replace(self.best, model=ModelConfig(invariances=invariances, latent_dim=latents))

    def _train(self, choice: Choice, number: int) -> Iterator[Progress]:
        """Train a choice with seed `number` (0 or 1), unless that was done."""
        if len(self.trials.get(choice, _Trial()).losses) > number:
            return
        patches = self.patches[choice.window]
        epochs = max(1, round(STEPS / np.ceil(len(patches) / BATCH)))
        train = replace(self.train, epochs=epochs, seed=(self.train.seed + number) % 2**32)
        job = iter_fit(patches, choice.model, train, stop=self.stop)
        while True:
            try:
                event = next(job)
            except StopIteration as end:
                run = end.value
                break
            yield self._progress(event, choice)
        if run.stopped:
            raise Stopped
        self._done += 1
        trial = self.trials.setdefault(choice, _Trial())
        trial.losses.append(float(run.history["held_out"].iloc[-1]))
        trial.latents.append(run.encode(patches).filter(regex=r"^z\d+$").to_numpy(float))

    def _is_clear(self, better: Choice, worse: Choice) -> Generator[Progress, None, bool]:
        """Whether a choice gains clearly with the first seed, and then with the second."""
        enough = CLEAR * self.patches[better.window].data[0].size
        if self.trials[worse].losses[0] - self.trials[better].losses[0] <= enough:
            return False
        for choice in (better, worse):
            yield from self._train(choice, 1)
        gains = self._gains(better, worse)
        return bool(gains.min() > enough and gains.mean() > np.ptp(gains))

    def _gains(self, better: Choice, worse: Choice) -> npt.NDArray[np.float64]:
        """Nats per held-out window by which a choice is better, for each seed that both were trained with."""
        pairs = zip(self.trials[better].losses, self.trials[worse].losses, strict=False)
        return np.array([second - first for first, second in pairs])

    def _gain(self, better: Choice, worse: Choice) -> str:
        gains = self._gains(better, worse)
        return " and ".join(f"{gain:.0f}" for gain in gains) + " nats"

    def _agreement(self, choice: Choice) -> float:
        latents = self.trials[choice].latents
        return _similarity(*latents) if len(latents) > 1 else float("nan")

    def _progress(self, event: Progress, choice: Choice) -> Progress:
        step = round((self._done + event.fraction) * STEPS)
        n_steps = max(EXPECTED, self._done + 1) * STEPS
        seconds = time.perf_counter() - self._began
        return Progress(
            epoch=self._done,
            n_epochs=n_steps // STEPS,
            step=step,
            n_steps=n_steps,
            seconds_left=seconds / step * (n_steps - step) if step else None,
            device=event.device,
            message=f"Trying {choice.window} px; {choice}",
        )


def _similarity(one: npt.NDArray[np.float64], two: npt.NDArray[np.float64]) -> float:
    """Likeness of two tables (N, k) of the same atoms: 1 if they differ by rotation and scale alone, 0 if unrelated.

    Linear CKA of Kornblith et al. 2019, "Similarity of neural network representations revisited", arXiv 1905.00414.
    """
    one, two = one - one.mean(0), two - two.mean(0)
    norm = np.linalg.norm(one.T @ one) * np.linalg.norm(two.T @ two)
    return float(np.linalg.norm(one.T @ two) ** 2 / norm) if norm > 0 else 0.0


def _latents(n: int) -> str:
    return f"{n} latent{'s' if n > 1 else ''}"
