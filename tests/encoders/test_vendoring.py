"""The encoders as a copy in another project, as docs/vendoring.md has it."""

import shutil
import subprocess
import sys
from pathlib import Path

import ffnet.encoders

PAGE = Path(__file__).parents[2] / "docs" / "vendoring.md"


def test_a_copy_works_where_there_is_no_ffnet(tmp_path):
    (tmp_path / "ffnet").mkdir()
    shutil.copytree(Path(ffnet.encoders.__file__).parent, tmp_path / "ffnet" / "encoders")
    (tmp_path / "yours").mkdir()
    steps = PAGE.read_text().split("```")[3]
    subprocess.run(["bash", "-euo", "pipefail", "-c", steps], check=True, cwd=tmp_path)
    shutil.rmtree(tmp_path / "ffnet")
    code = (
        "import sys; sys.modules['ffnet'] = None\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "from yours.encoders import *\n"
        "import torch, yours.encoders.nerfstudio, yours.encoders.tinycudann\n"
        "assert GaussianEncoder(2)(torch.rand(3, 2)).shape == (3, 512)\n"
        "assert conventions.nerf_pytorch(3)(torch.rand(3, 3)).shape == (3, 63)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
