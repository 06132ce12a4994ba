"""``ffnet COMMAND --help``: the settings of a command, with their values and the comments of the configuration."""

import re
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeGuard

import yaml
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ffnet.cli.flags import Request
from ffnet.resources import resource

FLAGS = (
    ("-m, --multirun", "one run for each combination of the values in key=a,b; for fit"),
    ("--config-dir DIR", "options of your own, such as DIR/encoder/mine.yaml"),
    ("--cfg job", "prints these settings as YAML instead of running"),
    ("--info, --hydra-help", "what Hydra knows and takes"),
)
# Where comments begin.
COLUMN = 42


def help_text(hydra: Any, command: str, request: Request) -> str:
    """What a command does, and its settings as the overrides of ``request`` compose them.

    Raises:
        HydraException, OmegaConfBaseException: if they cannot be composed.
    """
    config: DictConfig = hydra.compose_config(
        command, request.overrides, run_mode=RunMode.RUN, validate_sweep_overrides=False
    )
    chosen = reversed(config.hydra.runtime.choices.items())
    choices: dict[str, Any] = {name: choice for name, choice in chosen if "/" not in name}
    plain: Any = OmegaConf.to_container(config, resolve=False)
    notes = comments_of(hydra, command, choices)
    settings = {key: value for key, value in plain.items() if key not in ("hydra", "run_dir")}
    width = max(80, min(120, shutil.get_terminal_size((120, 50)).columns))
    lines = [plain["hydra"]["help"]["template"].rstrip(), ""]
    alone = {key: value for key, value in settings.items() if key not in choices and not _nested(value)}
    lines += ["Settings, key=value:", *_settings("", alone, notes, width), ""]
    for group, choice in choices.items():
        if "@" in group:  # what an option of another group brings along
            continue
        others = [name for name in options(hydra, group) if name != choice]
        inner = settings.get(group)
        target = inner.get("_target_") if isinstance(inner, dict) else None
        head = f"{group}={'null' if choice is None else choice}" + (f"  {target}" if target else "")
        lines += _wrapped(head, f"or {', '.join(others)}" if others else "", width)
        if _nested(inner):
            lines += _settings(f"{group}.", inner, notes, width)
    for key, value in settings.items():
        if key not in choices and _nested(value):
            lines += ["", f"{key}:", *_settings(f"{key}.", value, notes, width)]
    lines += ["", "Flags:", *(line for name, note in FLAGS for line in _wrapped(f"  {name}", note, width))]
    return "\n".join(lines) + "\n"


def _nested(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict) and bool(value)


def options(hydra: Any, group: str) -> list[str]:
    """The options of a group, those in its subdirectories included."""
    found = list(hydra.config_loader.get_group_options(group))
    for inner in hydra.config_loader.list_groups(group):
        found += [f"{inner}/{name}" for name in options(hydra, f"{group}/{inner}")]
    return found


def _settings(prefix: str, values: dict[str, Any], notes: dict[str, str], width: int) -> Iterator[str]:
    """One line for each setting, or more if its comment is long."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        of_part = prefix.count(".") == 1 or prefix.startswith(("callbacks.", "logger."))
        if (key == "_target_" and of_part) or key == "_partial_" or value == "${" + str(key) + "}":
            continue
        if _nested(value):
            yield from _settings(f"{path}.", value, notes, width)
        else:
            yield from _wrapped(f"  {path}={shown(value)}", notes.get(path, ""), width)


def shown(value: Any) -> str:
    """A value as one would type it."""
    if isinstance(value, str):
        return value or "''"
    return yaml.safe_dump(value, default_flow_style=True, width=1000).split("\n")[0].replace(", ", ",")


def _wrapped(text: str, note: str, width: int) -> list[str]:
    """``text``, and ``note`` in a column of its own."""
    parts = textwrap.wrap(note, width - COLUMN, break_long_words=False) or [""]
    if len(text) >= COLUMN - 1 and note:
        return [text, *(" " * COLUMN + part for part in parts)]
    return [f"{text:<{COLUMN}}{parts[0]}".rstrip(), *(" " * COLUMN + part for part in parts[1:])]


def comments_of(hydra: Any, command: str, choices: dict[str, Any]) -> dict[str, str]:
    """The comments at the end of the lines of all configurations that a command consists of, by full key."""
    places = [Path(str(resource("conf")))]
    places += [Path(item.path[7:]) for item in hydra.config_loader.get_search_path().get_path() if _is_file(item.path)]
    found: dict[str, str] = {}
    for place in dict.fromkeys(places):
        files = [(place / f"{name}.yaml", "") for name in ("fit", "limits", "tool", command)]
        files += [(place / group.partition("@")[0] / f"{choice}.yaml", group) for group, choice in choices.items()]
        for path, group in files:
            if path.is_file():
                found |= comments(path.read_text(encoding="utf-8"), group)
    return found


def _is_file(path: str | None) -> bool:
    return path is not None and path.startswith("file://")


def comments(text: str, group: str = "") -> dict[str, str]:
    """The comments at the end of the lines of a YAML mapping, by full key below ``group``."""
    node, lines = yaml.compose(text, yaml.SafeLoader), text.splitlines()
    prefix = f"{group}." if group and "@package _global_" not in text else ""
    return dict(_comments(node, lines, prefix)) if isinstance(node, yaml.MappingNode) else {}


def _comments(node: yaml.MappingNode, lines: list[str], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in node.value:
        path = f"{prefix}{key.value}"
        line = lines[value.end_mark.line] if value.end_mark.line < len(lines) else ""
        if isinstance(value, yaml.MappingNode) and not value.flow_style:
            yield from _comments(value, lines, f"{path}.")
        elif note := re.search(r"(?<=\s)#\s*(.+)", line[value.end_mark.column :]):
            yield path, note[1]
