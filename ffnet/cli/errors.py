"""Errors of commands: their exit codes and one-line messages."""

import contextlib
import difflib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

from ffnet.cli.targets import unbuilt
from ffnet.cli.trainer import ADDED, INSTEAD, refusal
from ffnet.printable import printable
from ffnet.resources import resource

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())  # without it, Python would print before logging is configured

# Of torch's messages, which have no class of their own on the CPU.
OUT_OF_MEMORY = ("not enough memory", "out of memory", "can't allocate memory", "Storage size calculation overflowed")
# What settings are called elsewhere.
ELSEWHERE = {
    **dict.fromkeys(
        ("epochs", "max_epochs", "steps", "iterations", "iters", "num_steps", "n_steps"), "trainer.max_steps"
    ),
    **dict.fromkeys(("width", "hidden_size", "hidden_dim", "neurons", "channels"), "model.hidden_features"),
    **dict.fromkeys(("depth", "layers", "num_layers", "n_layers"), "model.hidden_layers"),
    **dict.fromkeys(("learning_rate", "learningrate", "rate"), "optimizer.lr"),
    **dict.fromkeys(("bandwidth", "scale", "std", "frequency"), "encoder.sigma"),
    **dict.fromkeys(("gpus", "num_gpus", "processes"), "trainer.devices"),
    **dict.fromkeys(("device", "cuda", "gpu"), "trainer.accelerator"),
    **dict.fromkeys(("bs", "batch"), "dataset.batch_size"),
    **dict.fromkeys(("image", "file", "filename", "input", "data", "path"), "dataset.path"),
    "seed_everything": "seed",
    **dict.fromkeys(("ckpt_path", "ckpt", "checkpoint"), "resume"),
    **dict.fromkeys(("out", "output_dir", "directory", "out_dir"), "hydra.run.dir"),
}
# Characters of a message, above which it is cut.
LONGEST = 1000


class BadInput(Exception):
    """Invalid input: exit code 2."""


class RunFailed(Exception):
    """A run in other processes failed."""


class Told(Exception):
    """Another process of the run ended with ``exit_code``; ``line`` is what it has to say."""

    def __init__(self, line: str, exit_code: int) -> None:
        super().__init__(line, exit_code)
        self.line = line
        self.exit_code = exit_code


class Stopped(BaseException):
    """A signal has stopped the command; the message says what was saved."""

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signum


def exit_code(error: Exception) -> int:
    """2 for invalid input, 1 for a failed run."""
    return error.exit_code if isinstance(error, Told) else 2 if isinstance(error, BadInput) else 1


@contextlib.contextmanager
def reading_input() -> Iterator[None]:
    """Converts errors in this block to ``BadInput``: files, values and settings are read here."""
    try:
        yield
    except (ValueError, TypeError, OSError, HydraException, OmegaConfBaseException) as error:
        raise BadInput(explain(error)) from error
    except BadInput:
        raise
    except Exception as error:  # of a class of the user's
        raise BadInput(f"{type(error).__name__}: {explain(error)}") from error


@contextlib.contextmanager
def warnings_logged() -> Iterator[None]:
    """Writes warnings in this block to the log, so that stderr is for the line that says why a command stopped."""

    def write(message: Warning | str, category: type[Warning], *_: Any) -> None:
        log.warning("%s: %s", category.__name__, " ".join(str(message).split()))

    with warnings.catch_warnings():
        warnings.showwarning = write  # type: ignore[assignment]
        yield


def explain(error: BaseException) -> str:
    """The original error in one printable line, with the setting at fault."""
    line = printable(_line(error))
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."


def _line(error: BaseException) -> str:
    place, made = _place(error), _made(error)
    while error.__cause__ is not None and isinstance(error, HydraException):
        error = error.__cause__
    text = unbuilt(str(error), made) if isinstance(error, TypeError | ImportError) else str(error)
    known = isinstance(error, ValueError | TypeError | OSError | ImportError | HydraException)
    if made and not known and type(error).__name__ != "MisconfigurationException":  # Lightning's word for ValueError
        text = f"{made} raised {type(error).__name__}: {error}"
    if _out_of_memory(error):
        text = f"needs more memory than there is ({text.strip().splitlines()[0] if text.strip() else 'out of memory'})"
    match error:
        case ConfigKeyError() | ConfigAttributeError() if error.full_key:
            group, _, name = str(error.full_key).rpartition(".")
            if group == "trainer" and name in INSTEAD:
                return refusal(name)
            if group == "trainer" and name in ADDED:
                return f"there is no setting {error.full_key}; to add it, say +{error.full_key}=..."
            return f"there is no setting {error.full_key}{_suggestion(error)}"
        case MissingMandatoryValue() if error.full_key:
            return f"{error.full_key}: expected a value, got none; say {error.full_key}=..."
        case MissingConfigException() if error.missing_cfg_file and error.options is not None:
            return _no_option(error.missing_cfg_file, list(error.options))
        case OverrideParseException():
            key, _, value = error.override.partition("=")
            return f"cannot read {error.override!r}: text with special characters needs quotes, '{key}=\"{value}\"'"
        case OmegaConfBaseException() if error.full_key:
            place = place or error.full_key
            text = text.partition("\n    full_key: ")[0]
    line = " ".join(text.split()) or type(error).__name__
    return f"{place}: {line}" if place and place not in line else line


def _out_of_memory(error: BaseException) -> bool:
    """Whether Python, NumPy or torch could not allocate something."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY)
    )


def _place(error: BaseException) -> str | None:
    """The setting whose class could not be built, which is only in the last line of Hydra's message."""
    return str(error).partition("\nfull_key: ")[2] or None if isinstance(error, HydraException) else None


def _made(error: BaseException) -> str | None:
    """The class whose constructor raised, which Hydra says in its message alone as well."""
    _, found, rest = str(error).partition("Error in call to target '")
    return rest.partition("'")[0] if found and isinstance(error, HydraException) else None


def _no_option(missing: str, options: list[str]) -> str:
    """The message for a missing option of a group. Hydra does not list the options in subdirectories."""
    group, _, option = missing.rpartition("/")
    if group in ("hydra/launcher", "hydra/sweeper"):
        brought = "pip install 'ffnet[sweep]' brings joblib, submitit and optuna, 'ffnet[ray]' ray"
        return f"there is no {group} {option!r}; {brought}"
    options = options or sorted(path.stem for path in (resource("conf") / group).glob("*.yaml"))
    if close := difflib.get_close_matches(option, options, n=1):
        return f"there is no {group} {option!r}; did you mean {close[0]}?"
    known = f"expected one of {', '.join(options)}" if options else "see --help for what there is"
    return f"there is no {group} {option!r}; {known}"


def _suggestion(error: ConfigKeyError | ConfigAttributeError) -> str:
    """The settings and groups of the command with the name of the missing one, or else a similar one."""
    group, _, name = str(error.full_key).rpartition(".")
    node = error.parent_node
    root = node._get_root() if OmegaConf.is_config(node) else OmegaConf.create()
    groups = [place.name for place in resource("conf").iterdir() if place.is_dir()]
    known = {path for path in (*_paths(root), *groups) if path != error.full_key}
    if ELSEWHERE.get(name) in known | ({"hydra.run.dir"} if "run_dir" in known else set()):
        return f"; did you mean {ELSEWHERE[name]}?"
    leaves = {path: path.rpartition(".")[2] for path in known}
    inner = {path: leaf for path, leaf in leaves.items() if path.rpartition(".")[0] == group}
    found = sorted(path for path, leaf in leaves.items() if leaf == name)
    for names, cutoff in ((inner, 0.6), (leaves, 0.75)):
        if not found:
            close = difflib.get_close_matches(name, set(names.values()), n=1, cutoff=cutoff)
            found = sorted(path for path, leaf in names.items() if leaf in close)
    if found:
        return f"; did you mean {' or '.join(found[:3])}?"
    for place in (group,) if group else ("encoder", "model"):
        if having := _options_with(place, name):
            meant, options = having
            told = "has it" if f"{place}.{meant}" == error.full_key else f"has {place}.{meant}"
            return f"; {' or '.join(f'{place}={option}' for option in options[:3])} {told}"
    if group == "callbacks":
        return f"; to add a callback, say +{error.full_key}._target_=module.Class"
    adds = OmegaConf.is_dict(node) and "_target_" in node
    return f"; to add an argument of its class, say +{error.full_key}=..." if adds else ""


def _options_with(group: str, name: str) -> tuple[str, list[str]] | None:
    """The setting with this name, or else a similar one, and the options of the group that have it."""
    settings = {path.stem: list(OmegaConf.load(path)) for path in sorted((resource("conf") / group).glob("*.yaml"))}
    known = {str(key) for keys in settings.values() for key in keys if not str(key).startswith("_")}
    meant = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return (meant[0], [option for option, keys in settings.items() if meant[0] in keys]) if meant else None


def _paths(node: Any, prefix: str = "") -> Iterator[str]:
    """The full keys of all settings in ``node``, except Hydra's and the names of classes."""
    for key in node if OmegaConf.is_dict(node) else ():
        if (path := f"{prefix}{key}") != "hydra" and key != "_target_":
            yield path
            yield from _paths(node._get_node(key), f"{path}.")
