"""Models of other projects, rebuilt from their published layouts: the same values here, and every bit back."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from ffnet.encoders import conventions
from ffnet.models import CoordinateMLP, RadianceMLP, migration

# Networks as the projects have them, and encodings from the formulas of their published numbers.


def linears(*widths: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Linear(one, other) for one, other in pairwise(widths))


class NerfPytorch(nn.Module):
    """run_nerf_helpers.NeRF: features of position and direction in, colour and density out."""

    def __init__(
        self, depth: int, width: int, input_ch: int, input_ch_views: int, skips: list[int], views: bool
    ) -> None:
        super().__init__()
        self.skips, self.input_ch, self.views = skips, input_ch, views
        widths = [input_ch] + [width + input_ch * (i in skips) for i in range(depth - 1)]
        self.pts_linears = nn.ModuleList(nn.Linear(w, width) for w in widths)
        self.views_linears = nn.ModuleList([nn.Linear(input_ch_views + width, width // 2)])
        if views:
            self.feature_linear, self.alpha_linear = nn.Linear(width, width), nn.Linear(width, 1)
            self.rgb_linear = nn.Linear(width // 2, 3)
        else:
            self.output_linear = nn.Linear(width, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        points, views = x[..., : self.input_ch], x[..., self.input_ch :]
        h = points
        for i, layer in enumerate(self.pts_linears):
            h = torch.relu(layer(h))
            if i in self.skips:
                h = torch.cat([points, h], -1)
        if not self.views:
            return self.output_linear(h)
        density, h = self.alpha_linear(h), torch.cat([self.feature_linear(h), views], -1)
        return torch.cat([self.rgb_linear(torch.relu(self.views_linears[0](h))), density], -1)


def embed(x: torch.Tensor, multires: int) -> torch.Tensor:
    return torch.cat([x, *(f(x * 2.0**k) for k in range(multires) for f in (torch.sin, torch.cos))], -1)


class NerfstudioMLP(nn.Module):
    """field_components.mlp.MLP, torch implementation."""

    def __init__(
        self, in_dim: int, layers: int, width: int, out_dim: int, skip_connections: tuple[int, ...] = ()
    ) -> None:
        super().__init__()
        self.skips = skip_connections
        widths = [in_dim, *(width + in_dim * (i in skip_connections) for i in range(1, layers))]
        outs = [width] * (layers - 1) + [out_dim]
        self.layers = nn.ModuleList(nn.Linear(w, o) for w, o in zip(widths, outs, strict=True))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        x = features
        for i, layer in enumerate(self.layers):
            x = layer(torch.cat([features, x], -1) if i in self.skips else x)
            x = torch.relu(x) if i < len(self.layers) - 1 else x
        return x


def nerf_encoding(x: torch.Tensor, count: int, highest: float, include_input: bool) -> torch.Tensor:
    scaled = (2 * torch.pi * x)[..., None] * 2 ** torch.linspace(0.0, highest, count)
    scaled = scaled.flatten(-2)
    encoded = torch.sin(torch.cat([scaled, scaled + torch.pi / 2], -1))
    return torch.cat([encoded, x], -1) if include_input else encoded


class RFFEncoding(nn.Module):
    def __init__(self, in_dim: int, count: int, scale: float) -> None:
        super().__init__()
        self.register_buffer("b_matrix", torch.normal(0, scale, (in_dim, count)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scaled = 2 * torch.pi * x @ self.b_matrix
        return torch.sin(torch.cat([scaled, scaled + torch.pi / 2], -1))


class GaussianEncoding(nn.Module):
    """rff.layers.GaussianEncoding."""

    def __init__(self, sigma: float, input_size: int, encoded_size: int) -> None:
        super().__init__()
        self.b = nn.Parameter(torch.randn(encoded_size, input_size) * sigma, requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        vp = 2 * math.pi * x @ self.b.T
        return torch.cat([vp.cos(), vp.sin()], -1)


class FourierFeatureMLP(nn.Module):
    """fourier_feature_nets.FourierFeatureMLP."""

    def __init__(self, a: torch.Tensor, b: torch.Tensor, channels: list[int], num_outputs: int) -> None:
        super().__init__()
        self.a_values, self.b_values = nn.Parameter(a, requires_grad=False), nn.Parameter(b, requires_grad=False)
        self.layers = linears(2 * len(a), *channels, num_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        phase = (math.pi * x) @ self.b_values
        x = torch.cat([self.a_values * phase.cos(), self.a_values * phase.sin()], -1)
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def points(dimensions: int) -> torch.Tensor:
    return 2 * torch.rand(50, dimensions) - 1


def check_back(state: dict, theirs: dict, unused: tuple[str, ...] = ()) -> None:
    assert set(state) | {name for name in theirs if name.startswith(unused or ("-",))} == set(theirs)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in state.items())


def close(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_nerf_pytorch_with_directions():
    theirs = NerfPytorch(8, 32, 63, 27, [4], views=True)
    model = migration.from_nerf_pytorch(theirs.state_dict())
    assert isinstance(model, RadianceMLP)
    x = points(6)
    close(model(x), theirs(torch.cat([embed(x[:, :3], 10), embed(x[:, 3:], 4)], -1)))
    check_back(migration.to_nerf_pytorch(model), theirs.state_dict())


def test_nerf_pytorch_without_directions():
    theirs = NerfPytorch(6, 32, 27, 3, [2], views=False)
    position = conventions.nerf_pytorch(3, 4)
    model = migration.from_nerf_pytorch(theirs.state_dict(), position, skips=[2])
    assert isinstance(model, CoordinateMLP)
    x = points(3)
    close(model(x), theirs(embed(x, 4)))
    check_back(migration.to_nerf_pytorch(model, position), theirs.state_dict(), ("views_linears",))


@pytest.mark.parametrize("include_input", [True, False])
def test_nerfstudios_nerf_encoding(include_input):
    theirs = nn.ModuleDict({"mlp_base": NerfstudioMLP(24 + 3 * include_input, 6, 32, 5, (4,))})
    encoder = conventions.nerfstudio_nerf(3, 4, 0.0, 3.0, include_input)
    model = migration.from_nerfstudio(theirs.state_dict(), encoder, prefix="mlp_base.", skip_connections=(4,))
    x = points(3)
    close(model(x), theirs["mlp_base"](nerf_encoding(x, 4, 3.0, include_input)))
    check_back(migration.to_nerfstudio(model, encoder, prefix="mlp_base."), theirs.state_dict())


def test_nerfstudios_random_fourier_features():
    theirs = nn.ModuleDict({"encoding": RFFEncoding(2, 16, 1.0), "mlp": NerfstudioMLP(32, 3, 16, 3)})
    model = migration.from_nerfstudio(theirs.state_dict(), prefix="mlp.")
    x = points(2)
    close(model(x), theirs["mlp"](theirs["encoding"](x)))
    back = migration.to_nerfstudio(model, prefix="mlp.")
    back["encoding.b_matrix"] = back.pop("b_matrix")
    check_back(back, theirs.state_dict())


def test_random_fourier_features_pytorch():
    encoding = GaussianEncoding(1.0, 2, 16)
    theirs = nn.Sequential(encoding, nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
    model = migration.from_random_fourier_features(theirs.state_dict())
    x = points(2)
    close(model(x), theirs(x))
    check_back(migration.to_random_fourier_features(model), theirs.state_dict())


def test_fourier_feature_nets():
    theirs = FourierFeatureMLP(torch.rand(12), torch.randn(2, 12), [16, 16], 3)
    model = migration.from_fourier_feature_nets(theirs.state_dict())
    x = points(2)
    close(model(x), theirs(x))
    check_back(migration.to_fourier_feature_nets(model), theirs.state_dict())


def test_the_first_layer_is_permuted_and_not_just_copied():
    theirs = NerfPytorch(2, 8, 27, 3, [], views=False)
    model = migration.from_nerf_pytorch(theirs.state_dict(), conventions.nerf_pytorch(3, 4), skips=[])
    first = theirs.pts_linears[0].weight
    assert not torch.equal(model.network[0].weight, first)
    assert torch.equal(model.network[0].weight.sort().values, first.sort().values)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda s: migration.from_nerf_pytorch({"weight": s}), "state: expected entries pts_linears"),
        (lambda s: migration.from_random_fourier_features({"1.weight": s}), r"state: expected one entry 0\.b, got 0"),
        (
            lambda s: migration.from_nerfstudio(
                {"b_matrix": torch.rand(2, 4), "layers.0.weight": s, "layers.1.weight": s}
            ),
            "expected an entry 'layers.0.bias'|expected weights",
        ),
        (
            lambda s: migration.from_nerfstudio({"b_matrix": torch.rand(2, 4), "layers.0.weight": s}),
            "names: expected at least two layers",
        ),
    ],
)
def test_what_does_not_fit_is_named(read, message):
    with pytest.raises(ValueError, match=message):
        read(torch.rand(3, 3))
