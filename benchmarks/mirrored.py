"""A full batch of the paper's network with and without ``ffnet.fitting.mirrored.Mirrored``, in turn, in one process.

python benchmarks/mirrored.py --rounds 7
"""

import argparse
import logging
import statistics
from contextlib import nullcontext
from unittest import mock

import loops


def seconds(mirrored: bool) -> float:
    with nullcontext() if mirrored else mock.patch("ffnet.fitting.mirrored.Mirrored.suits", return_value=False):
        return loops.ffnet()(5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    pairs = [(seconds(False), seconds(True)) for _ in range(arguments.rounds + 1)][1:]  # the first round warms up
    without, with_ = (1e3 * statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"{without:.0f} ms a step without, {with_:.0f} ms with: {ratio:.2f} times as fast")
