"""Pictures of the guides to instruments: what was measured, what the fit makes of it, and the image.

    python docs/instruments.py [ct] [mri] [inverse]

Writes docs/ct.png, docs/mri.png and docs/inverse.png; about three minutes on two cores.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

import ffnet
from ffnet.datasets import CTDataset, Dataset, InverseDataset, MRIDataset

DOCS = Path(__file__).parent
SIDE, GAP, TITLE = 256, 8, 26


def panel(image: Tensor) -> Image.Image:
    """A view (h, w, 3) in [0, 1] as a square picture."""
    shown = Image.fromarray((255 * image.clamp(0, 1)).round().byte().cpu().numpy())
    return shown.resize((SIDE, SIDE), Image.Resampling.NEAREST)


def sheet(rows: list[dict[str, Tensor]], path: Path) -> None:
    """Views in rows, each below its name."""
    across, font = max(map(len, rows)), ImageFont.load_default(15)
    page = Image.new("RGB", (across * (SIDE + GAP) + GAP, len(rows) * (SIDE + TITLE + GAP) + GAP), "white")
    draw = ImageDraw.Draw(page)
    for down, row in enumerate(rows):
        for right, (name, image) in enumerate(row.items()):
            x, y = GAP + right * (SIDE + GAP), GAP + down * (SIDE + TITLE + GAP)
            draw.text((x, y), name, fill="black", font=font)
            page.paste(panel(image), (x, y + TITLE))
    page.save(path, optimize=True)


def fitted(seen: Dataset, **settings: Any) -> tuple[dict[str, Tensor], str]:
    """The views of a fit, and its score as a word."""
    run = ffnet.fit(progress=False, **settings)
    return seen.views(run.field, 512), f"{run.metrics['psnr']:.1f} dB"


def ct() -> None:
    dataset = CTDataset()
    views, score = fitted(dataset, dataset="ct")
    back = dataset.back_projection()[..., None].expand(-1, -1, 3)
    known = dataset.baselines()["filtered back-projection"]["psnr"]
    row = {
        "20 angles: measured, fitted, error": views["sinogram"],
        f"filtered back-projection, {known:.1f} dB": back,
        f"the fit, {score}": views["reconstruction"],
        "the phantom": views["target"],
    }
    sheet([row], DOCS / "ct.png")


def mri() -> None:
    dataset = MRIDataset()
    views, score = fitted(dataset, dataset="mri")
    mask = torch.fft.fftshift(dataset.known)[..., None].float().expand(-1, -1, 3)
    known = dataset.baselines()["zero-filled"]["psnr"]
    row = {
        "12.6 % of k-space": mask,
        f"zero-filled, {known:.1f} dB": views["zero_filled"],
        f"the fit, {score}": views["reconstruction"],
        "the phantom": views["target"],
    }
    sheet([row], DOCS / "mri.png")


def inverse() -> None:
    rows = []
    for problem in ("inpainting", "superresolution", "deblurring", "denoising"):
        dataset = InverseDataset(problem=problem)
        views, score = fitted(dataset, dataset=("inverse", {"problem": problem}))
        rows.append(
            {problem: views["data"], f"the fit, {score}": views["reconstruction"], "the image": views["target"]}
        )
    sheet(rows, DOCS / "inverse.png")


PAGES = {"ct": ct, "mri": mri, "inverse": inverse}

if __name__ == "__main__":
    for name in sys.argv[1:] or PAGES:
        PAGES[name]()
