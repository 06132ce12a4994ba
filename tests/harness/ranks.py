"""Forks in place of the processes that ``ffnet.cli.launch`` starts, which would take seconds to import torch."""

import contextlib
import os
import signal
import subprocess
from typing import Any, NoReturn

from ffnet import stopping


class ForkedRank(subprocess.Popen):  # type: ignore[type-arg]
    """A process of a run, with the environment, session and descriptors that it would have."""

    def _execute_child(self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, *rest: Any) -> None:
        pass_fds, _, env, _, _, _, read, _, _, _, _, errors, *_ = rest
        if args[1:3] != ["-m", "ffnet"]:
            return super()._execute_child(args, executable, preexec_fn, close_fds, *rest)
        self.pid = os.fork()
        if self.pid == 0:
            _become(args[3:], env, read, errors, pass_fds)
        self._child_created = True
        os.close(read)
        return None


def fork_ranks() -> None:
    """In a fork: processes of a run are forks of it."""
    subprocess.Popen = ForkedRank  # type: ignore[misc]


def _become(argv: list[str], env: dict[str, str], read: int, errors: int, kept: tuple[int, ...]) -> NoReturn:
    try:
        os.setsid()
        os.dup2(read, 0)
        if errors != -1:
            os.dup2(errors, 2)
        for number in {int(name) for name in os.listdir("/proc/self/fd")} - {0, 1, 2, *kept}:
            with contextlib.suppress(OSError):  # that of the listing
                os.close(number)
        os.environ.clear()
        os.environ.update(env)
        stopping._program = stopping._Program()
        stopping.left.__init__()  # type: ignore[misc]
        for number in stopping.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        from ffnet.cli import entry

        entry(argv)
    except SystemExit as stop:
        os._exit(stop.code if isinstance(stop.code, int) else 1)
    finally:
        os._exit(1)
