"""The page of comparisons shows what was measured."""

import json
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def comparison(monkeypatch):
    monkeypatch.syspath_prepend(DOCS.parent / "benchmarks")
    import comparison

    return comparison


@pytest.mark.parametrize("kind", ["encoders", "networks"])
def test_its_tables_are_those_of_the_runs(comparison, kind):
    shown = re.search(rf"<!-- numbers: {kind} -->\n(.*?)<!-- end -->", (DOCS / "comparison.md").read_text(), re.S)
    results = json.loads((DOCS / "comparison.json").read_text())
    names = list({"encoders": comparison.ENCODERS, "networks": comparison.NETWORKS}[kind])
    assert set(names) <= set(results)
    assert shown is not None
    assert shown[1] == comparison.as_table(results, names)


def test_the_climb_ends_where_no_neighbour_is_better(comparison):
    heights = [0, 3, 2, 4, 1, 9]
    assert comparison.climb(0, 6, 1, heights.__getitem__) == 1
    assert comparison.climb(0, 6, 2, heights.__getitem__) == 5
    assert comparison.climb(0, 0, 2, heights.__getitem__) == 0
