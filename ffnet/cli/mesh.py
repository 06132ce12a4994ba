"""``ffnet mesh``: extracts the surface of a fitted shape."""

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

    from ffnet.cli.render import described
    from ffnet.cli.stored import stored
    from ffnet.geometry import check_mesh_writable, check_resolution, compare, read_mesh, write_mesh
    from ffnet.signals import Surface

    with reading_input():
        path, _, field, record = stored(config.checkpoint, config.trust)
        if not isinstance(record, Surface):
            raise ValueError(f"{path}: expected the fit of a shape, got that of {described(record)}")
        if (field.in_features, field.out_features) != (3, 1):
            raise ValueError(f"{path}: damaged checkpoint, its field is not one of a shape")
        resolution = config.resolution
        if type(resolution) is not int or resolution < 2:
            raise ValueError(f"resolution: expected an integer of at least 2 cells, got {resolution!r}")
        check_resolution(resolution)
        output = Path(config.output)
        check_mesh_writable(output)
        reference = read_mesh(Path(config.reference))[0] if config.reference is not None else None
        device = usable_device(config.device)
        field = field.to(device)
    with tqdm(unit="point", unit_scale=True, disable=None, leave=False) as bar:
        try:
            mesh = record.mesh(field, resolution, device=device, progress=bar.update)
        except ValueError as error:
            raise BadInput(f"{path}: {error}") from error
    write_mesh(mesh, output)
    log.info("wrote   %s, %d vertices, %d faces", output, len(mesh.vertices), len(mesh.faces))
    if reference is not None:
        voxel = 1 / (resolution * record.scale)
        log.info("%s", json.dumps(compare(mesh, reference) | {"voxel": voxel}, indent=2))
