"""Prints the installed distributions that ffnet does not require: none of its plain requirements leads to them.

Uninstalling them leaves what ``pip install ffnet`` would have installed, so that an import of anything else fails.
"""

import re
from importlib.metadata import PackageNotFoundError, distribution, distributions

from packaging.requirements import Requirement


def plain(name: str) -> str:
    """A name as PEP 503 has it: case, dots, dashes and underscores make no difference."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required(name: str, extras: frozenset[str] = frozenset()) -> set[str]:
    """``name`` and what it requires here, directly and through others."""
    seen: set[tuple[str, frozenset[str]]] = set()
    left = [(plain(name), extras)]
    while left:
        name, extras = one = left.pop()
        if one in seen:
            continue
        seen.add(one)
        try:
            lines = distribution(name).requires or []
        except PackageNotFoundError:
            raise SystemExit(f"{name}: required, and not installed") from None
        for requirement in map(Requirement, lines):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
                left.append((plain(requirement.name), frozenset(requirement.extras)))
    return {name for name, _ in seen}


if __name__ == "__main__":
    installed = {plain(found.metadata["Name"]) for found in distributions()}
    print(*sorted(installed - required("ffnet") - {"pip"}), sep="\n")
