"""A sweep as one HTML page that works offline."""

import base64
import io
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from ffnet.runs.run import Run, number, score_directions, strict_json
from ffnet.runs.table import varying

TEMPLATE = Path(__file__).with_name("report.html")
# Metrics that the page shows in addition to the scores.
COSTS = ("steps", "seconds", "parameters")
# Learning curves are thinned to about this many points.
CURVE_POINTS = 200

Curve = list[tuple[int, float]]

log = logging.getLogger(__name__)


def report(
    runs: Sequence[Run],
    title: str,
    target: Callable[[Run], Image.Image | None] = lambda run: None,
    max_side: int = 1024,
) -> str:
    """The page for ``runs``: a sortable table, learning curves, and two images compared with a slider.

    Args:
        runs: the runs to show, including failed ones.
        title: the heading.
        target: the image a run was fitted to; None if there is none.
        max_side: images with a longer side are downsampled to this many pixels.
    """
    images: dict[str, int] = {}

    def embedded(image: Image.Image | None) -> int | None:
        return None if image is None else images.setdefault(data_url(image, max_side), len(images))

    keys, directions = varying(runs), score_directions(runs)
    columns = [*directions, *(name for name in COSTS if any(name in run.metrics for run in runs))]
    rows = [
        {
            "name": run.folder.name,
            "state": run.state,
            "reason": run.reason,
            "overrides": [run.overrides.get(key, "") for key in keys],
            "metrics": {name: number(run.metrics.get(name)) for name in columns},
            "curves": curves(run.folder),
            "image": embedded(reconstruction(run.folder)),
            "target": embedded(target(run) if run.state == "complete" else None),
        }
        for run in runs
    ]
    data = {
        "title": title,
        "keys": keys,
        "shared": {key: value for key, value in runs[0].overrides.items() if key not in keys},
        "metrics": columns,
        "higher_is_better": directions,
        "runs": rows,
        "images": list(images),
    }
    # "<" would end the script if a setting held "</script>".
    return TEMPLATE.read_text(encoding="utf-8").replace("__DATA__", strict_json(data).replace("<", "\\u003c"))


def curves(folder: Path) -> dict[str, Curve]:
    """The losses and scores that a run has logged to TensorBoard as (step, value), thinned."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    found: dict[str, dict[int, float]] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):  # a resumed run has several
        try:
            for event in LegacyEventFileLoader(str(path)).Load():
                for value in event.summary.value:
                    if value.HasField("simple_value") and _is_score(value.tag):
                        found.setdefault(value.tag, {})[event.step] = float(f"{value.simple_value:.6g}")
        except Exception as error:  # of the loader, or of protobuf
            log.warning("%s: is damaged; its curves end early: %s", path, error)
    return {tag: _thinned(sorted(points.items())) for tag, points in found.items()}


def _is_score(tag: str) -> bool:
    others = tag.endswith(("_per_second", "/lr")) or "/spectral_error/" in tag
    return tag.startswith(("train/", "val/")) and not others


def _thinned(curve: Curve) -> Curve:
    stride = -(-len(curve) // CURVE_POINTS)
    return curve[:: stride or 1] + (curve[-1:] if (len(curve) - 1) % (stride or 1) else [])


def reconstruction(folder: Path) -> Image.Image | None:
    """The reconstructed image in a run directory, or the views of a shape; None if there is none or it is damaged."""
    for path in (*sorted(folder.glob("reconstruction.*")), folder / "views.png"):
        if path.suffix in (".png", ".tif") and path.is_file():
            try:
                image = Image.open(path)
                image.load()
                return image
            except Exception as error:  # of Pillow's readers of many formats
                log.warning("%s: not shown: %s", path, error)
    return None


def data_url(image: Image.Image, max_side: int) -> str:
    """The image as an RGB PNG on white; lossless up to 8 bits and ``max_side`` pixels."""
    if image.mode.startswith("I;16"):
        image = image.point(lambda value: value / 257).convert("L")
    if image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info:
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
    image = image.convert("RGB")
    if max(image.size) > max_side:
        image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
