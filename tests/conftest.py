"""Every test runs with the shapes in ffnet's signatures checked at each call."""

import collections
import io
import logging
import os
import shutil
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

# Workers side by side share the cores: with more than one thread each they would wait for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

import jaxtyping
import pytest

# As in a terminal: what a shell starts in the background may ignore this signal, and ffnet leaves it alone then.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

TRACER = pytest.StashKey()  # of a test: coverage's, or None

_seen: collections.Counter[str] = collections.Counter()  # cases so far of each test that is sampled

SHARED = Path(__file__).resolve().parents[2] / "shared"


@contextmanager
def tracing(tracer):
    """With coverage's tracer, or with None, since it doubles the time of Python code; pytest-cov cannot stop it in a
    worker."""
    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        yield
    finally:
        sys.settrace(before)


def pytest_collection(session):
    """Loads ffnet before the first test module does; the process that hands tests to workers runs none of them."""
    if not session.config.pluginmanager.has_plugin("dsession"):
        with tracing(None):
            import lightning.pytorch  # noqa: F401 (and with it most of what ffnet imports)
        import tests.checked  # noqa: F401


def pytest_itemcollected(item):
    """Of a test that is marked ``few`` or ``sampled``, only some cases always run; the others are long."""
    few = item.get_closest_marker("few")
    if few is not None and item.callspec.params["case"] not in few.args:
        item.add_marker("long")
    sampled = item.get_closest_marker("sampled")
    if sampled is not None:
        function = item.nodeid.partition("[")[0]
        if _seen[function] % sampled.args[0]:
            item.add_marker("long")
        _seen[function] += 1


@pytest.hookimpl(trylast=True)  # once those that do not run are gone
def pytest_collection_modifyitems(items):
    """Of a test with several cases only the first is traced."""
    traced = set()
    for item in items:
        function = item.nodeid.partition("[")[0]
        if function in traced:
            item.add_marker("untraced")
        traced.add(function)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    """Traces tests and their fixtures, not what pytest does around them."""
    item.stash[TRACER] = None if item.get_closest_marker("untraced") else sys.gettrace()
    with tracing(None):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    with tracing(item.stash[TRACER]):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(request):
    with tracing(request._pyfuncitem.stash[TRACER]):
        return (yield)


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


def run_main(*argv: str) -> int:
    """``ffnet`` with arguments in this process, without the handlers that Hydra leaves to the root logger."""
    from ffnet.cli import main

    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    code = main(list(argv))
    root.setLevel(level)
    for handler in set(root.handlers) - set(handlers):  # they write to this test's stdout and run
        root.removeHandler(handler)
        handler.close()
    return code


@pytest.fixture
def command(monkeypatch, tmp_path, capsys):
    """Runs ``ffnet`` with arguments, in this process and in an empty folder; (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*argv: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_main(*argv)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="session")
def small_run(tmp_path_factory) -> Path:
    """The directory of a fit of ``SMALL``; no test changes it."""
    folder = tmp_path_factory.mktemp("small") / "run"
    assert run_main("fit", *SMALL, f"hydra.run.dir={folder}") == 0
    return folder


@pytest.fixture
def fitted(small_run, tmp_path) -> Path:
    """The same, as ``run`` in the test's folder and the test's own."""
    return Path(shutil.copytree(small_run, tmp_path / "run"))


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
