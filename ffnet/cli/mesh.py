"""``ffnet mesh``: extracts the surface of a fitted shape."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from ffnet.cli.app import BadInput, reading_input, run, usable_device

if TYPE_CHECKING:
    from ffnet.geometry import Mesh

# Of the turntable: a side in pixels, frames of a turn, milliseconds of a frame.
SIDE, FRAMES, DURATION = 320, 36, 80

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    return run("mesh", mesh_, argv)


def mesh_(config: DictConfig) -> None:
    from tqdm import tqdm

    from ffnet.cli.render import described
    from ffnet.cli.stored import stored
    from ffnet.geometry import (
        check_mesh_writable,
        check_resolution,
        compare,
        largest_component,
        read_mesh,
        unit_normals,
        write_mesh,
    )
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
        one_of("components", config.components, ("all", "largest"))
        one_of("normals", config.normals, (None, "smooth"))
        check_mesh_writable(output, normals=config.normals == "smooth")
        if config.turntable is not None:
            check_turntable(Path(config.turntable))
        reference = read_mesh(Path(config.reference))[0] if config.reference is not None else None
        device = usable_device(config.device)
        field = field.to(device)
    with tqdm(unit="point", unit_scale=True, disable=None, leave=False) as bar:
        try:
            mesh = record.mesh(field, resolution, device=device, progress=bar.update)
        except ValueError as error:
            raise BadInput(f"{path}: {error}") from error
    if config.components == "largest":
        mesh = largest_component(mesh)
    write_mesh(mesh, output, unit_normals(mesh) if config.normals == "smooth" else None)
    log.info("wrote   %s, %d vertices, %d faces", output, len(mesh.vertices), len(mesh.faces))
    if config.turntable is not None:
        write_turntable(mesh, Path(config.turntable))
        log.info("wrote   %s", config.turntable)
    if reference is not None:
        voxel = 1 / (resolution * record.scale)
        log.info("%s", json.dumps(compare(mesh, reference) | {"voxel": voxel}, indent=2))


def one_of(name: str, value: Any, known: tuple[Any, ...]) -> None:
    """Raises ValueError, with the name of a setting, unless its value is one of ``known``."""
    if value not in known:
        names = " or ".join("null" if one is None else one for one in known)
        raise ValueError(f"{name}: expected {names}, got {value!r}")


def check_turntable(path: Path) -> None:
    """Raises ValueError if ``path`` is no name of a GIF, OSError if it cannot be written."""
    from ffnet.atomic import check_replaceable

    if path.suffix.lower() != ".gif":
        raise ValueError(f"turntable: expected a name that ends in .gif, got {path.name!r}")
    check_replaceable(path)


def write_turntable(mesh: "Mesh", path: Path) -> None:
    """Writes an animated GIF of ``mesh`` that turns once around and begins again."""
    from PIL import Image

    from ffnet.atomic import replacing
    from ffnet.geometry import turntable

    frames = [Image.fromarray((frame * 255).round().astype("uint8")) for frame in turntable(mesh, SIDE, FRAMES)]
    with replacing(path) as temporary:
        frames[0].save(temporary, save_all=True, append_images=frames[1:], duration=DURATION, loop=0)
