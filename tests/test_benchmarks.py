"""What the benchmarks share with ``ffnet fit``, and whether a comparison of two versions sees what changed."""

import json
import math
from pathlib import Path

import pytest
import torch

from tests.conftest import SMALL

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


def test_they_assemble_the_fit_of_the_command_line():
    from loops import assembled

    module, trainer = assembled([*SMALL, "logger=none", "~callbacks.progress"])
    trainer.fit(module)
    assert module.step == 20


@pytest.mark.parametrize(("precision", "dtype"), [("bf16-mixed", torch.bfloat16), ("32-true", torch.float32)])
def test_products_are_timed_in_the_type_that_ffnet_chooses(monkeypatch, precision, dtype):
    import loops

    monkeypatch.setattr(loops, "automatic_precision", lambda accelerator: precision)
    assert loops.product_type() == dtype


def weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"B": torch.randn(4, 2, generator=generator), "0.weight": torch.randn(3, 4, generator=generator)}


def test_equal_weights_compare_as_identical():
    from compare import compare_weights

    assert compare_weights(weights(), weights()) == {}
    nan = {"a": torch.tensor([math.nan, 1.0])}
    assert compare_weights(nan, {"a": nan["a"].clone()}) == {}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64, torch.complex64, torch.int64], ids=str)
def test_a_flipped_bit_is_seen(dtype):
    from compare import compare_weights

    old = {"a": torch.arange(1, 7).reshape(2, 3).to(dtype), "b": torch.ones(2)}
    new = {name: value.clone() for name, value in old.items()}
    new["a"].view(-1).view(torch.uint8)[0] ^= 1
    [(name, difference)] = compare_weights(old, new).items()
    assert name == "a"
    assert 0 < difference <= 1
    assert difference == (old["a"] - new["a"]).abs().max()


def test_zeros_of_different_signs_differ_in_their_bits():
    from compare import compare_weights

    assert compare_weights({"a": torch.tensor(0.0)}, {"a": torch.tensor(-0.0)}) == {"a": 0}


@pytest.mark.parametrize("other", [torch.zeros(3, 2), torch.full((2, 3), math.nan)], ids=["shape", "nan"])
def test_another_shape_or_nan_differs_by_infinity(other):
    from compare import compare_weights

    assert compare_weights({"a": torch.zeros(2, 3)}, {"a": other}) == {"a": math.inf}


def test_another_type_differs():
    from compare import compare_weights

    assert compare_weights({"a": torch.zeros(2)}, {"a": torch.zeros(2).double()}) == {"a": 0}


def test_a_missing_parameter_differs_and_a_missing_buffer_does_not():
    from compare import compare_weights

    less = {"0.weight": weights()["0.weight"]}
    for one, other in ((weights(), less), (less, weights())):
        assert compare_weights(one, other) == {"B": math.inf}
        assert compare_weights(one, other, buffers={"B"}) == {}


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (30.0, 30.0 + 5e-10, True),
        (30.0, 30.0 + 2e-9, False),
        (math.inf, math.inf, True),
        (math.nan, math.nan, True),
        (30.0, math.nan, False),
        (30.0, None, False),
        (None, 30.0, True),
    ],
)
def test_a_score_may_move_by_the_tolerance_and_not_go_missing(old, new, same):
    from compare import TOLERANCE, Outcome, compare_scores

    one, other = ({} if value is None else {"psnr": value} for value in (old, new))
    outcome = Outcome({}, compare_scores(one, other), [])
    assert outcome.same(TOLERANCE) == same


def checkout(root: Path, buffer: str, scores: dict[str, float], flipped: bool = False) -> Path:
    """A package ``ffnet`` whose ``fit`` leaves prepared files, and whose ``load`` knows one parameter."""
    (root / "run" / "checkpoints").mkdir(parents=True)
    tensors = weights()
    tensors["0.weight"].view(torch.int32)[0, 0] ^= flipped
    state = {f"field.{buffer}": tensors["B"], "field.0.weight": tensors["0.weight"], "loss.scale": torch.ones(1)}
    torch.save({"state_dict": state}, root / "run" / "checkpoints" / "last.ckpt")
    (root / "run" / "metrics.json").write_text(json.dumps(scores | {"steps": 200, "seconds": 1 / len(buffer)}))
    (root / "ffnet").mkdir()
    (root / "ffnet" / "__init__.py").write_text(
        "class load:\n    def __init__(self, run): pass\n    def named_parameters(self): return [('0.weight', None)]\n"
    )
    (root / "ffnet" / "__main__.py").write_text(
        "import pathlib, shutil, sys\n"
        "run = next(a for a in sys.argv if a.startswith('hydra.run.dir=')).partition('=')[2]\n"
        "shutil.copytree(pathlib.Path(__file__).parents[1] / 'run', run, dirs_exist_ok=True)\n"
    )
    return root


def test_renamed_buffers_and_scores_compare_as_identical(tmp_path, capsys):
    from compare import main

    old = checkout(tmp_path / "old", "B", {"psnr": 30.0, "psnr_rest": 31.0})
    new = checkout(tmp_path / "new", "frequencies", {"psnr": 30.0, "rest/psnr": 31.0, "ssim": 0.9})
    assert main([str(old), str(new), "--case", "half"]) == 0
    out = capsys.readouterr().out
    assert "| half | yes | psnr | 30 | 30 | 0.0e+00 | identical |" in out
    assert "|  |  | rest/psnr | 31 | 31 | 0.0e+00 |  |" in out
    for note in ("OLD: tensor B", "NEW: tensor frequencies", "NEW: score ssim"):
        assert f"- only in {note}" in out
    assert "1 of 1 cases identical" in out


def test_one_flipped_bit_of_a_parameter_fails_the_comparison(tmp_path, capsys):
    from compare import main

    old, new = (checkout(tmp_path / name, "B", {"psnr": 30.0}, name == "new") for name in ("old", "new"))
    assert main([str(old), str(new), "--case", "half"]) == 1
    out = capsys.readouterr().out
    assert "no: 1 differ, `0.weight` by" in out
    assert "**differs**" in out


def test_a_fit_that_fails_fails_the_comparison(tmp_path, capsys):
    from compare import main

    old, new = (checkout(tmp_path / name, "B", {"psnr": 30.0}) for name in ("old", "new"))
    (new / "ffnet" / "__main__.py").write_text("raise SystemExit('out of paint')")
    assert main([str(old), str(new), "--case", "half"]) == 1
    assert "out of paint" in capsys.readouterr().out


def test_what_is_no_checkout_is_refused(tmp_path, capsys):
    from compare import main

    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path), str(tmp_path)])
    assert str(tmp_path) in capsys.readouterr().err


def test_settings_are_spelled_as_each_checkout_has_them(tmp_path):
    from compare import Side

    (callbacks := tmp_path / "old" / "conf" / "callbacks").mkdir(parents=True)
    (callbacks / "default.yaml").write_text("evaluation: {every_n_steps: 250}\npictures:\n  every_n_steps: 250\n")
    side = Side(checkout(tmp_path / "old", "B", {}), tmp_path / "results", threads=1)
    assert side.spelled("~callbacks.views seed=0") == ["~callbacks.pictures", "seed=0"]
    (callbacks / "default.yaml").write_text("views:\n  every_n_steps: 250\n")
    assert side.spelled("~callbacks.views seed=0") == ["~callbacks.views", "seed=0"]
