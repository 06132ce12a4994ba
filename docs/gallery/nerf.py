"""NeRF with an encoder and an MLP of ffnet and nothing else: a scene from images, scored on held-out views.

python docs/gallery/nerf.py scene.npz outputs/nerf --encoder positional --steps 1500

The file holds images (n, h, w, 3) on black, camera-to-world poses (n, 4, 4) in OpenGL's convention, and focal (pixels).
docs/scene.py makes one. Every eighth view is held out. Writes <encoder>.png (held-out views above, rendered below),
<encoder>.json (PSNR over steps, seconds of training) and curves.png of all encoders that are there.

Mildenhall et al. 2020, without directions and without a second network; points in cells that the field itself finds
empty are left out (after Müller et al. 2022, appendix E).
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torch.nn.functional import max_pool3d, softplus

from ffnet.encoders import GaussianEncoder, IdentityEncoder, PositionalEncoder
from ffnet.models import CoordinateMLP

ENCODERS = {
    "identity": lambda: IdentityEncoder(3, centred=True),
    "positional": lambda: PositionalEncoder(3, 6, min_frequency=0.5, include_input=True),
    "gaussian": lambda: GaussianEncoder(3, 64, sigma=4.0),
}
HALF = 1.25  # the scene lies in [-HALF, HALF]^3; the networks see it as [0, 1]^3
CELLS = 32  # of the grid that remembers where there is something
SAMPLES = 64  # points on a ray's way through the box


def rays(poses: Tensor, focal: float, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Origins and directions (n, h, w, 3) through the centres of the pixels; a camera looks along -z."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    local = torch.stack([(x - width / 2) / focal, (height / 2 - y) / focal, -torch.ones_like(x)], dim=-1)
    directions = torch.nn.functional.normalize(local, dim=-1) @ poses[:, None, :3, :3].transpose(-1, -2)
    return poses[:, None, None, :3, 3].expand_as(directions), directions


class Scene:
    """A field of colour and density in a box, and a grid of where it is not empty."""

    def __init__(self, encoder: str, seed: int = 0) -> None:
        self.field = CoordinateMLP(ENCODERS[encoder](), 4, hidden_features=128, hidden_layers=4, seed=seed)
        self.occupied = torch.ones(CELLS, CELLS, CELLS, dtype=torch.bool)
        self.generator = torch.Generator().manual_seed(seed)

    def colour_and_density(self, x: Tensor) -> tuple[Tensor, Tensor]:
        values = self.field(x)
        return values[:, :3].sigmoid(), 10 * softplus(values[:, 3] - 2)

    @torch.no_grad()
    def look_where_it_is_empty(self) -> None:
        """A cell is empty if the density at a random point of it and of its neighbours is next to none."""
        index = torch.cartesian_prod(*[torch.arange(CELLS)] * 3)
        x = (index + torch.rand(index.shape, generator=self.generator)) / CELLS
        density = torch.cat([self.colour_and_density(part)[1] for part in x.split(2**15)])
        dense = max_pool3d(density.view(1, 1, CELLS, CELLS, CELLS), 3, stride=1, padding=1)[0, 0]
        self.occupied = dense > 0.2

    def fog(self) -> Tensor:
        """Mean opacity of a short way at random points of the box."""
        _, density = self.colour_and_density(torch.rand(1024, 3, generator=self.generator))
        return (1 - torch.exp(-0.04 * density)).mean()

    def render(self, origins: Tensor, directions: Tensor, jitter: bool) -> Tensor:
        """Colours (n, 3) of rays on black."""
        through = torch.stack([(-HALF - origins) / directions, (HALF - origins) / directions])
        near = through.amin(0).amax(-1, keepdim=True).clamp(min=0)
        length = (through.amax(0).amin(-1, keepdim=True) - near).clamp(min=0)
        offset = torch.rand(len(origins), SAMPLES, generator=self.generator) if jitter else 0.5
        t = near + length * (torch.arange(SAMPLES) + offset) / SAMPLES
        x = ((origins[:, None] + t[..., None] * directions[:, None]) / HALF + 1) / 2
        i, j, k = (x * CELLS).long().clamp(0, CELLS - 1).unbind(-1)
        there = self.occupied[i, j, k] & (length > 0)
        colour, density = self.colour_and_density(x[there])
        opacity = torch.zeros_like(t)
        opacity[there] = 1 - torch.exp(-density * (length / SAMPLES).expand_as(t)[there])
        seen = torch.cumprod(torch.cat([torch.ones_like(t[:, :1]), 1 - opacity[:, :-1]], dim=1), dim=1)
        colours = torch.zeros_like(x)
        colours[there] = colour
        return ((seen * opacity)[..., None] * colours).sum(1)


@torch.no_grad()
def view(scene: Scene, origins: Tensor, directions: Tensor) -> Tensor:
    parts = zip(origins.flatten(0, 1).split(2048), directions.flatten(0, 1).split(2048), strict=True)
    return torch.cat([scene.render(o, d, jitter=False) for o, d in parts]).view_as(origins)


def train(scene: Scene, o: Tensor, d: Tensor, colours: Tensor, steps: int) -> Iterator[tuple[int, float]]:
    """Adam for so many steps; yields their number and the seconds of training so far."""
    optimizer = torch.optim.Adam(scene.field.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    seconds = 0.0
    for step in range(steps):
        start = time.perf_counter()
        if step % 50 == 0 and step >= 150:
            scene.look_where_it_is_empty()
        batch = torch.randint(len(o), (512,), generator=scene.generator)
        rendered = scene.render(o[batch], d[batch], jitter=True)
        # On black, black fog looks like nothing; the second term clears it.
        loss = (rendered - colours[batch]).square().mean() + 0.01 * scene.fog()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        seconds += time.perf_counter() - start
        yield step + 1, seconds


def psnr(errors: Tensor) -> float:
    return -10 * errors.square().mean().log10().item()


def draw_curves(folder: Path) -> None:
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for path in sorted(folder.glob("*.json")):
        curve = json.loads(path.read_text())["curve"]
        axes.plot([step for step, *_ in curve], [value for *_, value in curve], label=path.stem)
    axes.set(xlabel="steps", ylabel="PSNR of one held-out view, dB")
    axes.legend()
    figure.savefig(folder / "curves.png", dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--encoder", choices=ENCODERS, default="positional")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--every", type=int, default=150, help="steps between points of the curve")
    arguments = parser.parse_args()
    data = np.load(arguments.scene)
    images, poses = torch.tensor(data["images"]), torch.tensor(data["poses"], dtype=torch.float32)
    origins, directions = rays(poses, float(data["focal"]), *images.shape[1:3])
    held = torch.arange(len(images)) % 8 == 0
    scene, curve = Scene(arguments.encoder), []
    flat = [part[~held].reshape(-1, 3) for part in (origins, directions, images)]
    for step, seconds in train(scene, *flat, arguments.steps):
        if step % arguments.every == 0:
            some = torch.nonzero(held)[0, 0]
            curve.append([step, seconds, psnr(view(scene, origins[some], directions[some]) - images[some])])
            print(f"{step} steps, {seconds:.0f} s, {curve[-1][2]:.2f} dB on one held-out view", flush=True)
    views = torch.stack([view(scene, o, d) for o, d in zip(origins[held], directions[held], strict=True)])
    score = psnr(views - images[held])
    result = {"encoder": arguments.encoder, "steps": step, "seconds": seconds, "psnr": score, "curve": curve}
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / f"{arguments.encoder}.json").write_text(json.dumps(result) + "\n")
    draw_curves(arguments.output)
    shown = torch.cat([torch.cat(list(images[held][:6]), dim=1), torch.cat(list(views[:6]), dim=1)])
    image = (255 * shown).round().clamp(0, 255).byte().numpy()
    Image.fromarray(image).save(arguments.output / f"{arguments.encoder}.png")
    print(f"{result['psnr']:.2f} dB on {int(held.sum())} held-out views after {step} steps")


if __name__ == "__main__":
    main()
