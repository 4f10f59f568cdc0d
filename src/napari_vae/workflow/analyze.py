"""The whole path in one call: from a micrograph to latents, classes, layers, and a folder of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, Literal

import pandas as pd
import torch

from ..core.arguments import checks_arguments
from ..core.class_colors import MOST_LABELS
from ..core.clusters import cluster
from ..core.device import choose_device, describe_device
from ..core.micrograph import as_micrograph
from ..core.positions import noun_of
from ..core.progress import Stage, drain
from ..core.settings import Level, check_count
from ..io.covariates import check_covariate, with_covariate
from ..models.columns import Names, check_columns, columns_of, name_classes, other_names, read_columns
from ..models.config import ModelConfig, TrainConfig
from ..models.given import Given
from ..patches.patches import Patches, check_window, extract_patches
from ..runs.run import Run
from ..training.fit import iter_fit
from .archive import Analysis
from .atoms import check_grid, place_windows
from .findings import CLASS


@checks_arguments
def analyze(
    micrograph: Any,
    *,
    model: str | ModelConfig = "rvae",
    train: TrainConfig | None = None,
    window: Literal["auto"] | int | tuple[int, int] = "auto",
    n_classes: Literal["auto"] | int = "auto",
    level: Level = "auto",
    detection: dict[str, Any] | None = None,
    atoms: pd.DataFrame | None = None,
    grid: float | str | None = None,
    covariate: Any = None,
    labels: str | Sequence[str] | None = None,
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
    level : {"auto", "none", "plane", "rows", "smooth"}
        Background to subtract from the image before windows are cut out of it; see `extract_patches`.
    detection : dict, optional
        Options of `detect_atoms`, for example ``{"polarity": "dark"}``.
    atoms : DataFrame, optional
        A table of atoms instead of detecting them.
    grid : float or str, optional
        Step of a regular grid of windows instead of atoms: in pixels, or with a unit, such as ``"2nm"``; see
        `grid_positions`.
    covariate : Series, optional
        Of a movie, the temperature, bias, time or dose at every frame; its name becomes a column, along which
        `napari_vae.analysis.change_along` finds changes.
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
    check_grid(grid, atoms)
    check_covariate(covariate, image)
    atoms = place_windows(image, atoms, grid, window, say, **detection or {})
    atoms = atoms if covariate is None else with_covariate(atoms, covariate)
    patches = extract_patches(image, atoms, window=window, level=level, partial=True)
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
    say(Stage("encode", 1.0, f"{len(latents)} {noun_of(atoms)}"))
    settings: dict[str, Any] = {"window": window, "n_classes": n_classes, "level": patches.level}
    settings |= {"detection": detection or {}} | ({} if grid is None else {"grid": grid})
    settings |= {} if covariate is None else {"covariate": str(covariate.name)}
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
    say(Stage("train"))
    known: dict[str, Any] = read_columns(given or Given(), patches.atoms).named()
    job = iter_fit(patches, model, train, **known, **options)
    run = drain(job, lambda progress: say(Stage("train", progress.fraction, progress.message)))
    where = describe_device(torch.device(run.device), advise=train.device == "auto")
    say(Stage("train", 1.0, f"on {where}"))
    return run


def encode_patches(run: Run, patches: Patches, given: Given[Names]) -> pd.DataFrame:
    """Latents of every window, with the condition from the atoms table if the model has one, and names of classes."""
    condition = read_columns(given, patches.atoms).condition
    return name_classes(run.encode(patches, condition=condition), run.scale.names)
