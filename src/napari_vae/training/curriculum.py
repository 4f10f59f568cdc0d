"""The curriculum of a training: its phases, and what the model learns from in each besides the images.

Angles, classes and latents found at once, from nothing, end in traps. A model of rotation aligns a sheared motif by its
elongation, which jumps by 90° with the sign of the shear; classes fall together, because the first one that draws
anything draws everything. So a training has up to three phases:

warm-up
    The model has an auxiliary strain, with which it aligns the motif itself, and one class for all images.
distillation
    The strain is taken away, and the latents take it over. A teacher, which is a copy of the model at the end of the
    warm-up, says how each image is turned; images start in the classes that their latents fall into. Models with
    classes or a condition learn the teacher's strain too, as their first latents.
free
    Nothing is held any more. What the model has found by now it keeps.

References
----------
Hinton et al. 2015, "Distilling the knowledge in a neural network", arXiv 1503.02531; Jiang et al. 2017, "Variational
deep embedding", arXiv 1611.05148, which starts from clusters too.
"""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ..core.clusters import cluster
from ..models.components import has_auxiliary_strain
from ..models.evidence import Target
from ..models.model import Model
from ..models.pose import mirrored_strain
from ..models.posterior import pick
from ..models.vae import InvariantVAE
from .batches import Batches
from .processes import ALONE, Group
from .schedule import Phase

BATCH = 200  # images whose latents are looked at at once
AGREEMENT = 0.9  # share of the labelled images that must lie in a group of their own class
GROUPS_PER_CLASS = 2  # a labelled class may consist of several groups
STRAINED = 2000  # images by which the axes of strain of the classes are measured
SMALLEST_SPREAD = 1e-3  # of a strain


class Supervision:
    """What a model learns from in each phase besides the images.

    Parameters
    ----------
    model : Model
    batches : Batches
    group : Group

    Attributes
    ----------
    phase : "warm-up", "distillation" or "free"
    teacher : Teacher or None
        The model at the end of the warm-up.
    provisional : Tensor (N, K) or None
        Classes to begin with.
    """

    def __init__(self, model: Model, batches: Batches, group: Group = ALONE) -> None:
        self.model, self.batches, self.group = model, batches, group
        self.phase: Phase = "warm-up"
        self.teacher: Teacher | None = None
        self.provisional: Tensor | None = None

    def enter(self, phase: Phase) -> None:
        """Prepare what the phase of the next step needs."""
        model = self.model
        if phase == "distillation" and self.phase == "warm-up":
            assert isinstance(model, InvariantVAE)
            self.provisional = provisional_classes(model, self.batches) if model.config.infers_classes else None
            self.group.follow([] if self.provisional is None else [self.provisional])
            self.teacher = self._make_teacher(model) if has_auxiliary_strain(model.config) else None
        elif phase == "free":
            self.teacher = None
        self.phase = phase
        if has_auxiliary_strain(model.config):
            model.reader.draws_strain = phase == "warm-up"

    def given(self, rows: Tensor, labelled: bool) -> Tensor | None:
        """What the model is given with some images in this step; `labelled` ones may come among others."""
        if not self.model.config.infers_classes:
            return self.batches.load_given(rows)
        if self.phase == "warm-up":
            return self._without_classes(rows)
        if self.phase == "distillation" and self.provisional is not None:
            return self._classes(rows)
        return self.batches.load_given(rows) if labelled or not self.batches.n_labelled else None

    def target(self, images: Tensor, rows: Tensor) -> Target | None:
        """How the teacher draws the images of some rows; ``None`` where there is no teacher."""
        if self.teacher is None:
            return None
        return self.teacher.target(images, self._without_classes(rows), self._classes(rows))

    def is_supervised(self, labelled: bool) -> bool:
        """Whether the classifier, or the guess of numbers, learns from what is given in this step."""
        if not self.model.config.infers_classes:
            return True
        return self.phase == "distillation" or (self.phase == "free" and (labelled or self.batches.given is not None))

    def _make_teacher(self, model: InvariantVAE) -> Teacher:
        teacher = Teacher(model)
        rows = self.batches.rows[:STRAINED].split(self.batches.look_size)
        classes = [self._classes(part) for part in rows]
        images, given = [self.batches.load(part) for part in rows], [self._without_classes(part) for part in rows]
        teacher.measure_strain(images, given, classes)
        return teacher

    def _without_classes(self, rows: Tensor) -> Tensor | None:
        """What is given with some images in the warm-up, in which those that are to be found are not known."""
        return self.model.any_class(len(rows)) if self.model.config.infers_classes else self.batches.load_given(rows)

    def _classes(self, rows: Tensor) -> Tensor:
        """What is given with some images in the distillation."""
        if self.provisional is not None:
            return self.provisional[rows].to(self.batches.device)
        given = self._without_classes(rows)
        return self.model.any_class(len(rows)) if given is None else given


class Teacher(nn.Module):
    """A copy of a model as it is, with its auxiliary strain.

    Parameters
    ----------
    model : InvariantVAE
    """

    means: Tensor
    axes: Tensor

    def __init__(self, model: InvariantVAE) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.model.reader.draws_strain = True
        self.classes = model.config.n_classes or 1
        like = next(model.parameters()).detach()
        self.register_buffer("means", like.new_zeros(self.classes, 2))
        self.register_buffer("axes", like.new_zeros(self.classes, 2, 2))

    def measure_strain(self, images: list[Tensor], given: list[Tensor | None], y: list[Tensor]) -> None:
        """Find the axes of strain of each class, from batches of images and of the classes `y` (B, K)."""
        strain = torch.cat([self._pose(*batch)[2] for batch in zip(images, given, strict=True)])
        classes = self._classes(torch.cat(y))
        for k in range(self.classes):
            seen = strain[classes == k]
            if len(seen) > 2:
                sizes, axes = torch.linalg.eigh(torch.cov(seen.T).cpu())  # the smaller one first
                self.means[k] = seen.mean(0)
                self.axes[k] = (axes.flip(1) / sizes[1].sqrt().clamp(min=SMALLEST_SPREAD)).to(self.axes)

    def target(self, images: Tensor, given: Tensor | None, y: Tensor) -> Target:
        """How images (B, C, H, W) are to be drawn; the teacher sees `given`, and their classes are `y`."""
        turns, angle, strain = self._pose(images, given)
        classes = self._classes(y)
        return Target(turns, angle, torch.einsum("bi,bij->bj", strain - self.means[classes], self.axes[classes]))

    def _classes(self, y: Tensor) -> Tensor:
        return y.argmax(1) if self.classes > 1 else torch.zeros(len(y), dtype=torch.long, device=y.device)

    @torch.no_grad()
    def _pose(self, images: Tensor, given: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        look, turns = self.model.likeliest(images, given)
        pose = look.posed.pose
        strain = mirrored_strain(pose.strain, pose.hand)  # the axes of a class are those of its object
        return turns, pose.angle.gather(1, turns), pick(strain, turns)[:, 0]


def provisional_classes(model: InvariantVAE, batches: Batches) -> Tensor | None:
    """One-hot classes (N, K) of all images by groups of their latents; ``None`` if these contradict the labels."""
    means, n = _latents(model, batches), model.n_given
    if batches.given is None:
        classes = cluster(means, "gmm", n).to_numpy()
    else:
        labels = np.where(batches.given.isnan().any(1).cpu(), -1, batches.given.argmax(1).cpu())
        found = classes_of_groups(means, labels, n)
        if found is None:
            return None
        classes = np.where(labels >= 0, labels, found)
    return torch.eye(n, device="cpu", dtype=torch.float32)[classes.tolist()].to(batches.rows.device)


def classes_of_groups(
    means: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], n: int
) -> npt.NDArray[np.int64] | None:
    """The class (N,) of each image by its latents (N, k), every group being of the class of most of its labels.

    Labels (N,) are −1 where not known; ``None`` if no grouping agrees with them.
    """
    known = labels >= 0
    for groups in (n, GROUPS_PER_CLASS * n):
        group = cluster(means, "gmm", groups).to_numpy()
        votes = np.array([np.bincount(labels[known & (group == g)], minlength=n) for g in range(groups)])
        shares = votes / np.maximum(1, votes.sum(0))  # frequent classes do not outvote rare ones
        found = shares.argmax(1)[group]
        if (found == labels)[known].mean() >= AGREEMENT and votes.sum(1).all():
            return found
    return None


@torch.no_grad()
def _latents(model: InvariantVAE, batches: Batches) -> npt.NDArray[np.float32]:
    means = []
    for rows in torch.arange(batches.n_images, device="cpu").split(BATCH):
        features = model.look(batches.load(rows)).features
        means.append(model.infer(features, model.any_class(len(rows))[:, None]).mean[:, 0].cpu())
    return torch.cat(means).numpy()
