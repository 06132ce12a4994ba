"""What a checkpoint says about its field, and how to build that field again without running code from the file.

A checkpoint is Lightning's, read with ``weights_only=True``, with one more entry, ``ffnet``:

- ``format``: 1
- ``field``: the field's constructor call as plain values, ``{"_target_": class, argument: value, ...}``
- ``signal``: the dataset's ``description()``
- ``settings``: all settings of the run; ``overrides``: those that the user gave, setting to value as text
- ``seconds``: training time so far; ``generator``: state of the sampler's generator

The field's weights are the entries of ``state_dict`` that begin with ``field.``.
"""

import pickle
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from inspect import isabstract
from pathlib import Path
from typing import Any

import torch
from torch import nn

import ffnet.encoders
import ffnet.models
from ffnet.encoders import conventions

FORMAT = 1
_NOT_ALLOWED = "Weights only load failed"


def find(run: str | Path) -> Path:
    """The checkpoint of a run: ``run`` itself if it is a file, else ``run/checkpoints/last.ckpt``.

    Raises:
        FileNotFoundError: if there is none.
    """
    run = Path(run)
    if run.is_file():
        return run
    if not run.exists():
        raise FileNotFoundError(f"{run}: no such file or folder; expected a checkpoint or a run's folder")
    path = run / "checkpoints" / "last.ckpt"
    if not path.is_file():
        raise FileNotFoundError(f"{run}: has no checkpoints/last.ckpt; expected a run's folder")
    return path


def read(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """The contents of an ffnet checkpoint, tensors and plain values only.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is damaged, is no ffnet checkpoint, or holds anything but tensors and plain values.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file that is about to be refused
            contents = torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        if _NOT_ALLOWED in str(error):
            raise ValueError(
                f"{path}: refused, since it holds more than tensors and plain values, or is no checkpoint"
            ) from error
        raise ValueError(f"{path}: damaged checkpoint ({error})") from error
    except (RuntimeError, EOFError, zipfile.BadZipFile, ValueError, KeyError, AttributeError) as error:
        raise ValueError(f"{path}: damaged, or no checkpoint") from error
    if not isinstance(contents, dict) or not isinstance(contents.get("ffnet"), dict):
        raise ValueError(f"{path}: is not a checkpoint of ffnet")
    if contents["ffnet"].get("format") != FORMAT:
        raise ValueError(f"{path}: has format {contents['ffnet'].get('format')!r}; this ffnet reads format {FORMAT}")
    return contents


def name(cls: type) -> str:
    """The full name by which a setting's ``_target_`` refers to a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def known_modules(trust: Iterable[type] = ()) -> dict[str, Callable[..., Any]]:
    """What a field may be made of, by ``_target_``: our classes, the encoders of other projects by name, torch's
    activations, and the classes in ``trust``."""
    ours = {
        f"{home.__name__}.{public}": getattr(home, public)
        for home in (ffnet.encoders, ffnet.models)
        for public in home.__all__
        if isinstance(getattr(home, public), type) and not isabstract(getattr(home, public))
    }
    activations = {f"torch.nn.{public}": getattr(nn, public) for public in nn.modules.activation.__all__}
    named = {f"{conventions.__name__}.{public}": getattr(conventions, public) for public in conventions.__all__}
    return ours | named | activations | {name(cls): cls for cls in trust}


def targets(settings: Any) -> Iterator[str]:
    """Every ``_target_`` in nested settings."""
    if isinstance(settings, dict):
        if "_target_" in settings:
            yield str(settings["_target_"])
        for value in settings.values():
            yield from targets(value)
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from targets(value)


def refuse_unknown(settings: Any, known: Iterable[str], source: str) -> None:
    """Raises ValueError if ``settings``, read from ``source``, name a class that is not in ``known``."""
    unknown = sorted(set(targets(settings)) - set(known))
    if unknown:
        raise ValueError(
            f"{source}: asks for {', '.join(unknown)}, which ffnet does not know; "
            f"if you trust it, say so with trust=[{','.join(unknown)}]"
        )


def build(spec: Any, known: dict[str, Callable[..., Any]]) -> Any:
    """The object that ``spec`` describes, made of ``known`` classes only."""
    if isinstance(spec, dict):
        arguments = {key: build(value, known) for key, value in spec.items() if key != "_target_"}
        return known[spec["_target_"]](**arguments) if "_target_" in spec else arguments
    return [build(value, known) for value in spec] if isinstance(spec, list) else spec


def field_of(contents: dict[str, Any], source: str, trust: Iterable[type] = ()) -> nn.Module:
    """The field in a checkpoint's ``contents``, with its weights, in evaluation mode."""
    known = known_modules(trust)
    spec = contents["ffnet"]["field"]
    refuse_unknown(spec, known, source)
    weights = {
        key.removeprefix("field."): value for key, value in contents["state_dict"].items() if key.startswith("field.")
    }
    try:
        field: nn.Module = build(spec, known)
        field.load_state_dict(weights)
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise ValueError(f"{source}: its weights and its settings do not fit together ({error})") from error
    return field.eval()


def load(run: str | Path, *, trust: Iterable[type] = (), map_location: str | torch.device = "cpu") -> nn.Module:
    """The field that a run has fitted: ``field(coordinates)`` with coordinates (..., d) in [0, 1]^d, x first.

    Loading runs no code from the file.

    Args:
        run: a run's folder, or a checkpoint file.
        trust: classes of your own (encoders, models) that the field may be made of.
        map_location: the device for the weights.

    Raises:
        OSError: if there is no such checkpoint.
        ValueError: if it is damaged, holds anything but tensors and plain values, or names unknown classes.
    """
    path = find(run)
    return field_of(read(path), str(path), trust).to(map_location)
