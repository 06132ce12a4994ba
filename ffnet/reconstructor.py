"""A field as a reconstructor of deepinv (https://deepinv.github.io), for any of its physics."""

from collections.abc import Callable, Mapping

import torch
from deepinv.models import Reconstructor
from deepinv.physics import Physics
from jaxtyping import Float
from torch import Tensor, nn

from ffnet.datasets import Dataset, TensorSource
from ffnet.encoders import GaussianEncoder
from ffnet.fitting import Objective, Regularizer, Stepper
from ffnet.models import CoordinateMLP
from ffnet.operators import OnGrid
from ffnet.operators.grid import rows


class Measurements(Dataset):
    """Measurements of a field on a grid by a function, all in every step.

    Args:
        measure: maps an image or volume (1, c, ...) of the given size to its measurements.
        measured: those that were made.
        size: of the grid, slowest axis first.
        channels: values of the field.
    """

    operator: OnGrid
    source: TensorSource

    def __init__(
        self,
        measure: Callable[[Tensor], Tensor],
        measured: Float[Tensor, "1 *shape"],
        size: tuple[int, ...],
        channels: int,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = len(size), channels
        self.operator = OnGrid(measure, size)
        targets = rows(measured)
        numbers = torch.arange(len(targets), dtype=torch.float32, device=targets.device)[:, None]
        self.source = TensorSource(numbers, targets)


def gaussian_field(in_features: int, out_features: int, seed: int) -> nn.Module:
    """Gaussian Fourier features of up to a few cycles, which most reconstructions from few measurements want."""
    encoder = GaussianEncoder(in_features, 128, sigma=4.0, seed=seed)
    return CoordinateMLP(encoder, out_features, hidden_features=128, hidden_layers=3, seed=seed)


class FieldReconstructor(Reconstructor):
    """``x = model(y, physics)``: fits a field to each measurement of a batch and returns it on the physics' grid.

    Nothing is learned in advance and no image but the measured one is used (as with deepinv's deep image prior). The
    values of the field, and so of x, lie in [0, 1] by default.

    Args:
        field: makes a field from its numbers of coordinates and values and a seed.
        steps: optimizer steps; every step uses all measurements.
        lr: learning rate of Adam, which decays to 0 like a cosine.
        regularizers: terms of the objective, by name, such as ``{"tv": ffnet.fitting.TotalVariation(1e-5)}``.
        seed: of the field and of the regularizers' points.
    """

    def __init__(
        self,
        field: Callable[[int, int, int], nn.Module] = gaussian_field,
        steps: int = 500,
        lr: float = 2e-3,
        regularizers: Mapping[str, Regularizer] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.field, self.steps, self.lr, self.seed = field, steps, lr, seed
        self.objective = Objective(nn.MSELoss(), regularizers)

    def forward(self, y: Tensor, physics: Physics, **kwargs: object) -> Tensor:
        """Images (b, c, height, width), or volumes, for measurements y of ``physics``."""
        shape = physics.A_adjoint(y).shape
        return torch.cat([self._fitted(part, physics, shape[1], tuple(shape[2:])) for part in y.split(1)])

    @torch.enable_grad()
    def _fitted(self, y: Tensor, physics: Physics, channels: int, size: tuple[int, ...]) -> Tensor:
        dataset = Measurements(physics.A, y.detach(), size, channels).to(y.device)
        field = self.field(len(size), channels, self.seed).to(y.device)
        generator = torch.Generator(y.device).manual_seed(self.seed)
        stepper = Stepper(field, dataset, self.objective, generator, self.steps)
        optimizer = torch.optim.Adam(field.parameters(), self.lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        for number in range(self.steps):
            stepper.step(number, optimizer, schedule)
        with torch.no_grad():
            return dataset.operator.values(field, dataset.source.queries)
