"""A trained model with everything needed to apply it again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from .device import choose_device, is_out_of_memory
from .errors import InputError, ReadError, TrainingError
from .folders import replace_folder
from .models.config import ModelConfig, TrainConfig
from .models.images import as_given, model_images
from .models.pose import Pose, wrap
from .models.vae import Explanation, InvariantVAE, decode_manifold
from .normalization import Normalization

if TYPE_CHECKING:
    from .patches import Patches

FORMAT = 1
MARKER = "run.json"
BATCH = 100


class Run:
    """A trained model, how it was trained, and what 0 and 1 mean to it.

    Made by `fit` or `load_run`.

    Attributes
    ----------
    model_config, train_config : ModelConfig, TrainConfig
    normalization : Normalization
        Limits of the training data, used for arrays; `Patches` bring their own.
    history : DataFrame
        One row per evaluation, see `Progress`.
    latent_range : list of [low, high]
        Where 98 % of the training images lie along each latent.
    usual_elbo : list of float
        The 5 and 50 percentiles of the ELBO of images like those of the training, in nats.
    stopped : bool
        Whether the user ended the training early.
    provenance : dict
        Hash and calibration of the data, versions, date.
    """

    def __init__(
        self,
        model: InvariantVAE,
        *,
        train_config: TrainConfig,
        normalization: Normalization,
        history: list[dict[str, Any]] | pd.DataFrame,
        latent_range: list[list[float]],
        usual_elbo: list[float],
        stopped: bool,
        provenance: dict[str, Any],
    ) -> None:
        self._model = model.eval().requires_grad_(False)
        self.train_config, self.normalization = train_config, normalization
        self.history = pd.DataFrame(history)
        self.latent_range, self.usual_elbo = latent_range, usual_elbo
        self.stopped, self.provenance = stopped, provenance

    @property
    def model_config(self) -> ModelConfig:
        """What the model looks for."""
        return self._model.config

    @property
    def window(self) -> tuple[int, int]:
        """Rows and columns of the images, in pixels."""
        return self._model.size

    @property
    def n_channels(self) -> int:
        """Channels of the images."""
        return self._model.channels

    @property
    def device(self) -> str:
        """Where the model lives and computes."""
        return str(next(self._model.parameters()).device)

    def encode(self, data: Patches | npt.ArrayLike) -> pd.DataFrame:
        """Latents and pose of every image.

        Parameters
        ----------
        data : Patches or array (N, H, W) or (N, C, H, W)
            Images of the size that the model was trained on.

        Returns
        -------
        DataFrame
            One row per image, with the index of ``data.atoms`` for `Patches`. ``z1``, ``z1_sd``, …; as the model has
            them ``angle`` (degrees, counter-clockwise on screen, in (−180, 180]), ``shift_y``, ``shift_x`` (screen, in
            pixels), ``scale``, ``strain_xx``, ``strain_xy`` (in the object's frame), each with its ``…_sd``;
            ``screen_strain_xx``, ``screen_strain_xy``; ``elbo`` (nats) and ``reconstruction_error`` (mean squared
            difference of pixels in [0, 1]).

        Raises
        ------
        InputError
            If the images do not fit the model.
        """
        return self.describe(data)[0]

    def reconstruct(self, data: Patches | npt.ArrayLike) -> npt.NDArray[np.float32]:
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
        return self.describe(data)[1]

    def describe(self, data: Patches | npt.ArrayLike) -> tuple[pd.DataFrame, npt.NDArray[np.float32]]:
        """What `encode` and `reconstruct` return, from one look at the images.

        Raises
        ------
        InputError
            If the images do not fit the model.
        """
        tables, parts = [], [np.empty((0, self.n_channels, *self.window), np.float32)]
        for images, told in self._explain(data):
            mean = self._model.likelihood.mean(told.logits)
            tables.append(_latent_table(told) | {"reconstruction_error": ((mean - images) ** 2).mean((1, 2, 3))})
            parts.append(mean.cpu().numpy())
        columns = {name: torch.cat([t[name] for t in tables]).cpu().numpy() for name in tables[0]} if tables else {}
        table = pd.DataFrame(columns, index=data.atoms.index if hasattr(data, "atoms") else None)
        rebuilt = np.concatenate(parts)
        if not hasattr(data, "normalization"):
            rebuilt = self.normalization.undo(rebuilt)
        return table, as_given(rebuilt, data)

    @torch.no_grad()
    def decode(
        self,
        z: npt.ArrayLike,
        *,
        angle: npt.ArrayLike = 0,
        shift: npt.ArrayLike = (0, 0),
        scale: npt.ArrayLike = 1,
        strain: npt.ArrayLike = (0, 0),
    ) -> npt.NDArray[np.float32]:
        """Images of latents, drawn in any pose.

        Parameters
        ----------
        z : array (N, k) or (k,)
            Latents.
        angle : float or (N,)
            Degrees, counter-clockwise on screen.
        shift : (2,) or (N, 2)
            Screen shift (row, column) in pixels.
        scale : float or (N,)
            Larger than 1 is larger.
        strain : (2,) or (N, 2)
            ``(strain_xx, strain_xy)`` in the object's frame.

        Returns
        -------
        array (N, C, H, W), or (N, H, W) for one channel
            Pixels in [0, 1].

        Raises
        ------
        InputError
            If the shapes do not fit, or a scale is not positive.
        """
        latents = np.atleast_2d(np.array(z, dtype=np.float32))
        if latents.ndim != 2 or latents.shape[1] != self.model_config.latent_dim:
            raise InputError(f"This model has {self.model_config.latent_dim} latents; z must be (N, that many).")
        pose = _pose_of(len(latents), angle, shift, scale, strain)
        device = torch.device(self.device)
        parts = []
        for start in range(0, len(latents), BATCH):
            rows = slice(start, start + BATCH)
            canonical = self._model.decoder(torch.from_numpy(latents[rows]).to(device))
            part = Pose(*(v[rows].to(device) for v in (pose.angle, pose.shift, pose.log_scale, pose.strain)))
            parts.append(self._model.likelihood.mean(self._model.draw(canonical, part))[:, 0].cpu().numpy())
        images = np.concatenate(parts)
        return images[:, 0] if self.n_channels == 1 else images

    def manifold(self, n: int = 9, *, axes: tuple[int, int] = (0, 1)) -> npt.NDArray[np.float32]:
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
        if n < 1 or not 0 <= min(first, second) <= max(first, second) < dims:
            raise InputError(f"Axes must be two of the {dims} latents, counted from 0, and n at least 1.")
        images = decode_manifold(self._model, self.latent_range, n, (first, second))
        return images[:, :, 0] if self.n_channels == 1 else images

    def save(self, folder: str | Path) -> Path:
        """Write the run to a folder: ``run.json``, ``weights.safetensors``, ``history.csv``; whole or not at all.

        Raises
        ------
        InputError
            If the folder holds something that is not a run.
        """
        settings = {
            "format": FORMAT,
            "model": self.model_config.to_dict(),
            "train": self.train_config.to_dict(),
            "channels": self.n_channels,
            "window": list(self.window),
            "normalization": self.normalization.to_dict(),
            "latent_range": self.latent_range,
            "usual_elbo": self.usual_elbo,
            "stopped": self.stopped,
            "provenance": self.provenance,
        }
        with replace_folder(folder, MARKER) as new:
            save_file(self.state(), new / "weights.safetensors")
            self.history.to_csv(new / "history.csv", index=False)
            (new / MARKER).write_text(json.dumps(settings, indent=2))
        return Path(folder)

    def state(self) -> dict[str, torch.Tensor]:
        """Weights by name, on the CPU."""
        return {name: value.cpu().contiguous() for name, value in self._model.state_dict().items()}

    def __repr__(self) -> str:
        height, width = self.window
        return f"<Run {self.model_config.name}, {self.model_config.latent_dim} latents, {height} × {width} px>"

    def _explain(self, data: Patches | npt.ArrayLike) -> Iterator[tuple[torch.Tensor, Explanation]]:
        images = model_images(data, self.n_channels, self.window, self.normalization)
        try:
            for start in range(0, len(images), BATCH):
                batch = torch.from_numpy(images[start : start + BATCH]).to(self.device)
                yield batch, self._model.explain(batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise TrainingError(
                "The device ran out of memory; close other programs or load the run on the CPU."
            ) from error


def load_run(folder: str | Path, *, device: str = "auto") -> Run:
    """Read a run that `Run.save` wrote. Nothing in the folder can execute code.

    Raises
    ------
    ReadError
        If the folder holds no run, a damaged one, or one of a newer version.
    """
    folder = Path(folder)
    if not (folder / MARKER).is_file():
        raise ReadError(f"{folder} is not the folder of a run: it has no {MARKER}.")
    chosen = choose_device(device)
    try:
        settings = json.loads((folder / MARKER).read_text())
        if settings["format"] > FORMAT:
            raise ReadError(f"{folder} was written by a newer version; update napari-vae.")
        config = ModelConfig.from_dict(settings["model"])
        with torch.device("meta"):  # nothing is drawn from the global random numbers
            model = InvariantVAE(config, settings["channels"], tuple(settings["window"]))
        model.load_state_dict(load_file(folder / "weights.safetensors"), assign=True)
        return Run(
            model.to(chosen),
            train_config=TrainConfig.from_dict(settings["train"]),
            normalization=Normalization.from_dict(settings["normalization"]),
            history=pd.read_csv(folder / "history.csv"),
            latent_range=settings["latent_range"],
            usual_elbo=settings["usual_elbo"],
            stopped=settings["stopped"],
            provenance=settings["provenance"],
        )
    except ReadError:
        raise
    except Exception as error:
        raise ReadError(
            f"The run in {folder} is damaged ({type(error).__name__}); train again or use a copy."
        ) from error


def _latent_table(told: Explanation) -> dict[str, torch.Tensor]:
    """Columns of the latent table, without the reconstruction error."""
    mean, sd = told.posterior.mean, torch.exp(0.5 * told.posterior.log_var)
    table: dict[str, torch.Tensor] = {}
    for i in range(mean.shape[1]):
        table |= {f"z{i + 1}": mean[:, i], f"z{i + 1}_sd": sd[:, i]}
    pose, spread = told.pose, told.pose_sd
    if "rotation" in spread:
        table["angle"] = torch.rad2deg(wrap(pose.angle[:, 0]))
        table["angle_sd"] = torch.rad2deg(spread["rotation"][:, 0])
    if "translation" in spread:
        for name, axis in (("shift_y", 1), ("shift_x", 0)):
            table |= {name: pose.shift[:, 0, axis], f"{name}_sd": spread["translation"][:, axis]}
    if "scale" in spread:
        scale = torch.exp(pose.log_scale[:, 0])
        table |= {"scale": scale, "scale_sd": scale * spread["scale"][:, 0]}
    if "strain" in spread:
        for name, axis in (("strain_xx", 0), ("strain_xy", 1)):
            table |= {name: pose.strain[:, 0, axis], f"{name}_sd": spread["strain"][:, axis]}
        screen = pose.screen_strain()[:, 0]
        table |= {"screen_strain_xx": screen[:, 0], "screen_strain_xy": screen[:, 1]}
    table["elbo"] = -told.evidence.free_energy()
    return table


def _pose_of(n: int, angle: npt.ArrayLike, shift: npt.ArrayLike, scale: npt.ArrayLike, strain: npt.ArrayLike) -> Pose:
    """Pose (n, 1) from degrees, screen (row, column) shifts, scales and strains, one or n of each."""

    def rows(values: npt.ArrayLike, name: str, *shape: int) -> npt.NDArray[np.float32]:
        array = np.asarray(values, dtype=np.float32)
        try:
            return np.broadcast_to(array, (n, *shape)).copy()
        except ValueError:
            raise InputError(f"{name} must be one for all or one for each of the {n} latents.") from None

    scales, shifts = rows(scale, "scale"), rows(shift, "shift", 2)
    if not (scales > 0).all():
        raise InputError("A scale must be above 0; 1 leaves the size as it is.")
    return Pose(
        torch.from_numpy(np.deg2rad(rows(angle, "angle")))[:, None],
        torch.from_numpy(shifts[:, None, ::-1].copy()),
        torch.from_numpy(np.log(scales))[:, None],
        torch.from_numpy(rows(strain, "strain", 2))[:, None],
    )
