"""``ffnet table``: tabulates the scores of a sweep."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ffnet.cli.app import reading_input, run

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    return run("table", table, argv)


def table(config: DictConfig) -> None:
    from ffnet.atomic import check_replaceable, replacing
    from ffnet.cli.sweep import directory, jobs
    from ffnet.runs import FORMATS, arranged, draw, find_runs, tabulate

    with reading_input():
        if config.format not in FORMATS:
            raise ValueError(f"format: expected one of {', '.join(FORMATS)}, got {config.format!r}")
        folder = directory(config.run)
        for output in filter(None, (config.output, config.plot)):
            check_replaceable(Path(output))
        runs = find_runs(folder, jobs(folder))
        metrics, columns = names(config.metrics), names(config.columns)
        # Never average over the x axis of a plot.
        over = [] if config.each else [key for key in config.over if config.plot is None or key != config.x]
        found = tabulate(runs, over, metrics)
        found = arranged(found, config.sort, config.best, columns)
        text = FORMATS[config.format](found)
        if config.plot is not None:
            draw(found, config.x, Path(config.plot))
            log.info("wrote   %s", config.plot)
        if config.output is None:
            print(text, end="")
        else:
            with replacing(Path(config.output)) as temporary:
                temporary.write_text(text, encoding="utf-8")
            log.info("wrote   %s", config.output)


def names(value: Any) -> list[str] | None:
    """The names of a setting that takes one or several; None for null."""
    return None if value is None else [value] if isinstance(value, str) else list(value)
