"""Runs a command: from arguments to an exit code, with errors in one line."""

import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from ffnet import stopping
from ffnet.cli.compose import composing
from ffnet.cli.errors import (
    BadInput,
    RunFailed,
    Stopped,
    Told,
    exit_code,
    explain,
    reading_input,
    warnings_logged,
)
from ffnet.cli.flags import Flags, Request
from ffnet.cli.paths import literal
from ffnet.cli.plan import check_run, check_sweep, limits_of, planned, removed_if_refused
from ffnet.cli.workers import workers_stopped
from ffnet.memory import keep_freed_memory
from ffnet.printable import printable

if TYPE_CHECKING:
    import torch

__all__ = ["BadInput", "RunFailed", "Stopped", "Told", "reading_input", "run", "usable_device"]

Task = Callable[[DictConfig], None]
Prepare = Callable[[Request], Request]


def usable_device(name: str) -> "torch.device":
    """The device called ``name``.

    Raises:
        ValueError: if torch does not know it or it is not available.
    """
    import torch

    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # meta has no numbers
    except Exception as error:  # torch also asserts that it was compiled with CUDA
        reason = explain(error)
        raise ValueError(f"device: expected cpu, cuda or the like that is here, got {name!r} ({reason})") from error
    return device


@warnings_logged()
def run(command: str, task: Task, argv: Sequence[str], prepare: Prepare = lambda request: request) -> int:
    """Composes ``conf/<command>.yaml`` with the overrides in ``argv``, runs ``task``, returns the exit code.

    ``prepare`` may change the request before it is passed to Hydra. Errors print one line to stderr, with
    ``HYDRA_FULL_ERROR=1`` also the traceback.
    """
    keep_freed_memory()
    stopping.left.forget()
    codes, used = [0], []

    def watched(config: DictConfig) -> None:
        # Errors are handled here: Hydra would print its own lines and stop a sweep at the first failed run.
        used.append(Path(HydraConfig.get().runtime.output_dir))
        try:
            with limits_of(config):
                task(config)
        except Exception as error:
            codes.append(_report(command, error, exit_code(error)))

    flags = Flags(command)
    try:
        request = prepare(literal(command, flags.read(argv)))
        with composing(command, request.config_dir) as hydra:
            if not _answered(hydra, command, flags, request):
                config = planned(hydra, command, request.overrides, request.multirun)
                if request.multirun or config.hydra.mode == RunMode.MULTIRUN:
                    with limits_of(config), workers_stopped():
                        check_sweep(hydra, config)
                        hydra.multirun(command, watched, [*request.overrides, "hydra.mode=MULTIRUN"])
                else:
                    check_run(config)
                    with removed_if_refused(config, used, lambda: not used or codes[-1] == 2):
                        hydra.run(command, watched, request.overrides)
    except Stopped as stop:
        codes.append(_report(command, stop, stop.exit_code))
    except KeyboardInterrupt as stop:
        codes.append(_report(command, stop, 128 + signal.SIGINT))
    except BrokenPipeError:  # the reader of --help closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:  # before the task: invalid arguments, or a run directory that cannot be created
        codes.append(_report(command, error, 2))
    except SystemExit as stop:  # the end of a sweep
        codes.append(int(stop.code or 0))
    return max(codes)


def _answered(hydra: Any, command: str, flags: Flags, request: Request) -> bool:
    """Prints what the request asks for instead of running; False if it asks to run."""
    overrides = request.overrides
    if request.help:
        from ffnet.cli.help import help_text

        print(help_text(hydra, command, request), end="")
    elif request.hydra_help:
        hydra.hydra_help(command, flags, request)
    elif request.cfg:
        with redirect_stderr(io.StringIO()) as said:
            try:
                hydra.show_cfg(command, overrides, request.cfg, request.package, request.resolve)
            except SystemExit as stop:  # --package with an unknown key
                raise BadInput(said.getvalue().strip()) from stop
    elif request.info:
        hydra.show_info(request.info, command, overrides)
    else:
        return False
    return True


def _report(command: str, error: BaseException, code: int) -> int:
    if isinstance(error, Told):
        stopping.tell(error.line)
        return code
    # Hydra's switch for tracebacks.
    if os.environ.get("HYDRA_FULL_ERROR", "") not in ("", "0"):
        traceback.print_exception(error)
    message = "interrupted" if isinstance(error, KeyboardInterrupt) else explain(error)
    if code == 1:
        name = "" if isinstance(error, RunFailed) else f"{type(error).__name__}: "
        message = f"the run failed: {name}{message}"
    stopping.tell(printable(f"ffnet {command}: {message}"), last=isinstance(error, Stopped))
    return code
