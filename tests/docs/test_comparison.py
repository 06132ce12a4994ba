"""The page of comparisons shows what was measured."""

import json
import math
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def comparison(monkeypatch):
    monkeypatch.syspath_prepend(DOCS.parent / "benchmarks")
    import comparison

    return comparison


@pytest.mark.parametrize("kind", ["encoders", "networks", "bandwidths"])
def test_its_tables_are_those_of_the_runs(comparison, kind):
    shown = re.search(rf"<!-- numbers: {kind} -->\n(.*?)<!-- end -->", (DOCS / "comparison.md").read_text(), re.S)
    results = json.loads((DOCS / "comparison.json").read_text())
    assert set(comparison.ROWS) <= set(results)
    assert shown is not None
    if kind == "bandwidths":
        assert shown[1] == comparison.as_bandwidths(results)
    else:
        names = list({"encoders": comparison.ENCODERS, "networks": comparison.NETWORKS}[kind])
        assert shown[1] == comparison.as_table(results, names)


def test_the_best_constant_loses_what_it_is_worse_than_the_best_of_each_picture(comparison):
    def run(sigma, rate, *scores):
        return {"line": f"encoder=gaussian encoder.sigma={sigma} optimizer.lr={rate}", "each": list(scores)}

    tried = [run(5, 1, 20.0, 10.0), run(5, 2, 19.0, 11.0), run(7, 1, 19.5, 13.0), run(10, 1, 17.0, 14.0)]
    row = comparison.as_bandwidths({"Gaussian": tried}).splitlines()[2]
    assert row == "| Gaussian | `encoder.sigma` | 7 | 0.50, 1.00 | 5, 10 |"


def test_the_climb_ends_where_no_neighbour_is_better(comparison):
    heights = [0, 3, 2, 4, 1, 9]
    assert comparison.climb(0, 6, 1, heights.__getitem__) == 1
    assert comparison.climb(0, 6, 2, heights.__getitem__) == 5
    assert comparison.climb(0, 0, 2, heights.__getitem__) == 0


def test_the_sweep_ends_where_all_neighbours_are_worse_and_repeats_no_run(comparison, monkeypatch):
    """On a smooth score whose best is known: rate 1e-2, first_omega 60, random start."""
    runs = []

    def score(line, pictures):
        runs.append(" ".join(line))
        value = {word.split("=")[0]: word.split("=")[1] for word in line}
        distance = abs(math.log10(float(value["optimizer.muon_lr"]) / 1e-2))
        distance += abs(math.log2(float(value["model.first_omega"]) / 60)) + (value["model.output_init"] == "mean")
        return {"line": f"{runs[-1]} model.hidden_features=9", "psnr": -distance}

    monkeypatch.setattr(comparison, "scores", score)
    adam = {"line": "model=siren optimizer.lr=1.0e-03 model.first_omega=30 model.output_init=null", "psnr": 20.0}
    adam["line"] += " model.hidden_features=9"
    _, _, found = comparison.tune(("SIREN", "muon"), [], {"SIREN": [adam]}, reach=2)
    best = dict(word.split("=") for word in comparison.best_of(found)["line"].split())
    assert [best[key] for key in ("optimizer.muon_lr", "optimizer.lr", "model.first_omega", "model.output_init")] == [
        *("1.0e-02", "4.0e-03", "60", "null")
    ]
    assert runs[0].split()[2] in ("optimizer.muon_lr=1.0e-03", "optimizer.muon_lr=3.2e-03")  # around Adam's place
    for rate, omega in (("3.2e-03", 60), ("3.2e-02", 60), ("1.0e-02", 15), ("1.0e-02", 240)):
        near = f"optimizer.muon_lr={rate} ", f"first_omega={omega} model.output_init=null"
        assert any(all(word in run for word in near) for run in runs)
    assert len(set(runs)) == len(runs)
    again = comparison.tune(("SIREN", "muon"), [], {"SIREN": [adam, *found]}, reach=2)
    assert again == ("SIREN", "muon", [])
