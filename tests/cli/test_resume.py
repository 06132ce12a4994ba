"""What resuming asks of Hydra, without running anything."""

import re

import pytest

from ffnet.cli.arguments import prepared
from ffnet.cli.errors import BadInput
from ffnet.cli.flags import Flags
from ffnet.cli.overrides import parsed
from ffnet.cli.resume import changeable


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def request_of(*argv):
    return prepared(Flags("fit").read(argv))


def write_sweep(folder, *overrides):
    folder.mkdir()
    lines = "".join(f"    - {override}\n" for override in overrides)
    (folder / "multirun.yaml").write_text(
        "hydra:\n  sweeper:\n    _target_: hydra._internal.core_plugins.basic_sweeper.BasicSweeper\n"
        f"  runtime:\n    config_sources:\n    - {{path: /own, schema: file, provider: command-line}}\n"
        f"  overrides:\n    task:\n{lines}"
    )


MAY = "trainer.max_steps=3 engine.compile=true callbacks.checkpoints.every_n_steps=3 +callbacks.mine._target_=a.B"
MAY += " ++logger.tensorboard.name=a logger=none hydra.run.dir=a hydra/launcher=joblib resume=a trust=[a.B] run_dir=a"
MAY += " limits.points=3 overwrite=true logger=[tensorboard,csv]"
MAY_NOT = "seed=3 encoder=identity encoder.sigma=3 +dataset.path=x optimizer.lr=1 trainer=fast ~logger"
MAY_NOT += " ~callbacks.progress trainers.max_steps=3 resumed=a precision=32-true"


@pytest.mark.parametrize("override", MAY.split())
def test_how_a_run_is_carried_out_may_change(override):
    assert changeable(*parsed([override]))


@pytest.mark.parametrize("override", MAY_NOT.split())
def test_what_is_fitted_may_not(override):
    assert not changeable(*parsed([override]))


@pytest.mark.parametrize("name", ["0", "run", "a b", "1e3"])
def test_a_run_goes_on_in_its_own_directory_whatever_its_name(tmp_path, name):
    (tmp_path / name).mkdir()
    request = request_of(f"resume={name}", "trainer.max_steps=5")
    found = {override.key_or_group: override.value() for override in parsed(request.overrides)}
    assert found == {"trainer.max_steps": 5, "resume": name, "hydra.run.dir": name, "hydra.output_subdir": None}
    assert not request.multirun


@pytest.mark.parametrize("nothing", ["resume=null", "resume=false"])
def test_resuming_nothing_changes_nothing(nothing):
    assert request_of(nothing, "seed=3").overrides == [nothing, "seed=3"]


def test_a_sweep_is_read_from_its_record_and_may_be_said_again(tmp_path):
    fit, own = ["encoder.sigma=1,2", "~callbacks.progress"], ["+callbacks.mine._target_=a.B"]
    write_sweep(tmp_path / "sweep", *fit, "resume=true")
    place = 'hydra.sweep.dir="sweep"'
    for argv in (["resume=sweep"], ["-m", "resume=true", "hydra.sweep.dir=sweep"], ["resume=sweep", *fit]):
        request = request_of(*argv, "trainer.max_steps=9", *own, "--config-dir", "mine")
        assert request.multirun
        assert request.config_dir == ["mine"]
        found = [o for o in request.overrides if o != "hydra.sweep.dir=sweep"]
        assert found == [*fit, "trainer.max_steps=9", *own, "resume=true", place]
    for other in ("encoder.sigma=1,2,3", "seed=1", "~callbacks.evaluation"):
        with pytest.raises(ValueError, match="holds another sweep"):
            request_of("resume=sweep", other, "--config-dir", "mine")


def test_what_a_record_may_not_decide_is_repeated_or_refused(tmp_path):
    own = ["+callbacks.mine._target_=a.B", "trainer.devices=2", "logger=wandb"]
    write_sweep(tmp_path / "sweep", "seed=1,2", *own, "trainer.max_steps=5")
    with pytest.raises(ValueError, match="was started with --config-dir /own; repeat it"):
        request_of("resume=sweep", *own)
    mine = ["--config-dir", "/own"]
    for missing in own:
        rest = [override for override in own if override != missing]
        with pytest.raises(ValueError, match=f"the record of sweep has {re.escape(missing)}, and no record decides"):
            request_of("resume=sweep", *rest, *mine)
    whole = request_of("resume=sweep", *own, *mine).overrides
    assert whole[:-2] == ["seed=1,2", *own, "trainer.max_steps=5"]
    fewer = request_of("resume=sweep", *own[::2], "trainer.devices=1", *mine).overrides
    assert fewer[:-2] == ["seed=1,2", *own[::2], "trainer.max_steps=5", "trainer.devices=1"]


@pytest.mark.parametrize("record", ["hydra: [", "hydra: {}", "hydra: {sweeper: {}, overrides: {task: ['[']}}"])
def test_a_damaged_record_of_a_sweep_is_named(tmp_path, record):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "multirun.yaml").write_text(record)
    with pytest.raises(ValueError, match=r"multirun\.yaml: damaged record of a sweep"):
        request_of("resume=sweep")


def test_patterns_of_files_are_expanded_and_the_rest_is_left_as_it_is(tmp_path):
    for name in ("b.png", "a b.png", "it's.png", "[x].png", "c.jpg"):
        (tmp_path / name).touch()
    assert request_of("dataset.path=glob:*.png").overrides == [
        'dataset.path="[x].png","a b.png","b.png","it\'s.png"',
    ]
    assert request_of("+dataset.path=glob:b*.png,glob:c.*,d.gif").overrides == ['+dataset.path="b.png","c.jpg","d.gif"']
    assert request_of("dataset.path='glob:[bc].*'").overrides == ['dataset.path="b.png","c.jpg"']
    untouched = ["encoder=glob(*)", "seed=1,2", "name='a,b'", "~callbacks.progress", "a.b=range(1,3)"]
    assert request_of(*untouched).overrides == untouched
    with pytest.raises(ValueError, match=r"quote the pattern: 'dataset.path=.glob:\[bc\]\.\*.'"):
        request_of("dataset.path=glob:[bc].*")


def test_flags_may_stand_anywhere_and_shortened_ones_are_refused():
    request = request_of("seed=1", "-m", "a=2", "--config-dir", "one", "b=3", "-cd", "two")
    assert (request.overrides, request.multirun) == (["seed=1", "a=2", "b=3"], True)
    assert request.config_dir == ["one", "two"]
    with pytest.raises(BadInput, match="--multi; see ffnet fit --help"):
        request_of("--multi", "seed=1")
