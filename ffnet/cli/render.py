"""``ffnet render``: a fitted field as a picture."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ffnet.cli.app import reading_input, run, usable_device

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    return run("render", render_, argv)


def render_(config: DictConfig) -> None:
    from tqdm import tqdm

    from ffnet import checkpoint
    from ffnet.cli.trust import trusted_classes
    from ffnet.datasets.picture import pair
    from ffnet.rendering import check_writable, render_signal, save_picture

    with reading_input():
        settings: Any = OmegaConf.to_container(config, resolve=True)
        path = checkpoint.find(config.checkpoint)
        contents = checkpoint.read(path)
        signal = contents["ffnet"]["signal"]
        if signal.get("kind") != "picture":
            raise ValueError(f"{path}: expected the fit of a picture, got that of a {signal.get('kind')}")
        field = checkpoint.field_of(contents, str(path), trusted_classes(config.trust))
        size = pair("size", settings["size"] or signal["size"])
        output = Path(config.output)
        check_writable(output, signal)
        device = usable_device(config.device)
        field = field.to(device)
    progress = partial(tqdm, unit="band", disable=None, leave=False)
    pixels = render_signal(field, signal, size, device=device, progress=progress)
    save_picture(pixels, signal, output)
    log.info("wrote   %s, %d x %d pixels", output, size[1], size[0])
