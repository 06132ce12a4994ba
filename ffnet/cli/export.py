"""``ffnet export``: a fitted field as ONNX, torch.export program or safetensors."""

import logging
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from ffnet.cli.app import reading_input, run

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    return run("export", export_, argv)


def export_(config: DictConfig) -> None:
    from ffnet import checkpoint
    from ffnet.cli.trust import trusted_classes
    from ffnet.export import check_exportable, export

    with reading_input():
        path = checkpoint.find(config.checkpoint)
        contents = checkpoint.read(path)
        output = Path(config.output)
        check_exportable(output)
        field = checkpoint.field_of(contents, str(path), trusted_classes(config.trust))
        export(field, output, {"field": contents["ffnet"]["field"], "signal": contents["ffnet"]["signal"]})
    log.info("wrote   %s, (points, %d) to (points, %d)", output, field.in_features, field.out_features)
