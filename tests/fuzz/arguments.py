"""Odd overrides of every setting of every command, and odd outputs."""

import random
from functools import cache
from typing import Any

from omegaconf import OmegaConf

from tests.fuzz.case import ODD, Case, places
from tests.fuzz.material import CT, GRADIENT, IMAGE, NERF, SDF, SHAPE, fitted, inputs

# Of these, a large value is a long run rather than bad input.
LONG = ("max_steps", "max_epochs", "max_time", "ntk.steps", "min_steps", "min_epochs")
# Settings that would start processes or leave the folder.
LEFT_OUT = ("trainer.num_nodes", "trainer.devices", "trainer.strategy", "hydra.sweeper", "hydra.launcher")

TASKS = (IMAGE, IMAGE, SHAPE, CT, NERF, GRADIENT, SDF)
NTK = ["ntk.points=4", "ntk.line=8", "ntk.steps=2"]


@cache
def settings(command: str, task: int) -> list[str]:
    """The keys of all settings of a command, and of Hydra's that say where and how it runs."""
    from ffnet.cli.compose import compose_config

    overrides = [*TASKS[task], "run_dir=x"] if command in ("fit", "ntk") else []
    config: Any = OmegaConf.to_container(compose_config(command, overrides), resolve=False)
    keys = [".".join(map(str, path)) for path in places(config) if not isinstance(path[-1], int)]
    keys += ["hydra.run.dir", "hydra.output_subdir", "hydra.job.name", "hydra.verbose", "hydra.mode", "hydra.job.chdir"]
    return [key for key in keys if not key.startswith(LEFT_OUT)]


def text(value: Any) -> str:
    """A value as it might be typed."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text, value)) + "]"
    plain = {"None": "null", "True": "true", "False": "false"}
    return plain.get(str(value), str(value))


GROUPS = ("encoder", "model", "loss", "optimizer", "schedule", "trainer", "engine", "callbacks", "logger", "dataset")
GROUPS += ("recipe", "experiment", "pairing", "sizes", "rates", "network_rates")
GROUPS += ("hydra/launcher", "hydra/job_logging", "hydra/sweeper")
PIECES = (
    *("a", "b", "dataset", "encoder.sigma", "=", "==", ",", ":", "[", "]", "{", "}", "(", ")", "'", '"', "\\", "$"),
    *("${", "}", "~", "+", "++", "@", "#", "%", "1", "1.5", "-3", "1e9", "null", "true", "???", "é", "\x1b[1m", " "),
    *(".", "..", "/", "*", "glob(", "range(", "choice(1,2)", "sort(", "_target_", "-", "--", "=", "glob:", "glob:*.x"),
)
FLAGS = (["-m"], ["--cfg", "job"], ["--resolve", "-c", "all"], ["--nope"], ["-p", "x", "-c", "job"], ["-cd", "nowhere"])
SWEEPS = ("seed=0,1", "seed=range(0,1000000000000)", "seed=range(0,1e12,0.5)", "trust=a,b", "seed=range(0,3,0)")
SWEEPS += ("seed=shuffle(range(1,99999999))", "seed=interval(0,1)", "seed=glob(*)", "seed=", "trust=[a],[b]")
OPTIONS = ("nope", "null", "[a,b]", "1", "default", "../x", "@")


def override(rng: random.Random, command: str, task: int) -> str:
    """One odd override."""
    what = rng.random()
    if what < 0.12:
        return "".join(rng.choice(PIECES) for _ in range(rng.randrange(1, 9)))
    if what < 0.2:
        return f"{rng.choice(('', '+', '++', '~'))}{rng.choice(GROUPS)}={rng.choice(OPTIONS)}"
    key = rng.choice(settings(command, task))
    if what < 0.28:
        key = f"{rng.choice(('~', '+', '++'))}{key}{rng.choice(('', '.x', 's'))}"
    odd = [value for value in ODD if type(value) is not int or value < 100] if key.endswith(LONG) else ODD
    value = text(rng.choice(odd))
    if rng.random() < 0.15:
        value = rng.choice((f"'{value}'", f'"{value}"', f"'{value}", f"[{value}", f"{value},{value}", f"int({value})"))
    return f"{key}={value}" if rng.random() < 0.97 else key


def overrides(rng: random.Random) -> Case:
    command = rng.choice(("fit", "fit", "fit", "fit", "render", "mesh", "evaluate", "table", "report", "export", "ntk"))
    task, files, output = 0, dict(inputs()), None
    base: list[str] = []
    if command in ("fit", "ntk"):
        task = rng.randrange(len(TASKS))
        base = [*TASKS[task], *(NTK if command == "ntk" else [])]
    elif command in ("table", "report"):
        files |= {"sweep": str(fitted("sweep"))}  # type: ignore[dict-item]
        base = ["run=sweep"]
    else:
        kind = "shape" if command == "mesh" else "image"
        files |= {"run": str(fitted(kind))}  # type: ignore[dict-item]
        base = ["checkpoint=run"] + (["output=out.pt2"] if command == "export" else [])
    extra = [override(rng, command, task) for _ in range(rng.choice((1, 1, 1, 2)))]
    flags = rng.choice(FLAGS) if rng.random() < 0.3 else []
    if "-m" in flags:
        extra.append(rng.choice(SWEEPS))
    return Case([command, *base, *extra, *flags], files, output)  # type: ignore[arg-type]


NAMES = (
    *(
        "out.xyz",
        "out",
        "",
        ".",
        "..",
        "/",
        "folder",
        "folder.png",
        "missing/out.png",
        "/dev/null",
        "/dev/full",
        "/proc/out.png",
    ),
    *(
        "loop.png",
        "x" * 300 + ".png",
        "x" * 240 + ".png",
        "a\x1b[2Jb.png",
        "a\nb.png",
        "é\u202e.png",
        "out.png/",
        "photo.png/out.png",
    ),
    *(
        "out.jpg",
        "out.gif",
        "out.webp",
        "out.ico",
        "out.pdf",
        "out.tif",
        "out.bmp",
        "out.ppm",
        "out.PNG",
        "out.jp2",
        "out.avif",
    ),
    *(
        "out.ply",
        "out.obj",
        "out.glb",
        "out.stl",
        "out.dae",
        "out.pt2",
        "out.safetensors",
        "out.onnx.x",
        "old.png",
        "old.ply",
    ),
)
SIZES = (
    "null",
    "0",
    "[]",
    "false",
    "true",
    "''",
    "abc",
    "[1,2,3]",
    "[0,5]",
    "-3",
    "1.5",
    "[70000,1]",
    "[1,70000]",
    "[20,300]",
)
SIZES += ("[1e9,1]", "100000", "[99999999999,99999999999]", "7", "[5,9]")


def outputs(rng: random.Random) -> Case:
    """Outputs that cannot be written, and sizes that a format cannot hold."""
    command = rng.choice(("render", "render", "render", "mesh", "export", "table", "report"))
    output = rng.choice(NAMES)
    files: dict[str, bytes | str] = inputs() | {
        "folder/x": b"",
        "folder.png/x": b"",
        "old.png": b"old",
        "old.ply": b"old",
    }
    given = f'output="{output}"' if output else "output="
    if command in ("table", "report"):
        files["sweep"] = str(fitted("sweep"))
        argv = [command, "run=sweep", given]
        if command == "table" and rng.random() < 0.5:
            argv = ["table", "run=sweep", "over=[]", "x=seed", f'plot="{output}"']
    else:
        files["run"] = str(fitted("shape" if command == "mesh" else "image"))
        argv = [command, "checkpoint=run", given]
        if command == "render":
            argv.append(f"size={rng.choice(SIZES)}")
        if command == "mesh":
            argv.append(
                f"resolution={rng.choice(('6', '6', '0', 'abc', '1e9', '2', '3.5', '[4]', '100000', '1000000000000'))}"
            )
    return Case(argv, files, output or None)
