"""Models trained elsewhere, from their checkpoints, and back.

Projects order their features differently. An imported model has ffnet's own order, and the columns of the layers that
read the features are permuted to match; exporting permutes them back, so that every weight is bitwise unchanged.
Functions ``from_...`` convert a ``state_dict`` to a model; ``to_...`` are their inverses. Encoders are given in the
project's order, as ``ffnet.encoders.conventions`` makes them.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ffnet.encoders import FourierEncoder, conventions
from ffnet.models.mlp import CoordinateMLP
from ffnet.models.radiance import RadianceMLP

State = Mapping[str, Tensor]


def permuted_in(weight: Float[Tensor, "o i"], order: Int[Tensor, "k"], start: int = 0) -> Float[Tensor, "o i"]:
    """``weight`` with its columns from ``start`` on permuted from a project's order of features to ffnet's.

    ``order`` is ``FourierEncoder.order()`` of the project's encoder.
    """
    result = weight.clone()
    result[:, start + order] = weight[:, start : start + len(order)]
    return result


def permuted_out(weight: Float[Tensor, "o i"], order: Int[Tensor, "k"], start: int = 0) -> Float[Tensor, "o i"]:
    """The inverse of ``permuted_in``."""
    result = weight.clone()
    result[:, start : start + len(order)] = weight[:, start + order]
    return result


def _linears(network: nn.Module) -> list[nn.Linear]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)]


@torch.no_grad()
def _load(layers: Sequence[nn.Linear], names: Sequence[str], state: State) -> None:
    for layer, name in zip(layers, names, strict=True):
        try:
            weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        except KeyError as error:
            raise ValueError(f"state: expected an entry {error}") from error
        if weight.shape != layer.weight.shape:
            raise ValueError(f"{name}: expected weights {tuple(layer.weight.shape)}, got {tuple(weight.shape)}")
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)


def _numbered(state: State, prefix: str) -> list[str]:
    """The linear layers ``<prefix><number>`` of ``state``, in order.

    Raises:
        ValueError: if there is none.
    """
    found = [name.removeprefix(prefix).removesuffix(".weight") for name in state if name.startswith(prefix)]
    names = [f"{prefix}{number}" for number in sorted({int(text) for text in found if text.isdigit()})]
    if not names:
        raise ValueError(f"state: expected entries {prefix}<number>.weight, got {', '.join(list(state)[:8])}")
    return names


def from_linears(
    state: State,
    names: Sequence[str],
    encoder: FourierEncoder,
    *,
    skips: Sequence[int] = (),
    activation: nn.Module | None = None,
    output_activation: nn.Module | None = None,
) -> CoordinateMLP:
    """The MLP with the linear layers ``names`` of ``state`` after ``encoder``, which has the project's order.

    Args:
        state: a ``state_dict``.
        names: of the layers, from the first to the last, such as ``layers.0``.
        encoder: as the project has it.
        skips: layers, counted from 0, whose input is concatenated with the features, features first.
        activation: between the layers; ReLU if None.
        output_activation: after the last; none if None.

    Raises:
        ValueError: if an entry is missing, or shapes do not match.
    """
    if len(names) < 2:
        raise ValueError(f"names: expected at least two layers, got {', '.join(names)}")
    if f"{names[-1]}.weight" not in state:
        raise ValueError(f"state: expected an entry {names[-1]}.weight, got {', '.join(list(state)[:8])}")
    last = state[f"{names[-1]}.weight"]
    model = CoordinateMLP(
        encoder.native(), last.shape[0], last.shape[1], len(names) - 1, activation, output_activation, skips=skips
    )
    model.network.to(last.dtype)
    layers = _linears(model.network)
    _load(layers, names, state)
    for number in (0, *skips):
        layers[number].weight.data = permuted_in(layers[number].weight.data, encoder.order())
    return model


def to_linears(model: CoordinateMLP, names: Sequence[str], encoder: FourierEncoder) -> dict[str, Tensor]:
    """The inverse of ``from_linears``: the entries ``names`` of the project's ``state_dict``."""
    layers = _linears(model.network)
    skips = [n // 2 for n in getattr(model.network, "skips", ())]
    state = {}
    for number, (layer, name) in enumerate(zip(layers, names, strict=True)):
        weight = layer.weight.detach()
        state[f"{name}.weight"] = permuted_out(weight, encoder.order()) if number in (0, *skips) else weight.clone()
        state[f"{name}.bias"] = layer.bias.detach().clone()
    return state


# nerfstudio


def from_nerfstudio(
    state: State,
    encoder: FourierEncoder | None = None,
    *,
    prefix: str = "",
    skip_connections: Sequence[int] = (),
    output_activation: nn.Module | None = None,
) -> CoordinateMLP:
    """nerfstudio's ``MLP`` after its ``NeRFEncoding``, ``FFEncoding`` or ``RFFEncoding`` (torch implementations).

    Args:
        state: has the MLP's ``<prefix>layers.<number>.weight``, and ``b_matrix`` if there is no ``encoder``.
        encoder: such as ``conventions.nerfstudio_nerf(...)``; None is ``RFFEncoding`` of the ``b_matrix``.
        prefix: of the MLP's entries, such as ``mlp_base.``.
        skip_connections: the MLP's.
        output_activation: the MLP's ``out_activation``.

    Raises:
        ValueError: if an entry is missing, or shapes do not match.
    """
    if encoder is None:
        encoder = conventions.nerfstudio_random(_matrix(state, "b_matrix"), dtype=_matrix(state, "b_matrix").dtype)
    names = _numbered(state, f"{prefix}layers.")
    return from_linears(state, names, encoder, skips=skip_connections, output_activation=output_activation)


def to_nerfstudio(
    model: CoordinateMLP, encoder: FourierEncoder | None = None, *, prefix: str = ""
) -> dict[str, Tensor]:
    """The inverse of ``from_nerfstudio``."""
    own = encoder or conventions.nerfstudio_random(_rows(model).T, dtype=_rows(model).dtype)
    names = [f"{prefix}layers.{number}" for number in range(len(_linears(model.network)))]
    matrix = {"b_matrix": _rows(model).T.clone()} if encoder is None else {}
    return matrix | to_linears(model, names, own)


# random-fourier-features-pytorch


def from_random_fourier_features(state: State) -> CoordinateMLP:
    """random-fourier-features-pytorch: ``Sequential(GaussianEncoding(...), Linear, ReLU, ..., Linear)``.

    Raises:
        ValueError: if an entry is missing, or shapes do not match.
    """
    b = _matrix(state, "0.b")
    return from_linears(state, _numbered(state, ""), conventions.random_fourier_gaussian(b, dtype=b.dtype))


def to_random_fourier_features(model: CoordinateMLP) -> dict[str, Tensor]:
    """The inverse of ``from_random_fourier_features``."""
    b = _rows(model)
    names = [str(2 * number + 1) for number in range(len(_linears(model.network)))]
    return {"0.b": b.clone()} | to_linears(model, names, conventions.random_fourier_gaussian(b, dtype=b.dtype))


# fourier_feature_nets


def from_fourier_feature_nets(state: State) -> CoordinateMLP:
    """fourier_feature_nets: ``FourierFeatureMLP`` and the models derived from it.

    Raises:
        ValueError: if an entry is missing, or shapes do not match.
    """
    a, b = _matrix(state, "a_values"), _matrix(state, "b_values")
    encoder = conventions.fourier_feature_nets(b, a, dtype=b.dtype)
    return from_linears(state, _numbered(state, "layers."), encoder)


def to_fourier_feature_nets(model: CoordinateMLP) -> dict[str, Tensor]:
    """The inverse of ``from_fourier_feature_nets``."""
    b = 2 * _rows(model).T  # in half cycles
    a = model.encoder.amplitudes[0].clone()  # type: ignore[index]
    names = [f"layers.{number}" for number in range(len(_linears(model.network)))]
    return {"a_values": a, "b_values": b} | to_linears(
        model, names, conventions.fourier_feature_nets(b, a, dtype=b.dtype)
    )


# nerf-pytorch


def _radiance_names(model: RadianceMLP) -> dict[str, nn.Linear]:
    network = model.network
    trunk = {f"pts_linears.{number}": layer for number, layer in enumerate(_linears(network.trunk))}  # type: ignore[arg-type]
    heads = {"views_linears.0": "view", "feature_linear": "feature", "alpha_linear": "density", "rgb_linear": "colour"}
    return trunk | {theirs: getattr(network, ours) for theirs, ours in heads.items()}


def _radiance_skips(model: RadianceMLP) -> list[int]:
    return [n // 2 for n in model.network.trunk.skips]  # type: ignore[union-attr]


def from_nerf_pytorch(
    state: State,
    position: FourierEncoder | None = None,
    direction: FourierEncoder | None = None,
    *,
    skips: Sequence[int] = (4,),
) -> CoordinateMLP | RadianceMLP:
    """nerf-pytorch's ``NeRF``: with ``use_viewdirs`` as a RadianceMLP, else as a CoordinateMLP.

    Args:
        state: the network's, such as ``network_fn_state_dict`` of a checkpoint.
        position: ``conventions.nerf_pytorch(3, multires)``; None is ``multires=10``.
        direction: ``conventions.nerf_pytorch(3, multires_views)``; None is 4. Without ``use_viewdirs`` not used.
        skips: the project's: ``[4]`` concatenates the features to the output of layer 4, the input of layer 5.

    Raises:
        ValueError: if an entry is missing, or shapes do not match.
    """
    names = _numbered(state, "pts_linears.")
    dtype = state[f"{names[0]}.weight"].dtype
    position = position or conventions.nerf_pytorch(3, 10, dtype=dtype)
    into = [number + 1 for number in skips]
    if "output_linear.weight" in state:
        return from_linears(state, [*names, "output_linear"], position, skips=into)
    direction = direction or conventions.nerf_pytorch(3, 4, dtype=dtype)
    hidden = len(state[f"{names[0]}.weight"])
    model = RadianceMLP(position.native(), direction.native(), hidden, len(names), into)
    model.network.to(dtype)
    layers = _radiance_names(model)
    _load(list(layers.values()), list(layers), state)
    for number in (0, *into):
        weight = layers[f"pts_linears.{number}"].weight
        weight.data = permuted_in(weight.data, position.order())
    view = layers["views_linears.0"].weight
    view.data = permuted_in(view.data, direction.order(), start=hidden)
    return model


def to_nerf_pytorch(
    model: CoordinateMLP | RadianceMLP,
    position: FourierEncoder | None = None,
    direction: FourierEncoder | None = None,
) -> dict[str, Tensor]:
    """The inverse of ``from_nerf_pytorch``.

    Without ``use_viewdirs`` the project's network still holds a layer ``views_linears.0`` that it never uses. It is
    left out; load with ``strict=False``.
    """
    dtype = next(model.network.parameters()).dtype
    position = position or conventions.nerf_pytorch(3, 10, dtype=dtype)
    if isinstance(model, CoordinateMLP):
        count = len(_linears(model.network)) - 1
        return to_linears(model, [*(f"pts_linears.{n}" for n in range(count)), "output_linear"], position)
    direction = direction or conventions.nerf_pytorch(3, 4, dtype=dtype)
    layers = _radiance_names(model)
    state = {
        f"{name}.{part}": tensor.detach().clone()
        for name, layer in layers.items()
        for part, tensor in layer.named_parameters()
    }
    for number in (0, *_radiance_skips(model)):
        name = f"pts_linears.{number}.weight"
        state[name] = permuted_out(state[name], position.order())
    hidden = model.network.feature.out_features  # type: ignore[union-attr]
    view = "views_linears.0.weight"
    state[view] = permuted_out(state[view], direction.order(), start=hidden)  # type: ignore[arg-type]
    return state


def _matrix(state: State, name: str) -> Tensor:
    """The entry ``name``, or the one that ends in ``.name``.

    Raises:
        ValueError: if there is none, or there are several.
    """
    found = [tensor for key, tensor in state.items() if key == name or key.endswith(f".{name}")]
    if len(found) != 1:
        raise ValueError(f"state: expected one entry {name}, got {len(found)}")
    return found[0]


def _rows(model: CoordinateMLP) -> Tensor:
    assert isinstance(model.encoder, FourierEncoder)
    return model.encoder.B
