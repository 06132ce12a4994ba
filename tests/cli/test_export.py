"""ffnet export, and the files as other programs read them; and every network and encoder through ffnet fit."""

import json
import sys

import numpy as np
import pytest
import torch

import ffnet

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.mark.usefixtures("without_shape_checks")
def test_onnx_gives_the_same_values_for_any_number_of_points(command, fitted):
    import onnxruntime

    code, out, err = command("export", f"checkpoint={fitted}", "output=field.onnx")
    assert (code, err) == (0, "")
    assert "wrote   field.onnx, (points, 2) to (points, 3)" in out
    session = onnxruntime.InferenceSession("field.onnx")
    assert (
        json.loads(session.get_modelmeta().custom_metadata_map["ffnet"])["signal"]["_target_"]
        == "ffnet.signals.ImageRecord"
    )
    for count in (1, 2, 50):
        x = torch.rand(count, 2)
        (values,) = session.run(["values"], {"coordinates": x.numpy()})
        np.testing.assert_allclose(values, ffnet.load(fitted)(x).detach(), atol=1e-5)


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
