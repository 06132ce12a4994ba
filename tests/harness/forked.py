"""Runs ``ffnet`` in forks of a process that has loaded everything, so that a command takes a moment instead of seconds.

The fuzz, attack and kill harnesses start thousands of commands. A fork runs the same code as the console script, in a
folder, session and memory limit of its own.
"""

import importlib
import multiprocessing.util
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

Setup = Callable[[], None]


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        code: exit code; -N if signal N killed it.
        out, err: what it printed.
        seconds: how long it took.
        timed_out: whether it was killed because it took too long.
        peak_bytes: its largest resident set; that of this process at the time of the fork is included.
    """

    code: int
    out: str
    err: str
    seconds: float
    timed_out: bool
    peak_bytes: int


PRELOADED = (
    "ffnet.cli.fit",
    "ffnet.datasets",
    "ffnet.training",
    "lightning.pytorch",
    "tensorboard.backend.event_processing.event_file_loader",
    "torch.utils.tensorboard",
    "torchmetrics.image",
    "trimesh",
)


def preload() -> None:
    """Imports what commands import, and keeps torch from starting threads, which a fork would not have."""
    import torch
    from hydra.core.plugins import Plugins

    for name in PRELOADED:
        importlib.import_module(name)
    torch.set_num_threads(1)
    Plugins.instance()


class Child:
    """A running command.

    Args:
        argv: the arguments of ``ffnet``.
        folder: where it runs; it must exist.
        memory: limit of its address space in bytes above that of this process.
        setup: called in the fork before the command, for example to install an audit hook.
    """

    def __init__(
        self, argv: Sequence[str], folder: Path, memory: int | None = None, setup: Setup = lambda: None
    ) -> None:
        self.logs = [Path(tempfile.mkstemp(suffix=f".{name}")[1]) for name in ("out", "err")]
        self.start = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _run(list(argv), folder, self.logs, memory, setup)

    def kill(self, number: signal.Signals) -> None:
        """Sends a signal to the command alone, not to the processes it has started."""
        os.kill(self.pid, number)

    def running(self) -> bool:
        """Whether the command has not ended."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def wait(self, seconds: float = 60) -> Outcome:
        """Waits for the end; after ``seconds`` kills the command and all it has started."""
        timed_out = False
        while True:
            pid, status, used = os.wait4(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - self.start > seconds and not timed_out:
                timed_out = True
                os.killpg(self.pid, signal.SIGKILL)
            time.sleep(0.005)
        out, err = (log.read_text(errors="replace") for log in self.logs)
        for log in self.logs:
            log.unlink()
        code = os.waitstatus_to_exitcode(status)
        return Outcome(code, out, err, time.monotonic() - self.start, timed_out, used.ru_maxrss * 1024)


def run(argv: Sequence[str], folder: Path, seconds: float = 60, **options: object) -> Outcome:
    """Runs a command to its end; see ``Child``."""
    return Child(argv, folder, **options).wait(seconds)  # type: ignore[arg-type]


def _run(argv: list[str], folder: Path, logs: list[Path], memory: int | None, setup: Setup) -> NoReturn:
    code = 1
    try:
        os.setsid()
        for number, log in zip((1, 2), logs, strict=True):
            os.dup2(os.open(log, os.O_WRONLY), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        # pytest replaces these objects; the command prints to the descriptors.
        sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
        os.chdir(folder)
        if memory is not None:
            size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (size + memory, size + memory))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        # As Python starts, not as pytest sets them.
        warnings.resetwarnings()
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
        setup()
        from ffnet.cli import entry

        entry(argv)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        multiprocessing.util._run_finalizers()  # the semaphores of joblib
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
