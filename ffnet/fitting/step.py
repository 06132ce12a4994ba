"""The training step: a function of field, source, operator, objective and optimizer."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ffnet.datasets import Batch, Dataset, Source
from ffnet.fitting.engine import Engine
from ffnet.fitting.losses import Objective
from ffnet.fitting.precision import observed_type
from ffnet.fitting.processes import Processes
from ffnet.models import Field


@runtime_checkable
class Steps(Protocol):
    """An optimizer, or Lightning's wrapper of one."""

    def zero_grad(self) -> Any: ...
    def step(self) -> Any: ...


class Observed(NamedTuple):
    """Predictions and targets of a micro-batch (n, c)."""

    prediction: Float[Tensor, "n c"]
    targets: Float[Tensor, "n c"]


class Outcome(NamedTuple):
    """The objective and the micro-batches of a step, for this process's share."""

    loss: Float[Tensor, ""]
    observed: list[Observed]


class Stepper:
    """Runs training steps of ``field`` on ``dataset``, without Lightning.

    Each of several processes draws the whole batch and processes its share; gradients are summed. Steps therefore match
    those of one process up to floating-point rounding.

    Args:
        field: coordinates (n, d) to values (n, c), on ``device``.
        dataset: the dataset, on ``device``.
        objective: the data term and regularizers.
        generator: on ``device``; draws batches and all other random numbers of a step.
        max_steps: optimizer steps of the whole run, for annealed encoders.
        engine: how a step is executed.
        processes: this process's share.
        backward: computes gradients of a loss; Lightning has its own.
        clip: limits the gradients of parameters before the optimizer uses them.

    Construct it under the autocast settings of training: cached features have their dtype.
    """

    def __init__(
        self,
        field: nn.Module,
        dataset: Dataset,
        objective: Objective,
        generator: torch.Generator,
        max_steps: int,
        engine: Engine | None = None,
        processes: Processes | None = None,
        backward: Callable[[Tensor], Any] = torch.Tensor.backward,
        clip: Callable[[Iterable[nn.Parameter]], None] | None = None,
    ) -> None:
        self.field, self.dataset, self.objective = field, dataset, objective
        self.generator, self.max_steps, self.backward, self.clip = generator, max_steps, backward, clip
        self.engine, self.processes = engine or Engine(), processes or Processes()
        self.cache = self.engine.cache(field, dataset, generator.device)
        # The field's __call__, not the field, since compiling a module creates a second module with the same weights.
        function = field.__call__ if self.cache is None else self.cache.decode
        self.function = function if dataset.operator.differentiates else self.engine.compiled(function)

    def step(self, number: int, optimizer: Steps, schedule: Any = None) -> Outcome:
        """The optimizer step ``number``, counted from 0."""
        optimizer.zero_grad()
        outcome = self.gradients(number)
        if self.clip is not None:
            self.clip(self.field.parameters())
        optimizer.step()
        anneal(self.field, (number + 1) / self.max_steps)
        if schedule is not None:
            schedule.step()
        return outcome

    def gradients(self, number: int = 0) -> Outcome:
        """Accumulates the gradients of the objective of the whole batch."""
        queries, operator = self.dataset.batch_size, self.dataset.operator
        operator.prepare(self.field, number, self.generator)
        batch, noise = self._draw()
        observed, total = [], torch.zeros((), device=self.generator.device)
        for part, (inputs, targets, weights, _) in self._micro_batches(batch):
            if self.cache is not None:
                values = self.function(inputs)  # of a pointwise operator
            else:
                values = operator(self.function, inputs, None if noise is None else noise[part])
            prediction = observed_type(values)
            loss = self.objective.data(prediction, targets, weights)
            if len(targets) < queries:  # the batch's mean is the micro-batches' means, weighted
                loss = loss * (len(targets) / queries)
            self.backward(loss)
            observed.append(Observed(prediction.detach(), targets))
            total = total + loss.detach()
        if self.objective.regularizers:
            total = total + self._regularize(batch)
        if self.processes.count > 1:
            self._pool_gradients()
        if self.dataset.sampler.adaptive:
            self._tell_sampler(batch, observed)
        return Outcome(total, observed)

    def _draw(self) -> tuple[Batch, Tensor | None]:
        """The whole batch, for a source with indices instead of queries, and the noise of the operator."""
        source = self.dataset.source
        if isinstance(source, Source):
            index, weights = self.dataset.draw(self.generator)
            empty = torch.empty(0, device=self.generator.device)
            batch = Batch(empty, empty, weights, index)
        else:
            batch = source.draw(self.dataset.batch_size, self.generator)
        return batch, self.dataset.operator.noise(self.dataset.batch_size, self.generator)

    def _micro_batches(self, batch: Batch) -> Iterator[tuple[slice, Batch]]:
        """This process's share of ``batch``, with features instead of queries if there is a cache."""
        source, per_row = self.dataset.source, 1 if self.cache is None else self.cache.points_per_row
        mine = self.processes.share(self.dataset.batch_size // per_row)
        operator, device = self.dataset.operator, self.generator.device
        size = self.engine.micro_batch_size(self.dataset.batch_size, operator, device)
        size = max(1, size // per_row)
        for start in range(mine.start, mine.stop, size):
            part = slice(start, min(start + size, mine.stop))
            weights = None if batch.weights is None else batch.weights[part]
            if not isinstance(source, Source):
                yield part, Batch(batch.queries[part], batch.targets[part], weights)
            elif self.cache is not None:
                rows = part if batch.index is None else batch.index[part]
                yield part, self.cache.batch(rows)._replace(weights=weights)
            else:
                every = torch.arange(part.start, part.stop, device=device) if batch.index is None else batch.index[part]
                yield part, source.batch(every)._replace(weights=weights)

    def _regularize(self, batch: Batch) -> Tensor:
        """Every process computes the regularizers of the whole batch, so each is divided by the number of processes."""
        source = self.dataset.source
        if isinstance(source, Source):
            index = self._indices(source, batch)
            batch = source.batch(index)._replace(weights=batch.weights, index=index)
        value = self.objective.regularization(self.field, batch, self.generator) / self.processes.count
        self.backward(value)
        return value.detach()

    def _indices(self, source: Source, batch: Batch) -> Tensor:
        return torch.arange(source.size, device=self.generator.device) if batch.index is None else batch.index

    def _tell_sampler(self, batch: Batch, observed: list[Observed]) -> None:
        source = self.dataset.source
        assert isinstance(source, Source)
        index = self._indices(source, batch)
        per_row = 1 if self.cache is None else self.cache.points_per_row
        assert per_row == 1, "an adaptive sampler draws queries one by one"
        errors = torch.zeros(len(index), device=index.device)
        mine = self.processes.share(len(index))
        errors[mine.start : mine.stop] = torch.cat([(p - t).abs().square().mean(-1) for p, t in observed])
        self.dataset.sampler.update(index, self.processes.pooled(errors))

    def _pool_gradients(self) -> None:
        """Sums the gradients over the processes, in one message."""
        trained = [parameter for parameter in self.field.parameters() if parameter.requires_grad]
        mine = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        summed = self.processes.pooled(torch.cat([gradient.reshape(-1) for gradient in mine]))
        pieces = summed.split([parameter.numel() for parameter in trained])
        for parameter, piece in zip(trained, pieces, strict=True):
            parameter.grad = piece.view_as(parameter)


def anneal(field: nn.Module, trained: float) -> None:
    """Tells annealed encoders of the field that the fraction ``trained`` in [0, 1] of training is done."""
    if isinstance(field, Field):
        field.anneal(trained)
