"""Takes pictures of a sweep in TensorBoard and in the report, with a real server and a headless Chromium.

ffnet fit -m hydra/launcher=joblib encoder=identity,basic,positional,gaussian seed=0,1,2 \
    dataset.path=data/cat.png,docs/mappings.png dataset.size=128 trainer.max_steps=300 trainer.accelerator=cpu \
    model.hidden_features=64 callbacks.checkpoints.every_n_steps=20 hydra.sweep.dir=outputs/dashboards
pip install playwright
python docs/dashboards.py outputs/dashboards docs
"""

import argparse
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

TABS = {"scalars": "#timeseries&tagFilter=val%7Ctrain", "pictures": "#images", "hparams": "#hparams"}
# HPARAMS has a column for each override, and the scores behind them.
SIZES = {"scalars": (1280, 860), "pictures": (1280, 860), "hparams": (2000, 1343), "report": (1280, 860)}


def serve(sweep: Path, port: int) -> subprocess.Popen[bytes]:
    """A TensorBoard server that has read the sweep."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(sweep), "--port", str(port)]
    server = subprocess.Popen([*command, "--load_fast=false"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(120):
        try:
            with urllib.request.urlopen(f"http://localhost:{port}/data/runs") as answer:
                if len(answer.read()) > 10:
                    break
        except OSError:
            pass
        time.sleep(0.5)
    time.sleep(5)
    return server


def shoot(page: Page, address: str, size: tuple[int, int], path: Path) -> None:
    """A picture of a page, in few bytes."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(address)
    page.wait_for_timeout(6000)
    page.screenshot(path=path)
    with Image.open(path) as picture:
        small = picture.convert("RGB").resize((1120, 1120 * size[1] // size[0]), Image.Resampling.LANCZOS)
        small.quantize(128).save(path, optimize=True)


def main(sweep: Path, folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    server = serve(sweep, port)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page()
            for name, tab in TABS.items():
                shoot(page, f"http://localhost:{port}/{tab}", SIZES[name], folder / f"tensorboard_{name}.png")
            report = sweep / "report.html"
            subprocess.run([sys.executable, "-m", "ffnet", "report", f"run={sweep}", f"output={report}"], check=True)
            shoot(page, report.resolve().as_uri(), SIZES["report"], folder / "report.png")
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("sweep", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    main(arguments.sweep, arguments.folder)
