"""Fits on a GPU: every encoder and model, every dataset, kernels, and runs that are stopped and resumed."""

import json
from pathlib import Path

import pytest
import torch

import ffnet
from tests.cli.test_choices import ENCODERS, MODELS
from tests.conftest import SMALL, SMALL_SHAPE

pytestmark = [
    pytest.mark.untraced,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA"),
]

ON_GPU = ["trainer.accelerator=cuda", "precision=auto"]
IMAGE = [o for o in SMALL if not o.startswith(("encoder", "model", "trainer.", "dataset.size", "precision"))]
IMAGE += [*ON_GPU, "dataset.size=[32,24]", "trainer.max_steps=40"]
SHAPE = [o for o in SMALL_SHAPE if not o.startswith(("trainer.accelerator", "precision"))] + ON_GPU


def metrics(run: str) -> dict:
    return json.loads((Path(run) / "metrics.json").read_text())


def scores_agree(command, run: str, digits: float) -> None:
    """The scores of the run are those of its checkpoint, scored on the GPU and on the CPU, up to ``digits``."""
    kept = metrics(run)
    for device in ("cuda", "cpu"):
        code, out, err = command("evaluate", f"checkpoint={run}", f"device={device}")
        assert code == 0, err
        for name, value in json.loads(out).items():
            if name in kept and isinstance(value, float):
                assert value == pytest.approx(kept[name], abs=digits), (device, name)


@pytest.mark.parametrize("choice", [f"model={m}" for m in MODELS] + [f"encoder={e}" for e in ENCODERS])
def test_every_choice_fits_on_the_gpu_and_comes_back_on_the_cpu(command, choice):
    code, out, err = command("fit", *IMAGE, choice, "hydra.run.dir=run")
    assert (code, err) == (0, ""), (out, err)
    assert "on cuda" in out
    assert metrics("run")["psnr"] > 5
    x = torch.rand(50, 2)
    field = ffnet.load("run")
    with torch.no_grad():
        torch.testing.assert_close(field.cuda()(x.cuda()).cpu(), field.cpu()(x), rtol=1e-3, atol=1e-3)


def test_the_scores_of_an_image_are_those_of_the_cpu(command):
    assert command("fit", *IMAGE, "precision=32-true", "hydra.run.dir=run")[0] == 0
    scores_agree(command, "run", 1e-3)


def test_the_scores_of_a_shape_are_those_of_the_cpu(command):
    code, out, err = command("fit", *SHAPE, "hydra.run.dir=run")
    assert (code, err) == (0, ""), (out, err)
    scores_agree(command, "run", 2e-3)


def test_integrals_are_fitted_as_on_the_cpu(command):
    line = [o for o in IMAGE if not o.startswith("dataset.")] + ["dataset=ct", "dataset.size=16", "dataset.angles=8"]
    code, out, err = command("fit", *line, "precision=32-true", "hydra.run.dir=run")
    assert (code, err) == (0, ""), (out, err)
    scores_agree(command, "run", 1e-3)


@pytest.mark.parametrize("encoder", ["gaussian", "positional", "composite"])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_resumed_run_has_the_same_bits(command, encoder, precision):
    line = [*IMAGE, f"encoder={encoder}", f"precision={precision}", "schedule=constant"]
    assert command("fit", *line, "hydra.run.dir=whole")[0] == 0
    assert command("fit", *line, "hydra.run.dir=parts", "trainer.max_steps=20")[0] == 0
    code, _, err = command("fit", "resume=parts", "trainer.max_steps=40")
    assert code == 0, err
    whole, parts = (ffnet.load(run).state_dict() for run in ("whole", "parts"))
    for name, tensor in whole.items():
        assert torch.equal(tensor, parts[name]), name


def test_the_network_compiled_for_the_gpu_fits_as_well(command):
    assert command("fit", *IMAGE, "hydra.run.dir=a", "precision=32-true")[0] == 0
    code, _, err = command("fit", *IMAGE, "hydra.run.dir=b", "precision=32-true", "engine.compile=default")
    assert code == 0, err
    assert metrics("b")["psnr"] == pytest.approx(metrics("a")["psnr"], abs=0.3)


def test_fit_in_python_leaves_the_random_numbers_of_the_gpu_alone():
    torch.cuda.manual_seed(1)
    before = torch.cuda.get_rng_state()
    run = ffnet.fit(torch.rand(20, 20, 3), trainer={"max_steps": 5, "accelerator": "cuda"}, progress=False)
    assert torch.equal(before, torch.cuda.get_rng_state())
    assert next(run.field.parameters()).device.type == "cpu"


def test_a_rendering_on_the_gpu_is_that_of_the_cpu(command):
    import numpy as np
    from PIL import Image

    assert command("fit", *IMAGE, "hydra.run.dir=run")[0] == 0
    for device in ("cuda", "cpu"):
        assert command("render", "run", f"device={device}", "scale=2", f"output={device}.png")[0] == 0
    one, two = (np.asarray(Image.open(f"{device}.png")).astype(int) for device in ("cuda", "cpu"))
    assert abs(one - two).max() <= 2
