"""Exports a field for use without ffnet: ONNX, torch.export, safetensors."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ffnet.atomic import check_replaceable, replacing


def _arguments(field: nn.Module) -> dict[str, Any]:
    """An example of two points, with a dynamic number of points."""
    in_features: int = field.in_features  # type: ignore[assignment]
    return {"args": (torch.rand(2, in_features),), "dynamic_shapes": ({0: torch.export.Dim("points")},)}


def write_onnx(field: nn.Module, path: Path, description: dict[str, Any]) -> None:
    """``coordinates`` (points, d) to ``values`` (points, c), float32, as an ONNX graph. Needs onnxscript."""
    import onnxscript  # noqa: F401 (torch needs it; its own message is long)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about itself
        program = torch.onnx.export(
            field,
            **_arguments(field),
            input_names=["coordinates"],
            output_names=["values"],
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props["ffnet"] = json.dumps(description)
    program.save(path)


def write_program(field: nn.Module, path: Path, description: dict[str, Any]) -> None:
    """A program for ``torch.export.load(path).module()``, which needs no class of ffnet."""
    program = torch.export.export(field, **_arguments(field))
    torch.export.save(program, path, extra_files={"ffnet.json": json.dumps(description)})


def write_weights(field: nn.Module, path: Path, description: dict[str, Any]) -> None:
    """The ``state_dict``, with the field's settings as metadata ``ffnet``. Needs safetensors."""
    from safetensors.torch import save_file

    weights = {name: tensor.detach().contiguous() for name, tensor in field.state_dict().items()}
    save_file(weights, path, metadata={"ffnet": json.dumps(description)})


FORMATS: dict[str, Callable[[nn.Module, Path, dict[str, Any]], None]] = {
    ".onnx": write_onnx,
    ".pt2": write_program,
    ".safetensors": write_weights,
}


def check_exportable(path: Path) -> None:
    """Raises ValueError if the suffix of ``path`` is not supported, OSError if it cannot be written."""
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"output: expected a name ending in {', '.join(FORMATS)}, got {path}")
    check_replaceable(path)


def export(field: nn.Module, path: str | Path, description: dict[str, Any] | None = None) -> None:
    """Writes ``field`` in the format given by the suffix of ``path``: .onnx, .pt2 or .safetensors.

    ONNX models and torch.export programs take any number of points (points, d) and compute in float32 on the CPU.
    ``description``, plain values, is stored as metadata.

    Raises:
        ValueError: if the suffix is not supported, or the format needs a library that is not installed.
        OSError: if the file cannot be written.
    """
    path = Path(path)
    check_exportable(path)
    try:
        with replacing(path) as temporary:
            FORMATS[path.suffix.lower()](field, temporary, description or {})
    except ModuleNotFoundError as error:
        raise ValueError(f"output: {path.suffix} needs {error.name}; pip install 'ffnet[export]'") from error
