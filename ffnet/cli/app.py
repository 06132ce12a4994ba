"""One Hydra command: from arguments to an exit code, with every error in one line."""

import argparse
import contextlib
import difflib
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING
from unittest import mock

import hydra
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ffnet.memory import keep_freed_memory
from ffnet.resources import resource

if TYPE_CHECKING:
    import torch

Task = Callable[[DictConfig], None]

# Hydra's own switch for people who want to see where an error came from, and what they set it to: every command turns
# it on for itself, and the processes of a sweep or of several devices inherit that.
FULL_ERROR, ASKED = "HYDRA_FULL_ERROR", "FFNET_FULL_ERROR"
TRACEBACK = os.environ.get(ASKED, os.environ.get(FULL_ERROR, "")) not in ("", "0")


class BadInput(Exception):
    """What the user asked for cannot be: exit code 2."""


class RunFailed(Exception):
    """A run in other processes has failed."""


class Told(Exception):
    """Another process has ended with ``exit_code``, and has said why."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"exit code {exit_code}")
        self.exit_code = exit_code


class Stopped(BaseException):
    """The run was asked to stop, and has been saved; ``told`` if another process has said so."""

    def __init__(self, message: str, signum: int, told: bool = False) -> None:
        super().__init__(message)
        self.exit_code = 128 + signum
        self.told = told


def exit_code(error: Exception) -> int:
    """2 for bad input, 1 for a run that failed."""
    return error.exit_code if isinstance(error, Told) else 2 if isinstance(error, BadInput) else 1


@contextlib.contextmanager
def reading_input() -> Iterator[None]:
    """Whatever goes wrong in this block is the input's fault: a file, a value, a setting."""
    try:
        yield
    except (ValueError, TypeError, OSError, HydraException, OmegaConfBaseException) as error:
        raise BadInput(explain(error)) from error


def usable_device(name: str) -> "torch.device":
    """The device called ``name``.

    Raises:
        ValueError: if torch does not know it or cannot reach it.
    """
    import torch

    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was compiled with CUDA
        reason = str(error).splitlines()[0]
        raise ValueError(f"device: expected cpu, cuda or the like that is here, got {name!r} ({reason})") from error
    return device


def run(command: str, task: Task, argv: Sequence[str], prepare: Callable[[Sequence[str]], Sequence[str]] = list) -> int:
    """Composes ``conf/<command>.yaml`` with the overrides in ``argv``, runs ``task``, returns the exit code.

    ``prepare`` has a look at the arguments before Hydra. Errors print one line on stderr; with
    ``HYDRA_FULL_ERROR=1`` they print their traceback as well.
    """
    keep_freed_memory()
    codes = [0]

    def watched(config: DictConfig) -> None:
        # Errors end here: Hydra would add lines of its own, and end a sweep at its first failed run.
        try:
            task(config)
        except Exception as error:
            codes.append(_report(command, error, exit_code(error)))

    application = hydra.main(version_base="1.3", config_path=str(resource("conf")), config_name=command)(watched)
    # It makes Hydra hand its exceptions on, instead of printing them and exiting with 1.
    with mock.patch.dict(os.environ, {FULL_ERROR: "1", ASKED: str(int(TRACEBACK))}):
        try:
            with mock.patch.object(sys, "argv", ["ffnet", *prepare(argv)]), _parsing(command):
                application()
        except Stopped as stop:
            codes.append(_report(command, stop, stop.exit_code))
        except KeyboardInterrupt as stop:
            codes.append(_report(command, stop, 128 + signal.SIGINT))
        except BrokenPipeError:  # the reader of --help has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except Exception as error:  # before the task began: the arguments, or a run's folder that cannot be made
            codes.append(_report(command, error, 2))
        except SystemExit as stop:  # after --help, --cfg and their like
            codes.append(int(stop.code or 0))
    return max(codes)


def _report(command: str, error: BaseException, code: int) -> int:
    if isinstance(error, Told) or (isinstance(error, Stopped) and error.told):
        return code
    if TRACEBACK:
        traceback.print_exception(error)
    message = "interrupted" if isinstance(error, KeyboardInterrupt) else explain(error)
    if code == 1:
        name = "" if isinstance(error, RunFailed) else f"{type(error).__name__}: "
        message = f"the run failed: {name}{message}"
    print(f"ffnet {command}: {message}", file=sys.stderr)
    return code


@contextlib.contextmanager
def _parsing(command: str) -> Iterator[None]:
    """Flags may stand anywhere among the overrides, and an unknown one is answered with one line, not a whole usage."""

    def complain(_: argparse.ArgumentParser, message: str) -> None:
        raise BadInput(f"{message}; see ffnet {command} --help")

    parser = argparse.ArgumentParser
    with mock.patch.multiple(parser, error=complain, parse_args=parser.parse_intermixed_args):
        yield


def explain(error: BaseException) -> str:
    """The error in one line, from the place where it began."""
    place = re.search(r"full_key: (\S+)", str(error))
    while error.__cause__ is not None and isinstance(error, HydraException):
        error = error.__cause__
    text = str(error)
    if misspelt := re.search(r"Key '[^']+' is not in struct\s+full_key: (\S+)", text):
        return f"there is no setting {misspelt[1]}{_suggestion(misspelt[1])}"
    if missing := re.search(r"Could not find '([^']+)'", text):
        group, _, option = missing[1].rpartition("/")
        options = sorted(place.stem for place in (resource("conf") / group).glob("*.yaml"))
        if group in ("hydra/launcher", "hydra/sweeper"):
            brought = "pip install 'ffnet[sweep]' brings joblib, submitit and optuna, 'ffnet[ray]' ray"
            return f"there is no {group} {option!r}; {brought}"
        known = f"expected one of {', '.join(options)}" if options else "see --help for what there is"
        return f"there is no {group} {option!r}; {known}"
    if isinstance(error, OverrideParseException):
        text = f"cannot read {error.override!r}: {text}"
    line = re.sub(r"\s+", " ", text.split("\nSee https")[0]).strip() or type(error).__name__
    return f"{place[1]}: {line}" if place and place[1] not in line else line


def _suggestion(key: str) -> str:
    """A setting of ours that looks like ``key``."""
    group, _, name = key.rpartition(".")
    places = (resource("conf") / group.replace(".", "/")).glob("*.yaml")
    names = {found for place in places for found in re.findall(r"^(\w+):", place.read_text(), re.M)}
    if not group:
        names |= {place.name for place in resource("conf").iterdir() if place.is_dir()}
    close = difflib.get_close_matches(name, names - {"_target_"}, n=1)
    return f"; did you mean {f'{group}.' if group else ''}{close[0]}?" if close else ""
