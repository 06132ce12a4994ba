"""ffnet export, and the files as other programs read them; and every network and encoder through ffnet fit."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ffnet
from tests.cli.test_choices import ENCODERS, TINY
from tests.conftest import SMALL_SHAPE
from tests.harness import forked

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.mark.usefixtures("without_shape_checks")
def test_onnx_gives_the_same_values_for_any_number_of_points(command, fitted):
    import onnxruntime

    code, out, err = command("export", f"checkpoint={fitted}", "output=field.onnx")
    assert (code, err) == (0, "")
    wrote, size, values = out.splitlines()  # and nothing of the exporter's
    assert wrote == "wrote   field.onnx, (points, 2) to (points, 3)"
    assert size.endswith("kB, weights in float32")
    assert values == "values  red, green, blue in [0, 1]"
    session = onnxruntime.InferenceSession("field.onnx")
    assert (
        json.loads(session.get_modelmeta().custom_metadata_map["ffnet"])["signal"]["_target_"]
        == "ffnet.signals.ImageRecord"
    )
    for count in (1, 2, 50):
        x = torch.rand(count, 2)
        (values,) = session.run(["values"], {"coordinates": x.numpy()})
        np.testing.assert_allclose(values, ffnet.load(fitted)(x).detach(), atol=1e-5)


@pytest.mark.long
@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("encoder", [*ENCODERS, "spherical_harmonics"])
def test_exporters_print_nothing_of_their_own(tmp_path, encoder):
    """At the descriptors, where compiled code prints as well."""
    forked.preload()
    harmonics = encoder == "spherical_harmonics"  # of three coordinates
    line = [o for o in SMALL_SHAPE if not o.startswith(("encoder", "trainer.max"))] if harmonics else TINY
    done = forked.run(["fit", *line, f"encoder={encoder}", "trainer.max_steps=4", "hydra.run.dir=run"], tmp_path)
    assert done.code == 0, done
    scores = {"surface/iou", "uniform/iou"} if harmonics else {"psnr"}
    for suffix, precision in (("onnx", "float32"), ("pt2", "float32"), ("safetensors", "float32"), ("onnx", "int8")):
        argv = ["export", "checkpoint=run", f"output=x.{suffix}", f"precision={precision}"]
        done = forked.run(argv, tmp_path)
        assert (done.code, done.err) == (0, "")
        begun = [text.split()[0] for text in done.out.splitlines()]
        more = {"read", *scores} if precision == "int8" else set()
        assert sorted(begun) == sorted({"wrote", "size", "values", *more})


def psnr(values, fitted):
    """Of float32 values at the pixels of the bundled image, resized as the run did."""
    cat = Image.open(Path(__file__).parents[2] / "data" / "cat.png").convert("RGB")
    cat = np.asarray(cat.resize((20, 24), Image.Resampling.LANCZOS), np.float64) / 255
    return -10 * np.log10(np.square(values.astype(np.float64) - cat.reshape(-1, 3)).mean())


def pixels():
    y, x = np.mgrid[:24, :20] + 0.5
    return np.stack([x / 20, y / 24], -1).reshape(-1, 2).astype(np.float32)


def said(out):
    """The PSNR of the exported weights and of those in float32."""
    line = next(line for line in out.splitlines() if line.startswith("psnr"))
    return [float(part.split()[-1]) for part in line.split(";")]


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("precision", ["int8", pytest.param("float16", marks=pytest.mark.long)])
@pytest.mark.long
def test_onnx_of_fewer_bits_has_the_psnr_that_is_said(command, fitted, precision):
    import onnxruntime

    code, out, err = command("export", f"checkpoint={fitted}", "output=a.onnx", f"precision={precision}")
    assert (code, err) == (0, "")
    session = onnxruntime.InferenceSession("a.onnx")
    (values,) = session.run(["values"], {"coordinates": pixels()})
    exported, original = said(out)
    assert exported == pytest.approx(psnr(values, fitted), abs=1e-3)
    with torch.no_grad():
        assert original == pytest.approx(psnr(ffnet.load(fitted)(torch.from_numpy(pixels())).numpy(), fitted), abs=1e-3)


@pytest.mark.untraced
@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_exported_weights_come_back_with_the_psnr_that_is_said(command, fitted, precision):
    code, out, err = command("export", f"checkpoint={fitted}", "output=a.safetensors", f"precision={precision}")
    assert (code, err) == (0, "")
    with torch.no_grad():
        values = ffnet.load("a.safetensors")(torch.from_numpy(pixels())).numpy()
    assert said(out)[0] == pytest.approx(psnr(values, fitted), abs=1e-3)


def test_exported_weights_render_the_same_picture(command, fitted, tmp_path):
    assert command("export", f"checkpoint={fitted}", "output=a.safetensors")[0] == 0
    assert command("render", "a.safetensors", "output=a.png")[0] == 0
    assert command("render", f"checkpoint={fitted}", "output=b.png")[0] == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    code, _, err = command("evaluate", "a.safetensors")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "a.safetensors: has no dataset" in err


@pytest.mark.parametrize("umask", [0o022, 0o027])
def test_the_file_may_be_read_as_any_that_is_opened(command, fitted, tmp_path, umask):
    before = os.umask(umask)
    try:
        assert command("export", f"checkpoint={fitted}", "output=a.safetensors")[0] == 0
    finally:
        os.umask(before)
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_signal_that_is_gone_is_said(command, fitted):
    contents = torch.load(fitted / "checkpoints" / "last.ckpt", weights_only=True)
    contents["ffnet"]["settings"]["dataset"]["path"] = "gone.png"
    torch.save(contents, "a.ckpt")
    code, out, err = command("export", "checkpoint=a.ckpt", "output=a.safetensors", "precision=int8")
    assert (code, err) == (0, "")
    assert "scores  none: " in out
    assert "gone.png: no such file" in out


def test_an_unknown_precision_is_one_line(command, fitted, tmp_path):
    code, _, err = command("export", f"checkpoint={fitted}", "output=a.onnx", "precision=int4")
    assert (code, err) == (2, "ffnet export: precision: expected one of float32, float16, int8, got 'int4'\n")
    assert not (tmp_path / "a.onnx").exists()


@pytest.mark.untraced
@pytest.mark.usefixtures("without_shape_checks")
def test_a_program_gives_the_same_values_for_any_number_of_points(command, fitted):
    assert command("export", f"checkpoint={fitted}", "output=field.pt2")[0] == 0
    module = torch.export.load("field.pt2").module()
    for count in (2, 50):
        x = torch.rand(count, 2)
        torch.testing.assert_close(module(x), ffnet.load(fitted)(x), atol=1e-5, rtol=0)


def test_safetensors_holds_the_weights_and_the_settings(command, fitted):
    from safetensors import safe_open

    assert command("export", f"checkpoint={fitted}", "output=field.safetensors")[0] == 0
    field = ffnet.load(fitted)
    with safe_open("field.safetensors", "pt") as file:
        assert json.loads(file.metadata()["ffnet"])["field"]["_target_"] == "ffnet.models.CoordinateMLP"
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    assert weights.keys() == field.state_dict().keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in field.state_dict().items())


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("field.h5", "output: expected a name ending in .onnx, .pt2, .safetensors, got field.h5"),
        ("nowhere/field.onnx", "output: nowhere is not a directory in which to write field.onnx"),
    ],
)
def test_bad_output_is_one_line(command, fitted, tmp_path, output, message):
    before = set(tmp_path.rglob("*"))
    code, _, err = command("export", f"checkpoint={fitted}", f"output={output}")
    assert (code, err.strip()) == (2, f"ffnet export: {message}")
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("output", "module"), [("field.onnx", "onnxscript"), ("field.safetensors", "safetensors")])
def test_a_missing_library_is_one_line(command, fitted, monkeypatch, output, module):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, f"{module}.torch", None)
    code, _, err = command("export", f"checkpoint={fitted}", f"output={output}")
    assert code == 2
    assert "pip install 'ffnet[export]'" in err
    assert len(err.strip().splitlines()) == 1
