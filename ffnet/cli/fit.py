"""``ffnet fit``: fits a signal and writes a run directory."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from ffnet import stopping
from ffnet.atomic import remove_abandoned
from ffnet.cli.app import BadInput, Stopped, reading_input, run
from ffnet.cli.errors import explain
from ffnet.cli.latest import remember
from ffnet.cli.plan import clear_results

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    from ffnet.cli.arguments import prepared

    return run("fit", fit, argv, prepared)


def fit(config: DictConfig) -> None:
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from ffnet.cli.launch import failures_recorded, run_apart
    from ffnet.cli.resume import remaining
    from ffnet.cli.workers import stop_with_sweep

    stop_with_sweep()
    job = HydraConfig.get()
    directory = Path(job.runtime.output_dir)
    overrides = remaining(config, list(job.overrides.task), directory)
    if overrides is None:
        log.info("run     %s is complete", directory)
        return
    with failures_recorded(directory):
        # In a parallel sweep, each run has its own process, so that a killed run does not stop the others.
        if job.mode == RunMode.MULTIRUN and not job.launcher._target_.endswith(".BasicLauncher"):
            remember(directory.parent)
            run_apart(job, overrides, directory)
        else:
            fit_here(config, overrides, directory)


def goes_on(config: DictConfig) -> bool:
    """Whether a run is resumed.

    Raises:
        ValueError: if ``resume`` is neither the name of a directory nor null or false.
    """
    if config.resume is None or config.resume is False:
        return False
    if not isinstance(config.resume, str) or not config.resume:
        raise ValueError(f"resume: expected a run or sweep directory, got {config.resume!r}")
    return True


def fit_here(config: DictConfig, overrides: list[str], directory: Path) -> None:
    """Runs the fit in this process or, with several devices, in one process per device."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from ffnet.cli.assemble import assemble, quiet_libraries
    from ffnet.cli.finish import finish
    from ffnet.cli.launch import check_nodes, rank, run_apart, started_by_others
    from ffnet.cli.parts import instantiated, make_parts
    from ffnet.cli.resume import resumed
    from ffnet.runs import settings as plain_overrides

    started = time.perf_counter()
    with reading_input():
        if goes_on(config):
            checkpoint, step, settings, own, make = resumed(config, overrides)
        else:
            checkpoint, step, own, make = None, None, plain_overrides(overrides), instantiated
            settings = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
        chosen = HydraConfig.get().runtime.choices
        if chosen.get("recipe") and chosen.get("experiment"):  # of which conf/fit.yaml names the experiment last
            pair = chosen["experiment"], chosen["recipe"]
            log.info("conf    experiment=%s wins over recipe=%s for the settings that both set", *pair)
        parts = make_parts(settings, make)
    with quiet_libraries():
        with reading_input():
            module, trainer = assemble(settings, make, parts, directory, own)
            check_nodes(trainer.num_nodes)
        del parts
        stopping.left.run, stopping.left.step = directory, step
        if rank() == 0 and not stopping.is_part():
            remember(directory.parent if HydraConfig.get().mode == RunMode.MULTIRUN else directory)
        log.info("run     %s, %s on %s", directory, trainer.precision, _place(trainer))
        ranks, nodes = trainer.num_devices, trainer.num_nodes
        if ranks * nodes > 1 and not started_by_others():
            del module, trainer  # the other processes need their memory
            return run_apart(HydraConfig.get(), overrides, directory, ranks, nodes)

        from ffnet.training import Interrupted, NonFiniteLoss

        if rank() == 0:
            (directory / "failed.json").unlink(missing_ok=True)
            remove_abandoned(directory)
            if checkpoint is None and config.overwrite:
                clear_results(directory)
        try:
            trainer.fit(module, ckpt_path=checkpoint)
        except Interrupted as stop:
            raise Stopped(stopping.left.after(stop.signal), stop.signal) from stop
        except NonFiniteLoss as error:
            kept = "" if stopping.left.step is None else f". The last good checkpoint is of step {stopping.left.step}"
            raise FloatingPointError(f"{error}; try a lower optimizer.lr{kept}") from error
        except Exception as error:
            if module.begun:
                raise
            place = "" if checkpoint is None else f"{checkpoint}: its state does not fit this run: "
            raise BadInput(f"{place}{explain(error)}") from error  # Lightning checks some settings only here
        if rank() == 0:
            finish(module, trainer, directory, time.perf_counter() - started)
    return None


def _place(trainer: "Trainer") -> str:
    device = trainer.strategy.root_device
    processes = trainer.num_devices * trainer.num_nodes
    return str(device) if processes == 1 else f"{processes} x {device.type}"
