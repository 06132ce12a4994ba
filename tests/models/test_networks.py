"""Networks against their formulas written out, and what their papers state of them."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from ffnet.encoders import IdentityEncoder, PositionalEncoder
from ffnet.models import CoordinateMLP, FilterNetwork, Finer, Gabor, Gaussian, Siren, VariableSine, Wire
from ffnet.models.activations import complex_gabor


def centred(count: int, dimensions: int = 2) -> torch.Tensor:
    return torch.rand(count, dimensions, generator=torch.Generator().manual_seed(0))


def hidden(model: nn.Module, x: torch.Tensor, kind: type[nn.Module]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """What every activation of ``kind`` is given and gives."""
    seen: list = []
    hooks = [
        module.register_forward_hook(lambda _, given, gives: seen.append((given[0].detach(), gives.detach())))
        for module in model.modules()
        if isinstance(module, kind)
    ]
    model(x)
    for hook in hooks:
        hook.remove()
    return seen


def test_skips_bring_the_features_back_in_front():
    model = CoordinateMLP(PositionalEncoder(2, 2), 1, 8, 4, skips=[2], seed=0)
    x = centred(5)
    weights = list(model.parameters())
    features = model.encoder(x)
    h = features
    for layer in range(4):
        h = torch.relu(
            (torch.cat([features, h], -1) if layer == 2 else h) @ weights[2 * layer].T + weights[2 * layer + 1]
        )
    torch.testing.assert_close(model(x), h @ weights[8].T + weights[9])


@pytest.mark.parametrize("skips", [[0], [4], [1, 9]])
def test_skips_lead_to_hidden_layers(skips):
    with pytest.raises(ValueError, match="skips: expected hidden layers from 1 to 3, got"):
        CoordinateMLP(IdentityEncoder(2), 1, 8, 4, skips=skips)


# SIREN


def test_siren_is_its_formula():
    model = Siren(IdentityEncoder(2), 3, 8, 2, first_omega=20.0, hidden_omega=10.0, seed=0)
    x, (w0, b0, w1, b1, w2, b2) = centred(7), list(model.parameters())
    h = torch.sin(10 * (torch.sin(20 * (x @ w0.T + b0)) @ w1.T + b1))
    torch.testing.assert_close(model(x), h @ w2.T + b2)


def test_siren_keeps_its_distribution_however_deep_it_is():
    """Theorem 1.8: arguments of the sines are normal with a variance near 1, and do not fade with depth.

    Exactly: the first sines run through whole turns, so the second arguments have variance 1; a normal argument of
    variance v has a sine of mean square (1 - exp(-2 v)) / 2, and the next has variance 1 - exp(-2 v): 0.8 in the end.
    """
    model = Siren(IdentityEncoder(2, centred=True), 1, 1024, 6, seed=0)
    for layer in list(model.network)[2::2]:  # the theorem has no biases after the first layer
        layer.bias.data.zero_()
    layers = hidden(model, centred(500), type(model.network[1]))
    assert len(layers) == 6
    variance = 1.0
    for given, gives in layers[1:]:
        argument = 30 * given
        assert argument.var().item() == pytest.approx(variance, rel=0.06)
        kurtosis = ((argument - argument.mean()) ** 4).mean() / argument.var() ** 2
        assert kurtosis.item() == pytest.approx(3, abs=0.3)
        variance = 1 - math.exp(-2 * variance)
        assert gives.square().mean().item() == pytest.approx(variance / 2, rel=0.06)


def test_sirens_gradient_is_a_siren():
    """Section 3: a derivative of sines is made of sines. The second one does not vanish, as a ReLU network's does."""
    model = Siren(IdentityEncoder(1, centred=True), 1, 64, 2, seed=0)
    x = centred(20, 1).requires_grad_()
    (first,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert second.abs().median() > 1


# FINER


def test_finers_sine_has_a_local_frequency_that_grows_from_0():
    z = torch.linspace(-3, 3, 601, dtype=torch.float64, requires_grad=True)
    phase = VariableSine(5.0)
    slope = torch.autograd.grad(phase(z).sum(), z)[0]
    expected = 5 * (2 * z.abs() + 1) * (5 * (z.abs() + 1) * z).cos()
    torch.testing.assert_close(slope, expected)


def test_a_detached_scale_leaves_the_values_and_takes_its_part_from_the_slope():
    z = torch.linspace(-3, 3, 601, dtype=torch.float64, requires_grad=True)
    attached, detached = VariableSine(5.0), VariableSine(5.0, detach_scale=True)
    assert torch.equal(attached(z), detached(z))
    slope = torch.autograd.grad(detached(z).sum(), z)[0]
    torch.testing.assert_close(slope, 5 * (z.abs() + 1) * (5 * (z.abs() + 1) * z).cos())
    model = Finer(IdentityEncoder(2), 1, 8, 3, detach_scale=True)
    assert [m.detach_scale for m in model.modules() if isinstance(m, VariableSine)] == [True] * 3


def test_finer_reaches_higher_frequencies_the_further_from_0_its_first_biases_start():
    """Liu et al. 2024, section 3.2: the biases' range decides which frequencies the network supports."""
    x = torch.linspace(0, 1, 2048, dtype=torch.float64)[:, None]

    def mean_frequency(first_bias: float) -> float:
        total = 0.0
        for seed in range(5):
            model = Finer(IdentityEncoder(1, centred=True), 1, 64, 1, first_omega=10, first_bias=first_bias, seed=seed)
            values = model.double()(x).detach()[:, 0]
            power = torch.fft.rfft((values - values.mean()) * torch.hann_window(2048, dtype=torch.float64)).abs() ** 2
            total += (power @ torch.arange(1025, dtype=torch.float64) / power.sum()).item()
        return total / 5

    low, middle, high = mean_frequency(0.01), mean_frequency(3.0), mean_frequency(10.0)
    assert 1.5 * low < middle
    assert 1.5 * middle < high


def test_finer_starts_like_siren_but_for_the_first_biases():
    finer, siren = (
        Finer(IdentityEncoder(2), 1, 16, 2, first_bias=20.0, seed=3),
        Siren(IdentityEncoder(2), 1, 16, 2, seed=3),
    )
    for (name, one), (_, other) in zip(finer.named_parameters(), siren.named_parameters(), strict=True):
        assert torch.equal(one, other) == (name != "network.0.bias"), name
    assert 10 < finer.network[0].bias.abs().max() <= 20


# Gaussian and Gabor activations, WIRE


def test_activations_are_their_formulas():
    z = torch.linspace(-2, 2, 101, dtype=torch.float64)
    np.testing.assert_allclose(Gaussian(0.3)(z), np.exp(-(z.numpy() ** 2) / (2 * 0.09)))
    np.testing.assert_allclose(Gabor(3.0, 2.0)(z), np.cos(3 * z.numpy()) * np.exp(-4 * z.numpy() ** 2))


def test_a_complex_wavelet_is_that_of_complex_numbers():
    z = np.random.default_rng(0).normal(size=50) + 1j * np.random.default_rng(1).normal(size=50)
    expected = np.exp(1j * 3 * z - np.abs(2 * z) ** 2)
    real, imaginary = complex_gabor(torch.tensor(z.real), torch.tensor(z.imag), 3.0, 2.0)
    np.testing.assert_allclose(real.numpy() + 1j * imaginary.numpy(), expected)


def test_a_wavelet_lies_between_sirens_wave_and_a_gaussian():
    """Saragadam et al. 2023, section 3.1: without scale a complex sinusoid, without omega a Gaussian."""
    z = torch.linspace(-1, 1, 50, dtype=torch.float64)
    wave = complex_gabor(z, torch.zeros_like(z), 7.0, 0.0)
    torch.testing.assert_close(wave[1], torch.sin(7 * z))
    bump = complex_gabor(z, torch.zeros_like(z), 0.0, 3.0)
    torch.testing.assert_close(bump[0], Gaussian(1 / (3 * 2**0.5))(z))
    torch.testing.assert_close(bump[1], torch.zeros_like(z))


@pytest.mark.parametrize("first_omega", [None, 6.0])
def test_wire_is_a_network_of_complex_numbers(first_omega):
    model = Wire(IdentityEncoder(2), 3, 8, 3, omega=4.0, scale=2.0, first_omega=first_omega, seed=0).double()
    x, parameters = centred(7).double(), [p.detach().numpy() for p in model.parameters()]

    def wavelet(z: np.ndarray, omega: float = 4.0) -> np.ndarray:
        return np.exp(1j * omega * z - np.abs(2 * z) ** 2)

    h = wavelet(x.numpy() @ parameters[0].T + parameters[1], first_omega or 4.0)
    for layer in (2, 4, 6):
        weight, bias = (p[0] + 1j * p[1] for p in parameters[layer : layer + 2])
        h = h @ weight.T + bias
        h = wavelet(h) if layer < 6 else h.real
    np.testing.assert_allclose(model(x).detach().numpy(), h)


def test_wires_units_are_local():
    """A wavelet unit falls off where its argument is large: far away only the bias of the last layer is left."""
    model = Wire(IdentityEncoder(2), 1, 16, 1, seed=0)
    torch.testing.assert_close(model(torch.full((1, 2), 1e4))[0], model.network[2].bias[0])


# multiplicative filters


def test_filters_are_multiplied():
    model = FilterNetwork(IdentityEncoder(2), 1, 8, 3, input_scale=4.0, seed=0)
    stack, x = model.network[0], centred(5)
    g = [torch.sin(x @ f.linear.weight.T + f.linear.bias) for f in stack.filters]
    z = g[0]
    for layer, other in zip(stack.linears, g[1:], strict=True):
        z = (z @ layer.weight.T + layer.bias) * other
    torch.testing.assert_close(model(x), z @ stack.last.weight.T + stack.last.bias)


def test_fourier_filters_have_sums_and_differences_of_their_frequencies_and_no_other():
    """Theorem 1, on a circle: filters of 3, 5 and 11 cycles can make -3-5+11, ... and, by the biases, shorter sums."""
    model = FilterNetwork(IdentityEncoder(1), 1, 4, 3, seed=0).double()
    for filter_, cycles in zip(model.network[0].filters, (3, 5, 11), strict=True):
        filter_.linear.weight.data.fill_(2 * math.pi * cycles)
    x = torch.arange(64, dtype=torch.float64)[:, None] / 64
    power = torch.fft.rfft(model(x).detach()[:, 0]).abs()
    found = {k for k, value in enumerate(power.tolist()) if value > 1e-9}
    full = {abs(11 + a * 5 + b * 3) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or not b}
    assert found == full | {0}
    assert {abs(11 + a * 5 + b * 3) for a in (-1, 1) for b in (-1, 1)} < found


def test_gabor_filters_are_local():
    """Theorem 2: a combination of Gabor wavelets, so far away only the last bias is left."""
    model = FilterNetwork(IdentityEncoder(2), 1, 8, 3, filters="gabor", seed=0)
    for filter_ in model.network[0].filters:
        filter_.gamma.data.clamp_(min=0.5)
    torch.testing.assert_close(model(torch.full((1, 2), 50.0))[0], model.network[0].last.bias)


def test_a_gabor_filter_is_its_formula():
    model = FilterNetwork(IdentityEncoder(2), 1, 8, 1, filters="gabor", seed=0).double()
    (filter_,), x = model.network[0].filters, centred(5).double()
    distance = (x[:, None] - filter_.mu.weight).square().sum(-1)
    wave = torch.sin(x @ filter_.wave.linear.weight.T + filter_.wave.linear.bias)
    torch.testing.assert_close(filter_(x), torch.exp(-0.5 * filter_.gamma * distance) * wave)


def test_the_papers_start_of_gabor_filters():
    model = FilterNetwork(IdentityEncoder(2), 1, 20_000, 1, filters="gabor", input_scale=64.0, alpha=6.0, seed=0)
    (filter_,) = model.network[0].filters
    assert filter_.gamma.mean().item() == pytest.approx(6, rel=0.02)
    assert filter_.gamma.var().item() == pytest.approx(6, rel=0.06)
    std = (filter_.wave.linear.weight / filter_.gamma.sqrt()[:, None]).std().item()
    assert std == pytest.approx(64 / math.sqrt(2) / math.sqrt(3), rel=0.02)  # U(-a, a), a = 1 / sqrt(fan_in)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda e: Siren(e, 1, first_omega=0.0), "omega: expected a finite number above 0, got 0.0"),
        (lambda e: Siren(e, 1, hidden_layers=0), "hidden_layers: expected an integer of at least 1, got 0"),
        (lambda e: Finer(e, 1, first_bias=-1.0), "first_bias: expected a finite number above 0"),
        (lambda e: Wire(e, 1, scale=math.nan), "scale: expected a finite number above 0"),
        (lambda e: FilterNetwork(e, 1, filters="box"), "filters: expected one of fourier, gabor, got 'box'"),
        (lambda e: FilterNetwork(e, 1, input_scale=0.0), "input_scale: expected a finite number above 0"),
    ],
)
def test_arguments_are_checked(build, message):
    with pytest.raises(ValueError, match=message):
        build(IdentityEncoder(2))


# Starts


@pytest.mark.parametrize(
    "make",
    [
        Siren,
        Finer,
        Wire,
        FilterNetwork,
        lambda *given, **more: FilterNetwork(*given, filters="gabor", **more),
    ],
)
@pytest.mark.parametrize("activation", [nn.Sigmoid(), None])
def test_an_initial_output_is_what_the_untrained_network_has_around(make, activation):
    model = make(
        IdentityEncoder(2, centred=True), 2, 8, 2, output_activation=activation, output_init=[0.8, 0.3], seed=0
    )
    for name, p in list(model.named_parameters()):
        if name in ("network.4.weight", "network.0.last.weight"):  # all that the last weights add
            p.data.zero_()
    torch.testing.assert_close(model(centred(5)), torch.tensor([0.8, 0.3]).expand(5, 2))
    with pytest.raises(ValueError, match="output_init: expected a number for each of 2 values, got"):
        make(IdentityEncoder(2), 2, 8, 2, output_init=[0.5])


@pytest.mark.parametrize("make", [Siren, Finer])
def test_a_scaled_start_multiplies_all_weights_but_the_last(make):
    """Yeom et al. 2025, section 3: the draws are the same, times the factor."""
    plain, scaled = (make(IdentityEncoder(2), 2, 8, 3, weight_scale=scale, seed=0) for scale in (1.0, 2.5))
    for number, factor in ((0, 2.5), (2, 2.5), (4, 2.5), (6, 1.0)):
        torch.testing.assert_close(scaled.network[number].weight, factor * plain.network[number].weight)
        assert torch.equal(scaled.network[number].bias, plain.network[number].bias)
    with pytest.raises(ValueError, match="weight_scale"):
        make(IdentityEncoder(2), 2, 8, 3, weight_scale=0.0)
