"""Rows and columns of a table, as asked."""

import csv
import io

import pytest

from ffnet.runs import arranged, find_runs, tabulate
from tests.runs.folders import write_run

RUNS = [("a", "10", 20.0), ("a", "9", 22.0), ("b", "100", 30.0), ("b", "2", 25.0), ("b", "3", None)]


@pytest.fixture
def runs(tmp_path):
    for index, (encoder, sigma, score) in enumerate(RUNS):
        metrics = {"psnr": score, "seconds": float(index), "higher_is_better": {"psnr": True}}
        overrides = [f"encoder={encoder}", f"encoder.sigma={sigma}"]
        failure = None if score else {"reason": "none", "exit_code": 1}
        write_run(tmp_path / "runs" / str(index), overrides, metrics if score else None, failure)
    return tmp_path / "runs"


def sigmas(table):
    return [group.overrides["encoder.sigma"] for group in table.groups]


@pytest.mark.parametrize(
    ("arguments", "order"),
    [
        ({}, ["10", "9", "100", "2", "3"]),
        ({"sort": "psnr"}, ["100", "2", "9", "10", "3"]),
        ({"sort": "encoder.sigma"}, ["2", "3", "9", "10", "100"]),
        ({"sort": "encoder"}, ["10", "9", "100", "2", "3"]),
        ({"sort": "seconds"}, ["10", "9", "100", "2", "3"]),
        ({"best": "encoder"}, ["9", "100"]),
        ({"best": "encoder", "sort": "psnr"}, ["100", "9"]),
    ],
    ids=str,
)
def test_rows_are_sorted_and_chosen(runs, arguments, order):
    assert sigmas(arranged(tabulate(find_runs(runs)), **arguments)) == order


def test_columns_are_chosen(command, runs):
    code, out, err = command("table", f"run={runs}", "format=csv", "columns=[encoder,seconds]", "sort=psnr")
    assert code == 0, err
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == ["encoder", "runs", "failed", "unfinished", "seconds", "seconds_std"]
    assert [row["seconds"] for row in rows] == ["2.0", "3.0", "1.0", "0.0", ""]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("sort=loss", "sort: expected one of encoder, encoder.sigma, psnr, seconds, got loss"),
        ("best=psnr", "best: expected one of encoder, encoder.sigma, got psnr"),
        ("columns=loss", "columns: expected one of encoder, encoder.sigma, psnr, seconds, got loss"),
    ],
)
def test_unknown_names_are_refused(command, runs, argument, message):
    assert command("table", f"run={runs}", argument)[::2] == (2, f"ffnet table: {message}\n")
