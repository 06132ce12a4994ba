"""Reading run directories, damaged ones included."""

import json
import math

import pytest

from ffnet.runs import exit_code, find_runs, number, score_directions, strict_json
from tests.runs.folders import write_run

METRICS = {"psnr": 30.0, "higher_is_better": {"psnr": True}, "steps": 1}


def test_runs_come_in_the_order_of_their_numbers(tmp_path):
    for index in (10, 9, 2):
        write_run(tmp_path / str(index), [f"seed={index}"], {"psnr": 1.0})
    assert [run.folder.name for run in find_runs(tmp_path)] == ["2", "9", "10"]


def test_jobs_without_a_directory_are_missing(tmp_path):
    write_run(tmp_path / "1", ["seed=1"], {"psnr": 1.0})
    runs = find_runs(tmp_path, [["seed=0"], ["seed=1"]])
    assert [(run.state, run.overrides) for run in runs] == [("missing", {"seed": "0"}), ("complete", {"seed": "1"})]


def test_a_directory_of_the_ntk_command_is_no_run(tmp_path):
    write_run(tmp_path / "0", [])
    (tmp_path / "0" / "ntk.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="found no run in"):
        find_runs(tmp_path)


def test_overrides_lose_their_signs_and_quotes(tmp_path):
    write_run(tmp_path / "0", ["+a.b=1", "++c=2", r"path='it\'s here'", 'size="[3,4]"', "resume=true", "empty="])
    (run,) = find_runs(tmp_path)
    assert run.overrides == {"a.b": "1", "c": "2", "path": "it's here", "size": "[3,4]", "empty": ""}


def test_exit_codes(tmp_path):
    write_run(tmp_path / "0", [], METRICS)
    write_run(tmp_path / "1", [])
    write_run(tmp_path / "2", [], failure={"reason": "sigma: expected a | b", "exit_code": 2})
    runs = find_runs(tmp_path)
    assert [run.state for run in runs] == ["complete", "unfinished", "failed"]
    assert [exit_code(runs[:1]), exit_code(runs[:2]), exit_code(runs)] == [0, 1, 2]


def test_a_run_that_stopped_early_is_complete(tmp_path):
    write_run(tmp_path / "0", [], METRICS | {"steps": 700, "max_steps": 2000})
    assert [run.state for run in find_runs(tmp_path)] == ["complete"]


def test_numbers():
    values = ("3", "1e-3", 2, "x", None, True, 10**400)
    assert [number(value) for value in values] == [3.0, 1e-3, 2.0, None, None, None, None]


def test_scores_come_in_order_of_first_appearance(tmp_path):
    write_run(tmp_path / "0", [], METRICS | {"higher_is_better": {"rest/psnr": True, "lpips": False}})
    write_run(tmp_path / "1", [], METRICS | {"higher_is_better": {"chamfer": False, "lpips": False}})
    directions = score_directions(find_runs(tmp_path))
    assert list(directions.items()) == [("rest/psnr", True), ("lpips", False), ("chamfer", False)]


def test_scores_in_the_format_of_0_1(tmp_path):
    write_run(tmp_path / "0", [], {"psnr": 30.0, "psnr_rest": 29.0, "psnr_train": 40.0, "mse": 1e-3, "steps": 5})
    write_run(tmp_path / "1", [], {"iou_surface": 0.7, "iou_uniform": 0.9, "seconds": 5})
    names = ["psnr", "psnr_rest", "psnr_train", "iou_surface", "iou_uniform"]
    assert list(score_directions(find_runs(tmp_path)).items()) == [(name, True) for name in names]


def test_a_task_without_scores_has_none(tmp_path):
    write_run(tmp_path / "0", [], {"psnr": 30.0, "higher_is_better": {}})
    assert score_directions(find_runs(tmp_path)) == {}


DAMAGED = [
    ("metrics.json", '{"psnr": 3'),
    ("metrics.json", "[1, 2]"),
    ("metrics.json", '{"psnr": 3, "higher_is_better": ["psnr"]}'),
    ("metrics.json", '{"psnr": 3, "higher_is_better": {"psnr": "yes"}}'),
    ("metrics.json", '{"psnr": 3, "baselines": {"bilinear": 3}}'),
    ("failed.json", "not JSON"),
    ("failed.json", "null"),
    ("failed.json", '{"reason": "x", "exit_code": "2"}'),
    (".hydra/overrides.yaml", "- a=1\n- ["),
    (".hydra/overrides.yaml", "a: 1"),
    (".hydra/overrides.yaml", "- a=1\n- 3"),
    (".hydra/overrides.yaml", "- \udcff"),
]


@pytest.mark.parametrize(("name", "contents"), DAMAGED)
@pytest.mark.sampled(3)
def test_a_damaged_record_is_a_failed_run_in_table_and_report(command, tmp_path, name, contents):
    write_run(tmp_path / "runs" / "0", ["seed=0"], METRICS)
    write_run(tmp_path / "runs" / "1", ["seed=1"], METRICS)
    (tmp_path / "runs" / "1" / name).write_bytes(contents.encode(errors="surrogateescape"))
    good, damaged = find_runs(tmp_path / "runs")
    assert (good.state, damaged.state, damaged.reason) == ("complete", "failed", f"damaged record: {name}")
    assert damaged.metrics == {}
    assert damaged.overrides == ({} if "overrides" in name else {"seed": "1"})
    assert exit_code([good, damaged]) == 1
    code, out, err = command("table", "run=runs")
    assert (code, err) == (0, "")
    assert f"damaged record: {name}" in out
    assert command("report", "run=runs")[0] == 0
    assert f"damaged record: {name}" in (tmp_path / "report.html").read_text()


def test_strict_json_reads_back():
    values = {"a": [1, 2.5, math.inf], "b": (-math.inf, None), "c": {"d": math.nan, "e": "x", "f": True}}

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    found = json.loads(strict_json(values), parse_constant=refuse)
    assert found == {"a": [1, 2.5, "inf"], "b": ["-inf", None], "c": {"d": "nan", "e": "x", "f": True}}
    assert (number(found["a"][2]), number(found["b"][0])) == (math.inf, -math.inf)
    assert math.isnan(number(found["c"]["d"]))
