"""What a model is told besides the images in each phase of its training; see `curriculum`."""

from __future__ import annotations

from torch import Tensor

from ..models.components import lends
from ..models.guide import Guide, Told
from ..models.vae import InvariantVAE
from .batches import Supply
from .curriculum import Phase
from .processes import ALONE, Group
from .sorting import sort_images

GUIDED = 2000  # images that tell along which axes the classes are strained


class Teaching:
    """Keeps what the phases of a training need.

    Parameters
    ----------
    model : InvariantVAE
    supply : Supply
    group : Group

    Attributes
    ----------
    phase : "open", "taught" or "free"
    guide : Guide or None
        A former state of the model, which tells how images are drawn.
    provisional : Tensor (N, K) or None
        Classes to begin with.
    """

    def __init__(self, model: InvariantVAE, supply: Supply, group: Group = ALONE) -> None:
        self.model, self.supply, self.group = model, supply, group
        self.phase: Phase = "open"
        self.guide: Guide | None = None
        self.provisional: Tensor | None = None

    def enter(self, phase: Phase) -> None:
        """Prepare what the phase of the next step needs."""
        model = self.model
        if phase == "taught" and self.phase == "open":
            self.provisional = sort_images(model, self.supply) if model.config.sorts else None
            self.group.follow([] if self.provisional is None else [self.provisional])
            self.guide = self._make_guide() if lends(model.config) else None
        elif phase == "free":
            self.guide = None
        self.phase = phase
        if lends(model.config):
            model.reader.lent = float(phase == "open")

    def given(self, rows: Tensor, known: bool) -> Tensor | None:
        """What is given of some images in this step; `known` are labelled images among others that are not."""
        if not self.model.config.sorts:
            return self.supply.load_given(rows)
        if self.phase == "open":
            return self._uncertain(rows)
        if self.phase == "taught" and self.provisional is not None:
            return self._classes(rows)
        return self.supply.load_given(rows) if known or not self.supply.n_labelled else None

    def told(self, images: Tensor, rows: Tensor) -> Told | None:
        """How the images of some rows are to be drawn; ``None`` where the model finds out itself."""
        if self.guide is None:
            return None
        return self.guide.tell(images, self._uncertain(rows), self._classes(rows))

    def teaches(self, known: bool) -> bool:
        """Whether the classifier, or the guess of numbers, is taught in this step."""
        if not self.model.config.sorts:
            return True
        return self.phase == "taught" or (self.phase == "free" and (known or self.supply.given is not None))

    def _make_guide(self) -> Guide:
        guide = Guide(self.model)
        rows = self.supply.rows[:GUIDED].split(self.supply.look_size)
        classes = [self._classes(part) for part in rows]
        guide.learn([self.supply.load(part) for part in rows], [self._uncertain(part) for part in rows], classes)
        return guide

    def _uncertain(self, rows: Tensor) -> Tensor | None:
        """What is given of some images in the first phase, in which classes that shall be found are open."""
        return self.model.any_class(len(rows)) if self.model.config.sorts else self.supply.load_given(rows)

    def _classes(self, rows: Tensor) -> Tensor:
        """What is given of some images in the second phase."""
        if self.provisional is not None:
            return self.provisional[rows].to(self.supply.device)
        given = self._uncertain(rows)
        return self.model.any_class(len(rows)) if given is None else given
