"""Exports a field for use without ffnet: ONNX, torch.export, safetensors."""

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ffnet.atomic import check_replaceable, replacing
from ffnet.quantization import check_precision, compact, encoded


@contextmanager
def _quiet() -> Iterator[None]:
    """In this block, exporters keep their warnings, logs and prints about themselves to themselves."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _arguments(field: nn.Module) -> dict[str, Any]:
    """An example of two points, with a dynamic number of points."""
    in_features: int = field.in_features  # type: ignore[assignment]
    return {"args": (torch.rand(2, in_features),), "dynamic_shapes": ({0: torch.export.Dim("points")},)}


def write_onnx(field: nn.Module, path: Path, precision: str, description: dict[str, Any]) -> None:
    """``coordinates`` (points, d) to ``values`` (points, c), float32, as an ONNX graph. Needs onnxscript."""
    import onnxscript  # noqa: F401 (torch needs it; its own message is long)

    program = torch.onnx.export(
        compact(field, precision),
        **_arguments(field),
        input_names=["coordinates"],
        output_names=["values"],
        dynamo=True,
        verbose=False,
        optimize=precision == "float32",  # which would store the decoded weights
    )
    assert program is not None
    for node in program.model.graph:  # notes of where in the source it comes from, which are larger than the weights
        node.metadata_props.clear()
    program.model.metadata_props["ffnet"] = json.dumps(description)
    program.save(path)


def write_program(field: nn.Module, path: Path, precision: str, description: dict[str, Any]) -> None:
    """A program for ``torch.export.load(path).module()``, which needs no class of ffnet."""
    program = torch.export.export(compact(field, precision), **_arguments(field))
    for node in program.graph.nodes:  # notes of where in the source it comes from
        for note in ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn"):
            node.meta.pop(note, None)
    torch.export.save(program, path, extra_files={"ffnet.json": json.dumps(description)})


def write_weights(field: nn.Module, path: Path, precision: str, description: dict[str, Any]) -> None:
    """The ``state_dict`` as ``ffnet.quantization`` stores it, with ``description`` as metadata ``ffnet``.

    Needs safetensors.
    """
    from safetensors.torch import save

    # Its own function for files makes them readable by their owner alone.
    path.write_bytes(save(encoded(field, precision), {"ffnet": json.dumps(description)}))


FORMATS: dict[str, Callable[[nn.Module, Path, str, dict[str, Any]], None]] = {
    ".onnx": write_onnx,
    ".pt2": write_program,
    ".safetensors": write_weights,
}


def check_exportable(path: Path) -> None:
    """Raises ValueError if the suffix of ``path`` is not supported, OSError if it cannot be written."""
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"output: expected a name ending in {', '.join(FORMATS)}, got {path}")
    check_replaceable(path)


def export(
    field: nn.Module, path: str | Path, description: dict[str, Any] | None = None, precision: str = "float32"
) -> None:
    """Writes ``field`` in the format given by the suffix of ``path``: .onnx, .pt2 or .safetensors.

    ONNX models and torch.export programs take any number of points (points, d) and compute in float32 on the CPU.

    Args:
        field: coordinates (points, d) to values (points, c), with an attribute ``in_features``.
        path: the file to write.
        description: plain values, stored as metadata ``ffnet``, together with ``precision``.
        precision: of the stored weights, ``float32``, ``float16`` or ``int8``; see ``ffnet.quantization``.

    Raises:
        ValueError: if the suffix or the precision is not supported, a weight is too large for float16, or the format
            needs a library that is not installed.
        OSError: if the file cannot be written.
    """
    path = Path(path)
    check_precision(precision)
    check_exportable(path)
    try:
        with replacing(path) as temporary, _quiet():
            FORMATS[path.suffix.lower()](field, temporary, precision, {**(description or {}), "precision": precision})
    except ModuleNotFoundError as error:
        raise ValueError(f"output: {path.suffix} needs {error.name}; pip install 'ffnet[export]'") from error
