"""A scene from images with known cameras (Mildenhall et al. 2020, NeRF)."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.budget import chunk
from ffnet.datasets.base import Dataset, Evaluation
from ffnet.datasets.tensors import TensorSource
from ffnet.operators import VolumeRendering
from ffnet.sampling import Sampler, UniformSampler
from ffnet.signals.posed_views import PosedViews, ViewsRecord, camera_rays

if TYPE_CHECKING:
    from torchmetrics import Metric

# Views that a run draws at its end.
SHOWN = 4


class NerfDataset(Dataset):
    """A field of colour and density, (x, y, z) to four logits, fitted to views of a scene through volume rendering.

    Every ``held_out``-th view is held out and scored as ``psnr``. There are no view directions.

    Args:
        path: an ``.npz`` file, see ``ffnet.signals.posed_views.PosedViews``.
        held_out: every so many-th view, from the first, is held out.
        batch_size: rays in a training batch, drawn uniformly with replacement from all training views.
        operator: how a ray sees the field.
        metrics: further torchmetrics metrics by name. They get each held-out view as an image (1, 3, height, width),
            one after the other.
        sampler: which rays a step uses, in place of ``batch_size``.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it holds no scene, or an argument is out of range.
    """

    record: ViewsRecord
    source: TensorSource
    path: Path

    def __init__(
        self,
        path: str | Path | None = None,
        held_out: int = 8,
        batch_size: int = 512,
        operator: VolumeRendering | None = None,
        metrics: "Mapping[str, Metric] | None" = None,
        sampler: Sampler | None = None,
    ) -> None:
        super().__init__()
        if path is None:
            raise ValueError("path: expected a scene, say dataset.path=FILE.npz with images, poses and focal")
        if type(held_out) is not int or held_out < 2:
            raise ValueError(f"held_out: expected an integer of at least 2, got {held_out!r}")
        self.path = Path(path).absolute()
        scene = PosedViews(self.path)
        from ffnet.metrics import PSNR  # which takes seconds, hence after the file is read

        count, height, width, _ = scene.images.shape
        self.in_features, self.out_features = 3, 4
        self.operator: VolumeRendering = operator or VolumeRendering()
        rays = camera_rays(scene.poses, scene.focal, height, width)
        held = torch.arange(count) % held_out == 0
        self.source = TensorSource(rays[~held].reshape(-1, 6), scene.images[~held].reshape(-1, 3))
        self.sampler = sampler or UniformSampler(batch_size)
        self.metrics = {"psnr": PSNR()}
        scored = TensorSource(rays[held].reshape(-1, 6), scene.images[held].reshape(-1, 3))
        # The held-out views under one another are one image.
        layout = (int(held.sum()) * height, width)
        self.add_evaluation(Evaluation("", scored, {"psnr": PSNR()}, self.operator, layout, metrics))
        self.view = (height, width)
        shown = scene.poses[held][:SHOWN]
        self.record = ViewsRecord(
            shown.tolist(), scene.focal, self.view, self.operator.half_side, self.operator.points_per_query
        )
        self.describe = f"{count} views of {height}x{width} pixels, {int(held.sum())} of them held out"

    def views(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        """``target``, ``reconstruction`` and ``error`` of the first held-out view."""
        height, width = self.view
        step = -(-max(height, width) // max_side)
        source = self.evaluations[0].source
        device = next(source.buffers()).device
        rows, columns = torch.arange(0, height, step, device=device), torch.arange(0, width, step, device=device)
        seen = source.batch((rows[:, None] * width + columns).flatten())
        with torch.inference_mode():
            parts = [self.operator(field, part) for part in seen.queries.split(chunk(self.operator.points_per_query))]
        shape = (len(rows), len(columns), 3)
        target, reconstruction = seen.targets.view(shape), torch.cat(parts).view(shape).clamp(0, 1)
        error = (5 * (reconstruction - target).abs()).clamp(max=1)
        return {"target": target, "reconstruction": reconstruction, "error": error}

    def resolved(self) -> dict[str, Any]:
        return {"path": str(self.path)}

    def extra_repr(self) -> str:
        return f"{self.path.name}, {self.describe}"
