"""The state of a training on disk, so that a killed one goes on where it was."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from safetensors.torch import save
from torch import Tensor

from ..core.errors import InputError, storage_problem
from ..core.folders import check_replaceable, check_writable, holds, remove_folder, replace_folder
from ..core.provenance import data_hash
from ..core.settings import Number, Saved, Whole, about, allowed
from ..io.json_files import read_json
from ..models.guide import Guide
from ..models.images import Images
from ..models.weights import are_finite, load_weights
from .curriculum import Phase

if TYPE_CHECKING:
    from ..runs.run import Run
    from .session import Session

EVERY = 30.0  # seconds between two checkpoints
MARKER = "checkpoint.json"
Step = Annotated[Whole, about(ge=0, le=10**9)]


class _State(Saved):
    """What ``checkpoint.json`` holds."""

    identity: dict[str, Any]
    history: list[dict[str, Number]]
    counts: tuple[Step, Step, Step]
    schedule: tuple[Step | None, Step]
    start: Number | None
    phase: Phase
    parts: Annotated[Whole, about(ge=1, le=10**6)] = 1  # an earlier version did not keep these two
    best: Number | None = None


def check_history(history: list[dict[str, Any]], latents: int) -> None:
    """Refuse to go on from rows of a history that lack numbers.

    Raises
    ------
    InputError
    """
    names = [*("epoch", "step", "seconds", "held_out"), *(f"kl_z{i}" for i in range(1, latents + 1))]
    if not allowed([row.get(name) for row in history for name in names], list[Number]):
        raise InputError("The history of the training to go on from is damaged; train anew.")


class Checkpoint:
    """Keeps a session's state in a folder; does nothing without one.

    A disk that does not take it is no reason to end a training: ``note`` says so then.
    """

    def __init__(self, session: Session, folder: Path | None, identity: dict[str, Any]) -> None:
        self.session, self.folder, self.identity, self.note = session, folder, identity, ""
        self._written = time.monotonic()

    @classmethod
    def attach(
        cls, session: Session, images: Images, folder: str | Path | None, before: Run | None = None
    ) -> Checkpoint:
        """Watch over a session; if `folder` holds the state of the same training, put the session there.

        Raises
        ------
        InputError
            If the folder holds the checkpoint of another training, or other files, or may not be written to.
        """
        if folder is None:
            return cls(session, None, {})
        identity = {
            "data_sha256": data_hash(images),
            "model": session.model.config.to_dict(),
            "train": session.train.to_dict(),
            "before": None if before is None else before.provenance,
        }
        path = check_writable(folder)
        checkpoint = cls(session, path, json.loads(json.dumps(identity)))
        if holds(path, MARKER):
            checkpoint._restore()
        else:
            check_replaceable(path, MARKER)
        return checkpoint

    def keep(self, *, now: bool = False) -> None:
        """Write the state if it is time, or `now`."""
        if (
            self.folder is None
            or not self.session.group.first
            or (not now and time.monotonic() - self._written < EVERY)
        ):
            return
        s = self.session
        state = {
            "identity": self.identity,
            "history": s.history,
            "counts": [s.step, s.epoch, s.position],
            "schedule": [s.schedule.cooldown_from, s.schedule.n_steps],
            "start": s.start,
            "best": s.best[0] if s.best[1] else None,
            "parts": s.stepper.parts,
            "phase": s.teaching.phase,
        }
        try:
            with replace_folder(self.folder, MARKER) as new:
                (new / "state.safetensors").write_bytes(save(self._tensors()))
                (new / MARKER).write_text(json.dumps(state), encoding="utf-8")
            self.note = ""
        except OSError as error:
            self.note = f"The last checkpoint could not be written: {storage_problem(error) or error}"
        self._written = time.monotonic()

    def discard(self) -> None:
        """Remove the folder: the training is done."""
        if self.folder is not None and self.session.group.first and (self.folder / MARKER).is_file():
            remove_folder(self.folder)

    def _tensors(self) -> dict[str, Tensor]:
        s = self.session
        tensors = {f"model.{k}": v for k, v in s.model.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in s.best[1].items()}
        for number, values in s.stepper.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{k}": v for k, v in values.items()}
        tensors["generator"] = s.stepper.generator.get_state()
        if s.teaching.provisional is not None:
            tensors["provisional"] = s.teaching.provisional
        if s.teaching.guide is not None:
            tensors |= {f"guide.{k}": v for k, v in s.teaching.guide.state_dict().items()}
        return {k: v.detach().cpu().contiguous() for k, v in tensors.items()}

    def _restore(self) -> None:
        assert self.folder is not None
        state = read_json(self.folder / MARKER, _State)
        if state.identity != self.identity:
            raise InputError(
                f"{self.folder} holds the checkpoint of a training on other data or settings; choose another folder."
            )
        try:
            self._take(state, load_weights(self.folder / "state.safetensors"))
        except Exception as error:
            raise InputError(f"The checkpoint in {self.folder} cannot be read; remove the folder.") from error

    def _take(self, state: _State, tensors: dict[str, Tensor]) -> None:
        s = self.session
        s.model.load_state_dict(_named(tensors, "model."))
        if not are_finite(s.model):
            raise InputError("It holds weights that are NaN or too large.")
        optimizer = s.stepper.optimizer.state_dict()
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, number, name = key.split(".")
                optimizer["state"].setdefault(int(number), {})[name] = value
        s.stepper.optimizer.load_state_dict(optimizer)
        s.stepper.generator.set_state(tensors["generator"])
        if "provisional" in tensors:
            s.teaching.provisional = tensors["provisional"].to(s.supply.rows.device)
        s.teaching.phase = state.phase
        if guide := _named(tensors, "guide."):
            s.teaching.guide = Guide(s.model)
            s.teaching.guide.load_state_dict(guide)
        check_history(state.history, s.model.config.latent_dim)
        s.history, s.start = state.history, state.start
        s.step, s.epoch, s.position = state.counts
        s.schedule.cooldown_from, s.schedule.n_steps = state.schedule
        s.stepper.parts = state.parts
        if state.best is not None:
            s.best = state.best, {name: value.to(s.device) for name, value in _named(tensors, "best.").items()}


def _named(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those whose names begin so, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
