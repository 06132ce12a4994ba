"""``ffnet evaluate``: scores a checkpoint again."""

import json
import logging
from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf

from ffnet.cli.app import reading_input, run, usable_device

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    return run("evaluate", evaluate_, argv)


def evaluate_(config: DictConfig) -> None:
    from hydra.utils import instantiate

    from ffnet import checkpoint
    from ffnet.cli.trust import known_targets, trusted_classes
    from ffnet.training import evaluate

    with reading_input():
        path = checkpoint.find(config.checkpoint)
        contents = checkpoint.read(path)
        trust = trusted_classes(config.trust)
        field = checkpoint.field_of(contents, str(path), trust)
        stored = OmegaConf.create(contents["ffnet"]["settings"]["dataset"])
        checkpoint.refuse_unknown(OmegaConf.to_container(stored), known_targets(trust), str(path))
        for key, value in config.dataset.items():
            OmegaConf.update(stored, key, value)
        device = usable_device(config.device)
        dataset = instantiate(stored, _convert_="all").to(device)
        field = field.to(device)
        if (dataset.in_features, dataset.out_features) != (field.in_features, field.out_features):
            raise ValueError(
                f"dataset: expected {field.out_features} values at points of {field.in_features} coordinates, "
                f"got {dataset.out_features} at {dataset.in_features}"
            )
    print(json.dumps(evaluate(field, dataset), indent=2))
