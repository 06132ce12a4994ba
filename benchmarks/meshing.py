"""Time and peak memory of ``ffnet mesh``.

python benchmarks/meshing.py RUN --resolution 512 --reference MESH
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import igl  # noqa: F401 (imported before the memory is read)
import trimesh  # noqa: F401

import ffnet.rendering  # noqa: F401
from ffnet.cli import main

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--resolution", type=int, default=512)
    parser.add_argument("--reference", type=Path)
    arguments = parser.parse_args()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        command = [f"checkpoint={arguments.run}", f"resolution={arguments.resolution}", f"output={folder}/mesh.ply"]
        if arguments.reference:
            command.append(f"reference={arguments.reference}")
        start = time.perf_counter()
        code = main(["mesh", *command])
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"exit code {code}, {seconds:.1f} s, peak {peak / 1024:.0f} MiB above the import's")
