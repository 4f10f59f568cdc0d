"""One step of a training: gradients of a batch, in parts when memory is short.

On a GPU a step is hundreds of small kernels, and starting them takes longer than running them. A step asks the device
for nothing and reads nothing from the host but rows, so that it can be recorded once and replayed by one start.

On a CPU a step is not compiled: of an rVAE on 64 windows of 24 × 24 px it takes 29 ms of one core, and 25.5 ms after
`torch.compile`, which takes 47 s first; that is longer than all 900 steps of a usual training.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from ..core.device import is_out_of_memory
from ..core.progress import Stopped, never
from ..models.config import TrainConfig
from ..models.draws import Draws
from ..models.evidence import Evidence
from ..models.model import Model
from .batches import Batches
from .curriculum import Supervision
from .processes import Group, Share
from .schedule import Curriculum

LARGEST_GRADIENT = 1000.0  # norm beyond which a step is shortened: rare, and a sign of a bad batch
AT_ONCE = 2**24  # pixels of a batch that are taken at once: of more, a step takes seconds and much memory
WARM = 3  # steps of a kind before one is recorded, so that all that lasts is there
Take = Callable[[Tensor, Tensor], Evidence]
Record = Callable[[Take, Tensor, Tensor, torch.Generator], Take]


class TrainStep:
    """Takes the steps of a training.

    Parameters
    ----------
    model : Model
    batches : Batches
    supervision : Supervision
    curriculum : Curriculum
    train : TrainConfig
    group : Group
        Processes that share the steps.

    Attributes
    ----------
    optimizer : torch.optim.Adam
    generator : torch.Generator
        Of all draws.
    parts : int
        That each batch is taken in; more than one when windows are large, or memory is short.
    record : callable or None
        Records a step so that it can be replayed; ``None`` where that is no gain, or failed.
    """

    def __init__(
        self,
        model: Model,
        batches: Batches,
        supervision: Supervision,
        curriculum: Curriculum,
        train: TrainConfig,
        group: Group,
    ) -> None:
        self.model, self.batches, self.supervision, self.curriculum = model, batches, supervision, curriculum
        self.train, self.group = train, group
        self.device = batches.device
        self.parts = math.ceil(batches.batch_size * batches.pixels / AT_ONCE)
        self.stop: Callable[[], bool] = never  # asked between the parts of a step
        self.generator = torch.Generator(self.device).manual_seed(train.seed)
        on_gpu = self.device.type == "cuda"
        self.optimizer = torch.optim.Adam(
            model.parameters(),
            torch.tensor(train.learning_rate, device=self.device).float() if on_gpu else train.learning_rate,
            fused=on_gpu or self.device.type == "cpu",
            capturable=on_gpu,
        )
        # Of the KL divergences, where a recorded step finds them.
        self._weights = torch.ones(2, device=self.device, dtype=torch.float32)
        self.record: Record | None = record_graph if on_gpu and batches.resident and group.size == 1 else None
        self._seen: Counter[Any] = Counter()
        self._recorded: dict[Any, Take] = {}

    def take(self, step: int, rate: float, rows: Tensor, labelled: Tensor) -> Evidence:
        """The step of that number with a learning rate, on images of some rows and on labelled ones.

        Raises
        ------
        Stopped
            If that was asked for within the step, which then changes nothing.
        """
        phase = self.curriculum.phase(step)
        if phase != self.supervision.phase:
            self._seen.clear()
            self._recorded.clear()
        self.supervision.enter(phase)
        self._set(rate, self.curriculum.weights(step))
        centring = self.curriculum.centring(step)
        before = self.generator.get_state() if self.group.size > 1 or self.parts > 1 else None
        while True:
            try:
                return self._repeat(rows, labelled, centring)
            except Stopped:
                if before is not None:
                    self.generator.set_state(before)
                raise
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or self.parts >= len(rows):
                    raise
                self.parts *= 2
                if before is not None:  # others have drawn once
                    self.generator.set_state(before)

    def evidence(self, rows: Tensor, draws: Draws, *, centring: bool, labelled: bool = False) -> Evidence:
        """What the images of some rows cost now; `labelled` ones may come among others."""
        images = self.batches.load(rows)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._mixed()):
            return self.model.evidence(
                images,
                draws,
                given=self.supervision.given(rows, labelled),
                centring=centring,
                target=self.supervision.target(images, rows),
            )

    def _set(self, rate: float, weights: tuple[float, float]) -> None:
        """Numbers that change from step to step; on a GPU they are kept where a recorded step reads them."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["lr"].fill_(rate) if isinstance(group["lr"], Tensor) else rate
        for kept, weight in zip(self._weights, weights, strict=True):
            kept.fill_(weight)

    def _repeat(self, rows: Tensor, labelled: Tensor, centring: bool) -> Evidence:
        """Take a step, or replay one of its kind; the first few of a kind are taken, then one is recorded."""

        def take(rows: Tensor, labelled: Tensor) -> Evidence:
            return self._take(rows, labelled, centring)

        kind = (len(rows), len(labelled), centring, self.parts)
        if self.record is None:
            return take(rows, labelled)
        if kind not in self._recorded:
            self._seen[kind] += 1
            if self._seen[kind] <= WARM:
                return take(rows, labelled)
            state = self.generator.get_state()
            try:
                self._recorded[kind] = self.record(take, rows, labelled, self.generator)
            except RuntimeError:  # this GPU or torch cannot; a generator may be left unusable
                self.record = None
                self.generator = torch.Generator(self.device)
                self.generator.set_state(state)
                return take(rows, labelled)
        return self._recorded[kind](rows, labelled)

    def _take(self, rows: Tensor, labelled: Tensor, centring: bool) -> Evidence:
        self.optimizer.zero_grad()
        evidence = self._accumulate(rows, labelled, centring)
        self.group.add([p.grad for p in self.model.parameters() if p.grad is not None])
        self._shorten()
        self.optimizer.step()
        return evidence

    def _accumulate(self, rows: Tensor, labelled: Tensor, centring: bool) -> Evidence:
        """Gradients of what this process has of a batch, part by part."""
        seen: list[Evidence] = []
        n, (beta, beta_discrete) = len(rows) + len(labelled), self._weights.unbind()
        for stream, is_labelled in ((rows, False), (labelled, True)):
            share = self.group.share(stream)
            for part, draws in self._parts(share):
                evidence = self.evidence(part, draws, centring=centring, labelled=is_labelled)
                weight = self.train.supervised_weight * self.supervision.is_supervised(is_labelled)
                cost = evidence.training_cost(beta, beta_discrete, weight).sum() / n
                (cost if share.counts else 0 * cost).backward()
                seen.append(evidence.detach().head(len(part) if share.counts else 0))
        return Evidence.joined(seen)

    def _parts(self, share: Share) -> Iterator[tuple[Tensor, Draws]]:
        """A share part by part, each with its draws.

        Processes that train together draw for the whole batch, in however many parts each of them takes its share.
        """
        state = self.generator.get_state() if self.group.size > 1 else None
        before, n = share.before, share.before + len(share.rows) + share.after
        for number, part in enumerate(filter(len, share.rows.tensor_split(self.parts))):
            if number and state is None and self.stop():
                raise Stopped
            if state is None:
                yield part, Draws(self.generator)
            else:
                self.generator.set_state(state)
                yield part, Draws(self.generator, before, n - before - len(part))
            before += len(part)

    def _shorten(self) -> None:
        """Shorten gradients that are too long."""
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        # Asking for the norm makes a GPU wait; scaling by 1 costs a CPU as much as the step.
        if self.device.type != "cpu" or norm > LARGEST_GRADIENT:
            torch.nn.utils.clip_grads_with_norm_(self.model.parameters(), LARGEST_GRADIENT, norm)

    def _mixed(self) -> bool:
        return self.train.precision == "mixed" or (self.train.precision == "auto" and self.device.type == "cuda")


def record_graph(take: Take, rows: Tensor, labelled: Tensor, generator: torch.Generator) -> Take:
    """A CUDA graph of a step, as a function that replays it with other rows.

    Raises
    ------
    RuntimeError
        If the step cannot be recorded.
    """
    fixed = rows.clone(), labelled.clone()
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads may use the GPU meanwhile
        evidence = take(*fixed)

    def replay(rows: Tensor, labelled: Tensor) -> Evidence:
        fixed[0].copy_(rows)
        fixed[1].copy_(labelled)
        graph.replay()
        return evidence.clone()

    return replay
