"""Kills, signals and what a resumed run ends with. All of it: ``python -m tests.harness.kills`` and ``.stops``."""

import pytest
import torch

from tests.conftest import SMALL
from tests.harness import forked, kills, stops, trials
from tests.harness.cases import cases

pytestmark = pytest.mark.untraced

# Most trials of the harness are of its command.
FITS = [("encoder=annealed", 0), ("dataset=occupancy, fresh", 1)]
FITS += [pytest.param(name, 2, marks=pytest.mark.long) for name in cases()]
AT_ONCE = ["SIGINT in training", "SIGHUP in training", "SIGTERM twice", "SIGTERM at the start"]
AT_ONCE += ["SIGINT while render writes", "SIGTERM while fit scores"]


@pytest.fixture(scope="module", autouse=True)
def loaded():
    forked.preload()


@pytest.mark.parametrize(("case", "number"), FITS)
@pytest.mark.sampled(2)
def test_a_killed_fit_is_resumed_to_the_same_bits(tmp_path, case, number):
    (trial,) = kills.carry_out([trials.Trial("fits", case, number)], tmp_path)
    assert trial.signals
    assert trial.faults == []


def test_a_fit_killed_while_it_writes_a_checkpoint_is_resumed_to_the_same_bits(tmp_path):
    (trial,) = kills.carry_out([trials.Trial("writing", "encoder=annealed", 0)], tmp_path)
    assert trial.signals
    assert trial.faults == []


@pytest.mark.long
@pytest.mark.parametrize("part", ["sweeps", "processes"])
def test_several_processes_are_killed_and_resumed_to_the_same_bits(tmp_path, part):
    for trial in kills.carry_out(kills.plan(part, 2, 0), tmp_path):
        assert trial.faults == []


def test_the_harness_sees_a_fit_that_ends_with_other_bits(tmp_path):
    """A run that was trained with another seed stands for one that was not resumed as it should be."""
    case = cases()["encoder=annealed"]
    for name, overrides in (("one", case), ("other", (*case, "seed=1"))):
        (tmp_path / name).mkdir()
        trials.undisturbed(overrides, tmp_path / name)
    one, other = (trials.kept(tmp_path / name / "run") for name in ("one", "other"))
    assert list(trials.differences(one, one)) == []
    found = set(trials.differences(one, other))
    assert {".scores.psnr", ".reconstruction.png", ".generator"} <= found
    assert any(name.startswith(".state_dict.field.") for name in found)
    assert any(name.startswith(".optimizer_states.") for name in found)


def test_every_encoder_and_model_of_the_settings_is_among_the_fits():
    from ffnet.resources import resource

    for group in ("encoder", "model"):
        names = {path.stem for path in (resource("conf") / group).glob("*.yaml")}
        assert {f"{group}={name}" for name in names} <= set(cases())


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", AT_ONCE)
def test_a_signal_ends_a_command_with_one_line_and_its_exit_code(tmp_path, name):
    stop = stops.stops()[name]
    assert stops.faults(stop, stops.carry_out(stop, tmp_path), tmp_path) == []


LONG = [name for name in stops.stops() if name.startswith(("two", "sweep", "frozen", "stuck", "killed"))]


@pytest.mark.long
@pytest.mark.parametrize("name", LONG)
def test_a_signal_ends_several_processes(tmp_path, name):
    stop = stops.stops()[name]
    assert stops.faults(stop, stops.carry_out(stop, tmp_path), tmp_path) == []


@pytest.mark.parametrize("part", ["loops", "optimizer_states", "lr_schedulers"])
def test_a_checkpoint_without_the_state_of_training_is_not_resumed_from_step_0(command, tmp_path, part):
    assert command("fit", *SMALL, "logger=none", "hydra.run.dir=run")[0] == 0
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    contents = torch.load(path, weights_only=True)
    del contents[part]
    torch.save(contents, path)
    code, _, err = command("fit", "resume=run", "trainer.max_steps=30")
    assert (code, err.count("\n")) == (2, 1)
    assert "lacks the state of the loop or the optimizer" in err
