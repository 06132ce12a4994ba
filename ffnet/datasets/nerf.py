"""A scene from images with known cameras (Mildenhall et al. 2020, NeRF)."""

import logging
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ffnet.budget import chunk
from ffnet.datasets.base import IN_MEMORY, Batch, Dataset, Evaluation, Source, located
from ffnet.operators import VolumeRendering
from ffnet.rendering.camera_path import up_axis
from ffnet.sampling import Sampler
from ffnet.sampling.samplers import Unsized, sampler_of
from ffnet.signals.posed_views import PosedViews, pixel_rays
from ffnet.signals.scene import ViewsRecord, grey

if TYPE_CHECKING:
    from torchmetrics import Metric

log = logging.getLogger(__name__)

# Views that a run draws at its end.
SHOWN = 4
# Cameras within this part of the cube's half side are at one place: they show no parallax.
ONE_PLACE = 1e-3


class ViewRays(Source):
    """The pixels of views, each with the ray through its centre, which is computed when asked for: rays take twice the
    memory of colours."""

    images: Tensor
    poses: Tensor

    def __init__(self, images: Float[Tensor, "v h w 3"], poses: Float[Tensor, "v 4 4"], focal: float) -> None:
        super().__init__()
        self.hold("images", images.reshape(-1, 3))
        self.hold("poses", poses)
        self.focal, self.view, self.size = focal, (images.shape[1], images.shape[2]), images[..., 0].numel()

    def batch(self, index: Int[Tensor, "k"]) -> Batch:
        height, width = self.view
        view, pixel = index // (height * width), index % (height * width)
        x, y = pixel % width + 0.5, pixel // width + 0.5
        return Batch(pixel_rays(self.poses[view], self.focal, x, y, self.view), self.images[index])


class NerfDataset(Dataset):
    """A field of colour and density, (x, y, z) to four logits, fitted to views of a scene through volume rendering.

    Every ``held_out``-th view is held out and scored as ``psnr``. If the operator says so, the field has three more
    coordinates, the direction from which it is seen.

    Args:
        path: Blender's ``transforms.json``, a directory that holds one, an ``.npz`` file, or a mapping of its
            arrays; see ``ffnet.signals.posed_views.PosedViews``. Views that are all from one place are fitted with a
            warning: they leave distances open.
        held_out: every n-th view, from the first, is held out.
        batch_size: rays in a training batch, drawn uniformly with replacement from all training views.
        downsample: pixels along a side of a view that are averaged to one.
        operator: how a ray sees the field; transparent pixels are composited on its background.
        metrics: further torchmetrics metrics by name. They get each held-out view as an image (1, 3, height, width),
            one after the other.
        sampler: which rays a step uses; replaces ``batch_size``, unless it takes it.

    Raises:
        OSError: if a file cannot be read.
        ValueError: if it holds no scene, or an argument is out of range.
    """

    record: ViewsRecord
    source: ViewRays
    operator: VolumeRendering
    path: Path | None

    def __init__(
        self,
        path: Any = None,
        held_out: int = 8,
        batch_size: int = 512,
        downsample: int = 1,
        operator: VolumeRendering | None = None,
        metrics: "Mapping[str, Metric] | None" = None,
        sampler: Sampler | Unsized | None = None,
    ) -> None:
        super().__init__()
        if path is None:
            raise ValueError("path: expected a scene, say dataset.path=FILE.npz with images, poses and focal")
        if not isinstance(path, str | PathLike | Mapping):
            raise ValueError(f"path: expected a file or a mapping of images, poses, focal, got {type(path).__name__}")
        for name, value, least in (("held_out", held_out, 2), ("downsample", downsample, 1)):
            if type(value) is not int or value < least:
                raise ValueError(f"{name}: expected an integer of at least {least}, got {value!r}")
        self.path = located(path)
        self.operator = operator or VolumeRendering()
        if not isinstance(self.operator, VolumeRendering):
            raise ValueError(f"operator: expected a VolumeRendering, got {type(self.operator).__name__}")
        views: Any = self.path or path
        scene = PosedViews(views, self.operator.background, downsample)
        places = scene.poses[:, :3, 3]
        if (places - places[0]).norm(dim=-1).max() < ONE_PLACE * self.operator.half_side:
            log.warning(
                "cameras all views are from one place, which leaves distances open; draw the fit from there only"
            )
        from ffnet.metrics import PSNR  # which takes seconds, hence after the file is read

        count, height, width, _ = scene.images.shape
        self.in_features, self.out_features = 6 if self.operator.directions else 3, 4
        held = torch.arange(count) % held_out == 0
        self.source = ViewRays(scene.images[~held], scene.poses[~held], scene.focal)
        self.sampler = sampler_of(sampler, batch_size)
        self.metrics = {"psnr": PSNR()}
        scored = ViewRays(scene.images[held], scene.poses[held], scene.focal)
        # The held-out views under one another are one image.
        layout = (int(held.sum()) * height, width)
        self.add_evaluation(Evaluation("", scored, {"psnr": PSNR()}, self.operator, layout, metrics))
        self.view = (height, width)
        self.record = self._record(scene, held)
        self.describe = f"{count} views of {height}x{width} pixels, {int(held.sum())} of them held out"

    def _record(self, scene: PosedViews, held: Tensor) -> ViewsRecord:
        operator, up = self.operator, up_axis(scene.poses)
        positions = scene.poses[:, :3, 3]
        radius = positions.norm(dim=-1).clamp(min=1e-6)
        elevation = (positions @ up / radius).clamp(-0.999, 0.999).asin()  # straight from above, no axis is upward
        return ViewsRecord(
            scene.poses[held][:SHOWN].tolist(),
            scene.focal,
            self.view,
            operator.half_side,
            operator.samples,
            operator.coarse,
            operator.near,
            operator.far,
            operator.background,
            operator.directions,
            up.tolist(),
            radius.mean().item(),
            elevation.mean().item(),
        )

    def views(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        """The first held-out view: ``target``, ``reconstruction``, ``error`` (absolute, five times as bright) and
        ``depth``."""
        height, width = self.view
        step = -(-max(height, width) // max_side)
        source = self.evaluations[0].source
        device = next(source.buffers()).device
        rows, columns = torch.arange(0, height, step, device=device), torch.arange(0, width, step, device=device)
        seen = source.batch((rows[:, None] * width + columns).flatten())
        with torch.inference_mode():
            parts = seen.queries.split(chunk(self.operator.points_per_query))
            traced = [self.operator.trace(field, part) for part in parts]
        colour, opacity, distance = (torch.cat(part) for part in zip(*traced, strict=True))
        shape = (len(rows), len(columns), 3)
        target, reconstruction = seen.targets.view(shape), colour.view(shape).clamp(0, 1)
        error = (5 * (reconstruction - target).abs()).clamp(max=1)
        depth = grey(distance, opacity, self.record.depths)[:, None].expand(-1, 3).reshape(shape)
        return {"target": target, "reconstruction": reconstruction, "error": error, "depth": depth}

    def resolved(self) -> dict[str, Any]:
        return {"path": str(self.path) if self.path else IN_MEMORY}

    def extra_repr(self) -> str:
        return f"{self.path.name if self.path else IN_MEMORY}, {self.describe}"
