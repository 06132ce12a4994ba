"""The worker processes of a parallel sweep, and how they stop with it."""

import math
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from ffnet import stopping
from ffnet.cli.errors import Stopped


def is_worker() -> bool:
    """Whether this process runs jobs of a parallel sweep."""
    return multiprocessing.parent_process() is not None


@cache  # once is enough
def stop_with_sweep() -> None:
    """In a worker of a parallel sweep: stops with the process of the sweep."""
    if is_worker():
        stopping.outlive(_sweep_ended)


def _sweep_ended(seconds: float = math.inf) -> None:
    """Waits in a worker until the process of the sweep is gone, at most ``seconds``."""
    sweep, deadline = multiprocessing.parent_process(), time.monotonic() + seconds
    while sweep is not None and os.getppid() == sweep.pid and time.monotonic() < deadline:
        time.sleep(0.1)


def await_the_end() -> NoReturn:
    """Waits in a worker until the sweep has seen all runs end: joblib kills them all as soon as one worker is gone."""
    _sweep_ended(2 * stopping.GRACE_SECONDS)
    os._exit(128 + signal.SIGTERM)


@contextmanager
def workers_stopped() -> Iterator[None]:
    """In this block, a signal stops the runs of a parallel sweep, which save, before the sweep."""
    asked: list[int] = []

    def stop(signum: int, _: Any) -> None:
        workers = [worker.pid for worker in multiprocessing.active_children() if worker.pid is not None]
        if not workers:
            stopping.end(signum)
        asked.append(signum)
        busy = _children(workers) if len(asked) == 1 else {}
        for worker in set(busy.values()):
            os.kill(worker, signal.SIGTERM)
        deadline = time.monotonic() + stopping.GRACE_SECONDS + 1
        while busy and time.monotonic() < deadline:
            time.sleep(0.05)
            busy = _children(list(busy.values()))
        raise Stopped(stopping.left.after(asked[0]), asked[0])

    if stopping.listening():
        with stopping.handling(stop):
            yield
    else:
        yield


def _children(parents: Sequence[int]) -> dict[int, int]:
    """The running children of processes with their parents. None where there is no /proc: joblib then kills the runs
    without waiting for their last checkpoint."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) in parents and state != "Z":
                found[int(process.name)] = int(parent)
    return found
