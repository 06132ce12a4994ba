"""Builds objects from plain data, using known classes only."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from inspect import isabstract
from pathlib import Path
from typing import Any

import torch
from torch import nn

import ffnet.encoders
import ffnet.models
from ffnet.allocation import built
from ffnet.budget import Excess
from ffnet.checkpoint.schema import Checkpoint, find
from ffnet.encoders import conventions
from ffnet.signals import Record


def full_name(cls: type) -> str:
    """The full name of a class, as in ``_target_``."""
    return f"{cls.__module__}.{cls.__qualname__}"


# Layers of torch that compute on one point and allocate nothing but their weights, which are limited.
LAYERS = ("Identity", "LayerNorm", "Linear")

# Classes of the user's own, or such by the name under which settings refer to them.
Trust = Iterable[type] | Mapping[str, type]


def named(trust: Trust) -> dict[str, type]:
    """The classes by the names that settings may give them."""
    return dict(trust) if isinstance(trust, Mapping) else {full_name(cls): cls for cls in trust}


def known_modules(trust: Trust = ()) -> dict[str, Callable[..., Any]]:
    """The classes that a field may consist of, by ``_target_``: those of ffnet, the encoders of other projects, torch's
    activations and simplest layers, and the classes in ``trust``."""
    ours = {
        f"{home.__name__}.{public}": getattr(home, public)
        for home in (ffnet.encoders, ffnet.models)
        for public in home.__all__
        if isinstance(getattr(home, public), type) and not isabstract(getattr(home, public))
    }
    activations = {f"torch.nn.{public}": getattr(nn, public) for public in (*nn.modules.activation.__all__, *LAYERS)}
    others = {f"{conventions.__name__}.{public}": getattr(conventions, public) for public in conventions.__all__}
    return ours | others | activations | named(trust)


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
    """The object that ``spec`` describes, built from ``known`` classes only.

    ``_target_`` and ``_partial_`` have the meaning of Hydra; strings are taken literally.

    Raises:
        ValueError: if it names an unknown class, or a class of somebody's raises something else than ValueError,
            TypeError or OSError.
    """
    if isinstance(spec, dict):
        arguments = {key: build(value, known) for key, value in spec.items() if key not in ("_target_", "_partial_")}
        if "_target_" not in spec:
            return arguments
        if spec["_target_"] not in known:
            raise ValueError(f"{spec['_target_']}: is no class that ffnet knows")
        made = known[spec["_target_"]]
        if spec.get("_partial_") is True:
            return partial(made, **arguments)
        try:
            return made(**arguments)
        except (ValueError, TypeError, OSError):
            raise
        except Exception as error:
            raise ValueError(f"{spec['_target_']} raised {type(error).__name__}: {error}") from error
    return [build(value, known) for value in spec] if isinstance(spec, list) else spec


def known_records(trust: Trust = ()) -> dict[str, Callable[..., Any]]:
    """The classes of records by ``_target_``: the public ones of ``ffnet.signals``, and those in ``trust``."""
    import ffnet.signals

    public = {name: getattr(ffnet.signals, name) for name in ffnet.signals.__all__}
    ours = {
        f"ffnet.signals.{name}": cls for name, cls in public.items() if issubclass(cls, Record) and not isabstract(cls)
    }
    return ours | {name: cls for name, cls in named(trust).items() if issubclass(cls, Record)}


def field_of(saved: Checkpoint, source: str, trust: Trust = ()) -> nn.Module:
    """The field of a checkpoint, with its weights, in evaluation mode.

    Raises:
        ValueError: if it names unknown classes, or weights and settings do not match.
    """
    known = known_modules(trust)
    refuse_unknown(saved.field, known, source)
    try:
        weights = saved.tensors("field")
        field = built(saved.field, lambda spec: build(spec, known), elements(weights))
        field.load_state_dict(weights)
    except Excess as error:
        raise Excess(f"{source}: {error}") from error
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(f"{source}: its weights and its settings do not fit together ({error})") from error
    refuse_nonfinite(field.state_dict(), source)
    return field.eval()


def refuse_nonfinite(weights: Mapping[str, torch.Tensor], source: str) -> None:
    """Raises ValueError if ``weights``, read from ``source``, are not all finite numbers."""
    if not all(weight.isfinite().all() for weight in weights.values()):
        raise ValueError(f"{source}: has weights that are not finite numbers")


def elements(tensors: Mapping[str, torch.Tensor]) -> int:
    """The number of elements that ``tensors`` hold in memory: one that is expanded holds fewer than its shape says."""
    storages = {tensor.untyped_storage().data_ptr(): tensor for tensor in tensors.values()}
    return sum(tensor.untyped_storage().nbytes() // tensor.element_size() for tensor in storages.values())


def record_of(saved: Checkpoint, source: str, trust: Trust = ()) -> Record | None:
    """The record of a checkpoint's signal; None if it has none.

    Raises:
        ValueError: if it names an unknown class or is damaged.
    """
    if saved.signal is None:
        return None
    known = known_records(trust)
    refuse_unknown(saved.signal, known, source)
    try:
        record: Record = build(saved.signal, known)
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"{source}: damaged record of its signal ({error})") from error
    return record


def load(run: str | Path, *, trust: Iterable[type] = (), map_location: str | torch.device = "cpu") -> nn.Module:
    """The fitted field of a run: ``field(coordinates)`` with coordinates (..., d) in [0, 1]^d, x first.

    Loading runs no code from the file.

    Args:
        run: a run directory, or a checkpoint file.
        trust: your own classes (encoders, models) that the field may consist of.
        map_location: the device for the weights.

    Raises:
        OSError: if there is no such checkpoint.
        ValueError: if it is damaged, contains anything but tensors and plain values, or names unknown classes.
    """
    path = find(run)
    return field_of(Checkpoint.read(path), str(path), trust).to(map_location)
