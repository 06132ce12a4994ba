"""ffnet's training loop beside other loops, on the same work, in turn.

    pip install jax optax          # for the JAX row
    python benchmarks/loops.py --rounds 5

The work: the paper's network (512 Gaussian features of fixed frequencies, 3 hidden layers of 256, RGB, sigmoid,
MSE, Adam) on the pixels [::2, ::2] of a 512x512 picture, all 65,536 in every step. Contenders:

- plain: a PyTorch loop in float32 that encodes and trains the whole batch;
- jax: the same in JAX, one jitted step;
- dataloader: Lightning with a DataLoader over tensors, batches of 8192, steps counted by points;
- ffnet: ``ffnet fit`` as it is set by default, with batches of all pixels, from its second call of the loop on;
- compiled: the same with ``engine.compile=default``.

Beside them stands the time that the matrix products of one step take alone, in the type that ffnet chose, at the
fastest of four block sizes. Each contender has a process of its own, so that none profits from another's settings;
they take turns.
"""

import argparse
import itertools
import json
import logging
import math
import multiprocessing
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from omegaconf import OmegaConf
from PIL import Image
from torch import nn

from ffnet.cli.assemble import assemble
from ffnet.cli.compose import compose_config
from ffnet.cli.parts import instantiated, make_parts
from ffnet.fitting import automatic_precision
from ffnet.memory import keep_freed_memory
from ffnet.resources import resource
from ffnet.training import KnowsSpans

SIZES = (512, 256, 256, 256, 3)
POINTS = 65_536


def picture() -> torch.Tensor:
    """The bundled picture at 512x512."""
    with Image.open(resource("data") / "cat.png") as opened:
        return torch.tensor(np.asarray(opened.resize((512, 512), Image.Resampling.LANCZOS)))


def work() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(coordinates, colours, B)"""
    axis = (torch.arange(512) + 0.5) / 512
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)[::2, ::2].reshape(-1, 2)
    B = 10 * torch.randn(256, 2, generator=torch.Generator().manual_seed(0))
    return grid.contiguous(), (picture()[::2, ::2] / 255).reshape(-1, 3), B


def network() -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, o in itertools.pairwise(SIZES):
        layers += [nn.Linear(i, o), nn.ReLU()]
    return nn.Sequential(*layers[:-1], nn.Sigmoid())


def encode(x: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
    phase = 2 * math.pi * x @ B.T
    return torch.cat([phase.sin(), phase.cos()], -1)


def plain() -> Callable[[int], float]:
    x, y, B = work()
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def run(steps: int) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            optimizer.zero_grad()
            (model(encode(x, B)) - y).square().mean().backward()
            optimizer.step()
        return (time.perf_counter() - start) / steps

    return run


def jax_loop() -> Callable[[int], float]:
    import jax
    import jax.numpy as jnp
    import optax

    x, y, B = (jnp.asarray(t.numpy()) for t in work())
    keys = jax.random.split(jax.random.PRNGKey(0), len(SIZES))
    params = [
        (jax.random.normal(k, (i, o)) * math.sqrt(2 / (i + o)), jnp.zeros(o))
        for k, i, o in zip(keys, SIZES, SIZES[1:], strict=False)
    ]
    optimizer = optax.adam(1e-3)
    state = optimizer.init(params)

    def loss(params):
        phase = 2 * math.pi * x @ B.T
        h = jnp.concatenate([jnp.sin(phase), jnp.cos(phase)], -1)
        for w, b in params[:-1]:
            h = jax.nn.relu(h @ w + b)
        w, b = params[-1]
        return jnp.mean((jax.nn.sigmoid(h @ w + b) - y) ** 2)

    @jax.jit
    def step(params, state):
        updates, state = optimizer.update(jax.grad(loss)(params), state)
        return optax.apply_updates(params, updates), state

    held = [params, state]

    def run(steps: int) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            held[:] = step(*held)
        jax.block_until_ready(held[0])
        return (time.perf_counter() - start) / steps

    return run


def dataloader() -> Callable[[int], float]:
    from lightning.pytorch import LightningModule, Trainer
    from torch.utils.data import DataLoader, TensorDataset

    x, y, B = work()

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = network()

        def training_step(self, batch):
            return (self.model(encode(batch[0], B)) - batch[1]).square().mean()

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=1e-3)

    def run(steps: int) -> float:
        loader = DataLoader(TensorDataset(x, y), batch_size=8192, shuffle=True)
        options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        trainer = Trainer(max_epochs=steps, accelerator="cpu", enable_model_summary=False, **options)
        start = time.perf_counter()
        trainer.fit(Module(), loader)
        return (time.perf_counter() - start) / steps

    return run


def assembled(overrides: list[str]):
    """(module, trainer) of ``ffnet fit`` with overrides."""
    directory = tempfile.mkdtemp()
    settings = OmegaConf.to_container(compose_config("fit", [*overrides, f"run_dir={directory}"]), resolve=True)
    return assemble(settings, instantiated, make_parts(settings, instantiated), Path(directory), {})


class SecondCall(KnowsSpans):
    """Where a run is after the first call of the loop, which compiles what there is to compile."""

    step, seconds = 0, 0.0

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        if not self.step:
            self.step, self.seconds = pl_module.step, pl_module.seconds


def ffnet(*settings: str) -> Callable[[int], float]:
    path = Path(tempfile.mkdtemp()) / "picture.png"
    Image.fromarray(picture().numpy()).save(path)
    still = ["evaluation", "views"]

    def run(steps: int) -> float:
        overrides = [
            f"dataset.path={path}",
            "dataset.split=half",
            "dataset.batch_size=null",
            "trainer.accelerator=cpu",
            f"trainer.max_steps={steps}",
            *(f"~callbacks.{name}" for name in still),
            *settings,
        ]
        module, trainer = assembled(overrides)
        first = SecondCall()
        trainer.callbacks.append(first)
        trainer.fit(module)
        run.precision = str(trainer.precision)
        return (module.seconds - first.seconds) / (steps - first.step)

    return run


def product_type() -> torch.dtype:
    """In which ``precision=auto`` multiplies on the CPU. bfloat16 that is not native takes minutes a step."""
    return torch.bfloat16 if automatic_precision("cpu") == "bf16-mixed" else torch.float32


def processor() -> str:
    """What decides about that type: the machine, torch's vector instructions, and whether bfloat16 is native."""
    flags = {"avx512_bf16": torch.cpu._is_avx512_bf16_supported(), "amx_tile": torch.cpu._is_amx_tile_supported()}
    native = "native bfloat16" if any(flags.values()) else "no native bfloat16"
    said = ", ".join(f"{flag} {'yes' if found else 'no'}" for flag, found in flags.items())
    return f"{platform.machine()} with {torch.backends.cpu.get_cpu_capability()}, {native} ({said})"


def products() -> Callable[[int], float]:
    """The matrix products of one step: forward, and back to weights and inputs."""
    keep_freed_memory()
    dtype = product_type()
    layers = [[torch.rand(s).to(dtype) for s in ((16384, i), (o, i), (16384, o))] for i, o in itertools.pairwise(SIZES)]

    def step(points: int) -> float:
        start = time.perf_counter()
        for first in range(0, POINTS, points):
            rows = slice(first % 16384, first % 16384 + points)
            for index, (x, w, g) in enumerate(layers):
                x[rows] @ w.T
                g[rows].T @ x[rows]
                if index:
                    g[rows] @ w
        return time.perf_counter() - start

    return lambda steps: min(sum(step(points) for _ in range(steps)) / steps for points in (2048, 4096, 8192, 16384))


CONTENDERS = {
    "plain": plain,
    "dataloader": dataloader,
    "jax": jax_loop,
    "ffnet": ffnet,
    "compiled": partial(ffnet, "engine.compile=default"),
    "products": products,
}


def contend(name: str, pipe) -> None:
    """A contender's process: takes a number of steps, answers with seconds a step and what ran."""
    for logger in ("lightning.pytorch", "ffnet"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    try:
        run = CONTENDERS[name]()
    except ImportError:
        pipe.send(None)
        return
    pipe.send(True)
    while steps := pipe.recv():
        pipe.send((run(steps), getattr(run, "precision", "")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    pipes, precision = {}, ""
    spawn = multiprocessing.get_context("spawn")
    for name in CONTENDERS:
        ours, theirs = spawn.Pipe()
        spawn.Process(target=contend, args=(name, theirs), daemon=True).start()
        if ours.recv():
            pipes[name] = ours
        else:
            print(f"{name} is not installed; its row is left out")
    times: dict[str, list[float]] = {name: [] for name in pipes}
    for round_ in range(arguments.rounds + 1):
        for name, pipe in pipes.items():
            pipe.send(arguments.steps * (6 if name in ("ffnet", "compiled") else 1))
            seconds, said = pipe.recv()
            precision = said or precision
            if round_:  # the first round warms up
                times[name].append(seconds)
    flops = 2 * POINTS * (3 * sum(i * o for i, o in itertools.pairwise(SIZES)) - SIZES[0] * SIZES[1])
    print(f"{processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"ffnet in {precision}, the products alone in {str(product_type()).removeprefix('torch.')}")
    rows = {}
    for name, values in times.items():
        ratio = statistics.median(v / f for v, f in zip(values, times["ffnet"], strict=True))
        rows[name] = {"seconds": statistics.median(values), "per ffnet": ratio}
        print(f"{name:12} {rows[name]['seconds']:8.3f} s a step, {ratio:6.2f} times ffnet's")
    rate, share = flops / rows["products"]["seconds"] / 1e9, rows["products"]["per ffnet"]
    print(f"the products alone run at {rate:.0f} GFLOP/s, ffnet at {share:.0%} of that rate")
    if arguments.output:
        arguments.output.write_text(json.dumps(rows, indent=2))
