"""The neural tangent kernel of a network while it is trained."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from ffnet.kernels import effective_rank, eigenvalues, empirical_ntk_trace
from ffnet.training.bands import Bands, shared_out
from ffnet.training.module import Fitting
from ffnet.training.periodic import Periodic


class KernelWatch(Periodic):
    """Logs at the start, at every interval and at the end, of the network's kernel at some training points (the mean
    over outputs, divided by the number of points, which makes eigenvalues independent of it):

    - ``kernel/eigenvalue_<i>``: the largest ones;
    - ``kernel/effective_rank``: between 1 and the number of points;
    - ``kernel/drift``: how far it has moved since the start, relative to what it was: 0 in lazy training;

    and, where the training points form a grid, of the error in each octave of frequencies, in cycles per unit:

    - ``band_error/<low>-<high>``: its root mean square, in units of the signal;
    - ``band_predicted/<low>-<high>``: how the kernel at the start would share out as much error over the bands. The
      whole error is the clock, so this can be compared under any optimizer. It takes bands for independent, which
      holds for stationary kernels, and the kernel for constant, which holds early and for wide networks.

    It changes nothing in the training. The start costs a forward and, for each band, a backward pass over
    ``band_points``, an entry a forward pass and the kernel: in the default fit, on two cores, as much as 86 steps
    and, every 250 steps, 7 (``python benchmarks/kernels.py watch``). Where an encoder has parameters of its own, the
    kernel needs Jacobians and costs far more.

    Args:
        every_n_steps: the interval in optimiser steps; None logs at the start and at the end.
        points: training points on which the kernel is computed.
        leading: how many eigenvalues are logged.
        band_points: points of the grid on which the error is split into bands.
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
        self.points = points
        self.leading = leading
        self.band_points = band_points
        self.start: dict[str, Tensor] = {}  # the kernel, and the bands' errors and rates, as they were at step 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Fitting)
        dataset, field = pl_module.dataset, pl_module.field
        self.x = dataset.probe(self.points).coordinates
        self.bands = Bands(dataset, self.band_points) if dataset.training_grid else None
        if not self.start:  # else the run was resumed
            self.start = {"kernel": self.kernel(pl_module)}
            if self.bands is not None:
                squares = self.bands.mean_squares(self.bands.error(field))
                self.start |= {"squares": squares.cpu(), "rates": self.bands.rates(field).cpu()}
            self.act(trainer, pl_module)

    def kernel(self, module: Fitting) -> Tensor:
        """(n, n), in float64 on the processor."""
        kernel = empirical_ntk_trace(module.field, self.x).double().cpu()
        return kernel / (module.dataset.out_features * len(kernel))

    def act(self, trainer: Trainer, module: Fitting) -> None:
        kernel, start = self.kernel(module), self.start["kernel"]
        values = eigenvalues(kernel)
        scalars = {f"kernel/eigenvalue_{i + 1}": values[i].item() for i in range(min(self.leading, len(values)))}
        scalars["kernel/effective_rank"] = effective_rank(values)
        scalars["kernel/drift"] = ((kernel - start).norm() / start.norm()).item()
        if self.bands is not None:
            found = self.bands.mean_squares(self.bands.error(module.field)).cpu()
            predicted = shared_out(self.start["squares"], self.start["rates"], found.sum().item())
            for kind, squares in (("error", found), ("predicted", predicted)):
                names = [f"band_{kind}/{name}" for name in self.bands.names]
                scalars |= dict(zip(names, squares.sqrt().tolist(), strict=True))
        for logger in trainer.loggers:
            logger.log_metrics(scalars, step=module.step)

    def state_dict(self) -> dict[str, Any]:
        return dict(self.start)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.start = dict(state_dict)
