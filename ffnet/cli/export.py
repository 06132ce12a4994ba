"""``ffnet export``: writes a fitted field as ONNX, torch.export program or safetensors."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from ffnet.cli.app import reading_input, run
from ffnet.cli.errors import explain

if TYPE_CHECKING:
    from ffnet.cli.stored import Stored

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    return run("export", export_, argv)


def export_(config: DictConfig) -> None:
    from ffnet.cli.stored import stored
    from ffnet.export import check_exportable, export
    from ffnet.quantization import check_precision

    with reading_input():
        output, precision = Path(config.output), config.precision
        check_precision(precision)
        check_exportable(output)
        found = stored(config.checkpoint, config.trust)
        field, meaning = found.field, found.record.values() if found.record is not None else ""
        description = {"field": found.saved.field, "signal": found.saved.signal, "values": meaning}
        export(field, output, description, precision)
    log.info("wrote   %s, (points, %d) to (points, %d)", output, field.in_features, field.out_features)
    log.info("size    %.1f kB, weights in %s", output.stat().st_size / 1000, precision)
    if meaning:
        log.info("values  %s", meaning)
    if precision != "float32":
        _compare(found, precision, config)


def _compare(found: "Stored", precision: str, config: DictConfig) -> None:
    """Logs the scores of the exported weights with those of the original ones, if the signal can be read."""
    from ffnet.cli.stored import check_fits, stored_dataset
    from ffnet.fitting import evaluate
    from ffnet.quantization import rounded

    try:
        dataset = stored_dataset(found.saved, str(found.path), config.trust, {})
        check_fits(dataset, found.field)
    except Exception as error:  # the file may name any dataset
        log.info("scores  none: %s", explain(error))
        return
    if dataset.path is not None:  # a checkpoint may name any file
        log.info("read    %s", dataset.path)
    before, after = evaluate(found.field, dataset), evaluate(rounded(found.field, precision), dataset)
    for name, score in after.items():
        log.info("%-7s %.4f; in float32 %.4f", name, score, before[name])
