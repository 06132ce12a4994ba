"""``ffnet render``: renders a fitted field as an image."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from ffnet.cli.app import reading_input, run, usable_device

if TYPE_CHECKING:
    from ffnet.signals import Record

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    return run("render", render_, argv)


def render_(config: DictConfig) -> None:
    from tqdm import tqdm

    from ffnet import budget
    from ffnet.cli.stored import stored
    from ffnet.signals import Raster
    from ffnet.signals.image_files import pair

    with reading_input():
        settings: Any = OmegaConf.to_container(config, resolve=True)
        path, _, field, record = stored(config.checkpoint, config.trust)
        if not isinstance(record, Raster):
            raise ValueError(f"{path}: expected the fit of an image, got that of {described(record)}")
        size = pair("size", list(record.size) if settings["size"] is None else settings["size"])
        budget.check("pixels", size[0] * size[1], "size")
        output = Path(config.output)
        device = usable_device(config.device)
        field = field.to(device)
        record.check_writable(output, size)
        try:
            record.render(field, (1, 1), device=device)
        except Exception as error:  # the file may describe any field and any record
            raise ValueError(f"{path}: damaged checkpoint, its field is not one of its image ({error})") from error
    progress = partial(tqdm, unit="band", disable=None, leave=False)
    pixels = record.render(field, size, device=device, progress=progress)
    record.save(pixels, output)
    log.info("wrote   %s, %d x %d pixels", output, size[1], size[0])


def described(record: "Record | None") -> str:
    """The kind of signal of a checkpoint, for error messages."""
    return "a task without a reconstruction" if record is None else record.noun
