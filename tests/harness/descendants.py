"""Processes that a command leaves."""

import ctypes
import os
import signal
import time
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def adopt() -> None:
    """Makes orphaned descendants children of this process, so that they can be found."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children(parent: int) -> list[int]:
    """The running children of a process."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, owner = (process / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(owner) == parent and state != "Z":
            found.append(int(process.name))
    return found


def descendants(parent: int) -> list[int]:
    """The running children of a process, their children, and so on."""
    own = children(parent)
    return own + [deeper for child in own for deeper in descendants(child)]


def left(known: set[int], seconds: float = 10) -> int:
    """How many of this process's descendants other than ``known`` are running after at most ``seconds``; ends them."""
    deadline = time.monotonic() + seconds
    while True:
        reap()
        running = [process for process in descendants(os.getpid()) if process not in known]
        if not running or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    for process in running:
        os.kill(process, signal.SIGKILL)
    return len(running)


def reap() -> None:
    """Forgets adopted children that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
