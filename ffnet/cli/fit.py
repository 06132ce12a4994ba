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
    resume = next((argument for argument in argv if argument.startswith("resume=")), "resume=null")
    folder = Path(resume.removeprefix("resume="))
    if resume == "resume=null" or not folder.is_dir():  # the task says what is wrong with a file or no folder
        return run("fit", fit, argv)
    # A resumed run goes on in its own folder, and keeps the record of how it began.
    return run("fit", fit, [*argv, f"hydra.run.dir={json.dumps(str(folder))}", "hydra.output_subdir=null"])


def fit(config: DictConfig) -> None:
    from hydra.core.hydra_config import HydraConfig

    from ffnet.cli.resume import resumed

    started = time.perf_counter()
    job = HydraConfig.get()
    folder = Path(job.runtime.output_dir)
    with reading_input():
        checkpoint = None
        if config.resume is not None:
            checkpoint, config = resumed(config, list(job.overrides.task))
        module, trainer = assemble(config, folder)

    from ffnet.training import Interrupted, NonFiniteLoss

    try:
        trainer.fit(module, ckpt_path=checkpoint)
    except Interrupted as stop:
        message = f"stopped by {stop}; saved. Go on with: ffnet fit resume={folder}"
        raise Stopped(message, stop.signal) from stop
    except NonFiniteLoss as error:
        raise FloatingPointError(
            f"{error}; try a lower optimizer.lr. The last good checkpoint is in {folder / 'checkpoints'}"
        ) from error
    finish(module, trainer, folder, time.perf_counter() - started)


def assemble(config: DictConfig, folder: Path) -> "tuple[Fitting, Trainer]":
    """Builds all that ``config`` names.

    Raises:
        ValueError, TypeError, OSError, HydraException, OmegaConfBaseException: what is wrong with it.
    """
    from hydra.utils import instantiate
    from lightning.pytorch import seed_everything
    from lightning.pytorch.utilities.exceptions import MisconfigurationException

    from ffnet.training import Fitting, WholeFileCheckpointIO, automatic_precision

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
        description={"field": field_config, "settings": OmegaConf.to_container(config, resolve=False)},
    )
    module.configure_optimizers()  # so that a bad rate is found now
    precision = config.trainer.precision
    if precision == "auto":
        precision = automatic_precision(str(config.trainer.accelerator))
    try:
        trainer = instantiate(
            config.trainer,
            precision=precision,
            callbacks=[instantiate(item, _convert_="all") for item in (config.callbacks or {}).values()],
            logger=[instantiate(item, _convert_="all") for item in (config.logger or {}).values()],
            plugins=[WholeFileCheckpointIO()],
            default_root_dir=str(folder),
            _convert_="all",
        )
    except MisconfigurationException as error:
        raise ValueError(str(error)) from error
    log.info("signal  %s", dataset)
    encoder, parameters = field_config["encoder"]["_target_"], sum(p.numel() for p in field.parameters())
    log.info("field   %s after %s, %s parameters", *map(_short, (config.model._target_, encoder)), f"{parameters:,}")
    log.info("run     %s, %s on %s", folder, trainer.precision, trainer.strategy.root_device)
    return module, trainer


def _short(target: str) -> str:
    return target.rpartition(".")[2]


def _keep_quiet() -> None:
    """Lightning announces what it found and gives hints; here the run says in its own lines what matters."""
    for name in ("lightning.pytorch", "lightning.fabric"):
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
