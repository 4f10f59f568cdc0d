"""From candidates to the embedding that a Gaussian process sees: the encoder of a trained model, and small networks."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import InputError
from ...models.components import components_of
from ...models.images import model_batches
from ...models.networks import Encoder, initialise, mlp
from ...models.vae import InvariantVAE
from ...runs.run import Run
from .candidates import Prepared, limits

BATCH = 200
CHUNK = 2048  # candidates that the network sees at a time


class RunEncoder(nn.Module):
    """Latents and pose of images as columns of about unit size.

    The columns are the latents; shift, logarithm of the scale and strain in units of their priors; and the
    probabilities of the classes, or the numbers, that the model guesses. The angle is kept apart from them, because
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
        if not isinstance(run._model, InvariantVAE):
            raise InputError("An encoder-decoder predicts by itself; take a run of another kind, or its latents as x.")
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
        """Whether the model infers how each image is turned."""
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
        assert isinstance(model, InvariantVAE)
        columns, turns, circular, seen = [], [], [], []
        images = []
        for batch in model_batches(x, run.takes, BATCH):
            given = torch.from_numpy(batch).to(run.device)
            inferred = model.explain(given)
            seen.append(inferred.orientation)
            turns.append(inferred.pose.angle[:, 0])
            circular.append(inferred.circular)
            if self.trainable:
                images.append(batch)
            else:
                columns.append(self(given, inferred.orientation))
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


class FeatureNetwork(nn.Module):
    """Candidates -> embedding (N, d): a linear map, and what a small network adds to it.

    The linear part lets a few labels pick and turn axes that are there already; the rest bends them.

    Parameters
    ----------
    kind : "linear", "mlp" or "conv"
    example : Prepared
        Candidates with the shape of the input, its centre and its spread.
    dims : int
        Of the embedding.
    hidden : tuple of int
        Widths of the layers between.
    encoder : RunEncoder, optional
        Of a trained model; its columns are neither centred nor scaled, so that a latent it does not use stays small.
    circular : bool
        Whether the embedding may depend on the angle that a trained model inferred.
    generator : torch.Generator
        Of the first weights.
    """

    centre: Tensor
    spread: Tensor

    def __init__(
        self,
        kind: str,
        example: Prepared,
        dims: int,
        hidden: tuple[int, ...],
        *,
        encoder: RunEncoder | None,
        circular: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.circular = circular and example.circular is not None
        self.encoder = encoder if encoder is not None and encoder.trainable else None
        self._device = torch.device("cpu") if self.encoder is None else next(self.encoder.parameters()).device
        centre, spread = limits(example.values, scaled=not example.of_run)
        self.register_buffer("centre", torch.from_numpy(centre))
        self.register_buffer("spread", torch.from_numpy(spread))
        width = self._columns(example[:1]).flatten(1).shape[1]
        with torch.device("meta"):  # nothing is drawn from the global random numbers
            self.straight = nn.Linear(width, dims)
            self.convolutions: Encoder | None = None
            self.bent: nn.Module | None = None
            if kind == "conv":
                _, channels, rows, columns = example.values.shape
                self.convolutions = Encoder("conv", channels, (rows, columns), hidden)
                self.bent = nn.Linear(hidden[-1], dims)
            elif kind == "mlp":
                self.bent = mlp((width, *hidden), end=dims)
        for part in (self.straight, self.convolutions, self.bent):
            if part is not None:
                initialise(part.float().to_empty(device="cpu"), generator)
        if self.bent is not None:  # the embedding starts straight, and is bent where the labels want it
            last = self.bent[-1] if isinstance(self.bent, nn.Sequential) else self.bent
            for parameter in last.parameters():
                nn.init.zeros_(parameter)

    def on(self, device: torch.device) -> FeatureNetwork:
        """The network on a device; centre and spread stay in double precision on the CPU."""
        self._device = device
        for part in self.children():
            part.to(device)
        return self

    def forward(self, seen: Prepared) -> Tensor:
        """Embedding (N, d) of candidates."""
        columns = self._columns(seen)
        embedding: Tensor = self.straight(columns.flatten(1))
        if self.convolutions is not None and self.bent is not None:
            return embedding + self.bent(self.convolutions(columns))
        return embedding if self.bent is None else embedding + self.bent(columns.flatten(1))

    @torch.no_grad()
    def embed(self, seen: Prepared) -> Tensor:
        """The same without gradients, chunk by chunk: in double precision on the CPU."""
        rows = range(0, len(seen), CHUNK)
        return torch.cat([self(seen[k : k + CHUNK]).double().cpu() for k in rows])

    def _columns(self, seen: Prepared) -> Tensor:
        device = self._device
        if self.encoder is not None:
            assert seen.orientation is not None
            images = torch.from_numpy(np.ascontiguousarray(seen.values, np.float32)).to(device)
            values = self.encoder(images, torch.from_numpy(seen.orientation).to(device))
        else:
            given = torch.from_numpy(np.ascontiguousarray(seen.values, np.float64))
            values = ((given - self.centre) / self.spread).float().to(device)
        if self.circular:
            assert seen.circular is not None
            values = torch.cat([values, torch.from_numpy(seen.circular).float().to(device)], 1)
        return values
