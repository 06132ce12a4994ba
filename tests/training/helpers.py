"""A small fit, assembled without the command line."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

from ffnet.datasets import Dataset, ImageDataset, OccupancyDataset
from ffnet.encoders import PositionalEncoder
from ffnet.models import CoordinateMLP
from ffnet.training import Checkpoints, Fitting, WholeFileCheckpointIO

STEPS = 60


def picture(**arguments: Any) -> Dataset:
    return ImageDataset(size=[24, 20], **({"batch_size": 64} | arguments))


def shape(**arguments: Any) -> Dataset:
    return OccupancyDataset(**({"batch_size": 64, "scored_points": 500} | arguments))


def pooled_shape(**arguments: Any) -> Dataset:
    return shape(pool=1000, **arguments)


# The laws of training hold for each.
SIGNALS = [picture, shape, pooled_shape]


def loss_of(dataset: Dataset) -> torch.nn.Module:
    return torch.nn.MSELoss() if isinstance(dataset, ImageDataset) else torch.nn.BCEWithLogitsLoss()


def fitting(
    signal: Callable[..., Dataset] = picture,
    steps: int = STEPS,
    rate: float = 1e-2,
    schedule: bool = True,
    **dataset: Any,
) -> Fitting:
    data = signal(**dataset)
    output = torch.nn.Sigmoid() if signal is picture else None
    encoder = PositionalEncoder(data.in_features, 4)
    field = CoordinateMLP(encoder, data.out_features, 16, 1, output_activation=output, seed=0)
    return Fitting(
        field,
        data,
        loss_of(data),
        partial(torch.optim.Adam, lr=rate),
        partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=steps) if schedule else None,
        max_steps=steps,
        seed=5,
    )


def trainer(folder: Path, steps: int = STEPS, callbacks: Any = (), **options: Any) -> Trainer:
    return Trainer(
        max_steps=steps,
        max_epochs=-1,
        accelerator="cpu",
        logger=options.pop("logger", False),
        callbacks=list(callbacks),
        plugins=[WholeFileCheckpointIO()],
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        default_root_dir=str(folder),
        **options,
    )


def checkpoints(folder: Path, every_n_steps: int = 25) -> Checkpoints:
    return Checkpoints(folder / "checkpoints", every_n_steps)


def weights(module: Fitting) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.field.parameters()])
