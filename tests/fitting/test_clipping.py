"""Clipped steps against their formula, and as a setting of the trainer."""

import pytest
import torch

from ffnet.fitting import Clipping, Engine, Objective, Stepper
from tests.conftest import SMALL
from tests.fitting.test_step import field
from tests.training.helpers import image


@pytest.mark.parametrize("micro_batch", [None, 7])
@pytest.mark.parametrize(("limit", "algorithm"), [(1e-3, "norm"), (1e6, "norm"), (1e-4, "value")])
def test_a_step_uses_the_clipped_gradient_of_the_whole_batch(micro_batch, limit, algorithm):
    dataset, network, plain = image(batch_size=50), field(), field()
    generator = torch.Generator().manual_seed(1)
    objective = Objective(torch.nn.MSELoss())
    stepper = Stepper(
        network, dataset, objective, generator, 10, Engine(micro_batch, 0), clip=Clipping(limit, algorithm)
    )
    stepper.step(0, torch.optim.SGD(network.parameters(), lr=1.0))

    batch = dataset.sample(torch.Generator().manual_seed(1))
    torch.nn.MSELoss()(plain(batch.queries), batch.targets).backward()
    slopes = torch.cat([parameter.grad.flatten() for parameter in plain.parameters()])
    clipped = slopes * min(1, limit / slopes.norm().item()) if algorithm == "norm" else slopes.clamp(-limit, limit)
    before = torch.nn.utils.parameters_to_vector(plain.parameters())
    after = torch.nn.utils.parameters_to_vector(network.parameters())
    torch.testing.assert_close(after, before - clipped, atol=1e-6, rtol=1e-4)


def test_a_resumed_run_clips_as_before(command, tmp_path):
    line = [*SMALL, "trainer.gradient_clip_val=0.01", "logger=none"]
    assert command("fit", *line, "hydra.run.dir=whole")[0] == 0
    assert command("fit", *line, "hydra.run.dir=part", "trainer.max_steps=12", "schedule.T_max=20")[0] == 0
    assert command("fit", "resume=part", "trainer.max_steps=20")[0] == 0
    whole, part = (
        torch.load(tmp_path / run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in ("whole", "part")
    )
    assert all(torch.equal(whole[name], part[name]) for name in whole)
    assert command("fit", *SMALL, "logger=none", "hydra.run.dir=free")[0] == 0
    free = torch.load(tmp_path / "free" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert not all(torch.equal(whole[name], free[name]) for name in whole)
