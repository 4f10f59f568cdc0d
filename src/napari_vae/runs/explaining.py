"""What a trained model says of images, batch by batch, as many at once as suit where it computes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..core.device import is_out_of_memory
from ..core.errors import TrainingError
from ..models.encoder_decoder import EncoderDecoder
from ..models.given import Scale
from ..models.images import Like
from ..models.stored import batches_on
from ..models.vae import InvariantVAE
from .latent_table import latent_columns, normal_columns, of_what_was_seen

BATCH = 200  # images that are looked at at once, at least
MOST, PIXELS = 500, 2**20  # and at most, with so many pixels: on a CPU few, to stay in its cache
MOST_GPU, PIXELS_GPU = 4000, 2**24
FILLED = 3  # times that pixels which were not seen are drawn; more change latents by less than a hundredth

Columns = dict[str, Tensor]
Said = TypeVar("Said")


def images_at_once(device: str, shape: tuple[int, int, int]) -> int:
    """How many images (C, H, W) to look at at once."""
    most, pixels = (MOST, PIXELS) if device == "cpu" else (MOST_GPU, PIXELS_GPU)
    return max(BATCH, min(most, pixels // math.prod(shape)))


def explained(
    model: InvariantVAE, scale: Scale, data: Any, like: Like, given: npt.NDArray[np.float32] | None
) -> Iterator[tuple[Columns, Tensor]]:
    """Columns and reconstructions of images `like` those of the training, with what is given of each (N, n)."""
    seen = getattr(data, "seen", None)

    def explain(rows: slice, batch: Tensor) -> tuple[Columns, Tensor]:
        known = None if given is None else torch.from_numpy(given[rows]).to(batch)
        shown = None if seen is None else torch.from_numpy(seen[rows]).to(batch.device)
        batch = batch if shown is None else _filled(model, batch, shown, known)
        explanation = model.explain(batch, known)
        mean = model.likelihood.mean(explanation.logits)
        error = ((mean - batch) ** 2).mean((1, 2, 3))
        columns = latent_columns(explanation, model, scale) | {"reconstruction_error": error}
        return columns if shown is None else of_what_was_seen(columns, shown), mean

    return _of_batches(model, data, like, explain)


def described(model: EncoderDecoder, data: Any, like: Like) -> Iterator[Columns]:
    """Columns of the latents of images from which something else is predicted."""

    def describe(rows: slice, batch: Tensor) -> Columns:
        looks = model.looks(batch)
        variance = looks.log_var.exp().mean(1) + looks.mean.var(1, unbiased=False)
        return normal_columns(looks.mean.mean(1), variance.sqrt())

    return _of_batches(model, data, like, describe)


def predicted(model: EncoderDecoder, data: Any, like: Like) -> Iterator[tuple[Tensor, Tensor]]:
    """Means and standard deviations (B, n) of what belongs to images; NaN for windows that were seen in part."""
    seen = getattr(data, "seen", None)

    def predict(rows: slice, batch: Tensor) -> tuple[Tensor, Tensor]:
        mean, sd = model.predict(batch)
        if seen is not None:
            part = torch.from_numpy(~seen[rows].all(axis=(1, 2))).to(batch.device)
            mean[part], sd[part] = torch.nan, torch.nan
        return mean, sd

    return _of_batches(model, data, like, predict)


def _of_batches(
    model: InvariantVAE | EncoderDecoder, data: Any, like: Like, say: Callable[[slice, Tensor], Said]
) -> Iterator[Said]:
    """What is said of each batch, and the rows that it is.

    Raises
    ------
    InputError
        If the images are not `like` those of the training; before the first batch.
    TrainingError
        If the device runs out of memory.
    """
    device = next(model.parameters()).device
    at_once = images_at_once(str(device), like.shape)
    batches = batches_on(device, data, like, at_once)

    def each() -> Iterator[Said]:
        try:
            for number, batch in enumerate(batches):
                yield say(slice(number * at_once, (number + 1) * at_once), batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise TrainingError(
                "The device ran out of memory; close other programs or load the run on the CPU."
            ) from error

    return each()


def _filled(model: InvariantVAE, images: Tensor, shown: Tensor, known: Tensor | None) -> Tensor:
    """Images (B, C, H, W) whose pixels that were not seen are those that the model draws of the others.

    So the model itself says what a pixel that was not measured is likely to be (Rezende et al., "Stochastic
    backpropagation", arXiv 1401.4082, appendix F); latents and pose then follow from what was seen.
    """
    part = torch.nonzero(~shown.all(2).all(1))[:, 0]
    some, there, given = images[part], shown[part, None], None if known is None else known[part]
    for _ in range(FILLED if len(part) else 0):
        drawn = model.likelihood.mean(model.explain(some, given).logits)
        some = torch.where(there, some, drawn)
    return images.index_copy(0, part, some)
