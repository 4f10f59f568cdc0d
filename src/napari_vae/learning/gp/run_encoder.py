"""The encoder of a trained model as the first layers of a deep kernel."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import InputError
from ...models.components import components_of
from ...models.images import model_batches
from .candidates import Prepared

if TYPE_CHECKING:
    from ...runs.run import Run

BATCH = 200


class RunEncoder(nn.Module):
    """Latents and pose of images as columns of about unit size.

    The columns are the latents; shift, logarithm of the scale and strain in units of their priors; and the
    probabilities of the classes, or the numbers, that the model guesses. The angle is told apart from them, because
    most of what one may want to know does not turn with the image.

    Parameters
    ----------
    run : Run
        Any but a conditional one.
    trainable : bool
        Whether a copy of its encoder is trained further; otherwise it stays as it is.

    Raises
    ------
    InputError
        If the run is a conditional one.
    """

    def __init__(self, run: Run, *, trainable: bool = False) -> None:
        super().__init__()
        if run.model_config.knows.conditional:
            raise InputError("A conditional model needs its condition for every image; take a run of another kind.")
        self.run, self.trainable = run, trainable
        self.model = copy.deepcopy(run._model) if trainable else run._model
        if trainable:
            for part in (self.model.features, self.model.content, self.model.pose_head):
                if part is not None:
                    part.requires_grad_(True)

    def __deepcopy__(self, memo: dict[int, Any]) -> RunEncoder:
        if not self.trainable:
            return self  # nothing in it ever changes
        other = RunEncoder(self.run, trainable=True)
        other.model.load_state_dict(self.model.state_dict())
        return other

    @property
    def rotates(self) -> bool:
        """Whether the model tells how each image is turned."""
        return "rotation" in self.run.model_config.invariances

    @torch.no_grad()
    def prepare(self, x: Any) -> Prepared:
        """Columns of all images; where the encoder is trained further, the images and how they were seen.

        Raises
        ------
        InputError
            If the images do not fit the run.
        """
        run, model = self.run, self.run._model
        columns, turns, circular, seen = [], [], [], []
        images = []
        for batch in model_batches(x, run.takes, BATCH):
            given = torch.from_numpy(batch).to(run.device)
            told = model.explain(given)
            seen.append(told.orientation)
            turns.append(told.pose.angle[:, 0])
            circular.append(told.circular)
            if self.trainable:
                images.append(batch)
            else:
                columns.append(self(given, told.orientation))
        turn = waves = None
        if self.rotates:
            turn, waves = (torch.cat(parts).double().cpu().numpy() for parts in (turns, circular))
        if self.trainable:
            return Prepared(np.concatenate(images), turn, waves, torch.cat(seen).cpu().numpy(), of_run=True)
        return Prepared(torch.cat(columns).float().cpu().numpy(), turn, waves, of_run=True)

    def forward(self, images: Tensor, orientation: Tensor) -> Tensor:
        """Columns (B, F) of images (B, C, H, W), seen in given coarse orientations (B,)."""
        model = self.model
        look = model.look(images)
        y = model.observed.hypotheses(look.features, None, 1, None)[0][:, 0]
        mean = model.infer(look.features, y[:, None]).mean[:, 0]
        pose = model.gauge.to_data(look.posed.pose.select(orientation[:, None]), mean, y)
        parts = [part.standardised(pose, model.config, model.size) for part in components_of(model.config)]
        return torch.cat([mean, *model.observed.infer(look.features)[:1], *parts], 1)
