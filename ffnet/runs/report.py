"""A sweep as one HTML page that needs nothing else."""

import base64
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from ffnet.runs.run import Run
from ffnet.runs.table import metric_names, varying

TEMPLATE = Path(__file__).with_name("report.html")
# Figures of a run that the page shows beside its scores.
FIGURES = ("mse", "steps", "seconds", "parameters")
# A curve keeps about so many points.
CURVE_POINTS = 200

Curve = list[tuple[int, float]]


def report(
    runs: Sequence[Run],
    title: str,
    target: Callable[[Run], Image.Image | None] = lambda run: None,
    max_side: int = 1024,
) -> str:
    """The page for ``runs``: a table to sort, learning curves, and two pictures side by side under a slider.

    Args:
        runs: what it shows; failed ones as well.
        title: its heading.
        target: what a run was fitted to, as a picture; None if it is none.
        max_side: larger pictures are embedded at this many pixels along their longer side.
    """
    pictures: dict[str, int] = {}

    def embedded(picture: Image.Image | None) -> int | None:
        return None if picture is None else pictures.setdefault(data_url(picture, max_side), len(pictures))

    keys = varying(runs)
    rows = [
        {
            "name": run.folder.name,
            "state": run.state,
            "reason": run.reason,
            "values": [run.overrides.get(key, "") for key in keys],
            "metrics": run.metrics,
            "curves": curves(run.folder),
            "picture": embedded(reconstruction(run.folder)),
            "target": embedded(target(run) if run.state == "complete" else None),
        }
        for run in runs
    ]
    known = {name for run in runs for name in run.metrics}
    shared = {key: value for key, value in runs[0].overrides.items() if key not in keys}
    data = {
        "title": title,
        "keys": keys,
        "shared": shared,
        "metrics": [*metric_names(runs), *(name for name in FIGURES if name in known)],
        "runs": rows,
        "pictures": list(pictures),
    }
    # "<" would end the script if a setting held "</script>".
    return TEMPLATE.read_text().replace("__DATA__", json.dumps(data).replace("<", "\\u003c"))


def curves(folder: Path) -> dict[str, Curve]:
    """What a run has logged to TensorBoard under ``train/`` and ``val/``: (step, value), thinned out."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    found: dict[str, dict[int, float]] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):  # a resumed run has several
        for event in LegacyEventFileLoader(str(path)).Load():
            for value in event.summary.value:
                if value.HasField("simple_value") and value.tag.startswith(("train/", "val/")):
                    found.setdefault(value.tag, {})[event.step] = round(value.simple_value, 6)
    return {tag: _thinned(sorted(points.items())) for tag, points in found.items()}


def _thinned(curve: Curve) -> Curve:
    stride = -(-len(curve) // CURVE_POINTS)
    return curve[:: stride or 1] + (curve[-1:] if (len(curve) - 1) % (stride or 1) else [])


def reconstruction(folder: Path) -> Image.Image | None:
    """What a run has left as a picture: of a shape, its views."""
    for path in (*sorted(folder.glob("reconstruction.*")), folder / "views.png"):
        if path.suffix in (".png", ".tif") and path.is_file():
            return Image.open(path)
    return None


def data_url(picture: Image.Image, max_side: int) -> str:
    """The picture as a browser shows it, on white, without loss unless it is larger than ``max_side``."""
    if picture.mode.startswith("I;16"):
        picture = picture.point(lambda value: value / 257).convert("L")
    if picture.mode in ("LA", "RGBA", "PA") or "transparency" in picture.info:
        over = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
    picture = picture.convert("RGB")
    if max(picture.size) > max_side:
        picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
