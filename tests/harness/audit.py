"""Sees what a command does to the machine: programs, connections, and files outside of where it may write."""

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

# What starts programs or opens connections, by the names of Python's audit events.
PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn")
FORKS = ("os.fork", "os.forkpty")
CONNECTIONS = ("socket.connect", "socket.sendto", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname")
# What changes files, by the indices of the paths in their arguments.
CHANGES = {
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.mkdir": (0,),
    "os.rmdir": (0,),
    "os.truncate": (0,),
    "os.link": (0, 1),
    "os.symlink": (1,),
    "os.chmod": (0,),
    "os.chown": (0,),
    "shutil.rmtree": (0,),
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def watching(log: Path, writable: Iterable[Path], secret: Iterable[Path] = ()) -> Callable[[], None]:
    """A setup of ``forked.Child`` that writes a line of JSON to ``log`` for everything that a command should not do.

    Args:
        log: the file; it stays empty if nothing happens.
        writable: directories below which files may change.
        secret: files and directories that may not even be read.
    """
    own = [os.path.realpath(place) for place in writable]
    hidden = [os.path.realpath(place) for place in secret]

    def install() -> None:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

        def say(event: str, *arguments: Any) -> None:
            os.write(descriptor, (json.dumps([event, *map(str, arguments)]) + "\n").encode())

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event in PROGRAMS or event in FORKS or event in CONNECTIONS:
                say(event, arguments)
            elif event == "open":
                path, _, flags = arguments
                if isinstance(path, int) or path is None:
                    return
                whole = os.path.realpath(os.fsdecode(path))  # open follows links
                if flags & WRITING and not _may_change(whole, own):
                    say("write", os.fsdecode(path))
                if any(_below(whole, place) for place in hidden):
                    say("read", os.fsdecode(path))
            elif event in CHANGES and not (event == "os.mkdir" and os.path.isdir(arguments[0])):  # that changes nothing
                for index in CHANGES[event]:
                    if not isinstance(arguments[index], int) and not _may_change(arguments[index], own):
                        say(event, os.fsdecode(arguments[index]))

        sys.addaudithook(hook)

    return install


def seen(log: Path) -> list[list[str]]:
    """What the log of ``watching`` has."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def _may_change(path: Any, own: Iterable[str]) -> bool:
    name = os.fsdecode(path)
    if name == os.devnull or os.path.basename(os.path.dirname(name)) == "__pycache__":
        return True
    return any(_below(name, place) for place in own)


def _below(path: Any, place: str) -> bool:
    """Whether the entry ``path`` is ``place`` or below it; a link counts where it is, not where it leads to."""
    parent, name = os.path.split(os.path.abspath(os.fsdecode(path)))
    whole = os.path.join(os.path.realpath(parent), name)
    return whole == place or whole.startswith(place + os.sep)
