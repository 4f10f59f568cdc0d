"""Kinds of models: what each is given besides the images, and whether it infers that itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Name = Literal["vae", "conditional", "semi-supervised", "joint", "encoder-decoder"]


@dataclass(frozen=True)
class Kind:
    """What a model knows besides the images.

    Parameters
    ----------
    words : str
        Which labels there are, for a list to choose from.
    prefix : str
        Of its names, such as ``"ss-"`` of ``"ss-rvae"``.
    given : tuple of str
        What may be given to it in a training, of ``"labels"``, ``"condition"``, ``"targets"`` and ``"outputs"``;
        exactly one of them.
    inferred : bool
        Whether the model infers class or numbers where they are not given. If not, what is given is a condition, which
        every image needs, also when the model is applied.
    """

    words: str
    prefix: str
    given: tuple[str, ...] = ()
    inferred: bool = False

    @property
    def anything(self) -> bool:
        """Whether there is a class or a number besides the image."""
        return self.inferred or bool(self.given)

    @property
    def conditional(self) -> bool:
        """Whether something must be given with every image."""
        return self.anything and not self.inferred

    @property
    def predicts(self) -> bool:
        """Whether it draws something else than the images that it sees."""
        return "outputs" in self.given

    @property
    def unlabelled(self) -> bool:
        """Whether the model infers classes that nobody names, and needs to know how many."""
        return self.inferred and not self.given


KINDS: dict[Name, Kind] = {
    "vae": Kind("none", ""),
    "conditional": Kind("a class or number for each", "c", given=("condition",)),
    "semi-supervised": Kind("of a few, to predict the rest", "ss-", given=("labels", "targets"), inferred=True),
    "joint": Kind("none, but find classes", "j-", inferred=True),
    "encoder-decoder": Kind("spectra or images to predict", "ed-", given=("outputs",), inferred=True),
}
