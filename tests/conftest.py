"""Every test runs with the shapes in ffnet's signatures checked at each call."""

import io
import logging
import os
from pathlib import Path

# Workers side by side share the cores: with more than one thread each they would wait for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

import jaxtyping
import pytest
from jaxtyping import install_import_hook

import tests.typechecking  # noqa: F401 (named in the hook)

with install_import_hook(
    [
        "ffnet.analysis",
        "ffnet.checkpoint",
        "ffnet.datasets",
        "ffnet.encoders",
        "ffnet.fitting",
        "ffnet.geometry",
        "ffnet.kernels",
        "ffnet.metrics",
        "ffnet.models",
        "ffnet.operators",
        "ffnet.rendering",
        "ffnet.sampling",
        "ffnet.signals",
    ],
    "tests.typechecking.check",
):
    import ffnet.analysis
    import ffnet.checkpoint
    import ffnet.datasets
    import ffnet.encoders
    import ffnet.fitting
    import ffnet.geometry
    import ffnet.kernels
    import ffnet.metrics
    import ffnet.metrics.overlap  # loaded on first use
    import ffnet.metrics.peak
    import ffnet.models
    import ffnet.operators
    import ffnet.rendering
    import ffnet.sampling
    import ffnet.signals  # noqa: F401

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture
def shared() -> Path:
    """The folder of reference data beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("the reference data is not here")
    return SHARED


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    """Labelled points are not kept in the user's folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def without_shape_checks():
    """For what Python-level checks would hide (ffnet's own errors) or break (a compiler's graph)."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def command(monkeypatch, tmp_path, capsys):
    """Runs ``ffnet`` with arguments, in this process and in an empty folder; (exit code, stdout, stderr)."""
    from ffnet.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*argv: str) -> tuple[int, str, str]:
        capsys.readouterr()
        root = logging.getLogger()
        level, handlers = root.level, list(root.handlers)
        code = main(list(argv))
        root.setLevel(level)
        for handler in set(root.handlers) - set(handlers):  # Hydra's, which write to this test's stdout and run
            root.removeHandler(handler)
            handler.close()
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


# Overrides that make a fit take a moment: a small image, a small network, few steps.
SMALL = (
    "dataset.size=[24,20]",
    "dataset.batch_size=64",
    "encoder=positional",
    "encoder.num_frequencies=4",
    "model.hidden_features=16",
    "model.hidden_layers=1",
    "trainer.max_steps=20",
    "trainer.accelerator=cpu",
    "callbacks.scalars.every_n_steps=5",
)
# The same for a shape.
SMALL_SHAPE = (
    "dataset=occupancy",
    "dataset.batch_size=256",
    "dataset.pool=4096",
    "dataset.scored_points=2000",
    "dataset.resolution=48",
    "encoder=positional",
    "encoder.num_frequencies=2",
    "model.hidden_features=32",
    "model.hidden_layers=1",
    "optimizer.lr=1e-2",
    "trainer.max_steps=300",
    "trainer.accelerator=cpu",
    "callbacks.scalars.every_n_steps=100",
)


def png(image, **options) -> bytes:
    """The bytes of an image's PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()
