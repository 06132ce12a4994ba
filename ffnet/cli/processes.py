"""A run in processes of its own: one for each device, or one beside a sweep's other runs."""

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

from ffnet.cli.app import BadInput, RunFailed, Stopped, Told, exit_code, explain

# How long the other processes may take to end by themselves once one has failed.
GRACE_SECONDS = 5.0
ALONE = "FFNET_PARENT"
# Hydra's settings that belong to the sweep, or that a process gets anew.
NOT_PASSED_ON = ("hydra.mode", "hydra.run", "hydra.sweep", "hydra.output_subdir", "hydra/", "hydra.launcher")


def rank() -> int:
    """The number of this process among those that train together, before torch knows; 0 writes the run's folder."""
    if int(os.environ.get("SLURM_NTASKS", 1)) > 1:
        return int(os.environ["SLURM_PROCID"])
    return int(os.environ.get("RANK", os.environ.get("NODE_RANK", 0)))


def started_by_others() -> bool:
    """Whether a launcher (torchrun, srun, or this file) has started one process for each device."""
    return "LOCAL_RANK" in os.environ or int(os.environ.get("SLURM_NTASKS", 1)) > 1


def quoted(text: str) -> str:
    """``text`` as a value in Hydra's grammar, whatever it contains."""
    return '"' + text.replace('"', '\\"') + '"'


def run_apart(job: Any, overrides: Sequence[str], folder: Path, ranks: int = 1, nodes: int = 1) -> None:
    """Runs ``ffnet fit`` with ``overrides`` in ``folder``, in ``ranks`` new processes, and waits.

    Lightning's own launcher would repeat this process's command line, which in a sweep is the whole sweep.

    Args:
        job: Hydra's configuration of the run, from which flags and its own overrides are passed on.
        overrides: the run's.
        folder: the run's.
        ranks: processes on this machine; they find each other as those of torchrun do.
        nodes: machines that do the same; the user sets NODE_RANK, MASTER_ADDR and MASTER_PORT there.

    Raises:
        Told: if the first process has ended with an error and said why.
        RunFailed: if a process was killed, or another than the first failed.
        Stopped: if this process was asked to stop; the others have saved the run.
    """
    flags = [
        part
        for source in job.runtime.config_sources
        if source.provider == "command-line"
        for part in ("--config-dir", source.path)
    ]
    settings = [override for override in job.overrides.hydra if not override.startswith(NOT_PASSED_ON)]
    own = [f"hydra.run.dir={quoted(str(folder))}", "hydra.output_subdir=null"]
    command = [sys.executable, "-m", "ffnet", "fit", *flags, *overrides, *settings, *own]
    with ExitStack() as stack:
        said = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(ranks)]
        processes = [
            # A session of its own: Ctrl-C reaches this process alone, which passes it on by closing the pipe.
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
    """The environment of each process: that of torchrun if there are several."""
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
    """In a process that ``run_apart`` has started: stops, with the state saved, when the parent says so or is gone."""

    def listen() -> None:
        while os.read(0, 1):  # and not sys.stdin, whose lock this thread would hold when the program ends
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    if os.environ.pop(ALONE, None) == str(os.getppid()):
        threading.Thread(target=listen, daemon=True).start()


@contextmanager
def _listening() -> Iterator[list[int]]:
    """The signals that have come so far, asking this process to stop."""
    received: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, lambda number, _: received.append(number)) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(processes: Sequence[subprocess.Popen[bytes]], stop: Sequence[int]) -> int | None:
    """Waits until all have ended; the first that failed, if any."""
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
    from ffnet.files import replacing

    with replacing(folder / "failed.json") as temporary:
        temporary.write_text(json.dumps({"reason": reason, "exit_code": code}, indent=2) + "\n")


@contextmanager
def failures_recorded(folder: Path) -> Iterator[None]:
    """What goes wrong in this block stays in the run's folder, until the run is tried again."""
    try:
        yield
    except Told:
        raise  # the process that has told why has recorded it as well
    except Exception as error:
        refused = isinstance(error, BadInput) and (folder / "checkpoints").exists()  # it was fine before
        if rank() == 0 and not refused:
            record_failure(folder, explain(error), exit_code(error))
        raise
