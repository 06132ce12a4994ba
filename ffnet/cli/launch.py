"""Runs in separate processes: one per device, or one per run of a parallel sweep."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from ffnet import stopping
from ffnet.atomic import remove_abandoned, replacing
from ffnet.cli.compose import config_dirs
from ffnet.cli.errors import BadInput, RunFailed, Stopped, Told, exit_code, explain
from ffnet.cli.overrides import parsed, quoted, unparsed
from ffnet.cli.workers import await_the_end, is_worker

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


def check_nodes(nodes: int) -> None:
    """Checks that a run on ``nodes`` machines knows where the first one is; without, it would wait for ever.

    Raises:
        ValueError: if it does not.
    """
    if nodes > 1 and not started_by_others() and "MASTER_ADDR" not in os.environ:
        raise ValueError(
            f"trainer.num_nodes: expected 1, since this command was started on one machine alone, got {nodes}; start "
            "it with torchrun or srun, or on each machine with NODE_RANK, MASTER_ADDR and MASTER_PORT"
        )


def run_apart(job: Any, overrides: Sequence[str], folder: Path, ranks: int = 1, nodes: int = 1) -> None:
    """Runs ``ffnet fit`` with ``overrides`` in ``folder``, in ``ranks`` new processes, and waits.

    Lightning's launcher would repeat the command line of this process, which in a sweep is the whole sweep. A signal is
    passed on to the processes, which save; a second one kills those that are left, as does
    ``stopping.GRACE_SECONDS``.

    Args:
        job: Hydra's configuration of the run, from which flags and Hydra's overrides are passed on.
        overrides: the overrides of the run.
        folder: the run directory.
        ranks: number of processes on this machine; they connect like those of torchrun.
        nodes: number of machines; the user sets NODE_RANK, MASTER_ADDR and MASTER_PORT on each.

    Raises:
        Told: if the first process failed and said why.
        RunFailed: if a process was killed, or one other than the first failed.
        Stopped: if this process or all of the others received a signal.
    """
    flags = [part for place in config_dirs(job.runtime) for part in ("--config-dir", place)]
    hydras = parsed(job.overrides.hydra)
    settings = unparsed(override for override in hydras if not override.key_or_group.startswith(NOT_PASSED_ON))
    own = [f"hydra.run.dir={quoted(str(folder))}", "hydra.output_subdir=null", "hydra.mode=RUN"]
    command = [sys.executable, "-m", "ffnet", "fit", *flags, *overrides, *settings, *own]
    received: list[int] = []
    with ExitStack() as stack:
        stack.enter_context(stopping.handling(partial(_note, received)))
        said = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(ranks)]
        processes = [
            # In a new session, so that only this process receives Ctrl-C.
            stack.enter_context(
                subprocess.Popen(
                    command,
                    env=env | stopping.part(words.fileno()),
                    stdin=subprocess.PIPE,
                    stderr=words if number else None,
                    pass_fds=[words.fileno()],
                    start_new_session=True,
                )
            )
            for number, (env, words) in enumerate(zip(environments(ranks, nodes), said, strict=True))
        ]
        killed = _wait(processes, received)
        _ended(processes, killed, received, said, folder)


def _note(received: list[int], signum: int, _: Any) -> None:
    """A handler of signals while others work. Ctrl-C reaches a sweep's workers too, but is the sweep's to pass on."""
    if not (is_worker() and signum == signal.SIGINT):
        received.append(signum)


def environments(ranks: int, nodes: int) -> Iterator[dict[str, str]]:
    """The environment of each process; that of torchrun if there are several."""
    node = int(os.environ.get("NODE_RANK", 0))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    for local in range(ranks):
        env = dict(os.environ)
        if ranks * nodes > 1:
            if nodes == 1:
                env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            env |= {"RANK": str(node * ranks + local), "LOCAL_RANK": str(local), "GROUP_RANK": str(node)}
            env |= {"WORLD_SIZE": str(ranks * nodes), "LOCAL_WORLD_SIZE": str(ranks), "TORCHELASTIC_RUN_ID": "ffnet"}
            env.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // ranks)))
        yield env


def _wait(processes: Sequence[subprocess.Popen[bytes]], received: Sequence[int]) -> list[int]:
    """Waits until all processes have ended; returns the indices of those that had to be killed."""
    deadline, passed_on, killed = float("inf"), False, []
    while any(process.poll() is None for process in processes):
        left = [number for number, process in enumerate(processes) if process.returncode is None]
        if received and not passed_on:
            passed_on, deadline = True, time.monotonic() + stopping.GRACE_SECONDS
            for number in left:
                processes[number].send_signal(received[0])
                processes[number].send_signal(signal.SIGCONT)  # also to one that is suspended
        if any(process.returncode for process in processes):
            deadline = min(deadline, time.monotonic() + stopping.GRACE_SECONDS)
        if len(received) > 1 or time.monotonic() > deadline:
            killed += [number for number in left if number not in killed]
            for number in left:
                processes[number].kill()
        time.sleep(0.05)
    return killed


def _ended(
    processes: Sequence[subprocess.Popen[bytes]],
    killed: Sequence[int],
    received: Sequence[int],
    said: Sequence[IO[str]],
    folder: Path,
) -> None:
    """Raises what has happened to the processes of a run, see ``run_apart``."""
    codes = [process.returncode for process in processes]
    if any(code < 0 for code in codes):
        remove_abandoned(folder)
    if received:
        if is_worker():
            await_the_end()
        raise _stopped(received[0], killed if len(received) == 1 else [], folder)
    own = [number for number, code in enumerate(codes) if code and number not in killed]
    # The others fail because they miss the one that was killed.
    number = min(own, key=lambda number: (codes[number] > 0, number), default=None)
    if number is None:
        return
    code = codes[number]
    if code < 0:
        raise RunFailed(f"process {number} was killed by {signal.Signals(-code).name}")
    if code - 128 in stopping.SIGNALS:
        raise _stopped(code - 128, killed, folder)
    said[number].seek(0)
    *_, last = ["", *said[number].read().strip().splitlines()]
    if number == 0 and last:
        raise Told(last, code)
    raise RunFailed(f"process {number} ended with {code}: {last}")


def _stopped(signum: int, killed: Sequence[int], folder: Path) -> Stopped:
    from ffnet.checkpoint import Checkpoint, find

    try:
        stopping.left.step = Checkpoint.read(find(folder)).step
    except (OSError, ValueError):
        stopping.left.step = None
    stopping.left.run = folder
    reason, *rest = stopping.left.after(signum).split("; ")
    slow = [f"process {number} did not stop and was killed" for number in killed]
    return Stopped("; ".join([reason, *slow, *rest]), signum)


def record_failure(folder: Path, reason: str, code: int) -> None:
    """Writes ``folder/failed.json``, which marks the run as failed."""
    with replacing(folder / "failed.json") as temporary:
        temporary.write_text(json.dumps({"reason": reason, "exit_code": code}, indent=2) + "\n")


@contextmanager
def failures_recorded(folder: Path) -> Iterator[None]:
    """Records errors in this block in the run directory, until the run is repeated."""
    try:
        yield
    except Told:
        raise  # recorded by the process that knows the reason
    except Exception as error:
        refused = isinstance(error, BadInput) and (folder / "checkpoints").exists()  # an earlier attempt was valid
        if rank() == 0 and not refused:
            record_failure(folder, explain(error), exit_code(error))
        raise
