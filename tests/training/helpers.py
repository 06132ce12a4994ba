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
from ffnet.training import Fitting, WholeFileCheckpointIO

STEPS = 60


def image(**arguments: Any) -> Dataset:
    return ImageDataset(size=[24, 20], **({"batch_size": 64} | arguments))


def shape(**arguments: Any) -> Dataset:
    return OccupancyDataset(**({"batch_size": 64, "scored_points": 500} | arguments))


def pooled_shape(**arguments: Any) -> Dataset:
    return shape(pool=1000, **arguments)


# The laws of training hold for each.
SIGNALS = [image, shape, pooled_shape]


def loss_of(dataset: Dataset) -> torch.nn.Module:
    return torch.nn.MSELoss() if isinstance(dataset, ImageDataset) else torch.nn.BCEWithLogitsLoss()


def field_of(dataset: Dataset, encoder: Any = None) -> CoordinateMLP:
    output = torch.nn.Sigmoid() if isinstance(dataset, ImageDataset) else None
    encoder = encoder or PositionalEncoder(dataset.in_features, 4)
    return CoordinateMLP(encoder, dataset.out_features, 16, 1, output_activation=output, seed=0)


def fitting(
    signal: Callable[..., Dataset] = image,
    steps: int = STEPS,
    lr: float = 1e-2,
    schedule: bool = True,
    encoder: Any = None,
    regularizers: Any = None,
    engine: Any = None,
    **dataset: Any,
) -> Fitting:
    data = signal(**dataset)
    return Fitting(
        field_of(data, encoder),
        data,
        loss_of(data),
        partial(torch.optim.Adam, lr=lr),
        partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=steps) if schedule else None,
        max_steps=steps,
        seed=5,
        engine=engine,
        regularizers=regularizers,
    )


def trainer(folder: Path, steps: int = STEPS, callbacks: Any = (), **options: Any) -> Trainer:
    return Trainer(
        max_steps=steps,
        max_epochs=-1,
        accelerator="cpu",
        logger=options.pop("logger", False),
        callbacks=list(callbacks),
        plugins=[WholeFileCheckpointIO()],
        enable_checkpointing=options.pop("enable_checkpointing", False),
        enable_model_summary=False,
        enable_progress_bar=options.pop("enable_progress_bar", False),
        check_val_every_n_epoch=None,
        val_check_interval=1,
        default_root_dir=str(folder),
        **options,
    )


def saved(folder: Path) -> Path:
    """Where ``Checkpoints`` keeps the checkpoint of a trainer in ``folder``."""
    return folder / "checkpoints" / "last.ckpt"


def weights(module: Fitting) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.field.parameters()])
