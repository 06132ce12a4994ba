"""Gauss-Newton steps by conjugate gradients, Adam and Muon on a small problem: PSNR against seconds.

    python benchmarks/second_order.py --seconds 20

The bundled image, 256x256, and a network of 12,611 parameters: 64 Gaussian features, two hidden layers of 64 units. A
Gauss-Newton step solves ``(J^T J + damping) d = -J^T r`` with products of the Jacobian J of the residuals r by
``torch.func``, from zero, and takes d if the loss falls; the damping follows the ratio of actual and predicted decrease
(Levenberg-Marquardt; Martens 2010). Everything in float32, one process; evaluations do not count.
"""

import argparse
import itertools
import math
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp, vjp

from ffnet import CoordinateMLP, GaussianEncoder
from ffnet.datasets import ImageDataset
from ffnet.fitting import MuonAdam

Curve = list[tuple[float, float]]


def problem() -> tuple[nn.Module, Tensor, Tensor]:
    """The field, the features of all pixels, and their colours."""
    dataset = ImageDataset()
    pixels = dataset.regular.batch(torch.arange(dataset.regular.size))
    encoder = GaussianEncoder(2, num_frequencies=64, sigma=10.0)
    field = CoordinateMLP(encoder, 3, 64, 2, output_activation=nn.Sigmoid(), output_init=dataset.mean(), seed=0)
    with torch.no_grad():
        return field.network, encoder(pixels.queries), pixels.targets


def batches(size: int, count: int) -> Iterator[Tensor | slice]:
    generator = torch.Generator().manual_seed(0)
    while True:
        yield slice(None) if count >= size else torch.randint(size, (count,), generator=generator)


def first_order(network: nn.Module, x: Tensor, y: Tensor, count: int, make: Callable, steps: int) -> Iterator[None]:
    """Steps of an optimizer, whose learning rates fall to zero over ``steps`` steps."""
    optimizer = make(network)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for index in itertools.islice(batches(len(x), count), steps):
        optimizer.zero_grad()
        (network(x[index]) - y[index]).square().mean().backward()
        optimizer.step()
        schedule.step()
        yield


def conjugate_gradients(product: Callable[[Tensor], Tensor], right: Tensor, iterations: int) -> Tensor:
    """The solution of ``product(d) = right`` after so many iterations from zero."""
    solution, residual, direction = torch.zeros_like(right), right, right
    square = residual @ residual
    for _ in range(iterations):
        image = product(direction)
        length = square / (direction @ image)
        solution, residual = solution + length * direction, residual - length * image
        previous, square = square, residual @ residual
        direction = residual + square / previous * direction
    return solution


def gauss_newton(network: nn.Module, x: Tensor, y: Tensor, count: int, iterations: int) -> Iterator[None]:
    """Damped Gauss-Newton steps with ``iterations`` products each."""
    names, shapes = zip(*((name, p.shape) for name, p in network.named_parameters()), strict=True)
    sizes = [shape.numel() for shape in shapes]
    weights = torch.cat([p.detach().flatten() for p in network.parameters()])
    damping = 1e-3

    def values(flat: Tensor, inputs: Tensor) -> Tensor:
        parts = (part.view(shape) for part, shape in zip(flat.split(sizes), shapes, strict=True))
        return functional_call(network, dict(zip(names, parts, strict=True)), (inputs,))

    for index in batches(len(x), count):
        inputs, targets = x[index], y[index]
        function = lambda flat: values(flat, inputs) - targets  # noqa: E731, B023 (used in this step only)
        residuals, transposed = vjp(function, weights)
        n = residuals.numel()

        def curvature(direction: Tensor) -> Tensor:
            return transposed(jvp(function, (weights,), (direction,))[1])[0] / n  # noqa: B023

        gradient = transposed(residuals)[0] / n
        step = conjugate_gradients(lambda d: curvature(d) + damping * d, -gradient, iterations)  # noqa: B023
        with torch.no_grad():
            decrease = (residuals.square().sum() - function(weights + step).square().sum()) / (2 * n)
            ratio = (decrease / (-(gradient @ step) - curvature(step) @ step / 2)).item()
        if ratio > 0:
            weights = weights + step
            nn.utils.vector_to_parameters(weights, network.parameters())
        damping *= 1 / 3 if ratio > 0.75 else 3 if ratio < 0.25 else 1
        yield


def after_adam(network: nn.Module, x: Tensor, y: Tensor, steps: int) -> Iterator[None]:
    """So many steps of Adam, then Gauss-Newton steps on all pixels."""
    yield from first_order(network, x, y, 2048, adam, steps)
    yield from gauss_newton(network, x, y, len(x), 50)


def adam(network: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), lr=1e-2)


def muon(network: nn.Module) -> torch.optim.Optimizer:
    return MuonAdam(network.named_parameters(), lr=1e-2, muon_lr=2e-2, momentum=0.9)


def run(method: Callable[..., Iterator[None]], seconds: float, *arguments: object) -> Curve:
    """(seconds, PSNR) of ``method`` until ``seconds`` have passed or it ends, each point twice as late."""
    network, x, y = problem()
    spent, curve, due = 0.0, [], 1.0
    steps = method(network, x, y, *arguments)
    while True:
        start = time.perf_counter()
        ended = next(steps, StopIteration) is StopIteration
        spent += time.perf_counter() - start
        if ended or spent >= min(due, seconds):
            with torch.no_grad():
                curve.append((spent, -10 * math.log10((network(x) - y).double().square().mean().item())))
            due *= 2
        if ended or spent >= seconds:
            return curve


def timed(make: Callable, count: int) -> float:
    """Seconds of a first-order step."""
    network, x, y = problem()
    steps = first_order(network, x, y, count, make, 60)
    for _ in itertools.islice(steps, 10):
        pass
    start = time.perf_counter()
    for _ in itertools.islice(steps, 40):
        pass
    return (time.perf_counter() - start) / 40


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20)
    seconds = parser.parse_args().seconds
    for name, make, count in (("Adam", adam, 2048), ("Adam", adam, 8192), ("Muon", muon, 2048), ("Muon", muon, 8192)):
        steps = int(seconds / timed(make, count))
        curve = run(first_order, math.inf, count, make, steps)
        print(f"{name}, batches of {count}, {steps} steps:", [f"{s:.1f} s {p:.2f} dB" for s, p in curve], flush=True)
    for count, iterations in ((2**16, 10), (2**16, 50), (2**14, 10)):
        curve = run(gauss_newton, seconds, count, iterations)
        print(f"Gauss-Newton, batches of {count}, {iterations} iterations:", end=" ")
        print([f"{s:.1f} s {p:.2f} dB" for s, p in curve], flush=True)
    curve = run(after_adam, seconds, int(seconds / timed(adam, 2048) / 2))
    print("Adam for half of the time, then Gauss-Newton:", [f"{s:.1f} s {p:.2f} dB" for s, p in curve])
