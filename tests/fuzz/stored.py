"""Damaged checkpoints, run directories and sweeps."""

import io
import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml

from tests.fuzz.case import Case, changed, mutated
from tests.fuzz.material import fitted, inputs

KINDS = ("image", "image", "shape", "ct", "nerf")
ODD_TENSORS = (
    *(torch.zeros(0), torch.tensor(3), torch.full((4, 4), float("nan")), torch.zeros(1).expand(20000, 20000)),
    *(torch.zeros(2, dtype=torch.complex64), torch.ones(3, dtype=torch.bool), torch.zeros(2, 2).to_sparse()),
)


@cache
def contents(kind: str) -> Any:
    return torch.load(fitted(kind) / "checkpoints" / "last.ckpt", weights_only=True)


def damaged(kind: str, rng: random.Random) -> bytes:
    """A checkpoint with other bytes or other contents."""
    if rng.random() < 0.25:
        return mutated((fitted(kind) / "checkpoints" / "last.ckpt").read_bytes(), rng)
    found = contents(kind)
    for _ in range(rng.choice((1, 1, 2, 5))):
        if rng.random() < 0.6:  # what ffnet reads
            found = found | {"ffnet": changed(found["ffnet"], rng)}
        elif rng.random() < 0.5:
            found = found | {"state_dict": changed(found["state_dict"], rng, ODD_TENSORS)}
        else:
            found = changed(found, rng)
        if not isinstance(found, dict) or not isinstance(found.get("ffnet"), dict) or not found.get("state_dict"):
            break
        if not isinstance(found["state_dict"], dict):
            break
    file = io.BytesIO()
    torch.save(found, file)
    return file.getvalue()


def checkpoint(rng: random.Random) -> Case:
    kind = rng.choice(KINDS)
    data = damaged(kind, rng)
    command = rng.choice(("render", "mesh", "evaluate", "export", "fit", "report"))
    files: dict[str, bytes | str] = dict(inputs())
    if command in ("fit", "report"):
        files |= {"run": str(fitted(kind)), "run/checkpoints/last.ckpt": data}
        if command == "report":
            return Case(["report", "run=run"], files, "report.html")
        return Case(["fit", "resume=run", "trainer.max_steps=3", "trainer.accelerator=cpu"], files)
    files["in.ckpt"] = data
    if command == "evaluate":
        return Case(["evaluate", "checkpoint=in.ckpt"], files)
    output, extra = {
        "render": ("out.png", rng.choice(([], ["size=[9,7]"]))),
        "mesh": ("out.ply", ["resolution=6"]),
        "export": (rng.choice(("out.safetensors", "out.safetensors", "out.pt2")), []),
    }[command]
    return Case([command, "checkpoint=in.ckpt", f"output={output}", *extra], files, output)


def exported(rng: random.Random) -> Case:
    """A damaged file of exported weights."""
    from safetensors.torch import save

    kind, command = rng.choice(("image", "shape")), rng.choice(("render", "mesh", "evaluate", "export"))
    found = contents(kind)
    entry = {name: found["ffnet"][name] for name in ("field", "signal")}
    weights = {n.removeprefix("field."): w for n, w in found["state_dict"].items() if n.startswith("field.")}
    if rng.random() < 0.5:
        entry = changed(entry, rng)
    elif rng.random() < 0.5:
        weights = changed(weights, rng, (torch.zeros(0), torch.tensor(3), torch.zeros(4, 2, dtype=torch.int8)))
    weights = weights if isinstance(weights, dict) else {}
    kept = {str(name): weight.clone() for name, weight in weights.items() if isinstance(weight, torch.Tensor)}
    data = save(kept, {"ffnet": json.dumps(entry, default=str)})
    files: dict[str, bytes | str] = {"in.safetensors": mutated(data, rng) if rng.random() < 0.3 else data}
    if command == "evaluate":
        return Case(["evaluate", "checkpoint=in.safetensors"], files)
    output = {"render": "out.png", "mesh": "out.ply", "export": "out.pt2"}[command]
    extra = ["resolution=6"] if command == "mesh" else []
    return Case([command, "checkpoint=in.safetensors", f"output={output}", *extra], files, output)


RECORDS = ("metrics.json", "metrics.json", ".hydra/overrides.yaml", ".hydra/overrides.yaml", "failed.json", "events")
RECORDS += ("reconstruction.png", ".hydra/config.yaml")


def record(rng: random.Random) -> Case:
    """A sweep with a damaged record, tabulated, reported or resumed."""
    folder = fitted("sweep")
    name = "multirun.yaml" if rng.random() < 0.25 else f"0/{rng.choice(RECORDS)}"
    if name.endswith("events"):
        name = str(next((folder / "0").glob("events*")).relative_to(folder))
    data = altered(folder / name, rng)
    files: dict[str, bytes | str] = inputs() | {"sweep": str(folder), f"sweep/{name}": data}
    command = rng.choice(("table", "table", "report", "fit"))
    if command == "report":
        return Case(["report", "run=sweep"], files, "report.html")
    if command == "fit":
        return Case(["fit", "resume=sweep", "trainer.max_steps=2"], files)
    extra = [f"format={rng.choice(('markdown', 'csv', 'json'))}"]
    extra += rng.choice(([], ["each=true"], ["metrics=[psnr,seconds]"], ["plot=plot.png", "x=seed", "over=[]"]))
    return Case(["table", "run=sweep", *extra], files, "plot.png" if "plot=plot.png" in extra else None)


def altered(path: Path, rng: random.Random) -> bytes:
    """The file with other bytes or, if it is a record, other contents."""
    data = path.read_bytes() if path.exists() else b'{"reason": "x", "exit_code": 1}'
    if path.suffix not in (".json", ".yaml") or rng.random() < 0.3:
        return mutated(data, rng)
    if rng.random() < 0.05:
        return rng.choice((b"[" * 100_000, b'{"a":' * 50_000, b"a: &a [x]\nb: &b [*a,*a]\n" * 50, b"", b"\xff\xfe\x00"))
    found = changed(yaml.safe_load(data), rng)
    text = json.dumps(found) if path.suffix == ".json" else yaml.safe_dump(found, allow_unicode=True)
    return text.encode(errors="surrogateescape")
