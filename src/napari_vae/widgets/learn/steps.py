"""The steps of active learning, run in a thread: nothing here touches a layer or a widget."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...core.errors import InputError
from ...layers.learning import Candidates
from ...layers.points import KEY
from ...layers.targets import LayerTarget, Target
from ...learning.explore.stopping import Stopping
from ...patches.patches import Patches, extract_patches
from ..common.data_form import MINIMUM, Source
from ..common.jobs import Step, import_torch, spare_core
from .features_form import Features
from .session import Session, Snapshot
from .target_form import Purpose

Stop = Callable[[], bool]
ALL_DONE = "Every place was measured or tried, so there is nothing left to suggest."


@dataclass(frozen=True, eq=False)
class SetUp:
    """Everything that an exploration begins with, taken on the main thread.

    Parameters
    ----------
    source : Source
        Images and places.
    window : int or (int, int)
        In pixels.
    features : Features
        What describes the places.
    target : Target, LayerTarget or None
        Values at all places of the source, a layer to be read under them, or typed in.
    purpose : Purpose
    start : int or tuple of int
        First measurements: how many, or rows of the source.
    model : dict
        Arguments of `DeepKernelGP`.
    settings : dict
        Other arguments of `Exploration`.
    """

    source: Source
    window: int | tuple[int, int]
    features: Features
    target: Target | LayerTarget | None
    purpose: Purpose
    start: int | tuple[int, ...]
    model: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


def begin_steps(stop: Stop, setup: SetUp, folder: str = "") -> Generator[Any, None, Snapshot]:
    """Cut the windows, prepare the model, and suggest where to begin, or go on with the record in a folder."""
    yield Step("Starting …")
    with spare_core():
        import_torch()
        from ...learning.explore.exploration import Exploration, ExplorationRecord
        from ...learning.gp.deep_kernel import DeepKernelGP

        record = ExplorationRecord.load(folder) if folder else None
        yield Step("Cutting windows …")
        cutting: dict[str, Any] = {"level": "none"} if setup.features.run is None else setup.features.run.cutting
        cutting["window"] = setup.window
        patches = extract_patches(setup.source.micrographs, setup.source.atoms, **cutting)
        rows, x = _described(setup, patches)
        candidates = _candidates(setup.source, patches.atoms.iloc[rows])
        target = _target(setup, candidates)
        yield Step("Preparing the model …")
        settings = _start(setup, candidates) | setup.settings if record is None else record.options
        settings["goal"] = setup.purpose.setting(target)
        if candidates.drawable:
            _ = candidates.cells  # found here, where it does not stop the window
        model = DeepKernelGP(setup.features.run, **_model_settings(setup, target))
        exploration = Exploration(x, model=model, record=record, **settings)
        session = Session(exploration, candidates, setup.purpose, target)
        yield from _suggest(stop, session)
        return session.snapshot(_what_now(session))


def begin_and_run_steps(
    stop: Stop, setup: SetUp, budget: int, until: Stopping | None
) -> Generator[Any, None, Snapshot]:
    """Begin, and go on at once as `run_steps` does."""
    snapshot = yield from begin_steps(stop, setup)
    yield snapshot
    return (yield from run_steps(stop, snapshot.session, budget, until))


def suggest_steps(stop: Stop, session: Session) -> Generator[Any, None, Snapshot]:
    """Fit to what was measured, and suggest what is next."""
    yield Step("Fitting the model …")
    with spare_core():
        yield from _suggest(stop, session)
        return session.snapshot(_what_now(session))


def run_steps(
    stop: Stop, session: Session, budget: int, until: Stopping | None, steps: int | None = None
) -> Generator[Any, None, Snapshot]:
    """Measure what is suggested and suggest again, until the budget is spent, a rule ends it, or for so many steps."""
    yield Step("Measuring …")
    with spare_core():
        if until is not None:
            until.check(session.exploration.record)
        began, first, done, why = time.monotonic(), session.tried, 0, ""
        last: Snapshot | None = None
        while True:
            if session.stale:
                yield from _suggest(stop, session)
                last = session.snapshot(session.describe(), *_progress(session, budget, began, first))
                yield last
            if stop() or session.stale or session.finished or done == steps:
                break
            if steps is None and (why := _enough(session, budget, until)):
                break
            session.measure(len(session.upcoming) if steps is not None else budget - session.tried)
            done += 1
        last = last or session.snapshot("")
        return replace(last, message=_what_now(session, why), fraction=1.0, seconds_left=None)


def _suggest(stop: Stop, session: Session) -> Generator[Any, None, None]:
    yield Step(f"{session.describe()} Fitting the model …")
    session.suggest(stop)


def _progress(session: Session, budget: int, began: float, first: int) -> tuple[float, float | None]:
    """Share of the budget that is spent, and the seconds that the rest takes at this rate."""
    done, left = session.tried - first, max(0, budget - session.tried)
    seconds = (time.monotonic() - began) * left / done if done else None
    return min(1.0, session.tried / max(1, budget)), seconds


def _enough(session: Session, budget: int, until: Stopping | None) -> str:
    """Why a run ends here; empty while it goes on."""
    if session.tried >= budget:
        return f"The budget of {budget} is spent."
    if until is None or session.suggestion is None:
        return ""
    return until.reached(session.exploration.record) or until.foreseen(session.exploration.record, session.suggestion)


def _what_now(session: Session, why: str = "") -> str:
    if session.finished:
        return f"{session.describe()} {ALL_DONE}"
    if session.stale or session.suggestion is None:
        return f"{session.describe()} Stopped while the model was fitted; Step or Run goes on."
    if why:
        return f"{session.describe()} {why}"
    return f"{session.describe()} {session.suggestion.message}"


def _described(setup: SetUp, patches: Patches) -> tuple[npt.NDArray[np.int64], Any]:
    """Rows of the patches that can be candidates, and what describes them: patches, or latents (N, F)."""
    columns = list(setup.features.columns)
    if not columns:
        if len(patches) < MINIMUM:
            raise InputError(
                f"Only {len(patches)} of {len(setup.source.atoms)} {setup.source.noun} are far enough from the border "
                f"and gaps for a {patches.window[0]} × {patches.window[1]} px window; make the window smaller."
            )
        return np.arange(len(patches)), patches
    latents = patches.atoms[columns].to_numpy(np.float32)
    rows = np.flatnonzero(np.isfinite(latents).all(axis=1))
    if len(rows) < MINIMUM:
        raise InputError(
            f"Only {len(rows)} atoms have latents, and at least {MINIMUM} are needed; describe more of them in Train "
            "VAE, or choose the windows."
        )
    return rows, latents[rows]


def _candidates(source: Source, atoms: pd.DataFrame) -> Candidates:
    made = source.atoms.attrs.get(KEY, {})
    step = round(made["spacing"]) if source.points is None else 0
    kept = atoms[["frame", "y", "x"]].copy()
    kept.attrs[KEY] = made
    return Candidates(kept, source.shape, source.placement, source.micrographs[0].name, step)


def _target(setup: SetUp, candidates: Candidates) -> Target | None:
    """The target of every candidate."""
    target = setup.target
    if target is None:
        return None
    if isinstance(target, LayerTarget):
        axes = ["frame", "y", "x"][-setup.source.placement.ndim :]
        target = target.read(candidates.atoms[axes].to_numpy(float), setup.source.placement)
    else:
        target = target.at(candidates.atoms.index)
    target.check()
    return target


def _start(setup: SetUp, candidates: Candidates) -> dict[str, Any]:
    """First measurements among the candidates."""
    if isinstance(setup.start, int):
        return {"start": min(setup.start, len(candidates.atoms))}
    kept = candidates.atoms.index.get_indexer(list(setup.start))
    chosen = [int(row) for row in kept if row >= 0]
    if not chosen:
        raise InputError(
            "The places to start from lie too near the border or have no latents; choose others, or a smaller window."
        )
    return {"start": chosen}


def _model_settings(setup: SetUp, target: Target | None) -> dict[str, Any]:
    """Arguments of `DeepKernelGP`."""
    settings = {**setup.model, "target": "real" if target is None else target.kind}
    return settings if setup.features.run is not None else settings | {"fine_tune": False}
