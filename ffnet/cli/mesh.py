"""``ffnet mesh``: the surface of a fitted shape as a mesh."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from ffnet.cli.app import BadInput, reading_input, run, usable_device

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    return run("mesh", mesh_, argv)


def mesh_(config: DictConfig) -> None:
    from tqdm import tqdm

    from ffnet import checkpoint
    from ffnet.cli.trust import trusted_classes
    from ffnet.geometry import check_mesh_writable, compare, read_mesh, write_mesh
    from ffnet.rendering import in_own_coordinates, surface

    with reading_input():
        path = checkpoint.find(config.checkpoint)
        contents = checkpoint.read(path)
        signal = contents["ffnet"]["signal"]
        if signal.get("kind") != "shape":
            raise ValueError(f"{path}: expected the fit of a shape, got that of a {signal.get('kind')}")
        field = checkpoint.field_of(contents, str(path), trusted_classes(config.trust))
        resolution = config.resolution
        if type(resolution) is not int or resolution < 2:
            raise ValueError(f"resolution: expected a whole number of at least 2 cells, got {resolution!r}")
        output = Path(config.output)
        check_mesh_writable(output)
        reference = read_mesh(Path(config.reference))[0] if config.reference is not None else None
        device = usable_device(config.device)
        field = field.to(device)
    with tqdm(unit="point", unit_scale=True, disable=None, leave=False) as bar:
        try:
            mesh = surface(field, signal, resolution, device=device, progress=bar.update)
        except ValueError as error:
            raise BadInput(f"{path}: {error}") from error
    mesh = in_own_coordinates(mesh, signal)
    write_mesh(mesh, output)
    log.info("wrote   %s, %d vertices, %d faces", output, len(mesh.vertices), len(mesh.faces))
    if reference is not None:
        voxel = 1 / (resolution * signal["scale"])
        log.info("%s", json.dumps(compare(mesh, reference) | {"voxel": voxel}, indent=2))
