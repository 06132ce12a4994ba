"""What the kernel at the start predicts, and where the prediction ends."""

from functools import partial

import pytest
import torch
from PIL import Image
from torch import nn

from ffnet.analysis import Observed, curves, line_spectrum
from ffnet.analysis.ntk_figure import draw
from ffnet.encoders import GaussianEncoder, IdentityEncoder, PositionalEncoder
from ffnet.kernels import empirical_ntk, empirical_ntk_trace, finite_mlp
from ffnet.models import CoordinateMLP, Field

ADAM = partial(torch.optim.Adam, lr=4e-3)


class Plain(Field):
    """A wide network with one output, for which the prediction holds."""

    def __init__(self, encoder, width):
        super().__init__(encoder, 1)
        self.network = finite_mlp(encoder.out_features, width, 2, seed=0)

    def decode(self, features):
        return self.network(features)


def points(count=20, dimensions=2):
    return torch.rand(count, dimensions, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_wide_network_is_predicted_for_longer():
    x = points()
    encoder = GaussianEncoder(2, 16, 3.0).double()
    narrow, wide = (curves(Plain(encoder, width), x, x[:, :1], 40, 0.5, ADAM) for width in (16, 1024))
    assert narrow["holds_until"] < wide["holds_until"] == 40
    assert wide["kernel_drift"][0] < 0.2 * narrow["kernel_drift"][0]
    assert "until step" in narrow["statement"]
    assert "for all 40 steps" in wide["statement"]


def network(outputs=1):
    return CoordinateMLP(GaussianEncoder(2, 16), outputs, 64, 2, seed=0).double()


def gains(found):
    return [curve[1] - curve[0] for curve in (found["predicted_psnr"], found["trained_psnr"])]


def test_one_small_step_is_predicted():
    predicted, trained = gains(curves(network(), points(), points()[:, :1], 1, 1e-3, ADAM))
    assert trained == pytest.approx(predicted, rel=0.01)
    assert predicted > 0


def means_along_lines(field, ends):
    """Each query is the two ends of a line."""
    t = torch.linspace(0, 1, 5, dtype=ends.dtype)[:, None]
    first, last = ends[:, None, :2], ends[:, None, 2:]
    return field(first * (1 - t) + last * t).mean(1)


def coefficients(field, frequencies):
    """Fourier coefficients on the unit square's diagonal, complex."""
    t = (torch.arange(8, dtype=frequencies.dtype) + 0.5) / 8
    waves = torch.exp(-2j * torch.pi * frequencies * t)
    return waves @ field(t[:, None].expand(-1, 2)).to(waves.dtype) / 8


@pytest.mark.parametrize(
    ("operator", "queries", "targets"),
    [
        (means_along_lines, points(12, 4), points(12, 1)),
        (coefficients, 4 * points(4, 1), torch.complex(points(4, 1), points(4, 1))),
    ],
    ids=["line integrals", "complex"],
)
def test_one_small_step_is_predicted_through_an_operator(operator, queries, targets):
    found = curves(network(), queries, targets, 1, 1e-3, ADAM, operator=operator)
    error = operator(network(), queries) - targets
    count = error.numel() * (2 if error.is_complex() else 1)
    psnr = -10 * torch.log10(error.abs().square().sum() / count)
    assert found["trained_psnr"][0] == pytest.approx(psnr.item())
    predicted, trained = gains(found)
    assert trained == pytest.approx(predicted, rel=0.01)
    assert predicted > 0


def test_the_kernel_of_an_observation_sums_over_its_points():
    """A mean of values has the mean of their kernels."""
    lines = points(3, 4)
    observed = empirical_ntk_trace(Observed(network(), means_along_lines), lines)
    t = torch.linspace(0, 1, 5, dtype=torch.float64)[:, None]
    every = (lines[:, None, :2] * (1 - t) + lines[:, None, 2:] * t).flatten(0, 1)
    wanted = empirical_ntk(network(), every)[..., 0, 0].reshape(3, 5, 3, 5).mean((1, 3))
    torch.testing.assert_close(observed, wanted)


def test_a_plain_network_learns_high_frequencies_late():
    plain, encoded = (
        line_spectrum(CoordinateMLP(encoder, 1, 64, 2, seed=0).double(), 64, 0.5)
        for encoder in (IdentityEncoder(1), PositionalEncoder(1, 6))
    )
    ratio = lambda found: found["decay_steps_by_octave"][4] / found["decay_steps_by_octave"][0]  # noqa: E731
    assert ratio(plain) > 10 * ratio(encoded)


@pytest.mark.parametrize(
    ("count", "octaves"),
    [(16, [[1, 1], [2, 3], [4, 7], [8, 8]]), (13, [[1, 1], [2, 3], [4, 6]]), (4, [[1, 1], [2, 2]])],
)
def test_octaves_of_a_line_average_its_eigenvalues(count, octaves):
    found = line_spectrum(CoordinateMLP(PositionalEncoder(1, 3), 1, 16, 1, seed=0).double(), count, 0.5)
    assert found["octaves"] == octaves
    values, times = found["eigenvalues_by_frequency"], found["decay_steps_by_octave"]
    first = [found["decay_steps_by_frequency"][1] * values[1] / t for t in times]
    means = [sum(values[low : high + 1]) / (high + 1 - low) for low, high in octaves]
    assert first == pytest.approx(means)


def test_a_kernel_without_a_frequency_says_so():
    class Constant(Field):
        def __init__(self):
            super().__init__(IdentityEncoder(1), 1)
            self.layer = nn.Linear(1, 1)

        def decode(self, features):
            return self.layer(torch.zeros_like(features))

    found = line_spectrum(Constant().double(), 16, 0.5)
    assert found["eigenvalues_by_frequency"][0] == pytest.approx(16)
    assert found["decay_steps_by_frequency"][0] == pytest.approx(1)
    assert all(time is None or time > 1e12 for time in found["decay_steps_by_frequency"][1:])


def test_the_report_is_drawn(tmp_path):
    field = network()
    report = line_spectrum(field, 16, 0.5) | curves(field, points(), points()[:, :1], 3, 0.5, ADAM)
    draw(report, "a network", tmp_path / "ntk.png")
    with Image.open(tmp_path / "ntk.png") as image:
        assert image.size == (1320, 960)
