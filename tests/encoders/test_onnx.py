"""Every encoder in onnxruntime, at two batch sizes."""

import pytest

from tests.encoders.cases import ENCODERS
from tests.onnx import onnx_differences

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.mark.untraced
@pytest.mark.long
@pytest.mark.usefixtures("without_shape_checks")
def test_every_encoder_gives_the_same_features_in_onnxruntime():
    encoders = {name: constructor(**arguments) for name, (constructor, arguments) in ENCODERS.items()}
    for name, difference in onnx_differences(encoders).items():
        assert difference <= 1e-5, name
