"""Training: a generator of progress events, and the same without them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..core.arguments import checks_arguments
from ..core.device import choose_device, describe_device, is_card_lost, is_out_of_memory
from ..core.errors import InputError, TrainingError
from ..core.progress import Progress, drain, never
from ..core.provenance import describe_data
from ..models.config import ModelConfig, TrainConfig
from ..models.given import Given, training_given
from ..models.images import choose_likelihood, training_images
from ..patches.patches import Patches
from ..runs.run import Run
from .checkpoint import Checkpoint, is_kept, with_batch_size_kept
from .prediction import PredictionSession
from .processes import ALONE, Group
from .session import PREPARING, Session


@checks_arguments
def fit(
    data: Patches | npt.ArrayLike,
    model: ModelConfig | None = None,
    train: TrainConfig | None = None,
    *,
    labels: npt.ArrayLike | None = None,
    condition: npt.ArrayLike | None = None,
    targets: npt.ArrayLike | None = None,
    outputs: npt.ArrayLike | None = None,
    start: Run | None = None,
    group: Group = ALONE,
    callback: Callable[[Progress], None] | None = None,
) -> Run:
    """Train a model on patches and return it as a `Run`.

    Parameters
    ----------
    data : Patches or array (N, H, W) or (N, C, H, W)
        At least 20 images; of `Patches` only whole windows are learnt from. Values outside [0, 1] are normalised by
        robust percentiles that the run keeps. Integers stay what they are until a batch is learnt from. A dask, zarr
        or HDF5 array for which there is little memory is read batch by batch; see `open_stack`.
    model : ModelConfig, optional
        Which model; by default a plain VAE.
    train : TrainConfig, optional
        How long, on what device, with which seed.
    labels : array (N,) of int or str, optional
        For semi-supervised models: the class of each image, −1 or blank where it is not known.
    condition : array (N,) of int or str, or (N, d) of float, optional
        For conditional models: the class, or numbers, of every image.
    targets : array (N,) or (N, d), optional
        For semi-supervised models: numbers, NaN where they are not known.
    outputs : array (N, L), (N, H, W) or any (N, …), optional
        For encoder-decoders: the spectrum or image that belongs to each, NaN where it is not known; at most 10 000
        numbers each. `Run.predict` predicts them.
    start : Run, optional
        A trained model to go on from; its configuration is kept, so leave `model` out.
    group : Group, optional
        Processes that train together, each called with the same arguments; see `joined`.
    callback : callable, optional
        Called with a `Progress` several times a second.

    Returns
    -------
    Run

    Raises
    ------
    InputError
        If the data cannot be used; before any work.
    TrainingError
        If the device runs out of memory or the loss diverges.

    Examples
    --------
    >>> from napari_vae import ModelConfig, TrainConfig, fit, samples
    >>> cards = samples.cards(50)
    >>> run = fit(cards.images, ModelConfig.preset("rvae"), TrainConfig(epochs=1))
    >>> run.encode(cards.images).columns.tolist()[:3]
    ['z1', 'z1_sd', 'z2']
    """
    given: dict[str, Any] = {"labels": labels, "condition": condition, "targets": targets, "outputs": outputs}
    return drain(iter_fit(data, model, train, **given, start=start, group=group), callback)


@checks_arguments
@torch.inference_mode(False)  # within `no_grad` too there is something to learn
def iter_fit(
    data: Patches | npt.ArrayLike,
    model: ModelConfig | None = None,
    train: TrainConfig | None = None,
    *,
    labels: npt.ArrayLike | None = None,
    condition: npt.ArrayLike | None = None,
    targets: npt.ArrayLike | None = None,
    outputs: npt.ArrayLike | None = None,
    start: Run | None = None,
    group: Group = ALONE,
    stop: Callable[[], bool] | None = None,
) -> Generator[Progress, None, Run]:
    """Train as `fit` does, as a generator of progress events that returns the `Run`.

    Parameters
    ----------
    data, model, train, labels, condition, targets, outputs, start, group
        As in `fit`.
    stop : callable, optional
        Asked after every step; when it says True, training ends and what was learnt so far is returned.

    Yields
    ------
    Progress
        About every 0.2 s, and after each evaluation.

    Raises
    ------
    InputError, TrainingError
        As in `fit`.
    """
    model, train = model or (ModelConfig() if start is None else start.model_config), train or TrainConfig()
    if start is not None and model != start.model_config:
        raise InputError("A training that goes on keeps its model; leave out `model`, or train anew without `start`.")
    known: Given[Any] = Given(labels, condition, targets, outputs)
    if isinstance(data, Patches) and len(data.whole) < len(data):
        whole, n = data.whole, len(data)
        data, known = data.rows(whole), known.map(lambda v: np.asarray(v)[whole] if len(v) == n else v)
    images, limits = training_images(data, None if start is None else start.takes)
    if images.shape[2] == 1 and not set(model.invariances) <= {"translation"}:
        raise InputError("Signals can be shifted only; leave out other invariances, as the models vae and tvae do.")
    model, scale, given = training_given(model, len(images), known, None if start is None else start.scale)
    if model.likelihood == "auto":
        pixels_only = not model.knows.predicts
        model = replace(model, likelihood=choose_likelihood(data, limits) if pixels_only else "gaussian")
    device = choose_device(group.device or train.device)
    if device.type != "cpu":
        yield Progress(0, 0, 0, 0, None, describe_device(device), PREPARING)
    try:
        with ThreadPoolExecutor(1) as beside:  # while the images go to the device
            digest = beside.submit(images.digest)
            if images.is_lazy:  # a file is read by one at a time
                digest.result()
            session = (PredictionSession if model.knows.predicts else Session)(
                images,
                model,
                with_batch_size_kept(train),
                device,
                limits=limits,
                given=given,
                n_given=scale.n,
                before=start,
                group=group,
            )
        about = describe_data(data, len(images), digest.result())
        group.check_same(digest.result())
        checkpoint = Checkpoint.attach(session, digest.result(), given, train, start)
        stopped = yield from session.run(stop or never, checkpoint.keep)
        if not stopped:
            checkpoint.discard()
        return Run(
            session.model,
            train_config=train,
            normalization=limits,
            scale=scale,
            history=session.history,
            latent_range=session.latent_range,
            usual_elbo=session.usual_elbo(),
            stopped=stopped,
            note=" ".join(filter(None, (session.note, checkpoint.note))),
            provenance=about,
        )
    except (RuntimeError, MemoryError) as error:  # a generator worker would swallow a RuntimeError
        raise TrainingError(_why(error, train, device)) from error


def _why(error: Exception, train: TrainConfig, device: torch.device) -> str:
    """Why a training broke off, and what to do."""
    if is_out_of_memory(error):
        return (
            "The device ran out of memory; choose a smaller window or batch size, close other programs, "
            "or train on the CPU."
        )
    if is_card_lost(error):
        later = "train again, which goes on from the checkpoint" if is_kept(train.checkpoint) else "train again"
        return f"The graphics card stopped computing; start the program anew and {later}, or train on the CPU."
    if isinstance(error, NotImplementedError):
        return f"This PyTorch cannot train it on {describe_device(device)}; install a newer one, or train on the CPU."
    return f"Training broke off: {error}"
