"""A trained model with everything needed to apply it again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from ..core.arguments import checks_arguments
from ..core.arrays import as_numbers
from ..core.device import choose_device
from ..core.errors import InputError
from ..core.normalization import Normalization
from ..core.settings import Count, Level, Whole, about, allowed
from ..core.square import SQUARE, pixel_sides
from ..models.columns import check_redraws
from ..models.config import ModelConfig, TrainConfig
from ..models.decoders import pose_of
from ..models.encoder_decoder import EncoderDecoder
from ..models.given import Given, Scale, encoding_given, one_row
from ..models.images import Like, as_given
from ..models.manifold import decode_manifold
from ..models.model import Model
from ..models.vae import InvariantVAE
from ..patches.patches import Patches
from .explaining import described, explained, images_at_once, predicted
from .folder import read_run, write_run


class Run:
    """A trained model, how it was trained, and what 0 and 1 mean to it.

    Made by `fit` or `load_run`.

    Attributes
    ----------
    model_config, train_config : ModelConfig, TrainConfig
    normalization : Normalization
        Limits of the training data, used for arrays; `Patches` bring their own.
    scale : Scale
        What given classes or numbers mean to the model.
    history : DataFrame
        One row per evaluation, see `Progress`.
    latent_range : list of [low, high]
        Where 98 % of the training images lie along each latent.
    usual_elbo : list of float
        The 5 and 50 percentiles of the ELBO of images like those of the training, in nats.
    stopped : bool
        Whether the user ended the training early.
    note : str
        What to know of how the training ended; empty if it went well.
    provenance : dict
        Hash and calibration of the data, versions, date.
    """

    def __init__(
        self,
        model: Model,
        *,
        train_config: TrainConfig,
        normalization: Normalization,
        scale: Scale,
        history: list[dict[str, Any]] | pd.DataFrame,
        latent_range: list[list[float]],
        usual_elbo: list[float],
        stopped: bool,
        provenance: dict[str, Any],
        note: str = "",
    ) -> None:
        self._model = model.eval().requires_grad_(False)
        self.train_config, self.normalization, self.scale = train_config, normalization, scale
        self.history = pd.DataFrame(history)
        self.latent_range, self.usual_elbo = latent_range, usual_elbo
        self.stopped, self.provenance, self.note = stopped, provenance, note

    @property
    def model_config(self) -> ModelConfig:
        """What the model looks for."""
        return self._model.config

    @property
    def window(self) -> tuple[int, int]:
        """Rows and columns of the images, in pixels."""
        return self._model.size

    @property
    def levels(self) -> list[list[float]] | None:
        """How intensities spread in the training, for `extract_patches` of other images; ``None`` if not known."""
        return self.provenance.get("levels")

    @property
    def level(self) -> Level:
        """What was taken from the images of the training as background, for `extract_patches` of other images."""
        known: Level = self.provenance.get("level", "none")
        return known

    @property
    def n_channels(self) -> int:
        """Channels of the images."""
        return self._model.channels

    @property
    def takes(self) -> Like:
        """Shape of the images that the model takes (channels, rows, columns), and what 0 and 1 stand for."""
        return Like((self.n_channels, *self.window), self.normalization)

    @property
    def cutting(self) -> dict[str, Any]:
        """How windows are cut as those of the training were: window, level and square of `extract_patches`.

        Earlier versions left oblong pixels as they were.
        """
        square = pixel_sides(self.provenance.get("pixel_size")) == SQUARE
        return {"window": self.window, "level": self.level, "square": square}

    @property
    def symmetry(self) -> int:
        """Order n of the motif's symmetry: angles are given modulo 360°/n; 1 if there is none."""
        return self._model.symmetry

    @property
    def device(self) -> str:
        """Where the model lives and computes."""
        return str(next(self._model.parameters()).device)

    @property
    def _at_once(self) -> int:
        """Images that are looked at at once."""
        return images_at_once(self.device, self.takes.shape)

    @checks_arguments
    def encode(
        self,
        data: Patches | npt.ArrayLike,
        *,
        labels: npt.ArrayLike | None = None,
        condition: npt.ArrayLike | None = None,
    ) -> pd.DataFrame:
        """Latents and pose of every image.

        Parameters
        ----------
        data : Patches or array (N, H, W) or (N, C, H, W)
            Images of the size that the model was trained on.
        labels : array (N,) of int, optional
            For semi-supervised and joint models: classes that are known, −1 where not; they are taken as they are.
        condition : array (N,) of int or (N, d)
            For conditional models: the class, or numbers, of every image.

        Returns
        -------
        DataFrame
            One row per image, with the index of ``data.atoms`` for `Patches`. ``z1``, ``z1_sd``, …; as the model has
            them ``angle`` (degrees, counter-clockwise on screen, in (−180, 180], of n-fold symmetric motifs in
            (−180/n, 180/n]), ``shift_y``, ``shift_x`` (screen, in pixels), ``scale``, ``strain_xx``, ``strain_xy`` (in
            the object's frame), each with its ``…_sd``; ``screen_strain_xx``, ``screen_strain_xy``; ``mirror`` (0
            or 1; NaN where a motif is its own mirror image) and ``mirror_probability``, that it is 1; ``class``,
            ``class_probability`` and ``class_entropy`` (nats); ``target`` and ``target_sd`` (``target1`` … if
            several); ``elbo`` (nats) and ``reconstruction_error`` (mean squared difference of pixels in [0, 1]); an
            encoder-decoder has latents alone. Of `Patches` with windows that were measured in part also ``seen``, the
            share that was; these have no ``elbo``.

        Raises
        ------
        InputError
            If the images do not fit the model.
        """
        if isinstance(self._model, EncoderDecoder):
            encoding_given(self.model_config, self.scale, 0, Given(labels, condition))  # which takes none
            return self._table(data, described(self._model, data, self.takes))
        return self._table(data, (table for table, _ in self._explained(data, labels, condition)))

    @checks_arguments
    def predict(self, data: Patches | npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """What belongs to every image, such as its spectrum, by an encoder-decoder.

        Parameters
        ----------
        data : Patches or array (N, H, W), (N, C, H, W) or (N, L)
            Images or signals of the size that the model was trained on.

        Returns
        -------
        mean, sd : array (N, …)
            Shaped and in units like the `outputs` of `fit`: the expected values, and the standard deviations of
            measured ones about them. Nine in ten lie within 1.645 of these, as among images that were held out. NaN for
            windows of `Patches` that were measured in part.

        Raises
        ------
        InputError
            If the model predicts nothing, or the images do not fit it.
        """
        if not isinstance(self._model, EncoderDecoder):
            raise InputError('This model was trained without outputs; train one of kind="encoder-decoder" with them.')
        parts = [torch.stack(pair).cpu().numpy() for pair in predicted(self._model, data, self.takes)]
        mean, sd = np.concatenate([np.empty((2, 0, self.scale.n), np.float32), *parts], axis=1)
        return self._drawn(mean), (sd * np.array(self.scale.spread)).reshape(-1, *self.scale.shape)

    def reconstruct(
        self,
        data: Patches | npt.ArrayLike,
        *,
        labels: npt.ArrayLike | None = None,
        condition: npt.ArrayLike | None = None,
    ) -> npt.NDArray[np.float32]:
        """What the model makes of every image, each in its own pose.

        Returns
        -------
        array
            Shaped like `data`. For an array in its own units; for `Patches` like ``data.data``, in [0, 1].

        Raises
        ------
        InputError
            If the images do not fit the model.
        """
        return self._images(data, [images.cpu().numpy() for _, images in self._explained(data, labels, condition)])

    def describe(
        self,
        data: Patches | npt.ArrayLike,
        *,
        labels: npt.ArrayLike | None = None,
        condition: npt.ArrayLike | None = None,
    ) -> tuple[pd.DataFrame, npt.NDArray[np.float32]]:
        """What `encode` and `reconstruct` return, from one look at the images.

        Raises
        ------
        InputError
            If the images do not fit the model.
        """
        explained = [(table, images.cpu().numpy()) for table, images in self._explained(data, labels, condition)]
        return self._table(data, (table for table, _ in explained)), self._images(
            data, [images for _, images in explained]
        )

    @torch.no_grad()
    def decode(
        self,
        z: npt.ArrayLike,
        *,
        label: npt.ArrayLike | None = None,
        condition: npt.ArrayLike | None = None,
        **pose: npt.ArrayLike,
    ) -> npt.NDArray[np.float32]:
        """Images of latents, drawn in any pose.

        Parameters
        ----------
        z : array (N, k) or (k,)
            Latents.
        label : int or (N,), optional
            For models with classes: what to draw; class 0 if not given.
        condition : (d,) or (N, d), optional
            For models with numbers: what to draw; their mean over the training images if not given.
        **pose
            One for all or N of each: ``angle`` (degrees, counter-clockwise on screen), ``shift`` (row, column; pixels
            on screen), ``scale`` (above 1 is larger), ``strain`` (``strain_xx, strain_xy`` in the object's frame),
            ``mirror`` (1 draws the mirror image); what is not given changes nothing.

        Returns
        -------
        array (N, C, H, W), or (N, H, W) for one channel
            Pixels in [0, 1]; of an encoder-decoder (N, …), what it predicts.

        Raises
        ------
        InputError
            If the shapes do not fit, or a scale is not positive.
        """
        latents = np.atleast_2d(as_numbers(z, "latents").astype(np.float32))
        if latents.ndim != 2 or latents.shape[1] != self.model_config.latent_dim or not np.isfinite(latents).all():
            raise InputError(
                f"This model has {self.model_config.latent_dim} latents; z must be (N, that many), finite."
            )
        if self.scale.shape and pose:
            raise InputError("What this model predicts has no pose; leave it out.")
        drawn_in = pose_of(len(latents), pose)
        y = one_row(self.scale, label, condition, len(latents))
        device, parts = torch.device(self.device), []
        for start in range(0, len(latents), self._at_once):
            rows = slice(start, start + self._at_once)
            part = drawn_in.rows(rows).to(device)
            z_part, y_part = (torch.from_numpy(v[rows]).to(device) for v in (latents, y))
            logits = self._model.draw(z_part, y_part, part)
            parts.append(self._model.likelihood.mean(logits)[:, 0].cpu().numpy())
        return self._drawn(np.concatenate(parts))

    @checks_arguments
    def manifold(
        self,
        n: Count = 9,
        *,
        label: int | None = None,
        condition: npt.ArrayLike | None = None,
        axes: tuple[int, int] = (0, 1),
    ) -> npt.NDArray[np.float32]:
        """Upright images over a grid of two latents, across the range of the training images.

        Returns
        -------
        array (n, n, H, W), or (n, n, C, H, W) for several channels
            Pixels in [0, 1]. Rows follow ``axes[1]`` from large to small, columns ``axes[0]`` from small to large. A
            model with one latent varies along the columns only.

        Raises
        ------
        InputError
            If an axis is not one of the latents or `n` is not positive.
        """
        dims = self.model_config.latent_dim
        first, second = axes if dims > 1 else (0, 0)
        if not allowed([first, second], tuple[Annotated[Whole, about(ge=0, lt=dims)], ...]):
            raise InputError(f"Axes must be two of the {dims} latents, counted from 0.")
        y = torch.from_numpy(one_row(self.scale, label, condition, 1)[0])
        images = decode_manifold(self._model, self.latent_range, n, (first, second), y)
        drawn = self._drawn(images.reshape(-1, *images.shape[2:]))
        return drawn.reshape(*images.shape[:2], *drawn.shape[1:])

    @checks_arguments
    def save(self, folder: str | PathLike[str]) -> Path:
        """Write the run to a folder: ``run.json``, ``weights.safetensors``, ``history.csv``; whole or not at all.

        Raises
        ------
        InputError
            If the folder holds something that is not a run.
        """
        settings = {
            "model": self.model_config.to_dict(),
            "train": self.train_config.to_dict(),
            "channels": self.n_channels,
            "window": list(self.window),
            "normalization": self.normalization.to_dict(),
            "scale": asdict(self.scale),
            "latent_range": self.latent_range,
            "usual_elbo": self.usual_elbo,
            "stopped": self.stopped,
            "note": self.note,
            "provenance": self.provenance,
        }
        return write_run(folder, settings, self.state(), self.history)

    def state(self) -> dict[str, torch.Tensor]:
        """Weights by name, on the CPU."""
        return {name: value.cpu().contiguous() for name, value in self._model.state_dict().items()}

    def __repr__(self) -> str:
        height, width = self.window
        return f"<Run {self.model_config.name}, {self.model_config.latent_dim} latents, {height} × {width} px>"

    def _explained(
        self, data: Patches | npt.ArrayLike, labels: npt.ArrayLike | None, condition: npt.ArrayLike | None
    ) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
        """Columns and reconstructions, batch by batch."""
        check_redraws(self.model_config)
        assert isinstance(self._model, InvariantVAE)
        all_rows: Any = data.atoms if hasattr(data, "atoms") else data
        n = all_rows.shape[0] if hasattr(all_rows, "shape") else len(all_rows)  # an array of zarr has no length
        given = encoding_given(self.model_config, self.scale, n, Given(labels, condition))
        return explained(self._model, self.scale, data, self.takes, given)

    def _drawn(self, values: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """What the model draws, (N, C, H, W) or (N, n), as callers see it: without a single channel, or as outputs."""
        if self.scale.shape:
            return self.scale.undo(values.reshape(len(values), -1)).reshape(-1, *self.scale.shape)
        return values[:, 0] if self.n_channels == 1 else values

    def _table(self, data: Patches | npt.ArrayLike, parts: Iterator[dict[str, torch.Tensor]]) -> pd.DataFrame:
        tables = [{name: values.cpu().numpy() for name, values in part.items()} for part in parts]
        columns = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]} if tables else {}
        return pd.DataFrame(columns, index=data.atoms.index if hasattr(data, "atoms") else None)

    def _images(self, data: Patches | npt.ArrayLike, parts: list[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        rebuilt = np.concatenate([np.empty((0, self.n_channels, *self.window), np.float32), *parts])
        if not hasattr(data, "normalization"):
            rebuilt = self.normalization.undo(rebuilt)
        return as_given(rebuilt, data)


@checks_arguments
def load_run(folder: str | PathLike[str], *, device: str | torch.device = "auto") -> Run:
    """Read a run that `Run.save` wrote. Nothing in the folder can execute code.

    Raises
    ------
    ReadError
        If the folder holds no run, a damaged one, or one of a newer version.
    """
    return Run(**read_run(folder, choose_device(device)))
