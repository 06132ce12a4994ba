"""Puts the reconstructions of a sweep side by side, with their PSNR.

ffnet fit -m encoder=identity,positional,gaussian hydra.sweep.dir=outputs/mappings
python docs/mappings.py outputs/mappings docs/mappings.png
"""

import argparse
import json
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import ffnet.resources

NAMES = {"identity": "no encoding", "positional": "positional", "gaussian": "Gaussian"}
GAP, LABEL = 8, 26


def panels(sweep: Path) -> list[tuple[str, Image.Image]]:
    found = []
    for metrics in sorted(sweep.glob("*/metrics.json")):
        overrides = (metrics.parent / ".hydra" / "overrides.yaml").read_text()
        name = next((text for encoder, text in NAMES.items() if f"encoder={encoder}" in overrides), metrics.parent.name)
        score = json.loads(metrics.read_text())["psnr"]
        found.append((f"{name}, {score:.1f} dB", Image.open(metrics.parent / "reconstruction.png")))
    return [*found, ("picture", Image.open(ffnet.resources.resource("data") / "cat.png"))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("sweep", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    shown = panels(arguments.sweep)
    width, height = shown[0][1].size
    sheet = Image.new("RGB", (len(shown) * (width + GAP) - GAP, height + LABEL), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (label, picture) in enumerate(shown):
        left = index * (width + GAP)
        sheet.paste(picture, (left, LABEL))
        draw.text((left + width / 2, LABEL / 2), label, "black", ImageFont.load_default(16), anchor="mm")
    sheet.save(arguments.output)
