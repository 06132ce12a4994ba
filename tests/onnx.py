"""Many modules as one ONNX graph: exporting each on its own takes a second and more."""

import io
import warnings

import torch
from torch import nn


class Together(nn.Module):
    """Each module's output for the first ``in_features`` columns of x."""

    def __init__(self, modules: list[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(modules)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [module(x[:, : module.in_features]) for module in self.parts]


def onnx_differences(modules: dict[str, nn.Module], counts: tuple[int, ...] = (2, 9)) -> dict[str, float]:
    """The largest difference between torch and onnxruntime, by name, over batches of so many points."""
    import onnxruntime

    together = Together(list(modules.values())).eval()
    width = max(module.in_features for module in modules.values())
    generator = torch.Generator().manual_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        program = torch.onnx.export(
            together,
            (torch.rand(4, width, generator=generator),),
            dynamic_shapes=({0: torch.export.Dim("points")},),
            dynamo=True,
            optimize=False,
            verbose=False,
        )
    buffer = io.BytesIO()
    program.save(buffer)
    session = onnxruntime.InferenceSession(buffer.getvalue())
    worst = dict.fromkeys(modules, 0.0)
    for count in counts:
        x = torch.rand(count, width, generator=generator)
        outputs = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        with torch.no_grad():
            expected = together(x)
        for name, one, other in zip(modules, outputs, expected, strict=True):
            assert one.shape == tuple(other.shape), name
            worst[name] = max(worst[name], (torch.from_numpy(one) - other).abs().max().item())
    return worst
