"""Tables of runs whose scores are known."""

import csv
import io
import json
import math

import pytest
from PIL import Image

from ffnet.runs import find_runs, tabulate, varying
from ffnet.runs.plot import axis_label, curves
from ffnet.runs.table import as_json, as_markdown, as_records
from tests.runs.folders import write_run, write_sweep

PSNR = {("a", 0): 30.0, ("a", 1): 33.0, ("b", 0): 20.0, ("b", 1): 21.0}


@pytest.fixture
def sweep(tmp_path):
    """Two encoders by three seeds: four runs complete, one failed, one killed."""
    runs = {}
    for index, (encoder, seed) in enumerate((e, s) for e in "ab" for s in (0, 1, 2)):
        overrides = [f"encoder={encoder}", f"seed={seed}", "trainer.max_steps=20"]
        score = PSNR.get((encoder, seed))
        metrics = {"psnr": score, "mse": 0.1, "higher_is_better": {"psnr": True}, "seconds": 2.0, "versions": {}}
        runs[index] = (overrides, score and metrics, None)
    runs[2] = (runs[2][0], None, {"reason": "sigma: expected a | b", "exit_code": 2})
    write_sweep(tmp_path / "sweep", ["encoder=a,b", "seed=0,1,2", "trainer.max_steps=20"], runs)
    return tmp_path / "sweep"


def test_groups_are_averaged_over_seeds(sweep):
    table = tabulate(find_runs(sweep), ["seed", "dataset.path"])
    assert (table.keys, table.metrics, table.shared) == (["encoder"], ["psnr"], {"trainer.max_steps": "20"})
    a, b = table.groups
    assert (a.overrides, a.count("complete"), a.count("failed"), a.count("unfinished")) == ({"encoder": "a"}, 2, 1, 0)
    assert (b.count("complete"), b.count("failed"), b.count("unfinished")) == (2, 0, 1)
    assert a.mean("psnr") == pytest.approx(31.5)
    assert a.std("psnr") == pytest.approx(math.sqrt((1.5**2 + 1.5**2) / 1))  # n - 1
    assert b.std("psnr") == pytest.approx(math.sqrt(0.5))


def test_one_run_has_no_standard_deviation(sweep):
    table = tabulate(find_runs(sweep))
    assert table.keys == ["encoder", "seed"]
    assert [group.std("psnr") for group in table.groups] == [None] * 6
    assert [group.mean("psnr") for group in table.groups] == [30.0, 33.0, None, 20.0, 21.0, None]


def test_varying_counts_an_absent_override_as_a_value(tmp_path):
    write_run(tmp_path / "0", ["encoder=identity"], {"psnr": 1.0})
    write_run(tmp_path / "1", ["encoder=gaussian", "encoder.sigma=3"], {"psnr": 2.0})
    runs = find_runs(tmp_path)
    assert varying(runs) == ["encoder", "encoder.sigma"]
    assert tabulate(runs).groups[0].overrides == {"encoder": "identity", "encoder.sigma": ""}


def test_markdown_shows_every_run_that_has_no_metrics(command, sweep):
    code, out, err = command("table", f"run={sweep}")
    assert (code, err) == (0, "")
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in out.splitlines() if "|" in line]
    assert cells[0] == ["encoder", "runs", "failed", "unfinished", "psnr ↑"]
    assert cells[2] == ["a", "2", "1", "0", "**31.50 ± 2.12**"]
    assert cells[3] == ["b", "2", "0", "1", "20.50 ± 0.71"]
    assert cells[6] == [str(sweep / "2"), "failed", "encoder=a seed=2", r"sigma: expected a \| b"]
    assert cells[7][:3] == [str(sweep / "5"), "unfinished", "encoder=b seed=2"]
    assert out.endswith("In every run: trainer.max_steps=20\n")


def test_csv_and_json_say_the_same(command, sweep, tmp_path):
    code, out, _ = command("table", f"run={sweep}", "format=csv", "metrics=[psnr,seconds]")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert command("table", f"run={sweep}", "format=json", "metrics=[psnr,seconds]", "output=t.json")[0] == 0
    found = json.loads((tmp_path / "t.json").read_text())
    assert [{key: str(value) for key, value in group.items()} for group in found["groups"]] == rows
    assert found["groups"][0]["psnr"] == pytest.approx(31.5)
    assert found["groups"][0]["seconds_std"] == 0
    assert [run["state"] for run in found["runs"]].count("complete") == 4


def test_a_plot_has_a_line_for_each_group(command, tmp_path):
    for index, (encoder, sigma, seed) in enumerate((e, s, n) for e in "ab" for s in (10, 2, 100) for n in (0, 1)):
        overrides = [f"encoder={encoder}", f"encoder.sigma={sigma}", f"seed={seed}"]
        write_run(tmp_path / "sweep" / str(index), overrides, {"psnr": sigma / 10 + 2 * seed})
    lines = curves(tabulate(find_runs(tmp_path / "sweep"), ["seed"]), "encoder.sigma", "psnr")
    expected = [(s, pytest.approx(s / 10 + 1), pytest.approx(math.sqrt(2))) for s in (2, 10, 100)]
    assert lines == {"encoder=a": expected, "encoder=b": expected}
    assert command("table", "run=sweep", "plot=p.png")[0] == 0
    with Image.open(tmp_path / "p.png") as image:
        assert min(image.size) > 400
    assert command("table", "run=sweep", "plot=p.svg", "x=seed")[0] == 0
    assert "<svg" in (tmp_path / "p.svg").read_text()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["run=nowhere"], "run: expected a run or sweep directory, got nowhere"),
        (["run=."], "run: found no run in"),
        (["run=sweep", "format=xml"], "format: expected one of markdown, csv, json, got 'xml'"),
        (["run=sweep", "metrics=[beauty]"], "metrics: expected some of psnr, mse, seconds, got beauty"),
        (["run=sweep", "plot=p.png"], "x: expected one of the numeric overrides (none), got None"),
        (["run=sweep", "plot=p.png", "x=encoder"], "x: expected one of the numeric overrides (none), got encoder"),
        (["run=sweep", "output=nowhere/t.csv"], "nowhere"),
        (["run=sweep", "plot=nowhere/p.png", "x=seed"], "nowhere"),
        (["run=sweep", "plot=p.txt", "x=seed"], "txt"),
        (["run=broken"], "damaged record of a sweep"),
    ],
)
def test_bad_input_is_one_line(command, request, tmp_path, overrides, message):
    if overrides[0] == "run=sweep":
        request.getfixturevalue("sweep")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "multirun.yaml").write_text("hydra: [")
    code, _, err = command("table", *overrides)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_a_sweep_is_read_as_fit_writes_it(command, tmp_path):
    from tests.conftest import SMALL

    code, _, _ = command("fit", "-m", *SMALL, "seed=0,1", "hydra.sweep.dir=sweep", "logger=none")
    assert code == 0
    _, out, _ = command("table", "run=sweep", "format=json")
    found = json.loads(out)
    assert [run["overrides"]["seed"] for run in found["runs"]] == ["0", "1"]
    scores = [json.loads((tmp_path / "sweep" / name / "metrics.json").read_text())["psnr"] for name in "01"]
    assert found["groups"][0]["psnr"] == pytest.approx(sum(scores) / 2)


def held_out(folder, encoder, image, psnr, seed=0):
    overrides = [f"encoder={encoder}", "experiment=tancik2020/natural_sweep", f"dataset.path={image}", f"seed={seed}"]
    bilinear = {"a.png": 20.0, "b.png": 24.0}[image]
    write_run(folder, overrides, {"psnr": psnr, "baselines": {"bilinear": {"psnr": bilinear}}})


def test_the_paper_and_interpolation_are_compared_with(tmp_path):
    for number_, (encoder, image, psnr) in enumerate(
        [("identity", "a.png", 19.0), ("identity", "b.png", 21.0), ("gaussian", "a.png", 25.0)]
    ):
        held_out(tmp_path / str(number_), encoder, image, psnr)
    held_out(tmp_path / "3", "gaussian", "a.png", 26.0, seed=1)
    table = tabulate(find_runs(tmp_path), ["seed", "dataset.path"])
    lines = as_markdown(table).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:5]]
    assert cells[0] == ["encoder", "runs", "psnr ↑", "Tancik et al. 2020"]
    assert cells[2] == ["identity", "2", "20.00 ± 1.41", "19.32 ± 2.48"]
    assert cells[3] == ["gaussian", "2", "**25.50 ± 0.71**", "25.57 ± 4.19"]
    assert cells[4] == ["bilinear", "2", "22.00 ± 2.83", ""]  # each image once
    bilinear = json.loads(as_json(table))["groups"][-1]
    assert (bilinear["psnr"], bilinear["paper"]) == (22.0, None)


def test_interpolation_of_each_image(tmp_path):
    held_out(tmp_path / "0", "gaussian", "a.png", 25.0)
    held_out(tmp_path / "1", "gaussian", "b.png", 26.0)
    each = tabulate(find_runs(tmp_path))
    assert [group.overrides for group in each.baselines] == [
        {"dataset.path": "a.png", "method": "bilinear"},
        {"dataset.path": "b.png", "method": "bilinear"},
    ]
    assert [row["psnr"] for row in as_records(each)] == [25.0, 26.0, 20.0, 24.0]
    assert [row["paper"] for row in as_records(each)] == [25.57, 25.57, None, None]


def test_a_perfect_run_has_no_standard_deviation(tmp_path):
    for number_, psnr in enumerate((30.0, math.inf)):
        write_run(tmp_path / str(number_), [f"seed={number_}"], {"psnr": psnr})
    (group,) = tabulate(find_runs(tmp_path), ["seed"]).groups
    assert (group.mean("psnr"), group.std("psnr")) == (math.inf, None)


def scored(folder, encoder, seed, **scores):
    directions = {"psnr": True, "lpips": False}
    metrics = scores | {"higher_is_better": directions, "seconds": 2.0 + seed, "device": "cpu"}
    write_run(folder / f"{encoder}{seed}", [f"encoder={encoder}", f"seed={seed}"], metrics)


def test_the_best_group_of_each_score_is_bold(command, tmp_path):
    for encoder, psnr, lpips in (("a", 30.0, 0.2), ("b", 20.0, 0.1), ("c", math.nan, None)):
        scored(tmp_path / "sweep", encoder, 0, psnr=psnr, lpips=lpips)
    _, out, _ = command("table", "run=sweep")
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in out.splitlines() if "|" in line]
    assert cells[0] == ["encoder", "runs", "psnr ↑", "lpips ↓"]
    assert cells[2] == ["a", "1", "**30.00**", "0.2000"]
    assert cells[3] == ["b", "1", "20.00", "**0.1000**"]
    assert cells[4][:3] == ["c", "1", "nan"]
    _, out, _ = command("table", "run=sweep", "metrics=[seconds]")
    assert "**" not in out  # has no direction


def test_a_single_group_is_not_the_best(tmp_path):
    scored(tmp_path, "a", 0, psnr=30.0, lpips=0.1)
    assert "**" not in as_markdown(tabulate(find_runs(tmp_path)))


def test_metrics_of_every_task_are_columns(tmp_path):
    write_run(tmp_path / "0", ["dataset=image"], {"psnr": 30.0, "higher_is_better": {"psnr": True}})
    write_run(tmp_path / "1", ["dataset=sdf"], {"chamfer": 0.1, "higher_is_better": {"chamfer": False}})
    table = tabulate(find_runs(tmp_path))
    assert table.metrics == ["psnr", "chamfer"]
    assert [[group.mean(metric) for metric in table.metrics] for group in table.groups] == [[30.0, None], [None, 0.1]]


def test_infinite_nan_and_missing_scores_are_strict_json(command, tmp_path):
    scored(tmp_path / "sweep", "a", 0, psnr=math.inf, lpips=0.0)
    scored(tmp_path / "sweep", "a", 1, psnr=30.0, lpips=0.1)
    scored(tmp_path / "sweep", "b", 0, psnr="inf", lpips=math.nan)
    scored(tmp_path / "sweep", "b", 1, psnr="-inf")
    scored(tmp_path / "sweep", "c", 0, psnr=None)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    code, out, err = command("table", "run=sweep", "format=json")
    assert (code, err) == (0, "")
    found = json.loads(out, parse_constant=refuse)
    assert found["higher_is_better"] == {"psnr": True, "lpips": False}
    assert [(group["psnr"], group["psnr_std"]) for group in found["groups"]] == [
        ("inf", None),
        ("nan", None),
        (None, None),
    ]
    assert [group["lpips"] for group in found["groups"]] == [0.05, "nan", None]
    assert [run["metrics"]["psnr"] for run in found["runs"]] == ["inf", 30.0, "inf", "-inf", None]
    assert "**inf**" not in command("table", "run=sweep")[1]  # the only number
    scored(tmp_path / "sweep", "d", 0, psnr=30.0)
    assert "**inf**" in command("table", "run=sweep")[1]


def test_a_plot_leaves_out_perfect_runs(command, tmp_path):
    for sigma, psnr in ((1, 30.0), (2, math.inf), (4, 20.0)):
        metrics = {"psnr": psnr, "higher_is_better": {"psnr": True}}
        write_run(tmp_path / "sweep" / str(sigma), [f"encoder.sigma={sigma}"], metrics)
    table = tabulate(find_runs(tmp_path / "sweep"))
    assert curves(table, "encoder.sigma", "psnr") == {"": [(1.0, 30.0, 0.0), (4.0, 20.0, 0.0)]}
    assert command("table", "run=sweep", "plot=p.png")[0] == 0


def test_the_axis_says_the_direction(tmp_path):
    scored(tmp_path, "a", 0, psnr=1.0, lpips=0.2)
    table = tabulate(find_runs(tmp_path))
    labels = [axis_label(table, metric) for metric in ("psnr", "lpips", "seconds")]
    assert labels == ["psnr (higher is better)", "lpips (lower is better)", "seconds"]
