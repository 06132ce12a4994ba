"""``ffnet render``: renders a fitted field as an image, a recording, a video, a volume or views of a scene."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from ffnet.cli.app import reading_input, run, usable_device

if TYPE_CHECKING:
    from torch import nn

    from ffnet.signals import Record, Rendered

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    return run("render", render_, argv)


def render_(config: DictConfig) -> None:
    from tqdm import tqdm

    from ffnet import budget
    from ffnet.cli.stored import stored
    from ffnet.signals import Raster, Rendered, ViewsRecord
    from ffnet.signals.image_files import output_size

    with reading_input():
        settings: Any = OmegaConf.to_container(config, resolve=True)
        path, _, field, record = stored(config.checkpoint, config.trust)
        for name in ("camera", "frames", "depth"):
            if settings[name] not in (None, False) and not isinstance(record, ViewsRecord):
                raise ValueError(f"{name}: expected the fit of a scene, got that of {described(record)}")
    if isinstance(record, Rendered):
        render_signal(settings, str(path), field, record)
        return
    with reading_input():
        if not isinstance(record, Raster):
            kinds = "an image, recording, video, volume or scene"
            raise ValueError(f"{path}: expected the fit of {kinds}, got that of {described(record)}")
        if settings["rate"] is not None:
            raise ValueError(f"rate: expected null for an image, got {settings['rate']}")
        left, top, right, bottom = pixel_box(settings["crop"], record.size)
        name, size = output_size(settings, (bottom - top, right - left))
        budget.check("pixels", size[0] * size[1], name)
        output = Path(config.output)
        device = usable_device(config.device)
        field = field.to(device)
        record.check_writable(output, size)
        try:
            record.render(field, (1, 1), device=device)
        except Exception as error:  # the file may describe any field and any record
            raise ValueError(f"{path}: damaged checkpoint, its field is not one of its image ({error})") from error
    progress = partial(tqdm, unit="band", disable=None, leave=False)
    height, width = record.size
    part = (left / width, top / height, right / width, bottom / height)
    record.render_to(output, field, size, box=part, device=device, progress=progress)
    log.info("wrote   %s, %d x %d pixels", output, size[1], size[0])


def render_signal(settings: dict[str, Any], path: str, field: "nn.Module", record: "Rendered") -> None:
    """Writes a signal that is no image, as its record renders it."""
    from tqdm import tqdm

    with reading_input():
        output = Path(settings["output"])
        rendering = record.rendering(settings, output)
        device = usable_device(settings["device"])
        found: Any = field
        if (found.in_features, found.out_features) != record.features:
            raise ValueError(f"{path}: damaged checkpoint, its field is not one of {record.noun}")
    said = rendering(field.to(device), device, partial(tqdm, disable=None, leave=False))
    log.info("wrote   %s, %s", output, said)


def pixel_box(crop: Any, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of a crop in pixels of an image of ``size`` (height, width): such a box itself, the
    central part of [height, width], or everything if ``crop`` is None.

    Raises:
        ValueError: if it is none of them, or not within the image.
    """
    height, width = size
    if crop is None:
        return 0, 0, width, height
    numbers = isinstance(crop, list) and all(type(value) in (int, float) for value in crop)
    if numbers and len(crop) == 2:
        left, top = (width - crop[1]) / 2, (height - crop[0]) / 2
        crop = [left, top, left + crop[1], top + crop[0]]
    if not numbers or len(crop) != 4 or not (0 <= crop[0] < crop[2] <= width and 0 <= crop[1] < crop[3] <= height):
        raise ValueError(
            f"crop: expected [left, top, right, bottom] or [height, width] in pixels of the image of "
            f"{width} x {height} (width x height), got {crop}"
        )
    left, top, right, bottom = crop
    return left, top, right, bottom


def described(record: "Record | None") -> str:
    """The kind of signal of a checkpoint, for error messages."""
    return "a task without a reconstruction" if record is None else record.noun
