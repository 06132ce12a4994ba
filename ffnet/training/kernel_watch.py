"""The neural tangent kernel during training."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from ffnet.analysis import Observed, OctaveErrors, decayed_to
from ffnet.budget import check
from ffnet.kernels import effective_rank, eigenvalues, empirical_ntk_trace
from ffnet.training.module import Fitting
from ffnet.training.periodic import Periodic


class KernelWatch(Periodic):
    """Logs at the start, at every interval and at the end, for the network's kernel at some training queries (the mean
    over observed values, divided by the number of queries, so that eigenvalues do not depend on it):

    - ``kernel/eigenvalue_<i>``: the largest ones;
    - ``kernel/effective_rank``: between 1 and the number of queries;
    - ``kernel/drift``: its change since the start, relative to its initial norm: 0 in lazy training;

    and, if the training queries are points on a grid, for each octave in cycles per unit:

    - ``band_error/<low>-<high>``: the root mean square error, in units of the signal;
    - ``band_predicted/<low>-<high>``: the error in the octave if the initial kernel distributed the same total error.
      The total error serves as the clock, so that any optimizer can be compared. Octaves are assumed independent,
      which holds for stationary kernels, and the kernel constant, which holds early in training and for wide networks.

    Training is not affected. The start takes a forward pass and one backward pass per octave over ``band_points``, an
    entry a forward pass and the kernel: with `recipe=paper` on two cores, as long as 86 steps and, every 250 steps, 7
    (``python benchmarks/kernels.py watch``). Trainable frequencies, and operators that evaluate several points per
    query, need Jacobians and take much longer.

    Args:
        every_n_steps: the interval in optimizer steps; None logs only at the start and at the end.
        points: number of training queries for the kernel.
        leading: number of eigenvalues to log.
        band_points: most grid points for the error by octave; larger grids are cropped to the middle.
    """

    def __init__(
        self, every_n_steps: int | None = 250, points: int = 256, leading: int = 5, band_points: int = 16384
    ) -> None:
        super().__init__(every_n_steps)
        for name, value in (("leading", leading), ("band_points", band_points)):
            if value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}")
        if points < max(2, leading):
            raise ValueError(f"points: expected at least 2 and at least `leading`, which is {leading}, got {points}")
        check("points", points**2, "callbacks.kernel.points, squared")
        check("points", band_points, "callbacks.kernel.band_points")
        self.points = points
        self.leading = leading
        self.band_points = band_points
        self.start: dict[str, Tensor] = {}  # the kernel, and the errors and rates of the octaves, at step 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Fitting)
        dataset, field = pl_module.dataset, pl_module.field
        grid = dataset.regular
        self.x = dataset.probe(self.points).queries
        self.octaves: OctaveErrors | None = None
        if grid is not None and dataset.operator.pointwise:
            self.octaves = OctaveErrors(grid, self.band_points)
        if not self.start:  # otherwise the run was resumed
            self.start = {"kernel": self.kernel(pl_module)}
            if self.octaves is not None:
                squares = self.octaves.mean_squares(self.octaves.error(field))
                self.start |= {"squares": squares.cpu(), "rates": self.octaves.rates(field).cpu()}
            self.act(trainer, pl_module)

    def kernel(self, module: Fitting) -> Tensor:
        """(n, n), in float64 on the CPU."""
        observed = Observed(module.field, module.dataset.operator)
        with torch.no_grad():
            columns = observed(self.x[:1]).shape[1]
        return empirical_ntk_trace(observed, self.x).double().cpu() / (columns * len(self.x))

    def act(self, trainer: Trainer, module: Fitting) -> None:
        kernel, start = self.kernel(module), self.start["kernel"]
        values = eigenvalues(kernel)
        scalars = {f"kernel/eigenvalue_{i + 1}": values[i].item() for i in range(min(self.leading, len(values)))}
        scalars["kernel/effective_rank"] = effective_rank(values)
        scalars["kernel/drift"] = ((kernel - start).norm() / start.norm()).item()
        if self.octaves is not None:
            found = self.octaves.mean_squares(self.octaves.error(module.field)).cpu()
            predicted = decayed_to(found.sum().item(), self.start["squares"], self.start["rates"])
            for kind, squares in (("error", found), ("predicted", predicted)):
                names = [f"band_{kind}/{name}" for name in self.octaves.names]
                scalars |= dict(zip(names, squares.sqrt().tolist(), strict=True))
        for logger in trainer.loggers:
            logger.log_metrics(scalars, step=module.step)

    def state_dict(self) -> dict[str, Any]:
        return dict(self.start)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.start = dict(state_dict)
