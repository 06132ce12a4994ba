"""A small fit, assembled without the command line."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

from ffnet.datasets import ImageDataset
from ffnet.encoders import PositionalEncoder
from ffnet.models import CoordinateMLP
from ffnet.training import Checkpoints, Fitting, WholeFileCheckpointIO

STEPS = 60


def fitting(steps: int = STEPS, rate: float = 1e-2, schedule: bool = True, **dataset: Any) -> Fitting:
    data = ImageDataset(size=[24, 20], **({"batch_size": 64} | dataset))
    field = CoordinateMLP(PositionalEncoder(2, 4), 3, 16, 1, output_activation=torch.nn.Sigmoid(), seed=0)
    return Fitting(
        field,
        data,
        torch.nn.MSELoss(),
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
