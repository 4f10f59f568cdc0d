"""One training under way: data, model, optimiser, and the loop that ties them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .checkpoint import Checkpoint
from .device import describe_device
from .errors import TrainingError
from .models.config import ModelConfig, TrainConfig
from .models.networks import initialise
from .models.vae import Evidence, InvariantVAE, decode_manifold
from .progress import Progress
from .schedule import Schedule

if TYPE_CHECKING:
    from .run import Run

HELD_OUT, MOST_HELD_OUT = 0.1, 500  # share and number of images that the model never learns from
SHORTEST_EPOCH, LONGEST_EPOCH = 40, 200  # steps between two evaluations
REPORT_EVERY = 0.2  # seconds between two progress events
CENTRING = 80  # first steps in which a model of rotation and translation learns the translation alone
RESIDENT = 2**31  # images up to this many bytes live on the device
LARGEST_GRADIENT = 1000.0  # norm beyond which a step is shortened: rare, and a sign of a bad batch
LIVE_GRID = 7
FEW = 20  # held-out images that do not tell what is usual
SPAN = 300  # images that tell the range of the latents


class Session:
    """State of a training, advanced by `run`.

    Parameters
    ----------
    images : array (N, C, H, W) float32
        In [0, 1].
    config, train : ModelConfig, TrainConfig
    device : torch.device
    before : Run, optional
        A training of the same model to go on from: weights and history.
    """

    def __init__(
        self,
        images: npt.NDArray[np.float32],
        config: ModelConfig,
        train: TrainConfig,
        device: torch.device,
        before: Run | None = None,
    ) -> None:
        self.train, self.device = train, device
        self.history: list[dict[str, Any]] = [] if before is None else _records(before)
        self.earlier = len(self.history)  # rows of the training that this one goes on from
        self.start: float | None = None  # loss before the first step
        self.step = self.epoch = self.position = 0  # `position`: batches of this epoch that are done
        seeds = torch.Generator().manual_seed(train.seed)
        with torch.device("meta"):  # nothing is drawn from the global random numbers
            model = InvariantVAE(config, images.shape[1], (images.shape[2], images.shape[3]))
        self.model = initialise(model.to_empty(device="cpu"), seeds).to(device)
        if before is not None:
            self.model.load_state_dict(before.state())
        self.generator = torch.Generator(device).manual_seed(train.seed)
        order = torch.randperm(len(images), generator=seeds)
        n_held_out = min(MOST_HELD_OUT, max(2, round(HELD_OUT * len(images))))
        self.held_out, self.rows = order[:n_held_out], order[n_held_out:]
        self.batch_size = _batch_size(train, len(self.rows))
        self.steps_per_epoch = math.ceil(len(self.rows) / self.batch_size)
        self.schedule = Schedule(
            train.learning_rate, None if train.epochs == "auto" else train.epochs * self.steps_per_epoch
        )
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), train.learning_rate, fused=device.type in ("cpu", "cuda")
        )
        store = torch.from_numpy(images)
        self.store = store.to(device) if images.nbytes < RESIDENT else store
        sample = self._load(self.held_out)
        self.floor = float(self.model.likelihood.floor(sample).mean())
        self.checkpoint = Checkpoint.attach(self, images, train.checkpoint, before)

    def run(self, stop: Callable[[], bool]) -> Generator[Progress, None, bool]:
        """Train to the end or until `stop` says so; returns whether it was stopped."""
        clock = _Clock(self.step)
        yield self._progress(clock, "Training")
        costs: list[Evidence] = []
        for batch in self._batches():
            costs.append(self._learn(batch))
            if self.start is None:
                self.start = float(costs[0].free_energy().mean()) - self.floor
            stopped = stop()
            if self._evaluation_due() or (stopped and len(self.history) == self.earlier):
                self._evaluate(costs, clock)
                costs = []
                self.checkpoint.keep()
                yield self._progress(clock, self._message(), self._manifold())
            elif clock.due():
                yield self._progress(clock, self._message())
            if stopped:
                self.checkpoint.keep(now=True)
            if stopped or self.step >= self.schedule.n_steps:
                break
        self._order_latents()
        if not stopped:
            self.checkpoint.discard()
        return stopped

    def latent_range(self) -> list[list[float]]:
        """The 1 and 99 percentiles of each latent over (a sample of) the training images."""
        parts = self.rows[:SPAN].split(self.batch_size)
        means = torch.cat([self.model.explain(self._load(part)).posterior.mean for part in parts])
        limits: list[list[float]] = np.percentile(means.cpu().numpy(), [1, 99], axis=0).T.tolist()
        return limits

    def usual_elbo(self) -> list[float]:
        """The 5 and 50 percentiles of the ELBO of images that nothing was learnt from (of others too, if few)."""
        rows = self.held_out if len(self.held_out) >= FEW else torch.cat([self.held_out, self.rows[:FEW]])
        parts = [self.model.explain(self._load(part)).evidence.free_energy() for part in rows.split(self.batch_size)]
        percentiles: list[float] = np.percentile(-torch.cat(parts).cpu().numpy(), [5, 50]).tolist()
        return percentiles

    def _batches(self) -> Iterator[Tensor]:
        """Batches without end; the order of each epoch depends on nothing but the seed and the epoch."""
        while True:
            shuffle = torch.Generator().manual_seed(1_000_003 * (self.train.seed + 1) + self.epoch)
            order = torch.randperm(len(self.rows), generator=shuffle)
            for part in order.split(self.batch_size)[self.position :]:
                self.position += 1
                yield self._load(self.rows[part])
            self.epoch, self.position = self.epoch + 1, 0

    def _load(self, rows: Tensor) -> Tensor:
        return self.store[rows.to(self.store.device)].to(self.device)

    def _learn(self, batch: Tensor) -> Evidence:
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.rate(self.step)
        centring = (
            not self.earlier
            and self.step < CENTRING
            and {"rotation", "translation"} <= set(self.model.config.invariances)
        )
        evidence = self.model.evidence(batch, self.generator, centring=centring)
        self.optimizer.zero_grad()
        evidence.free_energy(self.train.beta).mean().backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), LARGEST_GRADIENT)
        self.optimizer.step()
        self.step += 1
        return evidence.detach()

    def _evaluation_due(self) -> bool:
        every = min(LONGEST_EPOCH, math.ceil(SHORTEST_EPOCH / self.steps_per_epoch) * self.steps_per_epoch)
        return self.step % every == 0 or self.step >= self.schedule.n_steps

    @torch.no_grad()
    def _evaluate(self, costs: list[Evidence], clock: _Clock) -> None:
        """Add a row to the history and let the schedule see the loss on the held-out images."""
        noise = torch.Generator(self.device).manual_seed(self.train.seed)  # the same draws each time
        held_out = [
            self.model.evidence(self._load(part), noise).free_energy(self.train.beta)
            for part in self.held_out.split(self.batch_size)
        ]
        seen = Evidence.mean(costs)
        assert self.start is not None
        loss = float(seen.free_energy(self.train.beta))
        last = self.history[self.earlier - 1] if self.earlier else {"epoch": 0.0, "step": 0, "seconds": 0.0}
        row = {
            "epoch": last["epoch"] + self.epoch + self.position / self.steps_per_epoch,
            "step": last["step"] + self.step,
            "loss": loss - self.floor,
            "reconstruction": float(seen.reconstruction) - self.floor,
            "kl": float(seen.posed - seen.reconstruction + seen.latent_kl.sum()),
            "kl_pose": float(seen.posed - seen.reconstruction),
            **{f"kl_z{i}": float(kl) for i, kl in enumerate(seen.latent_kl[0], 1)},
            "held_out": float(torch.cat(held_out).mean()) - self.floor,
            "learning_rate": self.schedule.rate(self.step),
            "seconds": last["seconds"] + clock.seconds(),
        }
        if not math.isfinite(row["loss"]) or not math.isfinite(row["held_out"]):
            raise TrainingError("The loss is no longer a number; lower the learning rate.")
        self.history.append(row)
        self.schedule.watch(self.step, [past["held_out"] for past in self.history[self.earlier :]], self.start)

    def _order_latents(self) -> None:
        """Make z1 the latent that says most about the images (largest KL), and so on; the history follows."""
        last = self.history[-1]
        names = [f"kl_z{i + 1}" for i in range(self.model.config.latent_dim)]
        order = sorted(range(len(names)), key=lambda i: -last[names[i]])
        self.model.order_latents(order)
        for row in self.history:
            row.update({names[i]: value for i, value in enumerate([row[names[old]] for old in order])})

    def _manifold(self) -> npt.NDArray[np.float32]:
        dims = self.model.config.latent_dim
        return decode_manifold(self.model, [[-2.0, 2.0]] * dims, LIVE_GRID, (0, min(1, dims - 1)))

    def _message(self) -> str:
        settling = self.schedule.cooldown_from is not None and self.step > self.schedule.cooldown_from
        return "Training, settling" if settling else "Training"

    def _progress(self, clock: _Clock, message: str, manifold: npt.NDArray[np.float32] | None = None) -> Progress:
        clock.reported()
        n_steps = self.schedule.expected(self.step)
        return Progress(
            epoch=self.epoch,
            n_epochs=math.ceil(n_steps / self.steps_per_epoch),
            step=self.step,
            n_steps=n_steps,
            seconds_left=clock.seconds_left(self.step, n_steps),
            device=describe_device(self.device),
            message=message,
            history=tuple(self.history),
            manifold=manifold,
        )


class _Clock:
    """Seconds since the start, and when the next progress event is due."""

    def __init__(self, step: int) -> None:
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


def _batch_size(train: TrainConfig, n: int) -> int:
    """By default about 20 steps an epoch, of 20 … 100 images: few images need many small steps."""
    wanted = train.batch_size if train.batch_size != "auto" else min(100, max(20, n // 20))
    return min(wanted, n)


def _records(run: Run) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in run.history.to_dict("records")]
