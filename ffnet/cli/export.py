"""``ffnet export``: writes a fitted field as ONNX, torch.export program or safetensors."""

import logging
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from ffnet.cli.app import reading_input, run

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    return run("export", export_, argv)


def export_(config: DictConfig) -> None:
    from ffnet.cli.stored import stored
    from ffnet.export import check_exportable, export

    with reading_input():
        output = Path(config.output)
        check_exportable(output)
        _, saved, field, _ = stored(config.checkpoint, config.trust)
        export(field, output, {"field": saved.field, "signal": saved.signal})
    log.info("wrote   %s, (points, %d) to (points, %d)", output, field.in_features, field.out_features)
