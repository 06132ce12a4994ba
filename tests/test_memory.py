"""Freed memory stays with the process: the system counts the pages it has to clear."""

import platform
import subprocess
import sys

import pytest

CODE = """
import ctypes, resource, sys
import torch
from ffnet.memory import keep_freed_memory
# glibc's documented starting values. It raises them by itself, sometimes, depending on what was freed before.
assert ctypes.CDLL(None).mallopt(-3, 128 * 1024) and ctypes.CDLL(None).mallopt(-1, 128 * 1024)
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def work():
    x = torch.ones(2048, 256)
    for _ in range(4):
        x = torch.cat([x.sin(), x.cos()], -1)[:, :256] + 1
for _ in range(10):
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode):
    return int(subprocess.run([sys.executable, "-c", CODE, mode], check=True, capture_output=True, text=True).stdout)


@pytest.mark.long
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_memory_that_was_freed_is_not_cleared_again():
    assert faults("kept") < faults("left") / 10
