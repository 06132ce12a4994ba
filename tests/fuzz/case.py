"""One input of the fuzz harness, and mutations of bytes and of nested data."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """A command and the files it finds.

    Attributes:
        argv: the arguments of ``ffnet``.
        files: contents by path in the folder in which the command runs; a str is the path of a directory to copy.
        output: the path of the file that the command is to write, if it writes one.
    """

    argv: list[str]
    files: dict[str, bytes | str] = field(default_factory=dict)
    output: str | None = None


Generate = Callable[[random.Random], Case]

HUGE = (0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x10000000, 0, 0xFFFF)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """``data`` with one to four damages: flipped bits, other bytes, cuts, repeats, huge numbers near the beginning."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if not result:
            break
        place = rng.randrange(len(result))
        match rng.randrange(8):
            case 0:
                result[place] ^= 1 << rng.randrange(8)
            case 1:
                result[place : place + rng.randrange(1, 9)] = rng.randbytes(rng.randrange(9))
            case 2:
                del result[place:]
            case 3:
                del result[place : place + rng.randrange(1, 64)]
            case 4:
                result[place:place] = result[: rng.randrange(1, 64)]
            case 5:
                place = rng.randrange(min(len(result), 96))
                result[place : place + 4] = rng.choice(HUGE).to_bytes(4, rng.choice(("big", "little")))
            case 6:
                result += rng.randbytes(rng.randrange(1, 64))
            case 7:
                for _ in range(rng.randrange(1, 24)):
                    result[rng.randrange(len(result))] = rng.randrange(256)
    return bytes(result)


# Values of no setting's type, or out of any range.
ODD: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 3, 10**9, 10**12, 2**63, 10**30, -(2**40), 0.5, -0.0, 1e-300, 1e300),
    *(float("nan"), float("inf"), float("-inf"), "", "abc", " ", "-1", "1e400", "nan", "\x1b[31mred\x1b[0m", "a\nb"),
    *(
        "../..",
        "/dev/null",
        "${seed}",
        "${oc.env:HOME}",
        "???",
        "é\u202e\udcff",
        "x" * 3000,
        "os.system",
        "builtins.eval",
    ),
    *([], [1], ["a"], [[[]]], [1, 2], [None], {}, {"a": 1}, {"_target_": "os.getcwd"}, {"_target_": 3}, [10**9, 10**9]),
)


def places(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in nested dictionaries and lists."""
    found = [at] if at else []
    if isinstance(data, dict | list | tuple):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            found += places(value, (*at, key))
    return found


def changed(data: Any, rng: random.Random, odd: tuple[Any, ...] = ODD) -> Any:
    """A copy of nested ``data`` with a value dropped, renamed, or replaced by another or an odd one."""
    paths = places(data)
    path, other = rng.choice(paths), rng.choice(paths)
    what = rng.randrange(5)
    value = value_at(data, other) if what == 3 else rng.choice(odd)

    def copy(node: Any, rest: tuple[Any, ...]) -> Any:
        if not rest:
            return value
        items = dict(node.items() if isinstance(node, dict) else enumerate(node))
        if len(rest) == 1 and what == 0:
            del items[rest[0]]
        elif len(rest) == 1 and what == 1 and isinstance(node, dict):
            items = {(str(key) + "x" if key == rest[0] else key): item for key, item in items.items()}
        else:
            items[rest[0]] = copy(items[rest[0]], rest[1:])
        return items if isinstance(node, dict) else type(node)(items.values())

    return copy(data, path)


def value_at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        data = data[key]
    return data
