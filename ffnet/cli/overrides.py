"""Parses overrides such as ``key=value``, ``+key=value`` and ``key=a,b`` with Hydra's parser.

This is the only module that parses overrides.
"""

import itertools
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString, RangeSweep

from ffnet.budget import check

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader


def parsed(overrides: Iterable[str], loader: "ConfigLoader | None" = None) -> list[Override]:
    """Keys (``key_or_group``) and values (``value()``) of overrides; ``loader`` resolves the options of
    ``key=glob(*)``.

    Raises:
        OverrideParseException: if one is not in Hydra's grammar.
    """
    return OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))


def unparsed(overrides: Iterable[Override]) -> list[str]:
    """The overrides as given."""
    return [str(override.input_line) for override in overrides]


def quoted(text: str) -> str:
    """Arbitrary ``text`` as a quoted value in Hydra's grammar."""
    return QuotedString(text, Quote.double).with_quotes()


def combinations(overrides: Iterable[Override]) -> list[list[str]]:
    """The overrides of each job of a sweep: all combinations of values, the last override varying fastest.

    If a key is given twice, its last values and its first position count, as in Hydra's sweeper.

    Raises:
        HydraException: if values cannot be enumerated, such as ``interval(0,1)``.
        ValueError: if there are more than ``limits.jobs``.
    """
    values: dict[str, list[str]] = {}
    for override in overrides:
        if isinstance(swept := override.value(), RangeSweep):
            check("jobs", _length(swept), override.key_or_group)
        sweeps = override.is_sweep_override()
        texts = override.sweep_string_iterator() if sweeps else [override.get_value_element_as_str()]
        key = override.get_key_element()
        values[key] = [f"{key}={text}" for text in texts]
    check("jobs", math.prod(map(len, values.values())), "sweep")
    return [list(job) for job in itertools.product(*values.values())]


def _length(swept: RangeSweep) -> int:
    """The number of values of ``range(start,stop,step)``, or 0 if it is none, which Hydra says."""
    start, stop, step = swept.start, swept.stop, swept.step
    if start is None or stop is None or not step or not all(map(math.isfinite, (start, stop, step))):
        return 0
    return max(0, math.ceil((stop - start) / step))
