"""What leads from candidates to the embedding that a Gaussian process sees."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ...models.networks import Encoder, initialise, mlp
from .candidates import Prepared, limits
from .run_encoder import RunEncoder

CHUNK = 2048  # candidates that the network sees at a time


class FeatureNetwork(nn.Module):
    """Candidates -> embedding (N, d): a linear map, and what a small network adds to it.

    The linear part lets a few labels pick and turn axes that are there already; the rest bends them.

    Parameters
    ----------
    kind : "linear", "mlp" or "conv"
    example : Prepared
        Candidates that tell the shape of the input, its centre and its spread.
    dims : int
        Of the embedding.
    hidden : tuple of int
        Widths of the layers between.
    encoder : RunEncoder, optional
        Of a trained model; what it tells is neither centred nor scaled, so that a latent it does not use stays small.
    circular : bool
        Whether the embedding may depend on the angle that a trained model told.
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
        if self.bent is not None:  # the embedding starts straight, and is bent where the labels ask for it
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
            images = torch.from_numpy(np.asarray(seen.values, np.float32)).to(device)
            values = self.encoder(images, torch.from_numpy(seen.orientation).to(device))
        else:
            given = torch.from_numpy(np.asarray(seen.values, np.float64))
            values = ((given - self.centre) / self.spread).float().to(device)
        if self.circular:
            assert seen.circular is not None
            values = torch.cat([values, torch.from_numpy(seen.circular).float().to(device)], 1)
        return values
