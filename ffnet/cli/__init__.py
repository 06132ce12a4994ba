"""The command line. This file handles ``--help`` and ``--version``; each command is a module of this package."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from ffnet import stopping

COMMANDS = {
    "fit": "fit a field to a signal; -m sweeps",
    "render": "render a fitted field as an image of any size",
    "mesh": "extract the surface of a fitted shape as a mesh",
    "evaluate": "score a checkpoint",
    "table": "tabulate the runs of a sweep, averaged over seeds and files",
    "report": "write a sweep as one HTML page: table, learning curves, images",
    "export": "write a fitted field as ONNX, torch.export program or safetensors",
    "ntk": "analyse the kernel of the network that fit would train: spectrum, decay times, predicted curve",
    "completion": "print the completion script of bash, zsh or fish",
}

HELP = f"""\
ffnet fits neural fields to signals.

usage: ffnet COMMAND [OVERRIDES]

{chr(10).join(f"  {name:<12}{what}" for name, what in COMMANDS.items())}

  ffnet fit                                        fit the bundled image
  ffnet fit dataset.path=photo.jpg encoder=positional trainer.max_steps=2000
  ffnet fit -m encoder=identity,positional,gaussian seed=0,1,2
  ffnet fit resume=outputs/DATE/RUN               continue a run from where it stopped
  ffnet render checkpoint=outputs/DATE/RUN size=[2048,2048] output=large.png
  ffnet fit dataset=occupancy dataset.path=bunny.obj
  ffnet mesh checkpoint=outputs/DATE/RUN resolution=512 output=bunny.ply
  ffnet table run=outputs/sweeps/DATE/TIME

Overrides are Hydra's: key=value sets a value, group=option chooses a config.
`ffnet COMMAND --help` shows a command's settings, `ffnet --version` the version.
"""


def main(argv: Sequence[str]) -> int:
    """Runs a command and returns its exit code: 0, 1 if a run failed, 2 for bad input, 128 + N after signal N."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    if argv[0] == "--version":
        from importlib.metadata import version

        print(f"ffnet {version('ffnet')}")
        return 0
    if argv[0] not in COMMANDS:
        from difflib import get_close_matches

        close = get_close_matches(argv[0], COMMANDS, n=1)
        known = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(COMMANDS)}"
        print(f"ffnet: unknown command {argv[0]!r}; {known}", file=sys.stderr)
        return 2
    return int(import_module(f"ffnet.cli.{argv[0]}").main(argv[1:]))


def entry(argv: Sequence[str] | None = None) -> NoReturn:
    """The console script."""
    arguments = sys.argv[1:] if argv is None else argv
    stopping.listen(f"ffnet {arguments[0]}" if arguments and arguments[0] in COMMANDS else "ffnet")
    stopping.leave(main(arguments))
