"""Networks that differ in their initial weights, trained together, next to the distribution that kernels predict."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from ffnet.datasets import Dataset
from ffnet.kernels import InfiniteMLP, KernelDynamics, largest_stable_rate, nngp_posterior, ntk_posterior

Report = dict[str, Any]


def ensemble(
    limit: InfiniteMLP,
    networks: Sequence[nn.Module],
    x: Float[Tensor, "m d"],
    y: Float[Tensor, "m c"],
    known: Int[Tensor, "n"],
    steps: Sequence[int],
    lr_share: float,
) -> Report:
    """Spread of networks that are trained on some points of a line, and what kernels predict for it, as plain lists.

    Values are relative to the mean of the known ones, around which the networks start.

    Args:
        limit: whose NNGP kernel is the covariance of the networks' initial outputs, and whose NTK trains them.
        networks: of one architecture, from ``limit.encoder``'s features to c values; they differ in their weights.
        x, y: points of a line and the signal there, of which the first value is reported.
        known: indices of the training points, the others are held out.
        steps: numbers of steps of full-batch gradient descent to report, in ascending order.
        lr_share: learning rate as a fraction of the largest stable one of the kernel, in (0, 1).
    """
    y = y - y[known].mean(0)
    kernels = Kernels.of(limit, x[known], x)
    rate = stable_rate(kernels, lr_share)
    kernel = predicted(kernels, y[known][:, :1], steps, rate)
    features = x if limit.encoder is None else limit.encoder(x)
    dtype = next(networks[0].parameters()).dtype
    features = features.detach().to(dtype)
    values = trained(networks, features[known], y[known].to(dtype), features, steps, rate)[..., 0].double()
    report = {
        "values": y[:, 0].tolist(),
        "known": known.tolist(),
        "steps": list(steps),
        "networks": len(networks),
        "learning_rate": rate,
        "samples": values[:, :5].tolist(),
        "trained": [plain(Distribution(each.mean(0), each.std(0))) for each in values],
        "predicted": [plain(each) for each in kernel["after"]],
    }
    report |= {name: plain(kernel[name]) for name in ("prior", "ensemble", "posterior")}
    return report | {"statement": statement(report)}


def statement(report: Report) -> str:
    """A sentence that compares the two spreads."""
    rest = sorted(set(range(len(report["values"]))) - set(report["known"]))
    mean, last, prior, found = (
        torch.tensor(part, dtype=torch.float64)[rest]
        for part in (
            report["predicted"][-1]["mean"],
            report["predicted"][-1]["deviation"],
            report["prior"]["deviation"],
            report["trained"][-1]["deviation"],
        )
    )
    within = ((torch.tensor(report["values"], dtype=torch.float64)[rest] - mean).abs() <= 2 * last).double().mean()
    return (
        f"After {report['steps'][-1]} steps, at the median held-out point: the kernel predicts a spread of networks of "
        f"{(last / prior).median():.2f} of the prior's; that of {report['networks']} networks is "
        f"{(found / last).median():.2f} times this. {100 * within:.0f} % of the held-out values are within two "
        "standard deviations of the predicted mean."
    )


def plain(found: "Distribution") -> dict[str, list[float]]:
    return {name: values.tolist() for name, values in found._asdict().items()}


def line_of_grid(dataset: Dataset, count: int) -> tuple[Float[Tensor, "m d"], Float[Tensor, "m c"]]:
    """At most ``count`` neighbouring queries in the middle of a grid, along its fastest axis, and their values.

    Raises:
        ValueError: if the training queries are no points of a grid.
    """
    grid = dataset.regular
    if grid is None or grid.grid is None or not dataset.operator.pointwise:
        raise ValueError("dataset: expected points on a grid, such as those of an image or a recording")
    *others, length = grid.grid
    row = 0
    for size in others:
        row = row * size + size // 2
    few = min(count, length)
    batch = grid.batch(row * length + (length - few) // 2 + torch.arange(few))
    return batch.queries.double(), batch.targets.double()


def known_points(count: int, known: int, seed: int) -> Int[Tensor, "n"]:
    """Indices of ``known`` of ``count`` points, one drawn from each of as many stretches of the same length."""
    ends = torch.arange(min(known, count) + 1) * count // min(known, count)
    place = torch.rand(len(ends) - 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return ends[:-1] + (place * ends.diff()).long()


class Distribution(NamedTuple):
    """Mean and standard deviation of a function at m points."""

    mean: Float[Tensor, "m"]
    deviation: Float[Tensor, "m"]


class Kernels(NamedTuple):
    """NNGP kernel and NTK at n training points and m others."""

    ntk: Float[Tensor, "n n"]
    ntk_cross: Float[Tensor, "m n"]
    nngp: Float[Tensor, "n n"]
    nngp_cross: Float[Tensor, "m n"]
    nngp_test: Float[Tensor, "m m"]

    @classmethod
    def of(cls, limit: InfiniteMLP, x: Float[Tensor, "n d"], new: Float[Tensor, "m d"]) -> "Kernels":
        """The kernels of an infinitely wide network."""
        return cls(limit.ntk(x), limit.ntk(new, x), limit.nngp(x), limit.nngp(new, x), limit.nngp(new))

    @property
    def prior(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.nngp, self.nngp_cross, self.nngp_test


def predicted(kernels: Kernels, y: Float[Tensor, "n 1"], steps: Sequence[int], rate: float) -> dict[str, Any]:
    """The distribution before training (``prior``), after each number of ``steps`` (``after``), and after infinitely
    many: of networks (``ensemble``), and of those of which the last layer alone is trained (``posterior``, that of the
    Gaussian process).
    """
    dynamics = KernelDynamics(kernels.ntk)
    after = [dynamics.ensemble(kernels.ntk_cross, *kernels.prior, y, step, rate, discrete=True) for step in steps]
    return {
        "prior": distribution(torch.zeros_like(kernels.nngp_test[:, :1]), kernels.nngp_test),
        "after": [distribution(*each) for each in after],
        "ensemble": distribution(*ntk_posterior(kernels.ntk, kernels.ntk_cross, *kernels.prior, y)),
        "posterior": distribution(*nngp_posterior(*kernels.prior, y)),
    }


def distribution(mean: Float[Tensor, "m 1"], covariance: Float[Tensor, "m m"]) -> Distribution:
    # At the training points rounding may take the variance below 0.
    return Distribution(mean[:, 0], covariance.diagonal().clamp(min=0).sqrt())


def stable_rate(kernels: Kernels, share: float) -> float:
    """A fraction of the largest stable learning rate, for half the sum of squares."""
    return share * largest_stable_rate(torch.linalg.eigvalsh(kernels.ntk)[-1].item())


def trained(
    networks: Sequence[nn.Module],
    x: Float[Tensor, "n k"],
    y: Float[Tensor, "n c"],
    new: Float[Tensor, "m k"],
    steps: Sequence[int],
    rate: float,
) -> Float[Tensor, "t s m c"]:
    """Values at ``new`` of every network after each number of ``steps`` of full-batch gradient descent on half the sum
    of squares, all networks at once.

    Args:
        networks: of one architecture; their parameters that require gradients are trained, on copies.
        x, y, new: features and values at the training points, and features at the others.
        steps: in ascending order.
        rate: learning rate.
    """
    stacked = stack_module_state(list(networks))[0]
    weights = {name: stacked[name].detach() for name, p in networks[0].named_parameters() if p.requires_grad}
    fixed = {name: value.detach() for name, value in stacked.items() if name not in weights}

    def values(one: dict[str, Tensor], others: dict[str, Tensor], points: Tensor) -> Tensor:
        return functional_call(networks[0], one | others, (points,))

    def loss(one: dict[str, Tensor], others: dict[str, Tensor]) -> Tensor:
        return 0.5 * (values(one, others, x) - y).square().sum()

    gradient, done, found = vmap(grad(loss)), 0, []
    for step in steps:
        for _ in range(done, step):
            slopes = gradient(weights, fixed)
            weights = {name: value - rate * slopes[name] for name, value in weights.items()}
        done = step
        found.append(vmap(values, (0, 0, None))(weights, fixed, new))
    return torch.stack(found)
