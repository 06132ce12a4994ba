"""Every model in onnxruntime, at two batch sizes."""

import pytest

from tests.models.cases import MODELS
from tests.onnx import onnx_differences

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.mark.long
@pytest.mark.untraced
@pytest.mark.usefixtures("without_shape_checks")
def test_every_model_gives_the_same_values_in_onnxruntime():
    models = {name: constructor(**arguments(), seed=0) for name, (constructor, arguments) in MODELS.items()}
    for name, difference in onnx_differences(models).items():
        assert difference <= 1e-5, name
