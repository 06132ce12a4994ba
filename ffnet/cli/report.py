"""``ffnet report``: a sweep as one HTML page."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from ffnet.cli.app import reading_input, run

if TYPE_CHECKING:
    from PIL import Image

    from ffnet.runs import Run

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    return run("report", report_, argv)


def report_(config: DictConfig) -> None:
    from ffnet.cli.sweep import jobs
    from ffnet.cli.trust import known_targets, trusted_classes
    from ffnet.files import replacing
    from ffnet.runs import find_runs, report

    with reading_input():
        if type(config.max_side) is not int or config.max_side < 1:
            raise ValueError(f"max_side: expected at least 1 pixel, got {config.max_side!r}")
        folder, output = Path(config.run), Path(config.output)
        runs = find_runs(folder, jobs(folder))
        known = known_targets(trusted_classes(config.trust))
        pictures: dict[str, Image.Image | None] = {}

        def target(found: "Run") -> "Image.Image | None":
            return _target(found, known, pictures)

        page = report(runs, str(folder), target, config.max_side)
        with replacing(output) as temporary:
            temporary.write_text(page, encoding="utf-8")
    log.info("wrote   %s, %d runs, %.1f MB", output, len(runs), output.stat().st_size / 1e6)


def _target(found: "Run", known: set[str], kept: "dict[str, Image.Image | None]") -> "Image.Image | None":
    """The picture that a run was fitted to; None of a shape, or if the picture or the checkpoint is gone."""
    from hydra.utils import instantiate

    from ffnet import checkpoint
    from ffnet.datasets import ImageDataset
    from ffnet.datasets.picture import to_picture

    try:
        path = checkpoint.find(found.folder)
        settings: Any = OmegaConf.create(checkpoint.read(path)["ffnet"]["settings"])["dataset"]
        plain = OmegaConf.to_container(settings)
        checkpoint.refuse_unknown(plain, known, str(path))
        key = json.dumps(plain, sort_keys=True)
        if key not in kept:
            dataset = instantiate(settings, _convert_="all")
            picture = isinstance(dataset, ImageDataset)
            kept[key] = to_picture(dataset.pixels.numpy(), dataset.note) if picture else None
        return kept[key]
    except (OSError, ValueError) as error:
        log.warning("%s: is shown without what it was fitted to: %s", found.folder, error)
        return None
