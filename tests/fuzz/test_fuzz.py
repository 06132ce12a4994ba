"""A short part of the fuzz harness, and that it finds each kind of defect."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.fuzz.case import Case, changed, mutated, places
from tests.fuzz.harness import KINDS, generated, lay, tried
from tests.fuzz.judge import ACCEPTED, DEFECTS, DIVERGED, REFUSED, contents
from tests.harness import forked

pytestmark = pytest.mark.untraced

SHORT = 37
OUTPUT = Case(["render", "output=out.png"], {"old.txt": b"old"}, "out.png")


@pytest.fixture(scope="module", autouse=True)
def loaded():
    forked.preload()


def instead(function):
    """Replaces the program in the fork by ``function``, which returns an exit code."""

    def setup():
        import ffnet.cli

        ffnet.cli.main = lambda argv: function()

    return setup


def says(text, code=2, then=lambda: None):
    def function():
        then()
        os.write(2, text.encode())
        return code

    return function


def crash():
    os.kill(os.getpid(), signal.SIGKILL)


def fail():
    raise IndexError("pop from empty list")


def write(name, data=b"half"):
    return lambda: Path(name).write_bytes(data)


LINE = "ffnet render: expected, got, what to do\n"
ANSWERS = {
    "a refusal": (says(LINE), REFUSED),
    "success": (says("", 0, lambda: __import__("PIL.Image").Image.new("L", (2, 2)).save("out.png")), ACCEPTED),
    "a run that diverged": (says("ffnet fit: the run failed: FloatingPointError: the loss is nan\n", 1), DIVERGED),
    "an exception": (fail, "traceback"),
    "a crash": (crash, "signal"),
    "an endless loop": (lambda: time.sleep(60), "hang"),
    "a partial file": (says(LINE, 2, write(".out.7.partial.png")), "half-written file"),
    "an output in spite of the refusal": (says(LINE, 2, write("out.png")), "half-written file"),
    "an old file lost": (says(LINE, 2, lambda: Path("old.txt").unlink()), "half-written file"),
    "a directory left": (says(LINE, 2, lambda: Path("outputs").mkdir()), "half-written file"),
    "no output": (says("", 0), "half-written file"),
    "an output that is cut": (says("", 0, write("out.png", b"\x89PNG\r\n\x1a\n")), "half-written file"),
    "exit code 1": (says("ffnet render: IndexError: pop from empty list\n", 1), "exit code"),
    "two lines": (says("TIFFReadDirectory: bad\n" + LINE), "not one line"),
    "no line": (says(""), "not one line"),
    "a warning": (says("UserWarning: x\n", 0), "not one line"),
    "an escape": (says("ffnet render: \x1b[2J.png: no such file\n"), "control characters"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_each_kind_of_answer_is_told_apart(answer):
    function, category = ANSWERS[answer]
    assert tried(OUTPUT, instead(function), seconds=2)[0] == category


def test_each_defect_has_an_answer():
    assert set(DEFECTS) <= {category for _, category in ANSWERS.values()}


def test_an_input_depends_on_its_seed_and_number_alone():
    simple = [number for number in range(SHORT // 3) if generated(0, number)[0] in ("image", "mesh", "scene")]
    assert [generated(1, number) for number in simple] == [generated(1, number) for number in simple]
    assert [generated(1, number) for number in simple] != [generated(2, number) for number in simple]


def test_mutations_change_something_and_keep_the_original():
    import random

    data = {"a": [1, {"b": 2}], "c": (3, 4)}
    found = [repr(changed(data, random.Random(number))) for number in range(200)]
    assert data == {"a": [1, {"b": 2}], "c": (3, 4)}
    assert len(set(found)) > 100
    assert len(places(data)) == 7
    assert len({mutated(bytes(range(200)), random.Random(number)) for number in range(100)}) > 90


@pytest.mark.parametrize("number", range(SHORT))
def test_a_malformed_input_is_accepted_or_refused_in_one_line(number):
    kind, case = generated(2026, number)
    category, outcome = tried(case)
    assert category in (ACCEPTED, REFUSED, DIVERGED), (kind, case.argv, outcome)


def test_every_kind_is_among_the_short_part(tmp_path):
    assert {generated(2026, number)[0] for number in range(SHORT)} == set(KINDS)
    lay(OUTPUT, tmp_path / "x")
    assert contents(tmp_path / "x") == {"old.txt": b"old", "loop.png": b""}
