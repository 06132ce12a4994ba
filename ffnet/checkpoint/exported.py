"""Reads the ``.safetensors`` files that ``ffnet export`` writes: weights, and the field's settings as metadata."""

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from ffnet.checkpoint.plain import check_plain
from ffnet.quantization import decoded

SUFFIX = ".safetensors"


def read_exported(path: str | Path, map_location: Any = "cpu") -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The entries ``field`` and ``signal`` of an exported file, unchecked, and the ``state_dict`` of its field.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is damaged or none of ffnet's, or safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ModuleNotFoundError as error:
        raise ValueError(f"{path}: {SUFFIX} needs {error.name}; pip install 'ffnet[export]'") from error
    with Path(path).open("rb"):  # its own errors have no file's name
        pass
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        weights = {name: weight.to(map_location) for name, weight in decoded(stored).items()}
    except (SafetensorError, ValueError, RuntimeError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"{path}: damaged, or no {SUFFIX} file ({error})") from error
    if "ffnet" not in metadata:
        raise ValueError(f"{path}: is not an export of ffnet, has no metadata ffnet")
    try:
        entry = json.loads(metadata["ffnet"])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: damaged metadata ffnet") from error
    if not isinstance(entry, dict) or "field" not in entry:
        raise ValueError(f"{path}: damaged metadata ffnet, expected the settings of a field")
    check_plain(entry, f"{path}: damaged metadata ffnet")  # and with it its depth
    return {"field": entry["field"], "signal": _tuples(entry.get("signal"))}, weights


def _tuples(value: Any) -> Any:
    """``value`` with tuples for lists: records hold tuples, and JSON has none."""
    if isinstance(value, dict):
        return {name: _tuples(inner) for name, inner in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
