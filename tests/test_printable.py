"""What is printed of names and messages out of files."""

import logging

import pytest

from ffnet.printable import Formatter, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("photo é 日本.png", "photo é 日本.png"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("left\u202eright", r"left\u202eright"),  # turns the direction of writing
        ("\udcff", r"\udcff"),  # a byte of a file name that is no text
    ],
)
def test_what_cannot_be_seen_is_escaped(text, shown):
    assert printable(text) == shown
    assert shown.isprintable()


def test_log_lines_are_printable_and_keep_their_ends():
    record = logging.LogRecord("x", logging.INFO, "", 0, "wrote   %s\nnext", ("a\x1bb",), None)
    assert Formatter("%(message)s").format(record) == "wrote   a\\x1bb\nnext"
