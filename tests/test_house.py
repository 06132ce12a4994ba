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
    "models": ({"encoders"}, {"torch", "jaxtyping"}),
    "kernels": (set(), {"torch", "jaxtyping"}),
    "metrics.py": (set(), set()),
    "resources.py": (set(), set()),
    "files.py": (set(), set()),
    "memory.py": (set(), set()),
    "export.py": ({"files"}, {"torch", "onnxscript", "safetensors"}),
    "checkpoint.py": ({"encoders", "models"}, {"torch"}),
    "geometry": ({"files"}, {"torch", "jaxtyping", "numpy", "trimesh", "igl"}),
    "datasets": ({"files", "geometry", "metrics", "resources"}, {"torch", "jaxtyping", "numpy", "PIL", "tqdm"}),
    "rendering": ({"datasets", "files", "geometry"}, {"torch", "jaxtyping", "numpy", "PIL"}),
    "runs": ({"files"}, {"PIL", "yaml", "matplotlib", "tensorboard"}),
    "training": (
        {"checkpoint", "datasets", "files", "kernels", "memory", "metrics", "models"},
        {"torch", "jaxtyping", "lightning", "tqdm", "yaml", "tensorboard"},
    ),
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
    ours, others = ARROWS[room]
    wrong = set()
    for name in imports(source):
        first, _, rest = name.partition(".")
        if first == "ffnet":
            if rest.split(".")[0] not in ours | {room}:
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
    assert rooms - {"cli", "__init__.py", "__main__.py"} == set(ARROWS)


def test_only_the_command_line_knows_hydra():
    for file in PACKAGE.rglob("*.py"):
        if PACKAGE / "cli" not in file.parents:
            assert not {n.split(".")[0] for n in imports(file.read_text())} & {"hydra", "omegaconf"}, file


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("encoders", "import numpy"),
        ("encoders", "def f():\n    from lightning.pytorch import Trainer"),
        ("models", "from ffnet.training import Fitting"),
        ("datasets", "from ffnet import rendering"),
        ("training", "import ffnet.encoders"),
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
