"""Runs in separate processes: one per device, or one per run of a parallel sweep."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from ffnet.cli.compose import config_dirs
from ffnet.cli.errors import BadInput, RunFailed, Stopped, Told, exit_code, explain
from ffnet.cli.overrides import parsed, quoted, unparsed

# Time for the other processes to end by themselves after one has failed.
GRACE_SECONDS = 5.0
ALONE = "FFNET_PARENT"
# Hydra's settings that belong to the sweep, or that are set for each process.
NOT_PASSED_ON = ("hydra.mode", "hydra.run", "hydra.sweep", "hydra.output_subdir", "hydra/", "hydra.launcher")


def rank() -> int:
    """The rank of this process, before torch.distributed is initialized; rank 0 writes to the run directory."""
    if int(os.environ.get("SLURM_NTASKS", 1)) > 1:
        return int(os.environ["SLURM_PROCID"])
    return int(os.environ.get("RANK", os.environ.get("NODE_RANK", 0)))


def started_by_others() -> bool:
    """Whether a launcher (torchrun, srun, or this module) has started one process per device."""
    return "LOCAL_RANK" in os.environ or int(os.environ.get("SLURM_NTASKS", 1)) > 1


def run_apart(job: Any, overrides: Sequence[str], folder: Path, ranks: int = 1, nodes: int = 1) -> None:
    """Runs ``ffnet fit`` with ``overrides`` in ``folder``, in ``ranks`` new processes, and waits.

    Lightning's launcher would repeat the command line of this process, which in a sweep is the whole sweep.

    Args:
        job: Hydra's configuration of the run, from which flags and Hydra's overrides are passed on.
        overrides: the overrides of the run.
        folder: the run directory.
        ranks: number of processes on this machine; they connect like those of torchrun.
        nodes: number of machines; the user sets NODE_RANK, MASTER_ADDR and MASTER_PORT on each.

    Raises:
        Told: if the first process failed and printed the reason.
        RunFailed: if a process was killed, or one other than the first failed.
        Stopped: if this process received a signal; the others have saved the run.
    """
    flags = [part for place in config_dirs(job.runtime) for part in ("--config-dir", place)]
    hydras = parsed(job.overrides.hydra)
    settings = unparsed(override for override in hydras if not override.key_or_group.startswith(NOT_PASSED_ON))
    own = [f"hydra.run.dir={quoted(str(folder))}", "hydra.output_subdir=null", "hydra.mode=RUN"]
    command = [sys.executable, "-m", "ffnet", "fit", *flags, *overrides, *settings, *own]
    with ExitStack() as stack:
        said = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(ranks)]
        processes = [
            # In a new session, so that only this process receives Ctrl-C. It stops the others by closing the pipe.
            stack.enter_context(
                subprocess.Popen(
                    command, env=env, stdin=subprocess.PIPE, stderr=None if i == 0 else said[i], start_new_session=True
                )
            )
            for i, env in enumerate(environments(ranks, nodes))
        ]
        stop = stack.enter_context(_listening())
        failed = _wait(processes, stop)
        if stop:
            raise Stopped(f"stopped; go on with: ffnet fit resume={folder}", stop[0], told=True)
        if failed is not None:
            raise _explained(failed, processes[failed].returncode, said[failed], folder)


def environments(ranks: int, nodes: int) -> Iterator[dict[str, str]]:
    """The environment of each process; that of torchrun if there are several."""
    node = int(os.environ.get("NODE_RANK", 0))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    for local in range(ranks):
        env = dict(os.environ) | {ALONE: str(os.getpid())}
        if ranks * nodes > 1:
            if nodes == 1:
                env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            env |= {"RANK": str(node * ranks + local), "LOCAL_RANK": str(local), "GROUP_RANK": str(node)}
            env |= {"WORLD_SIZE": str(ranks * nodes), "LOCAL_WORLD_SIZE": str(ranks), "TORCHELASTIC_RUN_ID": "ffnet"}
            env.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // ranks)))
        yield env


def stop_with_parent() -> None:
    """In a process started by ``run_apart``: saves and stops when the parent closes the pipe or is gone."""

    def listen() -> None:
        while os.read(0, 1):  # not sys.stdin, whose lock this thread would hold at exit
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    if os.environ.get(ALONE) == str(os.getppid()):
        threading.Thread(target=listen, daemon=True).start()


@contextmanager
def _listening() -> Iterator[list[int]]:
    """A list of the signals received so far."""
    received: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, lambda number, _: received.append(number)) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(processes: Sequence[subprocess.Popen[bytes]], stop: Sequence[int]) -> int | None:
    """Waits until all processes have ended; returns the index of the first that failed, if any."""
    failed, deadline = None, float("inf")
    while any(process.poll() is None for process in processes):
        if stop:
            for process in processes:
                assert process.stdin is not None
                process.stdin.close()
        if failed is None and (broken := [i for i, process in enumerate(processes) if process.returncode]):
            failed, deadline = broken[0], time.monotonic() + GRACE_SECONDS
        if time.monotonic() > deadline:
            for process in processes:
                process.kill()
        time.sleep(0.05)
    return next((i for i, process in enumerate(processes) if process.returncode), None) if failed is None else failed


def _explained(number: int, code: int, said: IO[str], folder: Path) -> Exception:
    if number == 0 and code > 0:
        return Told(code)
    said.seek(0)
    lines = said.read().strip().splitlines()
    reason = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}: {(lines or [''])[-1]}"
    return RunFailed(f"process {number} {reason}")


def record_failure(folder: Path, reason: str, code: int) -> None:
    """Writes ``folder/failed.json``, which marks the run as failed."""
    from ffnet.atomic import replacing

    with replacing(folder / "failed.json") as temporary:
        temporary.write_text(json.dumps({"reason": reason, "exit_code": code}, indent=2) + "\n")


@contextmanager
def failures_recorded(folder: Path) -> Iterator[None]:
    """Records errors in this block in the run directory, until the run is repeated."""
    try:
        yield
    except Told:
        raise  # recorded by the process that printed the reason
    except Exception as error:
        refused = isinstance(error, BadInput) and (folder / "checkpoints").exists()  # an earlier attempt was valid
        if rank() == 0 and not refused:
            record_failure(folder, explain(error), exit_code(error))
        raise
