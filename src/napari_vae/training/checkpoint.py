"""The state of a training on disk, so that a killed one goes on where it was."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel
from safetensors.torch import save
from torch import Tensor

from ..core.errors import InputError, storage_problem
from ..core.folders import check_replaceable, check_writable, holds, remove_folder, replace_folder, user_path
from ..core.provenance import data_hash
from ..core.settings import Number, Saved, Whole, about
from ..io.json_files import read_json
from ..models.config import ModelConfig, TrainConfig
from ..models.given import Floats
from ..models.networks import are_finite, load_weights, named
from ..models.vae import InvariantVAE
from ..runs.folder import OLD_COLUMNS
from ..runs.run import Run
from .curriculum import Teacher
from .session import Session, check_history

EVERY = 30.0  # seconds between two checkpoints
MARKER = "checkpoint.json"
Step = Annotated[Whole, about(ge=0, le=10**9)]


class Identity(BaseModel):
    """What makes a training this one and no other."""

    data_sha256: str
    given_sha256: str | None = None  # of what is known besides the images; an earlier version did not keep it
    model: ModelConfig
    train: TrainConfig
    before: dict[str, Any] | None


class _State(Saved):
    """What ``checkpoint.json`` holds."""

    identity: Identity
    history: list[dict[str, Whole | Number]]
    counts: tuple[Step, Step, Step]
    schedule: tuple[Step | None, Step]
    start: Number | None
    parts: Annotated[Whole, about(ge=1, le=10**6)] = 1  # an earlier version did not keep these two
    best: Number | None = None
    batch_size: Annotated[Whole, about(ge=1, le=10**9)] | None = None


def is_kept(folder: str | Path | None) -> bool:
    """Whether there is a state of a training to go on from."""
    return folder is not None and holds(user_path(folder), MARKER)


def with_batch_size_kept(train: TrainConfig) -> TrainConfig:
    """A training in the batches that its checkpoint began with: ``"auto"`` may be another number on another device."""
    folder = train.checkpoint
    kept = read_json(user_path(folder) / MARKER, _State).batch_size if folder and is_kept(folder) else None
    return replace(train, batch_size=kept or train.batch_size)


class Checkpoint:
    """Keeps a session's state in a folder; does nothing without one.

    A disk that does not take it is no reason to end a training: ``note`` says so then.
    """

    def __init__(self, session: Session, folder: Path | None, identity: Identity | None) -> None:
        self.session, self.folder, self.identity, self.note = session, folder, identity, ""
        self._written = time.monotonic()

    @classmethod
    def attach(
        cls, session: Session, digest: str, given: Floats | None, train: TrainConfig, before: Run | None = None
    ) -> Checkpoint:
        """Watch over a session; if the folder of `train` holds the state of the same training, put the session there.

        Raises
        ------
        InputError
            If the folder holds the checkpoint of another training, or other files, or may not be written to.
        """
        if train.checkpoint is None:
            return cls(session, None, None)
        identity = Identity(
            data_sha256=digest,
            given_sha256=None if given is None else data_hash(given),
            model=session.model.config,
            train=replace(train, checkpoint=None),
            before=None if before is None else json.loads(json.dumps(before.provenance)),
        )
        path = check_writable(train.checkpoint)
        checkpoint = cls(session, path, identity)
        if is_kept(path):
            checkpoint._restore()
        else:
            check_replaceable(path, MARKER)
        return checkpoint

    def keep(self, now: bool) -> None:
        """Write the state if it is time, or `now`."""
        if (
            self.folder is None
            or self.identity is None
            or not self.session.group.first
            or (not now and time.monotonic() - self._written < EVERY)
        ):
            return
        s = self.session
        state = {
            "identity": self.identity.model_dump(mode="json"),
            "history": s.history,
            "counts": [s.step, s.epoch, s.position],
            "schedule": [s.schedule.cooldown_from, s.schedule.n_steps],
            "start": s.start,
            "best": s.best[0] if s.best[1] else None,
            "parts": s.train_step.parts,
            "batch_size": s.batches.batch_size,
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
        for number, values in s.train_step.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{k}": v for k, v in values.items()}
        tensors["generator"] = s.train_step.generator.get_state()
        if s.supervision.provisional is not None:
            tensors["provisional"] = s.supervision.provisional
        if s.supervision.teacher is not None:
            tensors |= {f"teacher.{k}": v for k, v in s.supervision.teacher.state_dict().items()}
        return {k: v.detach().cpu().contiguous() for k, v in tensors.items()}

    def _restore(self) -> None:
        assert self.folder is not None and self.identity is not None
        state = read_json(self.folder / MARKER, _State)
        kept = state.identity
        if kept.model_copy(update={"given_sha256": kept.given_sha256 or self.identity.given_sha256}) != self.identity:
            raise InputError(
                f"{self.folder} holds the checkpoint of a training on other data or settings; choose another folder."
            )
        try:
            self._take(state, load_weights(self.folder / "state.safetensors"))
        except Exception as error:
            raise InputError(f"The checkpoint in {self.folder} cannot be read; remove the folder.") from error

    def _take(self, state: _State, tensors: dict[str, Tensor]) -> None:
        s = self.session
        s.model.load_state_dict(named("model.", tensors))
        if not are_finite(s.model):
            raise InputError("It holds weights that are NaN or too large.")
        optimizer = s.train_step.optimizer.state_dict()
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, number, name = key.split(".")
                optimizer["state"].setdefault(int(number), {})[name] = value
        s.train_step.optimizer.load_state_dict(optimizer)
        s.train_step.generator.set_state(tensors["generator"])
        if "provisional" in tensors:
            s.supervision.provisional = tensors["provisional"].to(s.batches.rows.device)
        if teacher := named("teacher.", tensors) or named("guide.", tensors):  # of an earlier version
            assert isinstance(s.model, InvariantVAE)
            s.supervision.teacher = Teacher(s.model)
            s.supervision.teacher.load_state_dict(teacher)
        s.history = [{OLD_COLUMNS.get(name, name): value for name, value in row.items()} for row in state.history]
        check_history(s.history, s.model.config.latent_dim)
        s.start = state.start
        s.step, s.epoch, s.position = state.counts
        s.supervision.phase = s.curriculum.phase(s.step - 1)
        s.schedule.cooldown_from, s.schedule.n_steps = state.schedule
        s.train_step.parts = state.parts
        if state.best is not None:
            s.best = state.best, {name: value.to(s.device) for name, value in named("best.", tensors).items()}
