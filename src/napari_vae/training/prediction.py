"""The training of a model that predicts: it ends with the state that predicted best, and knows how sure it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..models.draws import Draws
from ..models.encoder_decoder import EncoderDecoder
from .session import FEWEST, MANY, Session


class PredictionSession(Session):
    """State of the training of an encoder–decoder; for the parameters see `Session`."""

    @torch.no_grad()
    def usual_elbo(self) -> list[float]:
        """The 5 and 50 percentiles of the ELBO of images that nothing was learnt from."""
        noise = torch.Generator(self.device).manual_seed(self.train.seed)
        costs = [
            self.train_step.evidence(rows, Draws(noise), centring=False).free_energy()
            for rows in self._unseen().split(self.batches.look_size)
        ]
        percentiles: list[float] = np.percentile(-torch.cat(costs).cpu().numpy(), [5, 50]).tolist()
        return percentiles

    @torch.no_grad()
    def _settle(self, *, in_haste: bool) -> None:
        """Go back to the best state; order the latents and learn where they lie; measure how far predictions are off.

        Few images are soon known by heart, and the last state would be surest of itself and worst.
        """
        if self.best[1]:
            self.model.load_state_dict(self.best[1])
        self._order_latents()
        assert isinstance(self.model, EncoderDecoder)
        rows = self.batches.rows[:MANY].split(self.batches.look_size)
        z = torch.cat([self.model.looks(self.batches.load(part)).mean.mean(1) for part in rows])
        self.latent_range = np.percentile(z.cpu().numpy(), [1, 99], axis=0).T.tolist()
        self.model.calibrate(self._with_outputs(self._unseen()))

    def _unseen(self) -> Tensor:
        """Rows that are held out, and if these are few some that are not."""
        rows = self.batches.held_out
        return rows if len(rows) >= FEWEST else torch.cat([rows, self.batches.rows[:FEWEST]])

    def _with_outputs(self, rows: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        for part in rows.split(self.batches.look_size):
            given = self.batches.load_given(part)
            assert given is not None
            yield self.batches.load(part), given

    def _manifold(self) -> None:
        """Nothing to look at: what is drawn is no image of the training."""
