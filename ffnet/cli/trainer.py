"""Which settings of Lightning's trainer ``ffnet fit`` takes, and what to say instead of the others."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning.pytorch import Callback
    from lightning.pytorch.profilers import Profiler

STEPS = "training is one endless epoch, counted in optimizer steps"
SCORES = "scores come from callbacks.evaluation and are of all points"
# Settings that would do nothing, or harm: why, and what does what they are for.
INSTEAD = {
    "max_epochs": f"{STEPS}; say trainer.max_steps=...",
    "min_epochs": f"{STEPS}; say trainer.min_steps=...",
    "limit_train_batches": f"{STEPS}; say trainer.max_steps=...",
    "overfit_batches": "every step draws a new batch of one signal; dataset.batch_size=null takes all of it every step",
    "fast_dev_run": "it would switch off loggers and callbacks; say trainer.max_steps=1",
    **dict.fromkeys(
        ("limit_val_batches", "limit_test_batches", "limit_predict_batches"),
        f"{SCORES}; to score less often, say callbacks.evaluation.every_n_steps=...",
    ),
    **dict.fromkeys(
        ("val_check_interval", "check_val_every_n_epoch"), f"{SCORES}; say callbacks.evaluation.every_n_steps=..."
    ),
    "num_sanity_val_steps": "a step is tried before every run anyway; leave it out",
    "log_every_n_steps": "say callbacks.scalars.every_n_steps=...",
    "enable_progress_bar": "say callbacks.progress=null for none",
    "enable_checkpointing": "say callbacks.checkpoints=null for none, or callbacks.checkpoints.every_n_steps=...",
    "accumulate_grad_batches": "a step takes the gradient of its whole batch; raise dataset.batch_size=...",
    "logger": "say logger=tensorboard, csv, wandb, mlflow or none",
    "callbacks": "say +callbacks.NAME._target_=...",
    "default_root_dir": "say hydra.run.dir=...",
    "resume_from_checkpoint": "say resume=RUN",
    **dict.fromkeys(
        ("plugins", "barebones", "inference_mode", "use_distributed_sampler", "reload_dataloaders_every_n_epochs"),
        "it has no effect on ffnet's loop; leave it out",
    ),
}
# Followed by Lightning's callbacks that log at every step, such as LearningRateMonitor, and by nothing else.
FOR_LISTENERS = "log_every_n_steps"
# Their values in conf/trainer, and others that mean the same.
MEANT: dict[str, tuple[Any, ...]] = {
    "max_epochs": (-1, None),
    "val_check_interval": (1,),
    "check_val_every_n_epoch": (None,),
    "accumulate_grad_batches": (1,),
}
PROFILERS = {"simple": "SimpleProfiler", "advanced": "AdvancedProfiler", "pytorch": "PyTorchProfiler"}


# Settings that are followed and have no value in conf/trainer.
ADDED = ("strategy", "num_nodes", "sync_batchnorm")
ACCELERATORS = ("auto", "cpu", "cuda", "gpu", "mps")
PRECISIONS = ("auto", "64-true", "32-true", "16-true", "bf16-true", "16-mixed", "bf16-mixed", "64", "32", "16", "bf16")
# Settings that are true or false, and what else they may be.
FLAGS: dict[str, tuple[Any, ...]] = {
    "enable_model_summary": (),
    "detect_anomaly": (),
    "benchmark": (None,),
    "deterministic": (None, "warn"),
}
# Lightning's callbacks that would do nothing or harm, and what to say instead.
CALLBACKS = {
    **dict.fromkeys(("WeightAveraging", "StochasticWeightAveraging"), "say callbacks=ema"),
    "GradientAccumulationScheduler": "a step takes the gradient of its whole batch; raise dataset.batch_size=...",
    "BatchSizeFinder": "a batch is computed in parts that fit; say dataset.batch_size=...",
    "LearningRateFinder": "try several, as in ffnet fit -m optimizer.lr=1e-3,3e-3,1e-2",
    "ModelPruning": "it acts at the ends of epochs, and training is one endless epoch",
    "BaseFinetuning": "it acts at the starts of epochs, and training is one endless epoch",
}


def refusal(name: str) -> str:
    """Why the trainer's setting ``name`` is not one of ffnet's, and what to say instead."""
    return f"trainer.{name}: is not for ffnet: {INSTEAD[name]}"


def check_settings(trainer: dict[str, Any], known: Iterable[str]) -> None:
    """Checks the settings of the trainer, whose constructor has the arguments ``known``.

    Raises:
        ValueError: if one would do nothing or harm, or is none of the trainer's.
    """
    for name, value in trainer.items():
        usual = [(type(one), one) for one in MEANT.get(name, ())]  # 1.0 is the whole epoch, 1 a batch
        if name in INSTEAD and name != FOR_LISTENERS and (type(value), value) not in usual:
            raise ValueError(refusal(name))
        if name not in (*known, "_target_"):
            raise ValueError(f"trainer.{name}: is no setting of Lightning's trainer; see docs/lightning.md")
    for name, others in FLAGS.items():
        value = trainer.get(name, False)
        if not isinstance(value, bool) and value not in others:
            words = ", ".join(("true, false", *("null" if other is None else str(other) for other in others)))
            raise ValueError(f"trainer.{name}: expected {words}, got {value!r}")
    limit = trainer.get("max_time")
    if limit is not None and not re.fullmatch(r"\d+:\d\d:\d\d:\d\d", str(limit)):
        raise ValueError(f"trainer.max_time: expected DD:HH:MM:SS, such as 00:00:10:00, or null, got {limit!r}")
    least, most = trainer.get("min_steps"), trainer["max_steps"]
    if least is not None and not (type(least) is int and 0 <= least <= most):
        raise ValueError(f"trainer.min_steps: expected an integer of at most trainer.max_steps, {most}, got {least!r}")


def check_callbacks(trainer: dict[str, Any], callbacks: "list[Callback]") -> None:
    """Checks callbacks of Lightning's, and the setting that some of them follow.

    Raises:
        ValueError: if one would do nothing or harm.
    """
    from lightning.pytorch.callbacks import ModelSummary

    from ffnet.training.spans import listeners

    for callback in callbacks:
        for kind in type(callback).__mro__:
            if kind.__name__ in CALLBACKS and kind.__module__.startswith("lightning."):
                raise ValueError(f"{type(callback).__name__}: is not for ffnet: {CALLBACKS[kind.__name__]}")
        if type(callback) is ModelSummary:
            raise ValueError("ModelSummary: is shown with trainer.enable_model_summary=true")
    if FOR_LISTENERS in trainer and not listeners(callbacks):
        raise ValueError(refusal(FOR_LISTENERS))


def check_device(trainer: dict[str, Any]) -> None:
    """Checks where the trainer is to run, and in which precision.

    Raises:
        ValueError: if there is no such device, or the precision is none of Lightning's.
    """
    from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator

    name, devices, precision = (trainer.get(key) for key in ("accelerator", "devices", "precision"))
    if name not in ACCELERATORS:
        raise ValueError(f"trainer.accelerator: expected {', '.join(ACCELERATORS)}, got {name!r}")
    here = {"cuda": CUDAAccelerator.is_available(), "mps": MPSAccelerator.is_available()}
    if not here.get(name, name != "gpu" or any(here.values())):
        raise ValueError(f"trainer.accelerator: expected cpu or auto, since torch finds no such device, got {name!r}")
    if name == "cpu" or not any(here.values()):
        number = int(devices) if isinstance(devices, str) and devices.isdecimal() else devices
        if number != "auto" and not (type(number) is int and number >= 1):
            raise ValueError(f"trainer.devices: expected a number of processes of at least 1, got {devices!r}")
    if str(precision) not in PRECISIONS:
        raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}")


def profiler(name: Any, directory: Path) -> "Profiler | None":
    """Lightning's profiler ``name``, which writes ``fit-profile.txt`` to ``directory``. By itself, it would log to
    where nothing is shown.

    Raises:
        ValueError: if it is none of Lightning's.
    """
    from lightning.pytorch import profilers

    if name is None:
        return None
    if name not in PROFILERS:
        raise ValueError(f"trainer.profiler: expected {', '.join(PROFILERS)} or null, got {name!r}")
    made: Profiler = getattr(profilers, PROFILERS[name])(dirpath=str(directory), filename="profile")
    return made
