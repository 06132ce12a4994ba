"""A fitted shape as a mesh, in its file's own coordinates and unit."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ffnet.files import replacing
from ffnet.geometry import Mesh, Placement, edges, extract, views, write_mesh

log = logging.getLogger(__name__)

# Pixels along a view's side.
VIEW_SIDE = 512


def surface(
    field: Callable[[Tensor], Tensor],
    signal: dict[str, Any],
    resolution: int,
    *,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] = lambda points: None,
) -> Mesh:
    """The surface of the shape that a checkpoint's ``signal`` describes, in the unit cube; see ``extract``.

    Outside of the box in which the shape is known to lie it is empty.

    Raises:
        ValueError: if there is no surface.
    """
    low, high = torch.tensor(signal["bounds"], device=device)

    def bounded(x: Tensor) -> Tensor:
        within = ((x >= low) & (x <= high)).all(-1, keepdim=True)
        return torch.where(within, field(x), -1.0)

    mesh = extract(bounded, resolution, device=device, progress=progress)
    if len(mesh.faces) == 0:
        raise ValueError("the field has no surface: it is inside everywhere or outside everywhere")
    if openings := edges(mesh).open:
        log.warning("the surface leaves the box, and the mesh is open there (%d edges)", openings)
    return mesh


def in_own_coordinates(mesh: Mesh, signal: dict[str, Any]) -> Mesh:
    """``mesh`` from the unit cube to where the file had the shape."""
    return Mesh(Placement(signal["scale"], tuple(signal["centre"])).to_own(mesh.vertices), mesh.faces)


def write_shape(
    field: Callable[[Tensor], Tensor], signal: dict[str, Any], folder: Path, device: torch.device | str = "cpu"
) -> Path | None:
    """Writes ``folder/reconstruction.ply`` and three shaded views of it, ``views.png``; None without a surface."""
    try:
        mesh = surface(field, signal, signal["resolution"], device=device)
    except ValueError as error:
        log.warning("no mesh is written: %s", error)
        return None
    path = folder / "reconstruction.ply"
    write_mesh(in_own_coordinates(mesh, signal), path)
    with replacing(folder / "views.png") as temporary:
        Image.fromarray((views(mesh, VIEW_SIDE) * 255).round().astype(np.uint8)).save(temporary)
    return path
