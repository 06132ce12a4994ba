"""Budgets: the memory budget that determines all chunk sizes, and the limits above which input is refused."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

# Points per chunk without gradients; for the paper's network, their activations take about 100 MB.
EVALUATIONS = 2**14
# Points per micro-batch on the CPU, so that activations and gradients stay in its cache (benchmarks/README.md).
CACHED_EVALUATIONS = 2**13


def chunk(points_per_query: int, budget: int = EVALUATIONS) -> int:
    """Queries per chunk if each takes ``points_per_query`` field evaluations; at least 1."""
    return max(1, budget // points_per_query)


class Limits(NamedTuple):
    """What a file, setting or record may ask for; None is no limit. ``conf/limits.yaml`` has the same numbers.

    Attributes:
        pixels: of an image, all frames of a video, or values of a volume: as read, resized and rendered.
        points: held at once: of a batch, a pool, an evaluation, along a ray, or of the coarse grid of a mesh.
        parameters: of a field.
        corners: of a face of a mesh; many thin triangles at one point make labels slow.
        jobs: of a sweep.
    """

    pixels: int | None = 2**28
    points: int | None = 2**26
    parameters: int | None = 2**26
    corners: int | None = 2**12
    jobs: int | None = 10_000


_limits: ContextVar[Limits] = ContextVar("limits", default=Limits())  # noqa: B039 (a tuple)


class Excess(ValueError):
    """More is asked for than a limit allows."""


def limit(kind: str) -> int | None:
    """The limit of ``kind``, one of the fields of ``Limits``."""
    most: int | None = getattr(_limits.get(), kind)
    return most


def check(kind: str, count: int, name: str) -> None:
    """Raises ``Excess``, which says how to raise the limit, if ``count``, which ``name`` asks for, is above it."""
    most = limit(kind)
    if most is not None and count > most:
        raise Excess(f"{name}: expected at most {most} {kind}, got {count}; limits.{kind}=... allows more")


def checked_limits(settings: Mapping[str, Any]) -> Limits:
    """Limits from ``settings``, which may leave some out.

    Raises:
        ValueError: if a limit is unknown, or not an integer of at least 1 or None.
    """
    for name, value in settings.items():
        if name not in Limits._fields:
            raise ValueError(f"limits: expected {', '.join(Limits._fields)}, got {name}")
        if value is not None and (type(value) is not int or value < 1):
            raise ValueError(f"limits.{name}: expected an integer of at least 1, or null for none, got {value!r}")
    return Limits(**settings)


@contextmanager
def limited(limits: Limits) -> Iterator[None]:
    """Applies ``limits`` in this block."""
    token = _limits.set(limits)
    try:
        yield
    finally:
        _limits.reset(token)
