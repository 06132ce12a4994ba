"""The end of a run: scores, reconstruction and ``metrics.json``."""

import logging
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from lightning.pytorch import Trainer
    from lightning.pytorch.loggers import Logger

    from ffnet.training import Fitting

log = logging.getLogger(__name__)


class Results(NamedTuple):
    """Scores by name, the contents of ``metrics.json``, and the path of the reconstruction; None if there is none."""

    scores: dict[str, float]
    metrics: dict[str, Any]
    reconstruction: Path | None


def results(module: "Fitting", trainer: "Trainer", directory: Path | None, seconds: float) -> Results:
    """Scores a fit and writes its reconstruction to ``directory`` unless that is None."""
    from ffnet.fitting import directions, evaluate

    device = trainer.strategy.root_device
    field, dataset = module.to(device).result.eval(), module.dataset
    at_end = module.scored is not None and module.scored[0] == module.step
    scores = module.scored[1] if at_end and module.scored else evaluate(field, dataset)
    better = directions(dataset)
    reconstruction = None
    if directory is not None and dataset.record is not None:
        reconstruction = dataset.record.write(field, directory, device)
    if reconstruction is not None:
        errors = dataset.compare(reconstruction)
        scores, better = scores | errors, better | {name: dataset.compared.get(name, False) for name in errors}
    metrics = scores | {
        "higher_is_better": better,
        "steps": module.step,
        "max_steps": module.max_steps,
        "seconds": module.seconds,
        "total_seconds": seconds,
        "samples_per_second": module.step * dataset.batch_size / max(module.seconds, 1e-9),
        "parameters": sum(parameter.numel() for parameter in field.parameters()),
        "seed": module.seed,
        "device": str(device),
        "precision": str(trainer.precision),
        "world_size": trainer.world_size,
        "baselines": dataset.baselines(),
        "versions": versions(),
    }
    return Results(scores, metrics, reconstruction)


def finish(module: "Fitting", trainer: "Trainer", directory: Path, seconds: float) -> None:
    """Writes the reconstruction and ``metrics.json``, and logs scores and paths."""
    from ffnet.cli.ending import reason
    from ffnet.fitting import units, worse_than_mean

    found = results(module, trainer, directory, seconds)
    scores, _, reconstruction = found
    write_results(found, directory)
    unit = units(module.dataset)
    log.info("")
    log.info("%s", ", ".join(f"{name} {value:.4g} {unit.get(name, '')}".rstrip() for name, value in scores.items()))
    if worse_than_mean(scores, module.dataset):
        log.warning("this is worse than the mean of the signal everywhere; try a lower optimizer.lr or more steps")
    if module.step < module.max_steps:
        log.info("stopped at step %d of %d: %s", module.step, module.max_steps, reason(trainer))
    log.info("%d steps in %.1f s of training, %.1f s in all", module.step, module.seconds, seconds)
    if reconstruction is not None:
        log.info("wrote   %s", reconstruction)
    for logger in trainer.loggers:
        if line := look(logger, directory):
            log.info("look    %s", line)


def look(logger: "Logger", directory: Path) -> str | None:
    """How to look at what one of Lightning's loggers wrote; None for others."""
    match type(logger).__name__:  # an isinstance would import the libraries of all of them
        case "TensorBoardLogger":
            return f"tensorboard --logdir {quote(str(directory))}"
        case "CSVLogger":
            return f"{logger.log_dir}/metrics.csv"
        case "MLFlowLogger":
            return f"mlflow ui --backend-store-uri {logger._tracking_uri}"  # type: ignore[attr-defined]
        case "WandbLogger" if logger._offline:  # type: ignore[attr-defined]
            return f"wandb sync {quote(str(directory))}/wandb/offline-run-*"
    return None


def write_results(found: Results, directory: Path) -> None:
    """Writes ``metrics.json``."""
    from ffnet.atomic import replacing
    from ffnet.runs import strict_json

    with replacing(directory / "metrics.json") as temporary:
        temporary.write_text(strict_json(found.metrics, indent=2) + "\n")


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that affect results, of those that are installed: ffnet may be a copy on
    PYTHONPATH."""
    from importlib.metadata import PackageNotFoundError, version
    from platform import python_version

    found = {"python": python_version()}
    for name in ("ffnet", "torch", "lightning"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
