"""The body of the training loop, as a Lightning module."""

import itertools
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ffnet.checkpoint import Checkpoint
from ffnet.datasets import Dataset
from ffnet.fitting import Engine, Objective, Processes, Regularizer, Stepper, anneal, rehearse
from ffnet.fitting.step import Observed
from ffnet.memory import keep_freed_memory
from ffnet.training.spans import callbacks_of, listeners

log = logging.getLogger(__name__)

# A call of Lightning's loop takes about a millisecond. This is negligible for calls of this length, and progress bar
# and Ctrl-C still respond immediately.
SPAN_SECONDS = 0.2


class NonFiniteLoss(RuntimeError):
    """The loss or a weight is no longer finite."""


class Fitting(LightningModule):
    """Fits ``field`` to ``dataset``.

    One call of ``training_step`` runs a span of optimizer steps, as many as take about 0.2 s. A span ends at every
    multiple of an interval that a callback has requested with ``stop_at``, so what happens every n steps happens at
    exactly these steps. If a callback listens to batches and is not a ``KnowsSpans``, spans are one step long. Spans do
    not change results, only when callbacks are called.

    Args:
        field: coordinates (n, d) to values (n, c).
        dataset: the dataset; its tensors move to the device with this module.
        loss: (prediction, targets) to a scalar, a mean over all entries.
        optimizer: takes the field's named parameters and returns a torch optimizer.
        schedule: takes the optimizer and returns a scheduler, which is stepped after every optimizer step; None keeps
            the learning rate constant.
        max_steps: number of optimizer steps of the whole run.
        seed: seed of the generator that draws the batches.
        engine: how a step is executed.
        regularizers: additional terms of the objective, by name.
        clip: limits the gradients of parameters before an optimizer step.
        description: description of the field and the run, stored in every checkpoint.
    """

    def __init__(
        self,
        field: nn.Module,
        dataset: Dataset,
        loss: Callable[[Tensor, Tensor], Tensor],
        optimizer: Callable[[Iterable[tuple[str, nn.Parameter]]], Optimizer],
        schedule: Callable[[Optimizer], LRScheduler] | None = None,
        *,
        max_steps: int,
        seed: int = 0,
        engine: Engine | None = None,
        regularizers: Mapping[str, Regularizer] | None = None,
        clip: Callable[[Iterable[nn.Parameter]], None] | None = None,
        description: Checkpoint | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.field = field
        self.dataset = dataset
        self.objective = Objective(loss, regularizers)
        self.make_optimizer = optimizer
        self.make_schedule = schedule
        self.max_steps = max_steps
        self.seed = seed
        self.engine = engine or Engine()
        self.clip = clip
        record = dataset.record.spec() if dataset.record is not None else None
        self.description = replace(description or Checkpoint(), signal=record)
        self.intervals: set[int] = set()
        self.one_step_spans = False
        self.seconds = 0.0
        self.seconds_per_step = math.inf
        self.loss_sum = 0.0
        self.loss_steps = 0
        self.last_loss = math.nan
        self.last_scores: dict[str, float] = {}  # of the last training batch
        self.stepper: Stepper | None = None
        self.begun = False  # whether steps have been taken since this module was made
        self.scored: tuple[int, dict[str, float]] | None = None  # step and scores of the last evaluation
        self.average: nn.Module | None = None  # the field with averaged weights
        self.after_step: Callable[[Fitting, int], None] | None = None  # called with the number of completed steps
        self.before_steps: Callable[[], None] | None = None  # called when all is restored, also if no step is left
        self.asked_to_stop: Callable[[], bool] = lambda: False  # the same in all processes, which all have to call it
        self._restored: Checkpoint | None = None

    # For callbacks

    @property
    def result(self) -> nn.Module:
        """The field that is scored and that the run results in: ``field``, or the one with averaged weights."""
        if self.average is None:
            return self.field
        for ours, theirs in zip(self.average.buffers(), self.field.buffers(), strict=True):
            ours.copy_(theirs)  # such as the progress of annealing
        return self.average

    @property
    def step(self) -> int:
        """Number of completed optimizer steps."""
        return self.global_step

    @property
    def processes(self) -> Processes:
        """This process among those of the run."""
        return Processes(self.trainer.global_rank, self.trainer.world_size, self.pooled)

    def stop_at(self, every_n_steps: int) -> None:
        """Ends spans at every multiple of ``every_n_steps``."""
        self.intervals.add(every_n_steps)

    def due(self, every_n_steps: int | None) -> bool:
        """Whether the step is the last or a multiple of ``every_n_steps``."""
        return self.step == self.max_steps or (every_n_steps is not None and self.step % every_n_steps == 0)

    def pooled(self, tensor: Tensor) -> Tensor:
        """Sums ``tensor`` over all processes, in place."""
        if self.trainer.world_size > 1:  # Lightning's own reduction adds a barrier
            torch.distributed.all_reduce(tensor)
        return tensor

    def rehearse(self) -> None:
        """Tries a step; raises what its parts raise. See ``ffnet.fitting.rehearse``."""
        rehearse(self.field, self.dataset, self.objective, self.make_optimizer, self.make_schedule)

    # For Lightning

    def configure_optimizers(self) -> Any:
        optimizer = self.make_optimizer(self.field.named_parameters())
        if self.make_schedule is None:
            return optimizer
        schedule = {"scheduler": self.make_schedule(optimizer), "interval": "step"}  # so LearningRateMonitor logs it
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def train_dataloader(self) -> Iterable[int]:
        """Lightning needs an iterable; batches are drawn on the device instead. It asks for it before it looks whether
        steps are left to take."""
        if self.before_steps is not None:
            self.before_steps()
        return itertools.repeat(0)

    def on_fit_start(self) -> None:
        keep_freed_memory()
        self.generator = torch.Generator(device=self.device).manual_seed(self.seed)
        if self._restored is not None:
            self._restore(self._restored)
        # Before anything is saved again. Lightning restores its own count of the steps only after this hook.
        anneal(self.field, self._first_step() / self.max_steps)
        with self.trainer.precision_plugin.forward_context():
            self.stepper = self.make_stepper()
        if self.trainer.min_steps:  # so that a run that is to stop does so at this step, however long spans are
            self.stop_at(self.trainer.min_steps)
        if heard := listeners(callbacks_of(self.trainer)):
            self.one_step_spans = True
            names = ", ".join(type(callback).__name__ for callback in heard)
            log.info("steps   one per call of the training loop, since %s listens to batches", names)

    def make_stepper(self) -> Stepper:
        """The object that runs the steps."""
        return Stepper(
            self.field,
            self.dataset,
            self.objective,
            self.generator,
            self.max_steps,
            self.engine,
            self.processes,
            self.manual_backward,
            self.clip,
        )

    def on_fit_end(self) -> None:
        self.stepper = None

    def training_step(self, _: int) -> None:
        optimizer, schedule = self.optimizers(), self.lr_schedulers()
        assert self.stepper is not None
        start, steps = time.perf_counter(), self._span()
        loss_sum = torch.zeros((), device=self.device)
        for _ in range(steps):
            outcome = self.stepper.step(self.step, optimizer, schedule)  # type: ignore[arg-type]
            if self.after_step is not None:
                self.after_step(self, self.step)
            loss_sum = loss_sum + outcome.loss
        losses = torch.stack([loss_sum, outcome.loss]).double()
        losses.sum().item()  # synchronizes with the device, so that the span is complete
        elapsed = time.perf_counter() - start
        # The processes must agree on the length of a span, or they would deadlock.
        figures = self.pooled(torch.cat([losses, losses.new_tensor([elapsed])]))
        span_loss, self.last_loss, together = figures.tolist()
        self.last_scores = self._scores(outcome.observed)
        self.loss_sum += span_loss
        self.loss_steps += steps
        self._check_finite()
        self.seconds_per_step = together / self.trainer.world_size / steps
        self.seconds += elapsed
        self.begun = True

    @torch.no_grad()
    def _scores(self, observed: list[Observed]) -> dict[str, float]:
        """The dataset's metrics of a training batch, pooled over the processes."""
        for metric in self.dataset.metrics.values():
            metric.to(self.device).reset()
            for prediction, targets in observed:
                metric.update(prediction, targets)
        return {name: metric.compute().item() for name, metric in self.dataset.metrics.items()}

    def _span(self) -> int:
        if self.one_step_spans:
            return 1
        ends = [self.step - self.step % interval + interval for interval in self.intervals] + [self.max_steps]
        return max(1, min(min(ends) - self.step, int(SPAN_SECONDS / self.seconds_per_step)))

    def _check_finite(self) -> None:
        if not math.isfinite(self.loss_sum):
            raise NonFiniteLoss(f"the loss is {self.loss_sum} at step {self.step}")

    def mean_loss(self) -> float:
        """The mean loss over the steps since the last call."""
        mean = self.loss_sum / self.loss_steps
        self.loss_sum, self.loss_steps = 0.0, 0
        return mean

    # Checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if not all(parameter.isfinite().all() for parameter in self.field.parameters()):
            raise NonFiniteLoss(f"a weight is not finite at step {self.step}")
        if self.average is not None:
            assert self.result is self.average
            checkpoint["state_dict"] = renamed(checkpoint["state_dict"], {"field": "trained", "average": "field"})
        generator, sampler = self.generator.get_state().cpu(), self.dataset.sampler.state_dict()
        replace(self.description, seconds=self.seconds, generator=generator, sampler=sampler).write_to(checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._restored = Checkpoint.of(checkpoint)
        state = checkpoint["state_dict"]
        if any(name.startswith("trained.") for name in state):
            state = renamed(state, {"trained": "field", "field": "average"})
        if self.average is None:  # the run was averaged, and is no longer
            state = {name: value for name, value in state.items() if not name.startswith("average.")}
        elif not any(name.startswith("average.") for name in state):  # the average begins here
            state = state | {f"average.{name}": value for name, value in self._restored.tensors("field").items()}
        checkpoint["state_dict"] = state

    def _restore(self, saved: Checkpoint) -> None:
        self.seconds = saved.seconds
        self.dataset.sampler.load_state_dict(saved.sampler)
        if saved.generator is not None and saved.generator.shape == self.generator.get_state().shape:
            self.generator.set_state(saved.generator)
        else:  # of another type of device
            self.generator.manual_seed(self.seed + self._first_step())

    def _first_step(self) -> int:
        """The step at which this fit starts or goes on."""
        return 0 if self._restored is None else self._restored.step or 0


def renamed(state: Mapping[str, Tensor], parts: Mapping[str, str]) -> dict[str, Tensor]:
    """``state`` with other first parts of its names."""
    split = {name: name.partition(".") for name in state}
    return {f"{parts.get(first, first)}{dot}{rest}": state[name] for name, (first, dot, rest) in split.items()}
