"""Text that is safe to print: names out of files cannot move the cursor, colour or clear a terminal."""

import logging
from typing import Any


def printable(text: str, keep: str = "") -> str:
    """``text`` with control characters, invisible characters and undecodable bytes as escapes such as ``\\x1b``.

    Characters in ``keep`` stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode("ascii") for c in text)


class Formatter(logging.Formatter):
    """A formatter of printable lines. Of exceptions that libraries log, it keeps the last line."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record), keep="\n\t")

    def formatException(self, ei: Any) -> str:
        return f"{ei[0].__name__}: {ei[1]}" if ei[0] else ""
