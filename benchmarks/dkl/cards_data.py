"""The cards of the deep kernel experiments: images, targets, labelled subsets, and how predictions are judged.

8000 cards of 30² (±120°, shear ±20°), of which a few are labelled, as in Valleti et al. (arXiv 2303.14554). An image
of ♦ at φ is that of φ ± 180° but for a few thousandths of the contrast (``limit.py`` measures it), and half of the ♦,
those beyond ±60°, have both within ±120°. Only who sees these thousandths can tell which of the two it is. So errors
of the rotation are told three times: of all cards, of those with one answer, and of all with ♦ modulo 180°. The least
squares answer to two is their mean, 90° from either, which the third counts as 90° too; who tells one of the two at
random does well there, and worse in the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from napari_vae import samples
from napari_vae.analysis.circular import wrapped

N_PER_SUIT, MAX_ANGLE, MAX_SHEAR, SIZE = 2000, 120.0, 20.0, 30
LABELLED = 100
DIAMOND = 3
TARGETS = ("rotation", "shear", "label", "class")
ONE_ANSWER, FOLDED = ", one answer", ", ♦ mod 180°"
CASES = ("", ONE_ANSWER, FOLDED)
FIGURES = tuple(f"{figure}{case}" for figure in ("RMSE", "coverage") for case in CASES)  # what `judge` gives


@dataclass(frozen=True)
class CardsData:
    """Images (N, size, size) in [0, 1] with rotation (N,) in degrees, shear (N,) in rad and suit (N,) from 0 to 3."""

    images: np.ndarray
    rotation: np.ndarray
    shear: np.ndarray
    suit: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def target(self, name: str) -> np.ndarray:
        """One of TARGETS: a ``"label"`` is the suit as a real number, a ``"class"`` as an integer."""
        return {"rotation": self.rotation, "shear": self.shear, "label": self.suit * 1.0, "class": self.suit}[name]

    @property
    def has_two_answers(self) -> np.ndarray:
        """Whether the angle half a turn away is within the range too, and the image the same to the eye (N,)."""
        return (self.suit == DIAMOND) & (np.abs(self.rotation) > 180 - MAX_ANGLE)


def load(seed: int = 0, n_per_suit: int = N_PER_SUIT, size: int = SIZE) -> CardsData:
    """The cards of a seed, in the order of the suits."""
    cards = samples.cards(n_per_suit, MAX_ANGLE, MAX_SHEAR, size=size, seed=seed)
    return CardsData(cards.images, cards.angle, np.deg2rad(cards.shear), cards.suit)


def labelled(data: CardsData, seed: int, n: int = LABELLED) -> np.ndarray:
    """Rows (n,) that are labelled, at random, without repeats."""
    return np.random.default_rng(seed).choice(len(data), n, replace=False)


def rmse(error: np.ndarray) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(error))))


def coverage(error: np.ndarray, sd: np.ndarray, level: float = 0.9) -> float:
    """Share of errors inside the central normal interval of this probability."""
    return float(np.mean(np.abs(error) <= norm.ppf(0.5 + level / 2) * sd))


def folded(error: np.ndarray, suit: np.ndarray) -> np.ndarray:
    """Errors of rotations in degrees, those of ♦ modulo 180°."""
    return np.where(suit == DIAMOND, wrapped(error, 180.0), error)


def judge(data: CardsData, target: str, mean: np.ndarray, sd: np.ndarray | None = None) -> dict[str, float]:
    """RMSE over all cards in the unit of a real target, and with sd the share within the 90 % interval; see FIGURES."""
    error = mean - data.target(target)
    every = np.ones(len(data), dtype=bool)
    cases = {"": (error, every)}
    if target == "rotation":
        cases |= {ONE_ANSWER: (error, ~data.has_two_answers), FOLDED: (folded(error, data.suit), every)}
    figures = {f"RMSE{name}": rmse(some[rows]) for name, (some, rows) in cases.items()}
    if sd is not None:
        figures |= {f"coverage{name}": coverage(some[rows], sd[rows]) for name, (some, rows) in cases.items()}
    return figures
