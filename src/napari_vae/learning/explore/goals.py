"""What is looked for: large or small values, values near a number, or a class; and what an acquisition sees of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt

from ...analysis.circular import wrapped
from ...core.errors import InputError
from ...core.settings import Number, Whole, about, checked

Floats = npt.NDArray[np.float64]

#: Every acquisition by name, in words.
ACQUISITIONS = {
    "ei": "expected improvement on the best value so far",
    "ucb": "prediction and uncertainty together",
    "pi": "probability of a better value than the best so far",
    "variance": "where the model is least sure",
    "thompson": "the best of one draw of the model",
    "information": "what tells most about all other candidates",
}
#: Those that look for something; the others want to know all candidates.
SEEKING = ("ei", "ucb", "pi", "thompson")
FULL_TURN = 360.0
#: What can be looked for, and in which of several targets, or in which sum of them.
Wanted = Annotated[Literal["max", "min"] | Number, about(words='"max", "min" or a number')]
Target = Annotated[
    Annotated[Whole, about(ge=0)] | tuple[Number, ...],
    about(words="the number of one target, from 0, or a weight for each"),
]


@dataclass(frozen=True)
class Goal:
    """What is looked for among the candidates.

    Acquisitions see one number per candidate, the *aim*: the target itself if it is to be large, its negative if it is
    to be small, its distance with sign if it is to be near a number (an angle: on the circle), and for a class the
    probability to belong to it.

    Parameters
    ----------
    kind : "real", "angle" or "class"
        Of the target, as `DeepKernelGP` has it.
    wanted : "max", "min" or float
        Angles in degrees, a class by its number.
    target : int or tuple of float
        Which of several targets, or a weight for each.
    met : bool
        Whether one of the wanted class was measured; until then doubt stands in for its probability.

    Examples
    --------
    >>> Goal(wanted="min").merit(np.array([[2.0], [1.0]])).tolist()
    [-2.0, -1.0]
    """

    kind: str = "real"
    wanted: str | float = "max"
    target: int | tuple[float, ...] = 0
    met: bool = True

    @classmethod
    def of(cls, kind: str, goal: Any, target: Any, acquisition: str) -> Goal:
        """The goal of some settings.

        Raises
        ------
        InputError
            If there is no such acquisition, or it does not go with goal and target.
        """
        if not isinstance(acquisition, str) or acquisition not in ACQUISITIONS:
            raise InputError(f"There is no acquisition {acquisition!r}; choose one of {', '.join(ACQUISITIONS)}.")
        wanted, target = checked("goal", goal, Wanted), checked("target", target, Target)
        _check_kind(kind, wanted, acquisition)
        if kind == "class" and not isinstance(wanted, str) and (wanted < 0 or wanted % 1):
            raise InputError(f"The wanted class is a whole number from 0, not {wanted:g}.")
        if isinstance(target, tuple) and (kind != "real" or not any(target)):
            raise InputError("Weights are numbers, not all 0, of several real targets; otherwise choose one target.")
        return cls(kind, wanted, target)

    @property
    def near(self) -> bool:
        """Whether the aim is best at 0, and not as large as can be."""
        return self.kind != "class" and not isinstance(self.wanted, str)

    @property
    def sought(self) -> bool:
        """Whether some candidates are better than others; not so of angles and classes without a wanted one."""
        return self.kind == "real" or not isinstance(self.wanted, str)

    def check(self, n_targets: int) -> None:
        """Refuse a goal that does not fit so many targets.

        Raises
        ------
        InputError
        """
        if isinstance(self.target, tuple):
            if len(self.target) != n_targets:
                raise InputError(f"There are {n_targets} targets, but {len(self.target)} weights; give one for each.")
        elif not 0 <= self.target < n_targets:
            raise InputError(f"There is no target {self.target}; there are {n_targets}, counted from 0.")

    def looked_at(self, values: Floats) -> Floats:
        """The number that is looked at (n,) of targets (n, T), in its own units."""
        weights = self.target if isinstance(self.target, tuple) else np.eye(values.shape[-1])[self.target]
        return np.asarray(values @ np.asarray(weights), float)

    def merit(self, values: Floats) -> Floats:
        """How good measured targets (n, T) are: (n,), the larger the better, at most 0 for values near a number."""
        number = self.looked_at(values)
        if self.kind == "class":
            return (number == self.wanted).astype(float)
        aim = self._aim(number)
        return -np.abs(aim) if self.near else aim

    def expected(self, mean: Floats, sd: Floats) -> tuple[Floats, Floats]:
        """Mean and sd (N,) of the aim from predictions (N,), (N, T), or (N, K) of classes.

        Several targets are taken as independent of each other, given the candidate.
        """
        if self.kind == "class":
            k = int(self.wanted)
            return (mean[:, k], sd[:, k]) if self.seen(mean) else (np.zeros(len(mean)), sd.max(axis=1))
        mean, sd = _columns(mean), _columns(sd)
        return self._aim(self.looked_at(mean)), np.sqrt(_squared(self).looked_at(sd**2))

    def seen(self, probabilities: Floats) -> bool:
        """Whether probabilities (…, K) say something of the wanted class; those below a higher one may be unmet."""
        return self.met and int(self.wanted) < probabilities.shape[-1]

    def drawn(self, draws: Floats) -> Floats:
        """How good every candidate is in joint draws (n, N), (n, N, T), or (n, N, K): (n, N), the larger the better."""
        if self.kind == "class":
            return draws[..., int(self.wanted)] if self.seen(draws) else 1 - draws.max(axis=2)
        aim = self._aim(self.looked_at(draws if draws.ndim == 3 else draws[..., None]))
        return -np.abs(aim) if self.near else aim

    def deviations(self, draws: Floats) -> Floats:
        """What joint draws of one candidate have in common with those of others: deviations from the mean (m, N)."""
        if self.kind == "class":
            centred = draws - draws.mean(axis=0)
            return np.concatenate(np.moveaxis(centred, 2, 0))  # those of all classes, one below the other
        number = self.looked_at(draws if draws.ndim == 3 else draws[..., None])
        if self.kind != "angle":
            return number - number.mean(axis=0)
        middle = np.angle(np.exp(1j * np.deg2rad(number)).mean(axis=0), deg=True)
        return wrapped(number - middle, FULL_TURN)

    def _aim(self, number: Floats) -> Floats:
        if isinstance(self.wanted, str):
            return -number if self.wanted == "min" else number
        away = number - self.wanted
        return wrapped(away, FULL_TURN) if self.kind == "angle" else away


def _check_kind(kind: str, wanted: str | float, acquisition: str) -> None:
    if kind == "real" or acquisition not in SEEKING:
        return
    if kind == "class" and acquisition == "ei":
        raise InputError(
            'A class cannot be improved on; choose the acquisition "variance", or "pi" and the wanted class as goal.'
        )
    if isinstance(wanted, str):
        what = "angle in degrees" if kind == "angle" else "class by its number"
        raise InputError(f'The acquisition "{acquisition}" needs to know the wanted {what}; give it as goal.')


def _columns(values: Floats) -> Floats:
    return values[:, None] if values.ndim == 1 else values


def _squared(goal: Goal) -> Goal:
    """The same with squared weights, for variances."""
    weights = tuple(w**2 for w in goal.target) if isinstance(goal.target, tuple) else goal.target
    return Goal(goal.kind, goal.wanted, weights)
