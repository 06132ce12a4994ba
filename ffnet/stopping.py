"""How a program stops: on SIGINT, SIGTERM and SIGHUP, and when the process that it is a part of is gone.

A signal ends the program at once, with one line and without half-written files. During training, the first signal goes
to ``ffnet.training.Checkpoints``, which saves; while other processes work, to ``ffnet.cli.launch``, which passes it on.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, NoReturn

from ffnet.atomic import discard_unfinished

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
# How long a process may take for its step and for saving, once it has been asked to stop or another one has failed.
GRACE_SECONDS = 5.0
# In a process that is a part of another program: where it leaves its last line, as descriptor and inode of a file.
PART = "FFNET_PART"
_PR_SET_PDEATHSIG = 1


@dataclass
class Left:
    """What a stop leaves behind.

    Attributes:
        step: step of the last checkpoint; None if there is none.
        run: the run directory; None outside of ``ffnet fit``.
        sweep: the directory of the sweep that the run belongs to, if any.
    """

    step: int | None = None
    run: Path | None = None
    sweep: Path | None = None

    def forget(self) -> None:
        """Forgets an earlier command of this process."""
        self.step = self.run = self.sweep = None

    def after(self, signum: int) -> str:
        """The line for a stop by ``signum``."""
        parts = [f"stopped by {signal.Signals(signum).name}"]
        if self.run is not None:
            parts.append("nothing was saved" if self.step is None else f"saved at step {self.step}")
        place = self.sweep or (self.run if self.step is not None else None)
        return "; ".join(parts if place is None else [*parts, f"go on with: ffnet fit {quote(f'resume={place}')}"])


@dataclass
class _Program:
    """This process, if ``listen`` has made it a program: its name, where its last line goes, whether it is told."""

    name: str | None = None
    output: int = 2
    told: bool = False


left = Left()
_program = _Program()


def listen(name: str) -> None:
    """Makes this process the program ``name``, which stops as this file says."""
    _program.name = name
    part = _part()
    if part is not None:
        _program.output = part
        outlive(lambda: _closed(0))
    set_handlers(dict.fromkeys(handlers(), end))


def listening() -> bool:
    """Whether this process is a program of its own."""
    return _program.name is not None


def is_part() -> bool:
    """Whether another ffnet program has started this process."""
    return _part() is not None


def leave(code: int) -> NoReturn:
    """Ends the program when its work is done."""
    set_handlers(dict.fromkeys(handlers(), signal.SIG_IGN))
    if code and _program.output != 2:  # others wait, and what is to be kept is on the disk
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def handlers() -> dict[int, Any]:
    """The handlers of the signals; none outside of the main thread, where none can be set. SIGHUP is left alone if it
    is ignored, as by ``nohup``."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    found = {number: signal.getsignal(number) for number in SIGNALS}
    hangup = getattr(signal, "SIGHUP", None)
    return {number: handler for number, handler in found.items() if number != hangup or handler != signal.SIG_IGN}


def set_handlers(handlers: Mapping[int, Any]) -> None:
    """Sets handlers as returned by ``handlers``."""
    for number, handler in handlers.items():
        if handler is not None:  # installed by something else than Python
            signal.signal(number, handler)


@contextlib.contextmanager
def handling(handler: Callable[[int, Any], Any]) -> Iterator[None]:
    """Sets ``handler`` in this block."""
    before = handlers()
    set_handlers(dict.fromkeys(before, handler))
    try:
        yield
    finally:
        set_handlers(before)


def end(signum: int, _: Any = None) -> NoReturn:
    """Ends the program at once: a handler of signals.

    An exception could be caught by any library and would unwind an import or a write halfway.
    """
    discard_unfinished()
    if not _program.told:
        _program.told = True
        os.write(_program.output, f"{_program.name}: {left.after(signum)}\n".encode())
    with contextlib.suppress(RuntimeError, OSError, ValueError):  # in the middle of a print, or closed
        sys.stdout.flush()
    os._exit(128 + signum)


def tell(line: str, last: bool = False) -> None:
    """Prints a line to stderr, or leaves it to the program that this process is a part of.

    Args:
        last: no other line may follow, also if another signal does.
    """
    _program.told |= last
    if _program.output == 2:
        print(line, file=sys.stderr)
    else:
        os.write(_program.output, f"{line}\n".encode())


def part(output: int) -> dict[str, str]:
    """The environment of a process that is a part of this program and leaves its last line in ``output``, a descriptor
    that it inherits. Its stdin is a pipe of which this process holds the other end."""
    return {PART: f"{output} {os.fstat(output).st_ino}"}


def outlive(gone: Callable[[], Any]) -> None:
    """Stops this process, saving what it can, when ``gone`` returns: the process that it works for is gone."""

    def watch() -> None:
        gone()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        discard_unfinished()
        os._exit(128 + signal.SIGTERM)  # it is stuck, perhaps waiting for a process that is gone

    if sys.platform == "linux":  # a frozen process goes on when its parent is gone
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGCONT)
    threading.Thread(target=watch, daemon=True).start()


def _part() -> int | None:
    """The descriptor in ``PART``. A process that has only inherited the variable has another file there, or none."""
    number, _, inode = os.environ.get(PART, "").partition(" ")
    try:
        return int(number) if os.fstat(int(number)).st_ino == int(inode) else None
    except (ValueError, OSError):
        return None


def _closed(descriptor: int) -> None:
    """Waits until the other end of a pipe is closed."""
    while os.read(descriptor, 1):  # not sys.stdin, whose lock this thread would hold at exit
        pass
