"""The flags of every command, which are Hydra's."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from ffnet.cli.errors import BadInput

HELP = "shows the settings of the command with the overrides applied"
SHOWN = ("job", "hydra", "all")
INFORMATION = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


class Request(argparse.Namespace):
    """A parsed command line.

    Attributes:
        overrides: ``key=value`` and the like, as given.
        multirun: whether to sweep.
        config_dir: directories with the user's configs.
        help, hydra_help: whether to print these instead of running; Hydra reads ``overrides`` and ``resolve``.
        cfg, package, resolve: which settings to print instead of running, below which key, and whether to resolve
            interpolations.
        info: which information about Hydra to print instead of running.
    """

    overrides: list[str]
    multirun: bool
    config_dir: list[str]
    help: bool
    hydra_help: bool
    cfg: str | None
    package: str | None
    resolve: bool
    info: str | None


class Flags(argparse.ArgumentParser):
    """Parses the flags of ``ffnet <command>``, which may appear anywhere among the overrides."""

    def __init__(self, command: str) -> None:
        super().__init__(f"ffnet {command}", add_help=False, allow_abbrev=False)
        add = self.add_argument
        add("overrides", nargs="*", help="key=value sets a value, group=option chooses a config")
        add("--help", "-h", action="store_true", help=HELP)
        add("--multirun", "-m", action="store_true", help="one run for each combination of the values a,b of overrides")
        add(
            "--config-dir",
            "-cd",
            action="append",
            default=[],
            help="a directory with your own configs; may be repeated",
        )
        add("--cfg", "-c", choices=SHOWN, help=f"prints settings instead of running: {', '.join(SHOWN)}")
        add("--resolve", action="store_true", help="resolves interpolations; with --cfg and --help")
        add("--package", "-p", help="prints the settings of this key only; with --cfg")
        add("--info", "-i", nargs="?", const="all", choices=INFORMATION, help=f"one of {', '.join(INFORMATION)}")
        add("--hydra-help", action="store_true", help="shows Hydra's own settings and flags")

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; see {self.prog} --help")

    def read(self, argv: Sequence[str]) -> Request:
        """Parses ``argv``.

        Raises:
            BadInput: for unknown flags, or flags that exclude each other.
        """
        request = self.parse_intermixed_args(argv, Request())
        if request.multirun + (request.cfg is not None) + (request.info is not None) > 1:
            self.error("expected one of --multirun, --cfg, --info")
        if request.resolve and not (request.cfg or request.help):
            self.error("--resolve: expected --cfg or --help as well")
        return request
