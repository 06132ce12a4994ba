"""Every model and encoder that conf/ names, through ffnet fit and back from its checkpoint."""

import pytest
import torch

import ffnet
from ffnet.resources import resource
from tests.conftest import SMALL

TINY = [o for o in SMALL if not o.startswith(("encoder", "trainer.max_steps"))] + ["trainer.max_steps=4"]
MODELS = sorted(path.stem for path in (resource("conf") / "model").glob("*.yaml"))
# Harmonics are of directions; a picture has none.
ENCODERS = sorted({path.stem for path in (resource("conf") / "encoder").glob("*.yaml")} - {"spherical_harmonics"})


@pytest.mark.parametrize("choice", [f"model={m}" for m in MODELS] + [f"encoder={e}" for e in ENCODERS])
def test_fits_and_comes_back(command, tmp_path, choice):
    code, out, err = command("fit", *TINY, choice, "hydra.run.dir=run")
    assert (code, err) == (0, ""), (out, err)
    assert ffnet.load("run")(torch.rand(5, 2)).shape == (5, 3)


def test_networks_of_phases_take_the_coordinates_themselves_unless_told_otherwise(command):
    assert "Siren after IdentityEncoder" in command("fit", *TINY, "model=siren")[1]
    assert "Siren after PositionalEncoder" in command("fit", *TINY, "model=siren", "encoder=positional")[1]


def test_an_encoder_of_another_project_comes_back_by_name(command):
    named = "{_target_: ffnet.encoders.conventions.nerfstudio_nerf, num_frequencies: 4, max_freq_exp: 3.0}"
    code, out, err = command("fit", *TINY, f"model.encoder={named}", "hydra.run.dir=run")
    assert (code, err) == (0, ""), (out, err)
    assert ffnet.load("run").encoder.layout == "trig row freq"


def test_annealing_ends_with_every_feature_there_and_begins_with_none(command):
    assert command("fit", *TINY, "encoder=annealed", "encoder.share=1.0", "hydra.run.dir=run")[0] == 0
    assert ffnet.load("run").encoder.progress.item() == 1
