"""Converts checkpoints of format 1 (ffnet 0.1) to format 2."""

import copy
from typing import Any

# Renamed arguments, by class.
_RENAMED = {
    "ffnet.models.CoordinateMLP": {"start": "output_init"},
    "ffnet.datasets.OccupancyDataset": {"near": "surface_fraction"},
    "ffnet.training.Engine": {"block_points": "micro_batch"},
}
_MOVED = {
    "ffnet.training.Engine": "ffnet.fitting.Engine",
    "ffnet.training.HalfMSELoss": "ffnet.fitting.HalfMSELoss",
    "ffnet.training.MuonAdam": "ffnet.fitting.MuonAdam",
    "ffnet.training.Pictures": "ffnet.training.Views",
}
_SIGNALS = {
    "picture": ("ffnet.signals.ImageRecord", ("size", "channels", "bits", "offset", "mode", "palette")),
    "shape": ("ffnet.signals.ShapeRecord", ("scale", "centre", "bounds", "resolution")),
}


def upgraded(entry: dict[str, Any], source: str) -> dict[str, Any]:
    """Converts the ``ffnet`` entry of a checkpoint from format 1 to format 2.

    Raises:
        ValueError: if it is incomplete, or the kind of signal is unknown.
    """
    try:
        signal, settings = entry["signal"], copy.deepcopy(entry["settings"])
        target, arguments = _SIGNALS[signal["kind"]]
        record = {"_target_": target, **{name: _tuples(signal[name]) for name in arguments if name in signal}}
        # The field contains the resolved encoder and model.
        settings = {key: value for key, value in settings.items() if key not in ("encoder", "model")}
        state = {name: entry[name] for name in ("seconds", "generator", "overrides") if name in entry}
        return {"field": _in_new_words(entry["field"]), "signal": record, "settings": _in_new_words(settings)} | state
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{source}: damaged checkpoint of format 1 ({type(error).__name__}: {error})") from error


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _in_new_words(value: Any) -> Any:
    if isinstance(value, list):
        return [_in_new_words(item) for item in value]
    if not isinstance(value, dict):
        return value
    target = value.get("_target_")
    renamed = _RENAMED.get(target, {}) if isinstance(target, str) else {}
    new = {renamed.get(key, key): _in_new_words(item) for key, item in value.items()}
    if isinstance(target, str):
        new["_target_"] = _MOVED.get(target, target)
    return new
