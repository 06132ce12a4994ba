"""Every encoder in onnxruntime, at two batch sizes."""

import math

import pytest

from tests.encoders.cases import ENCODERS
from tests.onnx import onnx_differences

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.mark.usefixtures("without_shape_checks")
def test_every_encoder_gives_the_same_features_in_onnxruntime():
    encoders = {name: constructor(**arguments) for name, (constructor, arguments) in ENCODERS.items()}
    for name, difference in onnx_differences(encoders).items():
        # onnxruntime rounds every product of B x, torch fuses it with the sum: half a unit in the last place of each.
        cycles = sum(b.abs().sum(-1).max().item() for n, b in encoders[name].state_dict().items() if n.endswith("B"))
        assert difference <= max(1e-5, 2 * math.pi * cycles * 2**-23), name
