"""One training under way: data, model, optimiser, and the loop that ties them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..core.device import describe_device
from ..core.errors import InputError, TrainingError
from ..core.normalization import Normalization
from ..core.progress import Progress, Stopped
from ..core.settings import Number, allowed
from ..models.config import ModelConfig, TrainConfig
from ..models.conventions import set_conventions
from ..models.draws import Draws
from ..models.evidence import Evidence, Explanation
from ..models.images import Images
from ..models.likelihood import Poisson
from ..models.making import make_model
from ..models.manifold import decode_manifold
from ..models.model import Model
from ..models.networks import are_finite, initialise
from ..models.vae import InvariantVAE
from .batches import Batches
from .curriculum import Supervision
from .processes import ALONE, Group
from .schedule import Curriculum, Schedule
from .step import TrainStep

if TYPE_CHECKING:
    from ..runs.run import Run

SHORTEST_EPOCH, LONGEST_EPOCH = 40, 200  # steps between two evaluations
PREPARING = "Preparing the GPU, which takes longest for the first training of a program"
REPORT_EVERY = 0.2  # seconds between two progress events
LIVE_GRID = 7
FEW, MANY = 300, 4000  # images that set the zeros of the pose and the range of the latents
IN_HASTE = 2**25  # their pixels, at most, for one who does not want to wait
FEWEST = 20  # held-out images that show what is usual


class Session:
    """State of a training, advanced by `run`.

    Parameters
    ----------
    images : Images
    config, train : ModelConfig, TrainConfig
    device : torch.device
    limits : Normalization
        Intensities that 0 and 1 stand for.
    given : array (N, n) float32, optional
        What is given with the images, see `models.given`.
    n_given : int
        Classes, or how many numbers, that the model knows of.
    before : Run, optional
        A training of the same model to go on from: weights and history.
    group : Group
        Processes that train together; all of them hold the same images.
    """

    def __init__(
        self,
        images: Images,
        config: ModelConfig,
        train: TrainConfig,
        device: torch.device,
        *,
        limits: Normalization,
        given: npt.NDArray[np.float32] | None = None,
        n_given: int = 0,
        before: Run | None = None,
        group: Group = ALONE,
    ) -> None:
        self.train, self.device, self.group = train, device, group
        self.place = describe_device(device, advise=train.device == "auto")
        rows = [] if before is None else before.history.to_dict("records")
        self.history: list[dict[str, Any]] = [{str(name): value for name, value in row.items()} for row in rows]
        check_history(self.history, config.latent_dim)
        self.earlier = len(self.history)  # rows of the training that this one goes on from
        self.start: float | None = None  # loss before the first step
        self.step = self.epoch = self.position = 0  # `position`: batches of this epoch that are done
        partly, size = config.infers_classes and bool(config.knows.given), train.batch_size
        self.batches = Batches(images, given, partly=partly, batch_size=size, seed=train.seed, device=device)
        self.model = self._make_model(config, images.shape, n_given, limits, before)
        steps = self.batches.steps_per_epoch
        total = None if train.epochs == "auto" else train.epochs * steps
        self.curriculum = Curriculum(config, train, steps, total, before is not None)
        self.supervision = Supervision(self.model, self.batches, group)
        self.train_step = TrainStep(self.model, self.batches, self.supervision, self.curriculum, train, group)
        self.schedule = Schedule(train.learning_rate, total, earliest=self.curriculum.free_from)
        self.latent_range: list[list[float]] = []  # 1 and 99 percentiles of each
        self.note = ""  # what the user should know of how the training ended
        self.best: tuple[float, dict[str, Tensor]] = (math.inf, {})  # held-out loss and weights
        self.floor = float(self.model.likelihood.floor(self.batches.load(self.batches.held_out)).mean())

    def run(self, stop: Callable[[], bool], keep: Callable[[bool], None]) -> Generator[Progress, None, bool]:
        """Train to the end or until `stop` says so; returns whether it was stopped.

        What `keep` stores is enough to go on from; with True it shall not wait.
        """
        clock = _Clock(self.step, self.history[-1]["seconds"] if self.history else 0.0)
        yield self._progress(clock, "Training" if self.device.type == "cpu" else PREPARING)
        costs: list[Evidence] = []
        batches, stopped, self.train_step.stop = self._batches(), False, stop
        while self.step < self.schedule.n_steps and not stopped and not self.note:
            rows, labelled = next(batches)
            if self.curriculum.phase(self.step) != self.supervision.phase and self._diverged(costs):
                self._return_to_best()
            try:
                costs.append(self.train_step.take(self.step, self._rate(), rows, labelled))
                self.step += 1
            except Stopped:
                self.position -= 1  # this batch is still to be learnt from
                if not costs and not self.history:
                    raise TrainingError("Stopped before anything was learnt.") from None
            if self.start is None and costs:
                self.start = float(self.group.mean(costs[0]).free_energy()) - self.floor
            stopped = self.group.any(stop())
            if costs and (self._evaluation_due() or (stopped and len(self.history) == self.earlier)):
                self._evaluate(costs, clock)
                costs = []
                if not self.note:
                    keep(False)
                yield self._progress(clock, self.note or self._message(), self._manifold())
            elif clock.due():
                yield self._progress(clock, self._message())
            if stopped and not self.note:
                if self._diverged(costs):
                    self._return_to_best()
                keep(True)
        self.supervision.enter("free")
        self._settle(in_haste=stopped)
        return stopped

    def usual_elbo(self) -> list[float]:
        """The 5 and 50 percentiles of the ELBO of images that nothing was learnt from (of others too, if few)."""
        rows = self.batches.held_out
        rows = rows[:FEW] if len(rows) >= FEWEST else torch.cat([rows, self.batches.rows[:FEWEST]])
        costs = torch.cat([one.evidence.free_energy() for one in self._explain(rows)])
        percentiles: list[float] = np.percentile(-costs.cpu().numpy(), [5, 50]).tolist()
        return percentiles

    def _make_model(
        self, config: ModelConfig, shape: tuple[int, ...], n_given: int, limits: Normalization, before: Run | None
    ) -> Model:
        with torch.device("meta"):  # nothing is drawn from the global random numbers
            model = make_model(config, shape[1], (shape[2], shape[3]), n_given)
        model = initialise(model.to_empty(device="cpu"), torch.Generator().manual_seed(self.train.seed))
        if isinstance(model.likelihood, Poisson):
            model.likelihood.set_limits(limits.low, limits.high)
        if before is not None:
            model.load_state_dict(before.state())
            if not are_finite(model):
                raise InputError("The model to go on from has weights that are NaN or too large; train without start.")
        return model.to(self.device)

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches without end; see `Batches.of_epoch`."""
        while True:
            for batch in self.batches.of_epoch(self.epoch, self.position):
                self.position += 1
                yield batch
            self.epoch, self.position = self.epoch + 1, 0

    def _rate(self) -> float:
        """Learning rate of the next step."""
        return self.schedule.rate(self.step) * self.curriculum.pace(self.step)

    def _explain(self, rows: Tensor) -> Iterator[Explanation]:
        """The best account of some images, in batches, with what is given of them if the model needs it."""
        assert isinstance(self.model, InvariantVAE)
        conditional = self.model.config.knows.conditional
        for part in rows.split(self.batches.look_size):
            given = self.batches.load_given(part) if conditional else None
            yield self.model.explain(self.batches.load(part), given)

    def _evaluation_due(self) -> bool:
        steps = self.batches.steps_per_epoch
        every = min(LONGEST_EPOCH, math.ceil(SHORTEST_EPOCH / steps) * steps)
        return self.step % every == 0 or self.step >= self.schedule.n_steps

    @torch.no_grad()
    def _evaluate(self, costs: list[Evidence], clock: _Clock) -> None:
        """Add a row to the history and let the schedule see the loss on the held-out images."""
        noise = torch.Generator(self.device).manual_seed(self.train.seed)  # the same draws each time
        weights, centring = self.curriculum.weights(self.step), self.curriculum.centring(self.step)
        held_out = [
            self.train_step.evidence(part, Draws(noise), centring=centring).free_energy(*weights)
            for part in self.batches.held_out.split(self.batches.look_size)
        ]
        seen = self.group.mean(Evidence.joined(costs))
        self.group.align(self.model)
        assert self.start is not None
        last = self.history[self.earlier - 1] if self.earlier else {"epoch": 0.0, "step": 0}
        row = {
            "epoch": last["epoch"] + self.epoch + self.position / self.batches.steps_per_epoch,
            "step": last["step"] + self.step,
            "loss": float(seen.free_energy(*weights)) - self.floor,
            "reconstruction": float(seen.reconstruction) - self.floor,
            "kl": float(seen.posed - seen.reconstruction + seen.latent_kl.sum() + seen.observed_kl),
            "kl_pose": float(seen.posed - seen.reconstruction),
            **{f"kl_z{i}": float(kl) for i, kl in enumerate(seen.latent_kl[0], 1)},
            **self._observed(seen),
            "held_out": float(torch.cat(held_out).mean()) - self.floor,
            "floor": self.floor,
            "learning_rate": self._rate(),
            "seconds": clock.before + clock.seconds(),
        }
        row = dict(zip(row, self.group.agree(list(row.values())), strict=True))
        if not math.isfinite(row["loss"]) or not math.isfinite(row["held_out"]):
            self._return_to_best()
            return
        self.history.append(row)
        if self.supervision.phase == "free" and row["held_out"] < self.best[0]:
            self.best = row["held_out"], {name: value.clone() for name, value in self.model.state_dict().items()}
        self.schedule.watch(self.step, [past["held_out"] for past in self.history[self.earlier :]], self.start)

    def _diverged(self, costs: list[Evidence]) -> bool:
        """Whether the last loss or a weight is no number. A GPU waits for the answer: no question for every step."""
        lost = bool(costs) and not bool(costs[-1].free_energy().isfinite().all())
        return self.group.any(lost or not are_finite(self.model))

    def _return_to_best(self) -> None:
        """The loss is no number any more: take the best weights again, and end."""
        if not self.best[1]:
            raise TrainingError("The loss is no longer a number; lower the learning rate, or choose wider priors.")
        self.model.load_state_dict(self.best[1])
        self.note = "The loss diverged, so the best state until then was kept; lower the learning rate."

    def _observed(self, seen: Evidence) -> dict[str, float]:
        """Columns of the history about class or numbers."""
        name = self.model.observed.kl_name
        return {name: float(seen.observed_kl), "supervised": float(seen.supervised)} if name else {}

    def _settle(self, *, in_haste: bool) -> None:
        """Order the latents, and agree on what the model leaves open."""
        self._order_latents()
        self._set_conventions(in_haste=in_haste)

    def _set_conventions(self, *, in_haste: bool) -> None:
        """Learn from training images where the latents lie, and what the upright image leaves open of the poses."""
        model = cast(InvariantVAE, self.model)
        model.gauge.reset()  # poses of the upright image
        model.polarity.reset()
        few = min(FEW, max(FEWEST, IN_HASTE // self.batches.pixels))
        rows = self.batches.rows[: few if in_haste else MANY]
        explained = list(self._explain(rows))
        load = None if in_haste else lambda chosen: self.batches.load(rows[chosen.to(rows.device)])
        self.latent_range = set_conventions(model, explained, load)

    def _order_latents(self) -> None:
        """Make z1 the latent that says most about the images (largest KL), and so on; the history follows."""
        last = self.history[-1]
        names = [f"kl_z{i + 1}" for i in range(self.model.config.latent_dim)]
        order = sorted(range(len(names)), key=lambda i: -last[names[i]])
        self.model.order_latents(order)
        for row in self.history:
            row.update({names[i]: value for i, value in enumerate([row[names[old]] for old in order])})

    def _manifold(self) -> npt.NDArray[np.float32] | None:
        dims = self.model.config.latent_dim
        return decode_manifold(self.model, [[-2.0, 2.0]] * dims, LIVE_GRID, (0, min(1, dims - 1)))

    def _message(self) -> str:
        settling = self.schedule.cooldown_from is not None and self.step > self.schedule.cooldown_from
        open_end = not self.schedule.foresees(self.step)
        words = "Training, settling" if settling else "Training until it gains no more" if open_end else "Training"
        parts = self.train_step.parts
        return words if parts == 1 else f"{words}; memory is short: each batch is taken in {parts} parts"

    def _progress(self, clock: _Clock, message: str, manifold: npt.NDArray[np.float32] | None = None) -> Progress:
        clock.reported()
        n_steps = self.schedule.expected(self.step)
        return Progress(
            epoch=self.epoch,
            n_epochs=math.ceil(n_steps / self.batches.steps_per_epoch),
            step=self.step,
            n_steps=n_steps,
            seconds_left=clock.seconds_left(self.step, n_steps) if self.schedule.foresees(self.step) else None,
            device=self.place,
            message=message,
            history=tuple(self.history),
            manifold=manifold,
        )


class _Clock:
    """Seconds since the start, those `before` it, and when the next progress event is due."""

    def __init__(self, step: int, before: float) -> None:
        self.before = before
        self._first_step, self._start, self._last = step, time.perf_counter(), 0.0

    def seconds(self) -> float:
        return time.perf_counter() - self._start

    def reported(self) -> None:
        self._last = self.seconds()

    def due(self) -> bool:
        return self.seconds() - self._last > REPORT_EVERY

    def seconds_left(self, step: int, n_steps: int) -> float | None:
        done = step - self._first_step
        return self.seconds() / done * max(0, n_steps - step) if done else None


def check_history(history: list[dict[str, Any]], latents: int) -> None:
    """Refuse to go on from rows of a history that lack numbers.

    Raises
    ------
    InputError
    """
    names = [*("epoch", "step", "seconds", "held_out"), *(f"kl_z{i}" for i in range(1, latents + 1))]
    if not allowed([row.get(name) for row in history for name in names], list[Number]):
        raise InputError("The history of the training to go on from is damaged; train anew.")
