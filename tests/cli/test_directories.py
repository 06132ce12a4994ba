"""Directories of runs: a refused command leaves none, and a run is never replaced unasked."""

import json

import pytest

from tests.conftest import SMALL

pytestmark = pytest.mark.untraced

FEW = [*(override for override in SMALL if "max_steps" not in override), "trainer.max_steps=2"]


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "argv",
    [
        ["fit", "dataset.path=nowhere.png"],
        ["fit", "encoder=gaussian", "encoder.sigma=-1"],
        ["fit", "optimizer.lr=abc"],
        ["fit", "trainer.accelerator=abacus"],
        ["fit", "+trainer.accumulate_grad_batches=2"],
        ["fit", "limits.pixels=0"],
        ["fit", "no_such_setting=1"],
        ["fit", "hydra.run.dir=a/b/c", "dataset.path=nowhere.png"],
        ["fit", "resume=nowhere"],
        ["fit", "trainer.devices=2", "dataset.batch_size=1"],
        ["ntk", "ntk.points=0"],
        ["fit", "-m", "seed=0,1", "limits.jobs=1"],
    ],
    ids=" ".join,
)
@pytest.mark.sampled(2)
def test_a_refused_command_leaves_no_directory(command, tmp_path, argv):
    code, _, err = command(argv[0], *FEW, *argv[1:])
    assert (code, len(err.splitlines())) == (2, 1), err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("argv", [["report", "run=nowhere"], ["evaluate", "checkpoint=nowhere"]], ids=" ".join)
def test_a_refused_command_without_a_run_leaves_no_directory_either(command, tmp_path, argv):
    assert command(*argv, "hydra.run.dir=a/b")[0] == 2
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_was_there_stays(command, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert command("fit", *FEW, "dataset.path=nowhere.png", "hydra.run.dir=run")[0] == 2
    assert [(path.name, path.read_text()) for path in (tmp_path / "run").iterdir()] == [("notes.txt", "mine")]


@pytest.mark.parametrize("place", ["b", "b/c", " ", "."])
def test_a_refused_command_leaves_none_of_hydras_files(command, tmp_path, place):
    assert command("evaluate", "checkpoint=nowhere", f"hydra.output_subdir='{place}'")[0] == 2
    assert list(tmp_path.iterdir()) == []


def test_a_refused_run_of_a_sweep_keeps_its_reason(command, tmp_path):
    code, _, err = command("fit", "-m", *FEW, "dataset.size=8,-8", "hydra.sweep.dir=sweep")
    assert (code, len(err.splitlines())) == (2, 1)
    assert json.loads((tmp_path / "sweep" / "1" / "failed.json").read_text())["exit_code"] == 2


@pytest.fixture
def run(command, tmp_path):
    assert command("fit", *FEW, "hydra.run.dir=run")[0] == 0
    return tmp_path / "run"


def test_a_run_is_not_replaced_unasked(command, run):
    before = contents(run)
    for argv in (["fit", *FEW, "seed=1"], ["fit", *FEW, "optimizer.lr=-1"], ["ntk", *FEW]):
        code, _, err = command(*argv, "hydra.run.dir=run")
        assert code == 2
        assert err.endswith("run holds a run; resume=run goes on with it, overwrite=true replaces it\n"), err
        assert contents(run) == before


def test_a_run_is_replaced_as_a_whole_if_asked(command, run):
    (run / "reconstruction.tif").write_bytes(b"of another mode")
    assert command("fit", *FEW, "seed=1", "hydra.run.dir=run", "overwrite=true")[0] == 0
    assert json.loads((run / "metrics.json").read_text())["seed"] == 1
    assert len(list(run.glob("events*"))) == len(list(run.glob("reconstruction*"))) == 1
    assert command("fit", "resume=run", "trainer.max_steps=3")[0] == 0


def test_a_refused_replacement_keeps_the_results(command, run):
    results = {
        name: data for name, data in contents(run).items() if name.parts[0] != ".hydra" and name.suffix != ".log"
    }
    assert command("fit", *FEW, "dataset.path=nowhere.png", "hydra.run.dir=run", "overwrite=true")[0] == 2
    assert results.items() <= contents(run).items()


def test_a_sweep_is_not_replaced_unasked(command, tmp_path):
    line = ["fit", "-m", *FEW, "seed=0,1", "hydra.sweep.dir=sweep"]
    assert command(*line)[0] == 0
    before = contents(tmp_path / "sweep")
    code, _, err = command(*line)
    assert code == 2
    assert "sweep holds a sweep; resume=sweep goes on with it, overwrite=true replaces it" in err
    assert contents(tmp_path / "sweep") == before
    assert command(*line, "resume=true")[0] == 0
    assert command(*line, "overwrite=true")[0] == 0


def test_python_does_not_replace_a_run_unasked(tmp_path):
    import ffnet

    fit = {"overrides": FEW, "directory": tmp_path / "run", "progress": False}
    ffnet.fit(**fit)
    before = contents(tmp_path / "run")
    with pytest.raises(ValueError, match=r"run holds a run; overwrite=True replaces it"):
        ffnet.fit(**fit)
    assert contents(tmp_path / "run") == before
    ffnet.fit(**fit, overwrite=True)
    with pytest.raises(ValueError, match=r"resume: ffnet.fit starts runs"):
        ffnet.fit(**fit, resume=str(tmp_path / "run"))


@pytest.mark.parametrize("value", ["0", "''", "1.5", "[]", "{}"])
@pytest.mark.sampled(3)
def test_resume_never_starts_afresh(command, tmp_path, value):
    code, _, err = command("fit", *FEW, f"resume={value}")
    assert (code, len(err.splitlines())) == (2, 1), err
    assert "expected a run" in err
    assert list(tmp_path.iterdir()) == []
    code, _, err = command("fit", "-m", *FEW, f"resume={value},{value}")
    assert code == 2
    assert not list(tmp_path.rglob("metrics.json"))


def test_a_refused_run_is_not_the_last_one(command, tmp_path):
    assert command("fit", *FEW, "trainer.max_steps=1")[0] == 0
    last = (tmp_path / "outputs" / "latest").resolve()
    assert command("fit", *FEW, "+trainer.accumulate_grad_batches=2")[0] == 2
    assert (tmp_path / "outputs" / "latest").resolve() == last


def test_a_resumed_sweep_scores_a_run_with_a_damaged_record_again(command, tmp_path):
    assert command("fit", "-m", *FEW, "seed=0,1", "hydra.sweep.dir=sweep")[0] == 0
    path = tmp_path / "sweep" / "1" / "metrics.json"
    before = json.loads(path.read_text())
    path.write_text(json.dumps(before | {"higher_is_better": ["psnr"]}))
    assert command("fit", "resume=sweep")[0] == 0
    assert json.loads(path.read_text())["psnr"] == before["psnr"]


def test_a_run_has_a_name_and_tags(command, tmp_path):
    assert command("fit", *SMALL, "logger=none", "name='first try: wide'", "tags=[wide,old]")[0] == 0
    assert command("fit", *SMALL, "logger=none", "name=second")[0] == 0
    (day,) = (path for path in (tmp_path / "outputs").iterdir() if path.name != "latest")
    names = sorted(path.name[len("16-15-26-551439-") :] for path in day.iterdir())
    assert names == ["first-try-wide", "second"]
    out = command("table", f"run={day}", "columns=[name,tags,psnr]")[1]
    assert "| first try: wide | [wide,old] |" in out
