"""The whole path in one call: from a micrograph to latents, classes, layers, and a folder of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..core.micrograph import Micrograph, as_micrograph
from ..core.progress import Stage, drain
from ..core.settings import check_count
from ..models.columns import Names, check_columns, columns_of, name_classes, other_names, read_columns
from ..models.given import Given
from .atoms import find_atoms

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from ..models.config import ModelConfig, TrainConfig
    from ..patches.patches import Patches
    from ..runs.run import Run

CLASS = ("class", "class_name")


@dataclass(frozen=True)
class Analysis:
    """What was found on a micrograph.

    Parameters
    ----------
    micrograph : Micrograph
        The image.
    atoms : DataFrame
        Every detected atom; positions in pixels.
    patches : Patches
        Windows around the atoms that are far enough from the border.
    run : Run
        The trained model.
    latents : DataFrame
        One row per window: the columns of `atoms`, those of `Run.encode`, ``class`` (int) when clustered or found by
        the model, and ``class_name`` where its classes have names. The index is that of `atoms`.
    settings : dict
        What `analyze` was asked for.
    """

    micrograph: Micrograph
    atoms: pd.DataFrame
    patches: Patches
    run: Run
    latents: pd.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def classes(self) -> pd.Series | None:
        """Class of every row of `latents`, or ``None`` when there are none."""
        return self.latents.get("class")

    @property
    def encoded(self) -> pd.DataFrame:
        """The columns of `latents` that the model inferred."""
        return self.latents.drop(columns=[*self.atoms.columns, *CLASS], errors="ignore")

    @cached_property
    def reconstruction(self) -> npt.NDArray[np.float32]:
        """What the model makes of every window, (N, C, H, W) normalised like ``patches.data``."""
        return self.run.reconstruct(self.patches, condition=self.condition)

    @property
    def condition(self) -> npt.NDArray[Any] | None:
        """What a conditional model was given with every window, from the table of atoms."""
        return read_columns(columns_of(condition=self.settings.get("condition")), self.patches.atoms).condition

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of the micrograph without channels: ``(Y, X)`` or ``(T, Y, X)``."""
        return self.micrograph.shape[1:] if self.micrograph.axes == "CYX" else self.micrograph.shape

    def save(self, folder: str | PathLike[str], *, overwrite: bool = False) -> Path:
        """Write tables, images, pictures, the run and ``report.html`` into a folder, all of it or nothing.

        Parameters
        ----------
        folder : path
            Created with its parents.
        overwrite : bool
            Replace an analysis that is already there. A folder of anything else is never replaced.

        Raises
        ------
        InputError
            If the folder holds something that may not be replaced.

        Examples
        --------
        >>> analyze(read("HAADF.dm3")).save("results")  # doctest: +SKIP
        """
        from .archive import save_analysis

        return save_analysis(self, folder, overwrite=overwrite)


def analyze(
    micrograph: Any,
    *,
    model: str | ModelConfig = "rvae",
    train: TrainConfig | None = None,
    window: Literal["auto"] | int | tuple[int, int] = "auto",
    n_classes: Literal["auto"] | int = "auto",
    detection: dict[str, Any] | None = None,
    atoms: pd.DataFrame | None = None,
    labels: str | None = None,
    condition: str | Sequence[str] | None = None,
    targets: str | Sequence[str] | None = None,
    progress: Callable[[Stage], None] | None = None,
) -> Analysis:
    """Detect atoms, train a model on the windows around them, encode every window and group the latents.

    A model with classes of its own (joint, or semi-supervised with labels) groups the windows itself.

    Parameters
    ----------
    micrograph : Micrograph or array
        ``(Y, X)``, ``(T, Y, X)`` or, with ``axes="CYX"``, channels; atoms are detected on the first channel.
    model : str or ModelConfig
        A preset such as ``"rvae"``, or a configuration.
    train : TrainConfig, optional
        How to train.
    window : "auto", int or (int, int)
        Size of the windows in pixels.
    n_classes : "auto" or int
        How many classes to form of the latents; 1 forms none. A model with classes of its own has `n_classes` in its
        configuration.
    detection : dict, optional
        Options of `detect_atoms`, for example ``{"polarity": "dark"}``.
    atoms : DataFrame, optional
        A table of atoms instead of detecting them.
    labels, condition, targets : str or sequence of str, optional
        Columns of `atoms` for models that learn from them; see `fit`.
    progress : callable, optional
        Called with a `Stage` as the work goes on.

    Returns
    -------
    Analysis

    Raises
    ------
    InputError
        If the image, the options or what was detected cannot be used; the message names the remedy.
    TrainingError
        If training breaks off.

    Examples
    --------
    >>> import napari_vae as nv
    >>> image, _ = nv.samples.micrograph("graphene", size=256)  # doctest: +SKIP
    >>> nv.analyze(image).latents[["y", "x", "z1", "angle", "class"]]  # doctest: +SKIP
    """
    from ..core.class_colors import MOST_LABELS
    from ..core.clusters import cluster
    from ..core.device import choose_device
    from ..models.config import ModelConfig, TrainConfig
    from ..patches.patches import check_window, extract_patches

    say = progress or (lambda stage: None)
    image = as_micrograph(micrograph)
    config = ModelConfig.preset(model) if isinstance(model, str) else model
    training = train or TrainConfig()
    choose_device(training.device)  # a device that is not there is refused before the detection
    if not isinstance(window, str) or window != "auto":
        check_window(window, image.shape)
    check_count("n_classes", n_classes, MOST_LABELS)
    given = columns_of(labels, condition, targets)
    check_columns(given, config, atoms)
    if atoms is None:
        atoms = find_atoms(image, detection or {}, say)
    patches = extract_patches(image, atoms, window=window)
    check_count("n_classes", n_classes, len(patches))  # before the training, not after it
    run = train_model(patches, config, training, say, given)
    say(Stage("encode"))
    encoded = encode_patches(run, patches, given)
    if n_classes != 1 and not run.model_config.infers_classes:
        encoded["class"] = cluster(encoded, n=n_classes)
    results = encoded.columns.union(list(CLASS))
    renamed = other_names(patches.atoms, results)
    patches = replace(patches, atoms=patches.atoms.rename(columns=renamed))
    latents = patches.atoms.join(encoded)
    say(Stage("encode", 1.0, f"{len(latents)} atoms"))
    settings: dict[str, Any] = {"window": window, "n_classes": n_classes, "detection": detection or {}}
    settings |= given.map(lambda names: tuple(renamed.get(name, name) for name in names)).named()
    settings |= {"model": asdict(config), "training": asdict(training)}
    return Analysis(image, atoms.rename(columns=renamed), patches, run, latents, settings)


def train_model(
    patches: Patches,
    model: ModelConfig,
    train: TrainConfig,
    say: Callable[[Stage], None],
    given: Given[Names] | None = None,
    **options: Any,
) -> Run:
    """Train a model, with what is given of the atoms and options of `fit`, saying how far it is."""
    from ..training.fit import iter_fit

    say(Stage("train"))
    known: dict[str, Any] = read_columns(given or Given(), patches.atoms).named()
    job = iter_fit(patches, model, train, **known, **options)
    run = drain(job, lambda progress: say(Stage("train", progress.fraction, progress.message)))
    say(Stage("train", 1.0, f"on {run.device}"))
    return run


def encode_patches(run: Run, patches: Patches, given: Given[Names]) -> pd.DataFrame:
    """Latents of every window, with the condition from the atoms table if the model has one, and names of classes."""
    condition = read_columns(given, patches.atoms).condition
    return name_classes(run.encode(patches, condition=condition), run.scale.names)
