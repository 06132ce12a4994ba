"""Every model and encoder that conf/ names, through ffnet fit and back from its checkpoint."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import ffnet
from ffnet.cli.compose import compose_config
from ffnet.resources import resource
from tests.conftest import SMALL

pytestmark = pytest.mark.untraced

TINY = [o for o in SMALL if not o.startswith(("encoder", "trainer.max_steps"))] + ["trainer.max_steps=4"]
MODELS = sorted(path.stem for path in (resource("conf") / "model").glob("*.yaml"))
# Harmonics are of directions; a picture has none.
ENCODERS = sorted({path.stem for path in (resource("conf") / "encoder").glob("*.yaml")} - {"spherical_harmonics"})


@pytest.mark.parametrize("choice", [f"model={m}" for m in MODELS] + [f"encoder={e}" for e in ENCODERS])
@pytest.mark.sampled(2)
def test_fits_and_comes_back(command, tmp_path, choice):
    code, out, err = command("fit", *TINY, choice, "hydra.run.dir=run")
    assert (code, err) == (0, ""), (out, err)
    assert ffnet.load("run")(torch.rand(5, 2)).shape == (5, 3)


REGULARIZERS = sorted(path.stem for path in (resource("conf") / "regularizer").glob("*.yaml"))


@pytest.mark.parametrize("choice", [*REGULARIZERS, "[tv,smoothness]"])
def test_regularizers_are_chosen_by_name_and_resumed(command, choice):
    code, out, err = command("fit", *TINY, f"+regularizer={choice}", "hydra.run.dir=run")
    assert (code, err) == (0, ""), (out, err)
    assert command("fit", "resume=run", "trainer.max_steps=6")[0] == 0


@pytest.mark.parametrize("sampler", sorted(path.stem for path in (resource("conf") / "sampler").glob("*.yaml")))
@pytest.mark.sampled(1)
def test_a_sampler_takes_the_batch_size(command, sampler):
    code, out, err = command("fit", *TINY, f"sampler={sampler}", "dataset.batch_size=auto", "hydra.run.dir=run")
    assert (code, err) == (0, ""), (out, err)
    assert "dataset.batch_size=8192" in out
    code, out, err = command("fit", "resume=run", "trainer.max_steps=6")
    assert (code, err) == (0, ""), (out, err)
    [told] = (line for line in command("fit", *TINY, f"sampler={sampler}", "dataset.batch_size=null")[2].splitlines())
    assert "batch_size: expected an integer of at least 1, got None" in told


@pytest.mark.untraced
def test_a_field_of_a_picture_starts_at_its_mean_colour_unless_told_otherwise(command, tmp_path):
    picture = Image.new("RGB", (16, 16), (255, 51, 102))
    picture.save(tmp_path / "plain.png")
    for index, told in enumerate(([], ["model.output_init=null"], ["model.output_init=[0.5,0.5,0.5]"])):
        line = ("fit", *TINY, "dataset.path=plain.png", "optimizer.lr=1e-20", *told, f"hydra.run.dir={index}")
        assert command(*line)[0] == 0
    with torch.no_grad():
        started, drawn, middle = (ffnet.load(str(index)).network[-2].bias.sigmoid() for index in range(3))
    torch.testing.assert_close(started, torch.tensor([0.99, 0.2, 0.4]))
    torch.testing.assert_close(middle, torch.full((3,), 0.5))
    assert not torch.isclose(drawn, started, atol=0.01).any()


@pytest.mark.untraced
def test_what_is_nearly_white_is_learnt(command, tmp_path):
    """One grey for all of it is at 14.3 dB. So is a field whose bias starts near 0: the first steps drive its sigmoid
    to the end, where little is learnt."""
    pixels = np.full((64, 64), 255, np.uint8)
    pixels[8:56:8, 4:60] = np.random.default_rng(0).integers(2, size=(6, 56)) * 255
    Image.fromarray(pixels).save(tmp_path / "page.png")
    line = ["dataset.path=page.png", "trainer.max_steps=150", "trainer.accelerator=cpu", "hydra.run.dir=run"]
    assert command("fit", *line, "dataset.batch_size=512")[0] == 0
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["psnr"] > 20


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


@pytest.mark.parametrize("model", ["siren", "finer"])
def test_muon_has_rates_for_networks_of_sines_and_the_line_has_the_last_word(model):
    line = [f"model={model}", "optimizer=muon"]
    own = compose_config("fit", line).optimizer
    assert (own.muon_lr, own.lr) == (3.2e-3, 1.3e-3)
    assert compose_config("fit", ["model=wire", "optimizer=muon"]).optimizer.muon_lr == 1e-2
    assert compose_config("fit", [f"model={model}"]).optimizer.lr == 4e-3
    assert compose_config("fit", [*line, "optimizer.muon_lr=5e-4"]).optimizer.muon_lr == 5e-4
