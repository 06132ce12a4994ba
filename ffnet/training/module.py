"""The training loop's body, as a Lightning module."""

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ffnet.checkpoint import FORMAT
from ffnet.datasets import Batch, Dataset
from ffnet.memory import keep_freed_memory
from ffnet.models import Field
from ffnet.training.engine import Engine
from ffnet.training.processes import share
from ffnet.training.table import Table

# A call of Lightning's loop takes about a millisecond, whatever it does; a call of this length makes that
# negligible, and a progress bar or a key press is still answered at once.
SPAN_SECONDS = 0.2


class NonFiniteLoss(RuntimeError):
    """The loss or a weight is no longer a finite number."""


class Fitting(LightningModule):
    """Fits ``field`` to ``dataset``.

    One call of ``training_step`` runs a span of optimiser steps, as many as take about 0.2 s. A span never
    crosses a multiple of an interval that a callback has asked for with ``stop_at``, so that whatever happens
    every n steps happens at exactly these steps. Spans do not change the arithmetic, only who is called when.

    Of several processes (``SharedBatch``), each draws the whole batch and works off its share; gradients and figures
    are added up. So the steps are those of one process but for the rounding of sums.

    Args:
        field: coordinates (n, d) to values (n, c).
        dataset: what is fitted; its tensors move to the device with this module.
        loss: (prediction, targets) to a scalar.
        optimizer: takes the field's named parameters and returns a torch optimizer.
        schedule: takes the optimizer and returns a scheduler that is stepped after every step; None keeps the
            rate constant.
        max_steps: the number of optimiser steps of the whole run.
        seed: of the generator that draws the batches.
        engine: how a step is carried out.
        description: plain values about the field and the run that every checkpoint shall hold.
    """

    def __init__(
        self,
        field: Field,
        dataset: Dataset,
        loss: Callable[[Tensor, Tensor], Tensor],
        optimizer: Callable[[Iterable[tuple[str, nn.Parameter]]], Optimizer],
        schedule: Callable[[Optimizer], LRScheduler] | None = None,
        *,
        max_steps: int,
        seed: int = 0,
        engine: Engine | None = None,
        description: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.field = field
        self.dataset = dataset
        self.loss = loss
        self.make_optimizer = optimizer
        self.make_schedule = schedule
        self.max_steps = max_steps
        self.seed = seed
        self.engine = engine or Engine()
        self.description = description or {}
        self.intervals: set[int] = set()
        self.seconds = 0.0
        self.seconds_per_step = math.inf
        self.loss_sum = 0.0
        self.loss_steps = 0
        self.last_loss = math.nan
        self.last_statistics: Tensor | None = None  # of the last batch, summed
        self.table: Table | None = None
        self.scored: tuple[int, dict[str, float]] | None = None  # step and scores of the last evaluation
        self._generator_state: Tensor | None = None

    # What callbacks ask

    @property
    def step(self) -> int:
        """Optimiser steps done."""
        return self.global_step

    def stop_at(self, every_n_steps: int) -> None:
        """From now on no span crosses a multiple of ``every_n_steps``."""
        self.intervals.add(every_n_steps)

    def due(self, every_n_steps: int | None) -> bool:
        """Whether a thing that happens every so many steps, and at the end, happens now."""
        return self.step == self.max_steps or (every_n_steps is not None and self.step % every_n_steps == 0)

    def pooled(self, tensor: Tensor) -> Tensor:
        """The sum of ``tensor`` over all processes, in its place."""
        if self.trainer.world_size > 1:  # Lightning's own reduction would wait for a barrier each time
            torch.distributed.all_reduce(tensor)
        return tensor

    # What Lightning asks

    def configure_optimizers(self) -> Any:
        optimizer = self.make_optimizer(self.field.named_parameters())
        if self.make_schedule is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": self.make_schedule(optimizer)}

    def train_dataloader(self) -> Iterable[int]:
        """Lightning's loop wants something to iterate over. The batches are drawn on the device instead."""
        return itertools.repeat(0)

    def on_fit_start(self) -> None:
        keep_freed_memory()
        self.generator = torch.Generator(device=self.device).manual_seed(self.seed)
        if self._generator_state is not None:
            if self._generator_state.shape == self.generator.get_state().shape:
                self.generator.set_state(self._generator_state)
            else:  # another kind of device: its generator has another state
                self.generator.manual_seed(self.seed + self.step)
        self.field.anneal(self.step / self.max_steps)
        with self.trainer.precision_plugin.forward_context():
            self.table = self.engine.table(self.field, self.dataset, self.device)
        # The field's call, not the field: as an attribute it would be a second module with the same weights.
        self.function = self.engine.compiled(self.field.__call__ if self.table is None else self.table.decode)

    def on_fit_end(self) -> None:
        self.table = None

    def training_step(self, _: int) -> None:
        optimizer, schedule = self.optimizers(), self.lr_schedulers()
        start, steps = time.perf_counter(), self._span()
        loss_sum = torch.zeros((), device=self.device)
        for _ in range(steps):
            optimizer.zero_grad()  # type: ignore[union-attr]
            loss, blocks = self._gradients()
            optimizer.step()  # type: ignore[union-attr]
            self.field.anneal(self.step / self.max_steps)
            if schedule is not None:
                schedule.step()  # type: ignore[union-attr]
            loss_sum = loss_sum + loss
        statistics = sum(self.dataset.statistics(*block).sum(0) for block in blocks)
        assert isinstance(statistics, Tensor)
        losses = torch.stack([loss_sum, loss]).to(statistics)
        losses.sum().item()  # reads from the device, and so waits until the span is done
        elapsed = time.perf_counter() - start
        # The processes must agree on how long a span is, or they would wait for each other for ever.
        figures = self.pooled(torch.cat([losses, losses.new_tensor([elapsed]), statistics]))
        span_loss, self.last_loss, together = figures[:3].tolist()
        self.last_statistics = figures[3:]
        self.loss_sum += span_loss
        self.loss_steps += steps
        self._check_finite()
        self.seconds_per_step = together / self.trainer.world_size / steps
        self.seconds += elapsed

    def _blocks(self, block: int) -> Iterator[Batch]:
        """This process's share of a training batch in blocks of at most so many points.

        With features in place of coordinates if there is a table.
        """
        images = 1 if self.table is None else self.table.images
        mine = share(self.dataset.batch_points // images, self.trainer.global_rank, self.trainer.world_size)
        block = max(1, block // images)
        ranges = [(start, min(start + block, mine.stop)) for start in range(mine.start, mine.stop, block)]
        if self.dataset.training_points is None:
            batch = self.dataset.sample(self.generator)
            yield from (Batch(*(part[start:end] for part in batch)) for start, end in ranges)
            return
        numbers = self.dataset.draw(self.generator)
        for start, end in ranges:
            if self.table is not None:
                rows = slice(start, end) if numbers is None else numbers[start:end]
                yield self.table.batch(rows)
            else:
                every = torch.arange(start, end, device=self.device) if numbers is None else numbers[start:end]
                yield self.dataset.training_batch(every)

    def _gradients(self) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Adds the gradients of a batch's loss to the parameters; (loss, predictions and targets by block).

        The gradients are the whole batch's, the loss and the blocks those of this process's share.
        """
        points = self.dataset.batch_points
        done, total = [], torch.zeros((), device=self.device)
        for inputs, targets in self._blocks(self.engine.block(points, self.device)):
            # The points of a table are observed where they lie.
            observed = self.function(inputs) if self.table else self.dataset.observe(self.function, inputs)
            prediction = observed.float()
            loss = self.loss(prediction, targets)
            if len(targets) < points:  # the batch's mean is the blocks' means, weighted
                loss = loss * (len(targets) / points)
            self.manual_backward(loss)
            done.append((prediction.detach(), targets))
            total = total + loss.detach()
        if self.trainer.world_size > 1:
            self._pool_gradients()
        return total, done

    def _pool_gradients(self) -> None:
        """Adds up the processes' gradients, all of them in one message."""
        trained = [parameter for parameter in self.field.parameters() if parameter.requires_grad]
        mine = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        summed = self.pooled(torch.cat([gradient.reshape(-1) for gradient in mine]))
        pieces = summed.split([parameter.numel() for parameter in trained])
        for parameter, piece in zip(trained, pieces, strict=True):
            parameter.grad = piece.view_as(parameter)

    def _span(self) -> int:
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

    def batch_scores(self) -> dict[str, float]:
        """Scores of the last training batch, by the dataset's own measure."""
        assert self.last_statistics is not None
        return self.dataset.batch_scores(self.last_statistics)

    # Checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if not all(parameter.isfinite().all() for parameter in self.field.parameters()):
            raise NonFiniteLoss(f"a weight is not finite at step {self.step}")
        checkpoint["ffnet"] = {
            "format": FORMAT,
            "signal": self.dataset.description(),
            "seconds": self.seconds,
            "generator": self.generator.get_state().cpu(),
            **self.description,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.seconds = checkpoint["ffnet"]["seconds"]
        self._generator_state = checkpoint["ffnet"]["generator"]
