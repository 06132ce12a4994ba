"""Run directories, written by hand."""

import json


def write_run(folder, overrides, metrics=None, failure=None):
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text("".join(f"- {json.dumps(text)}\n" for text in overrides))
    if metrics is not None:
        (folder / "metrics.json").write_text(json.dumps(metrics))
    if failure is not None:
        (folder / "failed.json").write_text(json.dumps(failure))


def write_sweep(folder, sweep, runs):
    """A sweep of ``sweep``, overrides as typed, with ``runs`` by number: (overrides, metrics, failure)."""
    folder.mkdir()
    lines = "".join(f"    - {json.dumps(text)}\n" for text in sweep)
    (folder / "multirun.yaml").write_text(
        f"hydra:\n  sweeper:\n    _target_: BasicSweeper\n  overrides:\n    task:\n{lines}"
    )
    for index, run in runs.items():
        write_run(folder / str(index), *run)
