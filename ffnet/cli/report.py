"""``ffnet report``: writes a sweep as one HTML page."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from ffnet.cli.app import reading_input, run

if TYPE_CHECKING:
    from PIL import Image

    from ffnet.runs import Run

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    return run("report", report_, argv)


def report_(config: DictConfig) -> None:
    from ffnet.atomic import check_replaceable, replacing
    from ffnet.cli.sweep import directory, jobs
    from ffnet.runs import find_runs, report

    with reading_input():
        if type(config.max_side) is not int or config.max_side < 1:
            raise ValueError(f"max_side: expected at least 1 pixel, got {config.max_side!r}")
        folder, output = directory(config.run), Path(config.output)
        check_replaceable(output)
        runs = find_runs(folder, jobs(folder))
        images: dict[str, Image.Image | None] = {}

        def target(found: "Run") -> "Image.Image | None":
            return _target(found, list(config.trust), images)

        page = report(runs, str(folder), target, config.max_side)
        with replacing(output) as temporary:
            temporary.write_text(page, encoding="utf-8")
    count = f"{len(runs)} run{'' if len(runs) == 1 else 's'}"
    log.info("wrote   %s, %s, %.1f MB", output, count, output.stat().st_size / 1e6)


def _target(found: "Run", trust: Sequence[str], kept: "dict[str, Image.Image | None]") -> "Image.Image | None":
    """The image that a run was fitted to; None if there is none, or its file or the checkpoint is missing."""
    from ffnet.checkpoint import Checkpoint, find
    from ffnet.cli.stored import stored_dataset

    try:
        path = find(found.folder)
        saved = Checkpoint.read(path)
        key = json.dumps(saved.settings.get("dataset"), sort_keys=True, default=str)
        if key not in kept:
            dataset = stored_dataset(saved, str(path), trust, {})
            kept[key] = dataset.image()
            if dataset.path is not None:  # a checkpoint may name any file
                log.info("read    %s", dataset.path)
        return kept[key]
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s: is shown without what it was fitted to: %s", found.folder, error)
        return None
