"""What it saves to keep freed memory with the process (``ffnet.memory``): encoding, and a step of the paper's network.

    python benchmarks/memory.py

Each measurement is a process of its own, with and without in turn. The step is in the type that ffnet chooses here.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path


def measure(kept: bool) -> dict[str, float]:
    """Milliseconds, medians of seven."""
    import torch
    from loops import POINTS, network, product_type

    from ffnet.encoders import GaussianEncoder
    from ffnet.memory import keep_freed_memory

    if kept:
        keep_freed_memory()
    encoder, model = GaussianEncoder(2, 256), network()
    dtype = product_type()
    features, targets = torch.randn(POINTS, 512).to(dtype), torch.rand(POINTS, 3)

    def step(block: int) -> None:
        for x, y in zip(features.split(block), targets.split(block), strict=True):
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16, cache_enabled=False):
                prediction = model(x)
            (prediction.float() - y).square().mean().backward()

    def encode(points: int) -> None:
        for _ in range(10):
            encoder(torch.rand(points, 2))

    work = {f"step in blocks of {block}": (step, block, 1) for block in (2048, 4096, 8192)}
    work |= {f"encoding {points} points": (encode, points, 10) for points in (2048, 8192)}
    taken = {}
    for name, (function, points, times) in work.items():
        seconds = []
        for _ in range(8):
            start = time.perf_counter()
            function(points)
            seconds.append(time.perf_counter() - start)
        taken[name] = 1000 * statistics.median(seconds[1:]) / times
    return taken


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1] == "kept")))
        sys.exit()
    from loops import processor, product_type

    print(f"{processor()}, the step in {str(product_type()).removeprefix('torch.')}", flush=True)
    found: dict[str, list[dict[str, float]]] = {"left": [], "kept": []}
    for _ in range(3):
        for way, rows in found.items():
            command = [sys.executable, "-W", "ignore", __file__, way]
            out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent)
            rows.append(json.loads(out.stdout.splitlines()[-1]))
    for name in found["left"][0]:
        left, kept = (statistics.median(row[name] for row in found[way]) for way in ("left", "kept"))
        print(f"{name:24} {left:7.1f} ms, kept {kept:7.1f} ms, {left / kept:.2f} times")
