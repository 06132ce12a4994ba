"""Peak memory and speed of a fit of a large picture, beside those of a small one.

    python benchmarks/large.py LARGE_PICTURE SMALL_PICTURE

Each fit runs in a process of its own; memory is the process's peak above that of importing the same modules.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

CODE = """
import json, logging, resource, sys
sys.path.insert(0, {folder!r})
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
from loops import assembled
import lightning.pytorch, tensorboard, torch, torchvision, PIL.Image, ffnet.training
torch.rand(64, 64) @ torch.rand(64, 64)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
if {picture!r}:
    overrides = ["recipe=paper", "dataset.path=" + {picture!r}, "~callbacks.evaluation", "trainer.max_steps={steps}"]
    module, trainer = assembled(overrides)
    trainer.fit(module)
    print(json.dumps({{"mebibytes": peak() - before, "steps_per_second": module.step / module.seconds}}))
"""


def measure(picture: Path, steps: int) -> dict[str, float]:
    code = CODE.format(folder=str(Path(__file__).parent), picture=str(picture), steps=steps)
    printed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(printed.stdout.splitlines()[-1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("large", type=Path)
    parser.add_argument("small", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    ratios = []
    for _ in range(arguments.rounds):
        large, small = (measure(path, arguments.steps) for path in (arguments.large, arguments.small))
        ratios.append(large["steps_per_second"] / small["steps_per_second"])
        print("large", large, "small", small, f"ratio of rates {ratios[-1]:.2f}", flush=True)
    print(f"median ratio {sorted(ratios)[len(ratios) // 2]:.2f}")
