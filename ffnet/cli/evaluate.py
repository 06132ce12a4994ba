"""``ffnet evaluate``: scores a checkpoint."""

import sys
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ffnet.cli.app import reading_input, run, usable_device


def main(argv: Sequence[str]) -> int:
    return run("evaluate", evaluate_, argv)


def evaluate_(config: DictConfig) -> None:
    from ffnet.cli.stored import check_fits, stored, stored_dataset
    from ffnet.fitting import evaluate
    from ffnet.runs import strict_json

    with reading_input():
        path, saved, field, _ = stored(config.checkpoint, config.trust)
        changes: Any = OmegaConf.to_container(config.dataset, resolve=True)
        device = usable_device(config.device)
        dataset = stored_dataset(saved, str(path), config.trust, changes).to(device)
        field = field.to(device)
        check_fits(dataset, field)
    print(strict_json(evaluate(field, dataset), indent=2))
    if dataset.path is not None and "path" not in changes:  # a checkpoint may name any file
        print(f"read    {dataset.path}", file=sys.stderr)
