"""``ffnet completion SHELL``: completes commands, settings, options and files in bash, zsh and fish.

The shell sources a script once, which asks ``ffnet completion words ...`` at every TAB. Without an answer, it completes
files. torch is never imported, nothing is written, and what cannot be composed has no answer rather than an error.
"""

import contextlib
import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from ffnet.printable import printable

SHELLS = ("bash", "zsh", "fish")
USAGE = """\
usage: ffnet completion bash|zsh|fish

Prints a script that completes commands, settings, options and files. The line for the start-up file of your shell:

  eval "$(ffnet completion bash)"     # ~/.bashrc
  eval "$(ffnet completion zsh)"      # ~/.zshrc
  ffnet completion fish | source      # ~/.config/fish/config.fish
"""
# Flags whose value is a directory.
DIRECTORY_FLAGS = ("--config-dir", "-cd")
# Groups of Hydra's that are worth choosing.
HYDRAS = ("hydra/launcher", "hydra/sweeper")

BASH = """\
_ffnet_completion() {
    local line=${COMP_LINE:0:COMP_POINT} word answer
    word=${line##*[[:space:]]}
    # Bash replaces the part of the word after the last of its word breaks, such as =.
    local before=${word%"$2"}
    COMPREPLY=()
    while IFS= read -r answer; do
        COMPREPLY+=("${answer#"$before"}")
    done < <(FFNET completion line "$line" 2>/dev/null)
    if ((COMP_CWORD > 1 && ${#COMPREPLY[@]})) && [[ $word != [-+~]* && $word != *=* && $word != *[\\"\\']* ]]; then
        while IFS= read -r answer; do
            [[ -d $answer ]] && answer=$(printf %q/ "$answer") || answer="$(printf %q "$answer") "
            COMPREPLY+=("$answer")
        done < <(compgen -f -- "$2")
    fi
    ((${#COMPREPLY[@]})) || compopt +o nospace 2>/dev/null
}
complete -o nospace -o default -F _ffnet_completion ffnet
"""
ZSH = """\
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i; }
_ffnet_completion() {
    local -a answers
    answers=("${(@f)$(FFNET completion words "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    answers=("${(@)answers:#}")
    local -a whole=("${(@M)answers:#* }") open=("${(@)answers:#* }")
    compadd -Q -- "${(@)whole% }"
    compadd -Q -S '' -- "${(@)open}"
    if (( CURRENT > 2 )); then
        [[ $PREFIX == [^-+~=]*=* && $#answers == 0 ]] && compset -P '*='
        [[ $PREFIX == (*=|[-+~])* ]] || _files
    fi
    (( compstate[nmatches] ))
}
compdef _ffnet_completion ffnet
"""
FISH = """\
function _ffnet_completion
    set -l before (commandline -opc)
    FFNET completion words $before[2..] (commandline -ct) 2>/dev/null | string trim -r
end
function _ffnet_without_files
    test (count (commandline -opc)) -lt 2
    or string match -qr '^[-+~]|^(?!(PATHS)=)[^.=]*=' -- (commandline -ct)
end
complete -c ffnet -a '(_ffnet_completion)'
complete -c ffnet -f -n _ffnet_without_files
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def main(argv: Sequence[str]) -> int:
    match argv:
        case [shell] if shell in SCRIPTS:
            # -P: a file in the user's directory that has the name of a module is not imported.
            script = SCRIPTS[shell].replace("FFNET", f"{shlex.quote(sys.executable)} -P -m ffnet")
            if "PATHS" in script:  # importing them takes a while, and this runs whenever a shell starts
                from ffnet.cli.paths import PATHS

                script = script.replace("PATHS", "|".join(map(re.escape, PATHS)))
            print(script, end="")
        case ["line", line]:
            print_answers(split(line)[1:])
        case ["words", *words]:
            print_answers(words)
        case [] | ["--help" | "-h"]:
            print(USAGE, end="")
        case _:
            given = printable(" ".join(argv))
            print(f"ffnet completion: expected one of {', '.join(SHELLS)}, got {given}", file=sys.stderr)
            return 2
    return 0


def print_answers(words: Sequence[str]) -> None:
    with contextlib.suppress(Exception):  # a word half typed may be anything, and so may a user's config
        for answer in sorted(answers(words)):
            print(answer)


def split(line: str) -> list[str]:
    """The words of a shell's line; the last one, where the cursor is, may be empty or in an open quote."""
    for closing in ("", '"', "'"):
        with contextlib.suppress(ValueError):
            words = shlex.split(line + closing)
            return [*words, ""] if not closing and (not line or line[-1].isspace()) else words
    return [""]


def answers(words: Sequence[str]) -> set[str]:
    """What the last of ``words``, those after ``ffnet``, may become; one that is complete ends with a space."""
    from ffnet.cli import COMMANDS

    *before, word = words
    if not before:
        return {f"{name} " for name in (*COMMANDS, "--help", "--version") if name.startswith(word)}
    command, *before = before
    if command == "completion":
        return {f"{name} " for name in SHELLS if name.startswith(word)}
    if command not in COMMANDS or (before and before[-1] in DIRECTORY_FLAGS):
        return set()
    return {answer for answer in _answers(command, before, word) if answer.startswith(word)}


def _answers(command: str, before: list[str], word: str) -> Iterator[str]:
    from ffnet.cli.compose import composing
    from ffnet.cli.flags import INFORMATION, SHOWN, Flags

    flags = Flags(command)
    if word.startswith("-"):
        yield from (f"{flag} " for action in flags._actions for flag in action.option_strings if flag[:2] == "--")
        return
    last = before[-1] if before else ""
    if last in ("--cfg", "-c", "--info", "-i"):
        yield from (f"{name} " for name in (SHOWN if last in ("--cfg", "-c") else INFORMATION))
        return
    request = flags.read([os.path.expanduser(os.path.expandvars(given)) for given in before])
    with composing(command, request.config_dir) as hydra:
        config = _composed(hydra, command, request)
        if "=" in word:
            yield from _values(hydra, config, word, " " * (not request.multirun))
        else:
            yield from _keys(hydra, config, word)


def _composed(hydra: Any, command: str, request: Any) -> Any:
    """The settings with the overrides before the cursor; without them if they are wrong."""
    from hydra.types import RunMode

    from ffnet.cli.overrides import parsed, unparsed
    from ffnet.cli.paths import literal

    with contextlib.suppress(Exception):
        given = parsed(literal(command, request).overrides)
        single = unparsed(override for override in given if not override.is_sweep_override())
        return hydra.config_loader.load_configuration(command, single, RunMode.RUN)
    return hydra.config_loader.load_configuration(command, [], RunMode.RUN)


def _groups(config: Any) -> list[str]:
    chosen = (str(name) for name in config.hydra.runtime.choices)
    return [name for name in chosen if "@" not in name and (name in HYDRAS or not name.startswith("hydra/"))]


def _keys(hydra: Any, config: Any, word: str) -> Iterator[str]:
    """Groups and settings that begin with ``word``, the latter down to the next dot."""
    from omegaconf import OmegaConf

    sign = word[: len(word) - len(word.lstrip("+~"))]
    key = word.removeprefix(sign)
    groups = _groups(config)
    if sign == "+":  # adds what is not there: groups of the user's
        groups = [name for name in hydra.config_loader.list_groups("") if name not in groups]
    names = [f"{group}=" for group in groups]
    parent, dot, _ = key.rpartition(".")
    node = OmegaConf.select(config, parent) if dot else config
    for name in node if OmegaConf.is_dict(node) else ():
        if not str(name).startswith("_"):
            inner = node._get_node(name)
            names.append(f"{parent}{dot}{name}{'.' if OmegaConf.is_dict(inner) and len(inner) else '='}")
    # Hydra's own are many, and seldom meant.
    yield from (f"{sign}{name}" for name in names if key.startswith("h") or not name.startswith("hydra"))


def _values(hydra: Any, config: Any, word: str, end: str) -> Iterator[str]:
    """The options of a group, also after the commas of a sweep; true and false, or the value that a setting has."""
    from omegaconf import OmegaConf

    from ffnet.cli.help import options, shown
    from ffnet.cli.paths import PATHS

    key, _, value = word.partition("=")
    name = key.lstrip("+")
    if found := options(hydra, name):
        earlier = value[: value.rfind(",") + 1]
        yield from (f"{key}={earlier}{option}{end}" for option in found)
    elif name not in PATHS:
        setting = OmegaConf.select(config, name)
        if isinstance(setting, bool):
            yield from (f"{key}=true{end}", f"{key}=false{end}")
        elif isinstance(setting, int | float):
            yield f"{key}={shown(setting)}{end}"
