"""Who imports whom, and what an import costs."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import ffnet

PACKAGE = Path(ffnet.__file__).parent
HEAVY = {
    "lightning",
    "hydra",
    "omegaconf",
    "torchvision",
    "tensorboard",
    "PIL",
    "trimesh",
    "igl",
    "onnx",
    "safetensors",
}
# Room: what it may import of ours, and what it may import of others beside the standard library.
ARROWS = {
    "encoders": (set(), {"torch", "jaxtyping"}),
    "kernels": (set(), {"torch", "jaxtyping"}),
    "operators": (set(), {"torch", "jaxtyping"}),
    "sampling": (set(), {"torch", "jaxtyping"}),
    "metrics": (set(), {"torch", "jaxtyping", "torchmetrics"}),
    "allocation.py": ({"budget"}, {"torch"}),
    "atomic.py": (set(), set()),
    "budget.py": (set(), set()),
    "memory.py": (set(), set()),
    "printable.py": (set(), set()),
    "resources.py": (set(), set()),
    "stopping.py": ({"atomic"}, set()),
    "export.py": ({"atomic", "quantization"}, {"torch", "onnxscript", "safetensors"}),
    "reconstructor.py": ({"datasets", "encoders", "fitting", "models", "operators"}, {"torch", "jaxtyping", "deepinv"}),
    "quantization.py": ({"encoders"}, {"torch", "jaxtyping"}),
    "models": ({"encoders"}, {"torch", "jaxtyping"}),
    "geometry": ({"atomic", "budget"}, {"torch", "jaxtyping", "numpy", "trimesh", "igl"}),
    "rendering": ({"budget"}, {"torch", "jaxtyping", "numpy"}),
    "signals": (
        {"atomic", "budget", "geometry", "operators", "rendering"},
        {"torch", "jaxtyping", "numpy", "PIL", "pydicom", "soundfile", "tifffile", "imagecodecs", "OpenEXR", "zarr"},
    ),
    "datasets": (
        {"atomic", "budget", "geometry", "metrics", "operators", "rendering", "resources", "sampling", "signals"},
        {"torch", "jaxtyping", "numpy", "PIL", "torchmetrics", "tqdm"},
    ),
    "fitting": ({"budget", "datasets", "encoders", "metrics", "models", "operators"}, {"torch", "jaxtyping"}),
    "analysis": (
        {"budget", "datasets", "encoders", "fitting", "kernels", "models"},
        {"torch", "jaxtyping", "matplotlib", "tqdm"},
    ),
    "checkpoint": (
        {"allocation", "budget", "encoders", "models", "quantization", "signals"},
        {"torch", "safetensors"},
    ),
    "training": (
        {"analysis", "atomic", "budget", "checkpoint", "datasets", "fitting", "kernels", "memory", "stopping"},
        {"torch", "jaxtyping", "lightning", "tqdm", "yaml", "tensorboard"},
    ),
    "runs": ({"atomic", "budget", "printable"}, {"PIL", "yaml", "matplotlib", "tensorboard"}),
}


def imports(source: str) -> set[str]:
    """Every module that ``source`` imports, wherever the import stands."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {
                f"{node.module}.{alias.name}" if node.module == "ffnet" else str(node.module) for alias in node.names
            }
    return found


def trespasses(room: str, source: str) -> set[str]:
    """The imports in ``source`` that ``room`` may not make."""
    rooms, others = ARROWS[room]
    wrong = set()
    for name in imports(source):
        first, _, rest = name.partition(".")
        if first == "ffnet":
            if rest.split(".")[0] not in rooms | {room}:
                wrong.add(name)
        elif first not in others | sys.stdlib_module_names:
            wrong.add(name)
    return wrong


@pytest.mark.parametrize("room", ARROWS)
def test_rooms_import_only_what_they_may(room):
    place = PACKAGE / room
    for file in [place] if place.is_file() else place.rglob("*.py"):
        assert not trespasses(room, file.read_text()), file


def test_every_room_has_its_arrows():
    rooms = {p.name for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
    assert rooms - {"cli", "api.py", "__init__.py", "__main__.py"} == set(ARROWS)


def circles(arrows: dict[str, set[str]]) -> set[str]:
    """Rooms from which a way along the arrows leads back to them."""
    reached = {room: set(to) for room, to in arrows.items()}
    for _ in arrows:
        for to in reached.values():
            to |= {further for room in tuple(to) for further in reached.get(room, ())}
    return {room for room, to in reached.items() if room in to}


def arrows_of(package: Path) -> dict[str, set[str]]:
    """The rooms of ours that each room's files import, ``package`` itself being one."""
    found: dict[str, set[str]] = {}
    for file in package.rglob("*.py"):
        room = file.relative_to(package).parts[0].removesuffix(".py")
        to = {name.split(".")[1] if "." in name else "__init__" for name in ours(file.read_text())}
        found.setdefault(room, set()).update(to - {room})
    return found


def ours(source: str) -> set[str]:
    return {name for name in imports(source) if name.partition(".")[0] == "ffnet"}


def test_no_way_along_the_arrows_leads_back():
    assert not circles({room.removesuffix(".py"): to for room, (to, _) in ARROWS.items()})
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == {"a", "b", "c"}


def test_no_way_along_the_imports_leads_back():
    """Nobody imports the package's own face, which names what it loads lazily for type checkers."""
    found = arrows_of(PACKAGE)
    assert {"signals", "fitting", "cli"} <= found.keys()
    assert not circles({room: to for room, to in found.items() if room != "__init__"})


def test_imports_that_lead_back_would_be_seen(tmp_path):
    for room, line in {
        "a": "def f():\n    from ffnet.b import x",
        "b": "import ffnet.c.deep",
        "c": "from ffnet import a",
        "d": "from ffnet.a import x",
    }.items():
        (tmp_path / room).mkdir()
        (tmp_path / room / "file.py").write_text(line)
    (tmp_path / "e.py").write_text("from ffnet.c import x")
    assert arrows_of(tmp_path) == {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": {"c"}}
    assert circles(arrows_of(tmp_path)) == {"a", "b", "c"}


def long_files(package: Path) -> set[str]:
    return {file.name for file in package.rglob("*.py") if len(file.read_text().splitlines()) > 299}


def test_every_file_is_short(tmp_path):
    assert not long_files(PACKAGE)
    (tmp_path / "long.py").write_text(300 * "x = 1\n")
    (tmp_path / "short.py").write_text(299 * "x = 1\n")
    assert long_files(tmp_path) == {"long.py"}


def replaces(source: str) -> bool:
    """Whether ``source`` uses mocks or Hydra's internals, by whatever way they are imported."""
    return "mock" in source or any(name.startswith("hydra._internal") for name in imports(source))


def test_nothing_of_python_is_replaced_while_it_runs():
    for file in PACKAGE.rglob("*.py"):
        assert not replaces(file.read_text()), file
    assert replaces("from unittest.mock import patch")
    assert replaces("def f():\n    from hydra._internal.utils import _run_hydra")


def test_only_the_command_line_knows_hydra():
    for file in PACKAGE.rglob("*.py"):
        if PACKAGE / "cli" not in file.parents and file != PACKAGE / "api.py":
            assert not {n.split(".")[0] for n in imports(file.read_text())} & {"hydra", "omegaconf"}, file


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("encoders", "import numpy"),
        ("encoders", "def f():\n    from lightning.pytorch import Trainer"),
        ("models", "from ffnet.training import Fitting"),
        ("datasets", "from ffnet import fitting"),
        ("training", "import ffnet.encoders"),
        ("operators", "from ffnet.fitting import Stepper"),
        ("fitting", "from ffnet.training import Fitting"),
    ],
)
def test_this_test_can_fail(room, line):
    assert trespasses(room, line)


def loaded_by(statement: str) -> set[str]:
    code = f"import sys, json\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return {name.split(".")[0] for name in json.loads(printed)}


def test_encoders_and_models_load_nothing_heavy():
    everything = "from ffnet.encoders import *; from ffnet.models import *; import ffnet.encoders.nerfstudio"
    assert not loaded_by(everything) & HEAVY


def test_meshes_load_their_libraries_when_one_is_read():
    assert not loaded_by("import ffnet.geometry, ffnet.datasets, ffnet.rendering") & {"trimesh", "igl", "scipy"}


@pytest.mark.long
def test_a_heavy_import_would_be_seen():
    assert loaded_by("import ffnet.encoders, ffnet.training") & HEAVY


def test_importing_ffnet_loads_not_even_torch():
    assert not loaded_by("import ffnet, ffnet.cli") & (HEAVY | {"torch", "numpy"})


def test_fit_answers_help_without_torch():
    code = "import sys; from ffnet.cli import main; sys.exit(main(['fit', '--help']) or 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "encoder" in done.stdout


def test_every_public_name_is_there():
    for name in ffnet.__all__:
        assert getattr(ffnet, name)
    assert set(ffnet.__all__) <= set(dir(ffnet))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        ffnet.nonsense  # noqa: B018
