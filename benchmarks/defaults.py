"""The default, the paper's network and ``recipe=fast``: PSNR, seconds and peak memory, each fit a process.

    python benchmarks/defaults.py IMAGE... --output defaults.json

Seconds are those of the processor in the whole process, and in brackets those of training. What is in ``--output`` is
not run again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROWS = {"paper": ["recipe=paper"], "fast": ["recipe=fast"], "default": []}


def measure(image: Path, overrides: list[str]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ffnet", "fit", str(image), *overrides]
        command += ["logger=none", f"hydra.run.dir={folder}"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
        metrics = json.loads((Path(folder) / "metrics.json").read_text())
    return {
        "psnr": metrics["psnr"],
        "training": metrics["seconds"],
        "processor": usage.ru_utime + usage.ru_stime,
        "mebibytes": usage.ru_maxrss / 1024,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, default=Path("defaults.json"))
    arguments = parser.parse_args()
    found = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    print("| image |", " | ".join(ROWS), "|")
    print("|---|" + "---|" * len(ROWS))
    for image in arguments.images:
        row = found.setdefault(f"{image.parent.name}/{image.name}", {})
        for name, overrides in ROWS.items():
            if name not in row:
                row[name] = measure(image, overrides)
                arguments.output.write_text(json.dumps(found, indent=1))
        cells = [
            f"{r['psnr']:.2f} dB, {r['processor']:.0f} s ({r['training']:.1f}), {r['mebibytes']:.0f} MiB"
            for r in row.values()
        ]
        print(f"| {image.parent.name}/{image.name} |", " | ".join(cells), "|", flush=True)
