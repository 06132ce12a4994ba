"""Both ways with deepinv, if it is installed; docs/deepinv.md as it stands."""

import json
import re
from pathlib import Path

import pytest
import torch

deepinv = pytest.importorskip("deepinv", reason="pip install 'ffnet[deepinv]'")

from ffnet.reconstructor import FieldReconstructor  # noqa: E402
from tests.conftest import SMALL  # noqa: E402

PAGE = Path(__file__).parents[1] / "docs" / "deepinv.md"
# Their code warns of its own use of torch.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("without_shape_checks")]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_a_field_explains_the_measurements_of_every_image():
    generator = torch.Generator().manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.rand(2, 1, 4, 4, generator=generator), size=(16, 16), mode="bicubic")
    x = smooth.clamp(0, 1)
    physics = deepinv.physics.Tomography(angles=12, img_width=16)
    y = physics(x)
    found = FieldReconstructor(steps=150)(y, physics)
    assert found.shape == x.shape
    assert not found.requires_grad
    misfit, scale = (physics.A(found) - y).square().mean(), (y - y.mean()).square().mean()
    assert misfit < 0.02 * scale
    assert (found - x).square().mean() < 0.2 * (x - x.mean()).square().mean()
    torch.testing.assert_close(found[1:], FieldReconstructor(steps=150)(y[1:], physics))


@pytest.mark.long
def test_the_pages_script_runs(capsys):
    (code,) = blocks("python")
    exec(code, {})
    assert float(re.search(r"tensor\(\[([\d.]+)\]", capsys.readouterr().out).group(1)) > 18


@pytest.mark.long
def test_the_pages_settings_are_enough(command, tmp_path):
    """Tomography, a blur and a mask, with no code at all."""
    (tmp_path / "conf" / "operator").mkdir(parents=True)
    for name, text in re.findall(r"`(conf/[\w/]+\.yaml)`\n\n```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL):
        (tmp_path / name).write_text(text)
    short = [words for words in SMALL if not words.startswith("dataset.")]
    lines = blocks("sh")[0].strip().splitlines()
    assert len(lines) == 3
    for line in lines:
        words = line.split()[1:]
        code, out, err = command(*words, *short)
        assert code == 0, (line, out, err)
        metrics = json.loads((tmp_path / words[-1].partition("=")[2] / "metrics.json").read_text())
        assert set(metrics["higher_is_better"]) == {"psnr", "data/rmse"}
    code, _, err = command("fit", "resume=tomography", "trainer.max_steps=4", "trust=[deepinv.physics.Tomography]")
    assert code == 0, err
