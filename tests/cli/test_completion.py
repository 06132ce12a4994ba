"""What TAB completes, in the program and in real shells."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ffnet.cli import COMMANDS
from ffnet.cli.completion import SHELLS, answers, split
from ffnet.resources import resource

pytestmark = pytest.mark.untraced

# How a shell starts without the files of a user.
ALONE = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"], "fish": ["--no-config", "-i"]}
# The script of the shell, then a stand-in for the program that says which words it was given.
PREPARED = {
    "bash": """eval "$(PYTHON -m ffnet completion bash)"; ffnet() { printf '<%s>' "$@"; echo END; }; PS1='READY''> '""",
    "zsh": """eval "$(PYTHON -m ffnet completion zsh)"; ffnet() { printf '<%s>' "$@"; echo END; }; PS1='READY''> '""",
    "fish": "PYTHON -m ffnet completion fish | source; function ffnet; printf '<%s>' $argv; echo END; end; "
    "function fish_prompt; printf '%s> ' READY; end",
}
# What is typed, with `|` for TAB, and the words that the program is given.
FIRST = [
    ("ffnet rend| x", ["render", "x"]),
    ("ffnet fit --config-dir conf encoder=zig|x", ["fit", "--config-dir", "conf", "encoder=zigzag", "x"]),
    ("ffnet fit my|", ["fit", "my photo (1).jpg"]),
]
TYPED = [
    *FIRST,
    ("ffnet fit enc|=gau|x", ["fit", "encoder=gaussian", "x"]),
    ("ffnet fit -m encoder=grid,gau|", ["fit", "-m", "encoder=grid,gaussian"]),
    ("ffnet fit encoder.sig|5", ["fit", "encoder.sigma=5"]),
    ("A=1 ffnet fit over|f|", ["fit", "overwrite=false"]),
    ("ffnet fit ea|", ["fit", "eagle.jpg"]),
    ('ffnet fit "my|', ["fit", "my photo (1).jpg"]),
    ("ffnet fit dataset.path=my|", ["fit", "dataset.path=my photo (1).jpg"]),
    ("ffnet render checkpoint=run|", ["render", "checkpoint=runs"]),
    # Where there is nothing to complete, nothing is said.
    ("ffnet fit encoder=nosuch|", ["fit", "encoder=nosuch"]),
    ("ffnet fit nosuch.key|", ["fit", "nosuch.key"]),
    ("ffnet nosuch x|", ["nosuch", "x"]),
    ("ffnet fit model=nosuch encoder=wire encoder.|", ["fit", "model=nosuch", "encoder=wire", "encoder."]),
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "conf" / "encoder").mkdir(parents=True)
    (tmp_path / "conf" / "metric").mkdir()
    (tmp_path / "runs" / "one").mkdir(parents=True)
    (tmp_path / "conf" / "encoder" / "zigzag.yaml").write_text("_target_: mine.Zigzag\nperiods: 3\n")
    (tmp_path / "conf" / "metric" / "worst.yaml").write_text("_target_: mine.Worst\n")
    for name in ("my photo (1).jpg", "eagle.jpg"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def completed(line):
    """The answers to ``line``, whose last word is completed."""
    return answers(line.split(" ")[1:])


def test_commands_groups_and_settings_are_completed(place):
    assert completed("ffnet re") == {"render ", "report "}
    assert completed("ffnet ") >= {f"{name} " for name in COMMANDS}
    assert completed("ffnet completion z") == {"zsh "}
    assert completed("ffnet fit enc") == {"encoder=", "encoder."}
    options = {path.stem for path in (resource("conf") / "encoder").glob("*.yaml")}
    assert completed("ffnet fit encoder=") == {f"encoder={name} " for name in options}
    assert completed("ffnet fit --config-dir conf encoder=zi") == {"encoder=zigzag "}
    assert completed("ffnet fit -m -cd ./conf encoder=grid,zi") == {"encoder=grid,zigzag"}
    assert completed("ffnet fit --config-dir conf encoder=zigzag encoder.p") == {"encoder.periods="}
    assert completed("ffnet fit --config-dir conf +me") == {"+metric="}
    assert completed("ffnet fit --config-dir conf +metric=") == {"+metric=worst "}
    # The settings of the option that is chosen, by whatever chooses it.
    own = yaml.safe_load((resource("conf") / "model" / "siren.yaml").read_text())
    found = completed("ffnet fit model=siren model.")
    assert {key.rstrip(".=") for key in found} == {f"model.{key}" for key in own if key not in ("_target_", "defaults")}
    assert "dataset.pool=" in completed("ffnet fit bunny.obj dataset.p")
    assert completed("ffnet fit overwrite=") == {"overwrite=true ", "overwrite=false "}
    assert completed("ffnet fit --config") == {"--config-dir "}
    assert completed("ffnet fit --cfg j") == {"job "}
    assert completed("ffnet render sc") == {"scale="}
    assert not any(word.startswith("hydra") for word in completed("ffnet fit "))
    assert completed("ffnet fit hydra/la") == {"hydra/launcher="}


def test_files_are_left_to_the_shell(place):
    lines = ("--config-dir ", "dataset.path=", "resume=", "my", "run_dir=x nosuch=")
    assert not any(completed(f"ffnet fit {line}") for line in lines)


def test_a_line_is_split_as_a_shell_does():
    assert split("ffnet fit ") == ["ffnet", "fit", ""]
    assert split("ffnet fit 'my ph") == ["ffnet", "fit", "my ph"]
    assert split('ffnet fit a\\ b "c d') == ["ffnet", "fit", "a b", "c d"]


def test_completing_imports_neither_torch_nor_lightning_and_says_no_error(place):
    code = (
        "import sys; from ffnet.cli import main; main(['completion', 'words', 'fit', 'encoder=']);"
        "main(['completion', 'words', 'fit', '--config-dir', 'nowhere', 'encoder=[', '=', '+', 'a=${b', 'x.y.']);"
        "assert not {'torch', 'lightning', 'PIL'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "encoder=gaussian \n" in done.stdout
    assert sorted(path.name for path in place.iterdir()) == ["conf", "eagle.jpg", "my photo (1).jpg", "runs"]


def test_an_unknown_shell_is_refused(command):
    assert command("completion", "tcsh") == (2, "", "ffnet completion: expected one of bash, zsh, fish, got tcsh\n")
    code, out, _ = command("completion")
    assert (code, all(f"completion {shell}" in out for shell in SHELLS)) == (0, True)


def typed(shell, place, lines):
    """The words that a program is given for what is typed into a real shell, and all that the shell has shown."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    pexpect = pytest.importorskip("pexpect")
    root = str(Path(__file__).resolve().parents[2])
    env = os.environ | {"PYTHONPATH": root, "TERM": "dumb", "PS1": "", "INPUTRC": os.devnull, "HOME": str(place)}
    child = pexpect.spawn(
        shell, ALONE[shell], env=env, cwd=str(place), encoding="utf-8", timeout=60, dimensions=(60, 200)
    )
    shown, found = [], []

    def expect(what):
        child.expect(what)
        shown.append(child.before)
        return child.match

    child.sendline(PREPARED[shell].replace("PYTHON", sys.executable))
    expect("READY> ")
    for line, _ in lines:
        for part in re.split(r"(\|)", line):
            child.send("\t" if part == "|" else part)
        child.send("\r")
        match = expect(r"((<[^<>]*>)+)END")
        found.append(re.findall(r"<([^<>]*)>", match[1]))
        expect("READY> ")
    child.close(force=True)
    return found, "".join(shown)


def check(shell, place, lines):
    found, shown = typed(shell, place, lines)
    # zsh takes the slash of a directory back at the end of the line.
    assert [[word.rstrip("/") for word in words] for words in found] == [words for _, words in lines]
    assert not re.search(r"error|traceback|cannot|expected|not found", shown, re.I), shown


def test_bash_completes(place):
    check("bash", place, FIRST)


@pytest.mark.long
@pytest.mark.parametrize("shell", SHELLS)
def test_real_shells_complete(place, shell):
    check(shell, place, TYPED)
