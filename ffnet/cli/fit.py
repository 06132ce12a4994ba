"""``ffnet fit``: fits a signal, and leaves a run's folder."""

import json
import logging
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from ffnet.cli.app import Stopped, reading_input, run
from ffnet.cli.field import build_field, field_settings

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

    from ffnet.training import Fitting

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    from ffnet.cli.arguments import prepared
    from ffnet.cli.processes import stop_with_parent

    stop_with_parent()
    return run("fit", fit, argv, prepared)


def fit(config: DictConfig) -> None:
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from ffnet.cli.processes import failures_recorded, run_apart
    from ffnet.cli.resume import remaining

    job = HydraConfig.get()
    folder = Path(job.runtime.output_dir)
    overrides = remaining(config, list(job.overrides.task), folder)
    if overrides is None:
        log.info("run     %s is complete", folder)
        return
    with failures_recorded(folder):
        # Beside other runs, a run has a process of its own: one that is killed takes no other with it.
        if job.mode == RunMode.MULTIRUN and not job.launcher._target_.endswith(".BasicLauncher"):
            run_apart(job, overrides, folder)
        else:
            fit_here(config, overrides, folder)


def fit_here(config: DictConfig, overrides: list[str], folder: Path) -> None:
    """The run, in this process or, with several devices, in one for each."""
    from hydra.core.hydra_config import HydraConfig

    from ffnet.cli.processes import rank, run_apart, started_by_others
    from ffnet.cli.resume import resumed
    from ffnet.runs import settings

    started = time.perf_counter()
    with reading_input():
        checkpoint, own = None, settings(overrides)
        if config.resume:
            checkpoint, config, own = resumed(config, overrides)
        module, trainer = assemble(config, own, folder)
    ranks, nodes = trainer.num_devices, trainer.num_nodes
    if ranks * nodes > 1 and not started_by_others():
        del module, trainer  # what they hold is needed in the other processes
        return run_apart(HydraConfig.get(), overrides, folder, ranks, nodes)

    from ffnet.training import Interrupted, NonFiniteLoss

    if rank() == 0:
        (folder / "failed.json").unlink(missing_ok=True)
    try:
        trainer.fit(module, ckpt_path=checkpoint)
    except Interrupted as stop:
        message = f"stopped by {stop}; saved. Go on with: ffnet fit resume={folder}"
        raise Stopped(message, stop.signal) from stop
    except NonFiniteLoss as error:
        raise FloatingPointError(
            f"{error}; try a lower optimizer.lr. The last good checkpoint is in {folder / 'checkpoints'}"
        ) from error
    if rank() == 0:
        finish(module, trainer, folder, time.perf_counter() - started)
    return None


def assemble(config: DictConfig, overrides: dict[str, str], folder: Path) -> "tuple[Fitting, Trainer]":
    """Builds all that ``config`` names.

    Raises:
        ValueError, TypeError, OSError, HydraException, OmegaConfBaseException: what is wrong with it.
    """
    from hydra.utils import instantiate
    from lightning.pytorch import seed_everything

    from ffnet.training import Fitting

    _keep_quiet()
    steps, seed = config.trainer.max_steps, config.seed
    if not isinstance(steps, int) or steps < 1:
        raise ValueError(f"trainer.max_steps: expected a whole number of at least 1, got {steps}")
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed: expected a whole number in [0, 2^32), got {seed}")
    seed_everything(seed, verbose=False)  # for users' classes; ours have generators of their own

    dataset = instantiate(config.dataset, _convert_="all")
    config.dataset.update(dataset.found())
    field_config = field_settings(config, dataset)
    module = Fitting(
        field := build_field(field_config, dataset),
        dataset,
        instantiate(config.loss, _convert_="all"),
        instantiate(config.optimizer, _convert_="all"),
        instantiate(config.schedule, _convert_="all"),
        max_steps=steps,
        seed=seed,
        engine=instantiate(config.engine, _convert_="all"),
        description={"field": field_config, "settings": OmegaConf.to_container(config, resolve=False)}
        | {"overrides": overrides},
    )
    module.configure_optimizers()  # so that a bad rate is found now
    trainer = make_trainer(config, dataset.batch_points, folder)
    log.info("signal  %s", dataset)
    encoder, parameters = field_config["encoder"]["_target_"], sum(p.numel() for p in field.parameters())
    log.info("field   %s after %s, %s parameters", *map(_short, (config.model._target_, encoder)), f"{parameters:,}")
    log.info("run     %s, %s on %s", folder, trainer.precision, _place(trainer))
    return module, trainer


def make_trainer(config: DictConfig, batch_points: int, folder: Path) -> "Trainer":
    """The trainer that ``config`` names; with several devices, each takes its share of the ``batch_points``.

    Raises:
        ValueError: if the devices are not here, are more than points, or the strategy cannot share a batch.
    """
    from hydra.utils import instantiate
    from lightning.pytorch.strategies import DDPStrategy
    from lightning.pytorch.utilities.exceptions import MisconfigurationException

    from ffnet.training import SharedBatch, WholeFileCheckpointIO, automatic_precision

    precision = config.trainer.precision
    if precision == "auto":
        precision = automatic_precision(str(config.trainer.accelerator))
    parts = {
        "precision": precision,
        "callbacks": [instantiate(item, _convert_="all") for item in (config.callbacks or {}).values()],
        "logger": [instantiate(item, _convert_="all") for item in (config.logger or {}).values()],
        "plugins": [WholeFileCheckpointIO()],
        "default_root_dir": str(folder),
    }
    try:
        trainer = instantiate(config.trainer, **parts, _convert_="all")
        if isinstance(trainer.strategy, DDPStrategy):
            trainer = instantiate(config.trainer, **parts, strategy=SharedBatch(), _convert_="all")
    except MisconfigurationException as error:
        raise ValueError(str(error)) from error
    processes = trainer.num_devices * trainer.num_nodes
    if processes > 1 and not isinstance(trainer.strategy, SharedBatch):
        raise ValueError(f"trainer.strategy: expected ddp, got {config.trainer.strategy}")
    if processes > batch_points:
        raise ValueError(f"trainer.devices: expected at most the batch's {batch_points} points, got more")
    return trainer


def _short(target: str) -> str:
    return target.rpartition(".")[2]


def _place(trainer: "Trainer") -> str:
    device = trainer.strategy.root_device
    processes = trainer.num_devices * trainer.num_nodes
    return str(device) if processes == 1 else f"{processes} x {device.type}"


def _keep_quiet() -> None:
    """Libraries announce what they found and give hints; here the run says in its own lines what matters."""
    for name in ("lightning.pytorch", "lightning.fabric", "matplotlib"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module=r"lightning\.")  # such as its use of what torch deprecates


def finish(module: "Fitting", trainer: "Trainer", folder: Path, seconds: float) -> None:
    """Writes the reconstruction and ``metrics.json``, and prints where things are."""
    from ffnet.files import replacing
    from ffnet.rendering import write_reconstruction
    from ffnet.training import evaluate

    device = trainer.strategy.root_device
    field = module.to(device).field.eval()
    at_end = module.scored is not None and module.scored[0] == module.step
    scores = module.scored[1] if at_end and module.scored else evaluate(field, module.dataset)
    reconstruction = write_reconstruction(field, module.dataset.description(), folder, device)
    if reconstruction is not None:
        scores = scores | module.dataset.compare(reconstruction)
    metrics = scores | {
        "steps": module.step,
        "seconds": module.seconds,
        "total_seconds": seconds,
        "samples_per_second": module.step * module.dataset.batch_points / max(module.seconds, 1e-9),
        "parameters": sum(parameter.numel() for parameter in field.parameters()),
        "seed": module.seed,
        "device": str(device),
        "precision": str(trainer.precision),
        "world_size": trainer.world_size,
        "baselines": module.dataset.baselines(),
        "versions": _versions(),
    }
    with replacing(folder / "metrics.json") as temporary:
        temporary.write_text(json.dumps(metrics, indent=2) + "\n")
    log.info("")
    log.info("%s", ", ".join(f"{name} {value:.4g}" for name, value in scores.items()))
    log.info("%d steps in %.1f s of training, %.1f s in all", module.step, module.seconds, seconds)
    if reconstruction is not None:
        log.info("wrote   %s", reconstruction)
    log.info("look    tensorboard --logdir %s", folder)


def _versions() -> dict[str, str]:
    from importlib.metadata import version
    from platform import python_version

    return {"python": python_version()} | {name: version(name) for name in ("ffnet", "torch", "lightning")}
