"""What the benchmarks share with ``ffnet fit``."""

from pathlib import Path

from tests.conftest import SMALL

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_they_assemble_the_fit_of_the_command_line(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from loops import assembled

    module, trainer = assembled([*SMALL, "logger=none", "~callbacks.progress"])
    trainer.fit(module)
    assert module.step == 20
