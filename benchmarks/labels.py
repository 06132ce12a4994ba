"""The labels of shapes beside exact winding numbers and ray parity, and how fast they are.

    python benchmarks/labels.py MESH... --points 10000

Half of the points are uniform in the bounding box, half lie about the surface (standard deviation 0.01 of half the
longest side). Points within 1e-6 of that half of the surface count for neither comparison. Ray parity is compared for
closed meshes only. The rate is that of a million points, half of them uniform.
"""

import argparse
import time
from pathlib import Path

import igl
import numpy as np
import torch

from ffnet.geometry import Mesh, Winding, area_cdf, edges, read_mesh, surface_points, triangles


def parity(mesh: Mesh, points: np.ndarray) -> np.ndarray:
    """Whether a ray along a skew direction crosses the faces an odd number of times.

    In coordinates turned so that the ray goes along z, a point is within a face if it lies on the same side of its
    three edges, and below it by the face's plane: four linear functions of the point for every face.
    """
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces] @ turn, 1, 0)
    across = np.cross(b - a, c - a)
    planes = np.concatenate([across, -(across * a).sum(-1, keepdims=True)], -1) * np.sign(across[:, 2:])
    sides = []
    for one, other in ((a, b), (b, c), (c, a)):
        x, y = (other - one)[:, :2].T
        side = np.stack([-y, x, np.zeros_like(x), y * one[:, 0] - x * one[:, 1]], -1)
        sides.append(torch.from_numpy(side * np.sign(across[:, 2:])))
    above = torch.from_numpy(planes)
    homogeneous = torch.from_numpy(np.concatenate([points @ turn, np.ones((len(points), 1))], -1))
    odd = []
    for part in homogeneous.split(max(1, 2**24 // len(mesh.faces))):
        crossed = part @ above.T < 0
        for side in sides:
            crossed &= part @ side.T > 0
        odd.append(crossed.sum(-1) % 2 == 1)
    return torch.cat(odd).numpy()


def sample(mesh: Mesh, count: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(0)
    low, high = (torch.from_numpy(end) for end in (mesh.vertices.min(0), mesh.vertices.max(0)))
    uniform = low + (high - low) * torch.rand(count - count // 2, 3, generator=generator, dtype=torch.float64)
    corners = triangles(mesh)
    beside, _ = surface_points(torch.from_numpy(corners), torch.from_numpy(area_cdf(corners)), count // 2, generator)
    offset = torch.randn(count // 2, 3, generator=generator, dtype=torch.float64)
    return torch.cat([uniform, beside + 0.005 * (high - low).max() * offset]).numpy()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("meshes", type=Path, nargs="+")
    parser.add_argument("--points", type=int, default=10_000)
    arguments = parser.parse_args()
    print("| mesh | faces | closed | exact numbers | ray parity | points left out | labels a second |")
    print("|---|---|---|---|---|---|---|")
    for path in arguments.meshes:
        mesh, _ = read_mesh(path)
        points, closed = sample(mesh, arguments.points), edges(mesh) == (0, 0)
        half = (mesh.vertices.max(0) - mesh.vertices.min(0)).max() / 2
        squared = igl.point_mesh_squared_distance(points, mesh.vertices, mesh.faces)[0]
        kept = points[np.sqrt(squared) > 1e-6 * half]
        winding = Winding(mesh)
        labels = winding.inside(kept)
        exact = np.mean(labels == (np.abs(igl.winding_number(mesh.vertices, mesh.faces, kept)) > 0.5))
        rays = f"{np.mean(labels == parity(mesh, kept)):.4%}" if closed else ""
        many = sample(mesh, 1_000_000)
        start = time.perf_counter()
        winding.inside(many)
        rate = len(many) / (time.perf_counter() - start)
        left_out = len(points) - len(kept)
        print(
            f"| {path.name} | {len(mesh.faces)} | {'yes' if closed else 'no'} | {exact:.4%} | {rays} | {left_out} "
            f"| {rate:,.0f} |",
            flush=True,
        )
