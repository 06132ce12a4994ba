"""``ffnet.fit``: ``ffnet fit`` in Python."""

import base64
import html
import io
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning.pytorch import Trainer
    from omegaconf import DictConfig

    from ffnet.training import Fitting

# Settings to which new names may be added, as with `+` on the command line.
OPEN = ("callbacks", "logger", "regularizers", "dataset.metrics", "dataset.operator", "dataset.sampler")


class Run:
    """A completed fit.

    Attributes:
        field: the fitted field, in evaluation mode: coordinates (..., d) in [0, 1]^d to values (..., c).
        metrics: the contents of ``metrics.json``: scores, steps, seconds, ...
        history: one dictionary per logged step: ``step``, ``train/loss``, ``val/psnr``, ...
        settings: the resolved settings.
    """

    def __init__(self, module: "Fitting", trainer: "Trainer", metrics: dict[str, Any], history: list[Any]) -> None:
        self.field: Any = module.result.eval()
        self.metrics = metrics
        self.history = history
        self.settings = {"model": module.description.field, **module.description.settings}
        self._record = module.dataset.record
        self._trainer = trainer

    def reconstruction(self) -> Any:
        """The signal as reconstructed from the field: a Pillow image for images, a mesh (vertices, faces) for shapes.

        Raises:
            ValueError: if there is none.
        """
        if self._record is None:
            raise ValueError("reconstruction: this task has none")
        return self._record.reconstruct(self.field)

    def save(self, path: str | PathLike[str]) -> Path:
        """Writes a checkpoint for ``ffnet.load`` and the commands ``render``, ``evaluate`` and ``export``."""
        from ffnet.cli.assemble import quiet_libraries

        with quiet_libraries():
            self._trainer.save_checkpoint(Path(path))
        return Path(path)

    @property
    def scores(self) -> dict[str, float]:
        """The scores, the main one first."""
        return {name: self.metrics[name] for name in self.metrics["higher_is_better"]}

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {value:.4g}" for name, value in self.scores.items())
        return f"<ffnet run: {scores}; {self.metrics['steps']} steps in {self.metrics['seconds']:.1f} s>"

    def _repr_html_(self) -> str:
        """For notebooks: the scores and, if it is an image, the reconstruction."""
        from PIL import Image

        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{value:.4g}</td></tr>" for name, value in self.scores.items()
        )
        parts = [f"<table>{rows}</table>", html.escape(repr(self))]
        try:
            found = self.reconstruction()
        except ValueError:  # none, or a shape without a surface
            found = None
        if isinstance(found, Image.Image):
            buffer = io.BytesIO()
            shown = found.convert("RGB")
            shown.thumbnail((512, 512))
            shown.save(buffer, "PNG")
            parts.insert(0, f'<img src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">')
        return "<div>" + "".join(parts) + "</div>"


def fit(
    signal: Any = None,
    *,
    directory: str | PathLike[str] | None = None,
    progress: bool = True,
    overrides: Sequence[str] = (),
    config_dir: str | PathLike[str] | None = None,
    **settings: Any,
) -> Run:
    """Fits a field to a signal. Settings and results are those of ``ffnet fit``, bit for bit.

    ::

        run = ffnet.fit("photo.jpg")
        run = ffnet.fit(array, recipe="fast", trainer={"max_steps": 500}, encoder={"max_resolution": 256})
        run = ffnet.fit(mesh, encoder=("positional", {"num_frequencies": 8}))

    Args:
        signal: a path, whose suffix chooses the dataset as on the command line; or the signal itself: a Pillow image;
            a NumPy array or a tensor, by default an image (height, width[, channels]), and else what ``dataset`` says:
            a volume (depth, height, width[, channels]), a video (frames, height, width, 3), a recording (samples[,
            channels]); a mapping of arrays, of what an ``.npz`` file for ``dataset="ct"``, ``"mri"`` or ``"nerf"``
            holds; a mesh with ``vertices`` and ``faces``, such as a ``trimesh.Trimesh`` (``occupancy``). None is the
            bundled image.
        directory: the run directory to write (checkpoint, TensorBoard events, reconstruction, ``metrics.json``); None
            writes no files.
        progress: whether to show a progress bar on a terminal or in a notebook.
        overrides: in the syntax of the command line, such as ``["encoder.levels=8"]``; applied last.
        config_dir: a directory with your own configs, as ``--config-dir``.
        settings: by group: an option (``encoder="positional"``), settings (``model={"hidden_features": 128}``), or both
            (``encoder=("grid", {"levels": 8})``); or a single value (``seed=3``).

    Global state is restored: Hydra, random generators, signal handlers, loggers and warning filters. (The C library
    keeps up to 512 MiB of freed memory in this process, see ``ffnet.memory``.)

    Raises:
        ValueError: for invalid input; the message says what was expected.
        OSError: if a file cannot be read or written.
        FloatingPointError: if the fit diverges.
    """
    from omegaconf import OmegaConf

    from ffnet.cli.app import BadInput, reading_input
    from ffnet.cli.assemble import assemble, quiet_libraries
    from ffnet.cli.compose import compose_config
    from ffnet.cli.finish import results, write_results
    from ffnet.cli.parts import instantiated, make_parts
    from ffnet.cli.plan import clear_results, limits_of
    from ffnet.runs import settings as plain_overrides

    started = time.perf_counter()
    held = None if signal is None or isinstance(signal, str | PathLike) else signal
    place = None if directory is None else Path(directory)
    config_dirs = [] if config_dir is None else [str(config_dir)]
    lines = [*_overrides(settings, signal, place, progress), *overrides]
    if not any(line.startswith("dataset=") for line in lines) and (name := _dataset(signal, config_dirs)):
        lines.insert(0, f"dataset={name}")
    with _nothing_left_behind(), quiet_libraries(), ExitStack() as stack:
        from ffnet.training import History

        history = History()
        try:
            with reading_input():
                config = compose_config("fit", lines, config_dirs)
                _check_new(config, place)
                stack.enter_context(limits_of(config))
                plain: Any = OmegaConf.to_container(config, resolve=True)
                if place is None and plain["trainer"].get("profiler") is not None:
                    raise ValueError("trainer.profiler: writes to the run directory; give one, directory=...")
                own = plain_overrides(lines)
                parts = make_parts(plain, instantiated, held)
                module, trainer = assemble(plain, instantiated, parts, place or Path(), own, [history])
        except BadInput as error:
            raise ValueError(str(error)) from error.__cause__
        if place is not None and plain["overwrite"]:
            clear_results(place)
        _train(module, trainer)
        found = results(module, trainer, place, time.perf_counter() - started)
        if place is not None:
            write_results(found, place)
    module.to("cpu")
    return Run(module, trainer, found.metrics, history.rows)


def _check_new(config: "DictConfig", place: Path | None) -> None:
    """Raises ValueError if a run is to be resumed, or one in the directory ``place`` to be replaced unasked."""
    from ffnet.cli.plan import holds_results, starts_afresh

    if config.resume is not None and config.resume is not False:
        raise ValueError("resume: ffnet.fit starts runs; `ffnet fit resume=...` on the command line goes on with them")
    if place is not None and starts_afresh(config) and holds_results(place):
        raise ValueError(f"directory: {place} holds a run; overwrite=True replaces it")


def _train(module: "Fitting", trainer: "Trainer") -> None:
    from ffnet.training import Interrupted, NonFiniteLoss

    if trainer.num_devices * trainer.num_nodes > 1:
        raise ValueError("trainer.devices: ffnet.fit uses one device; `ffnet fit` on the command line uses several")
    try:
        trainer.fit(module)
    except NonFiniteLoss as error:
        raise FloatingPointError(f"{error}; try a lower learning rate, optimizer={{'lr': ...}}") from error
    except (Interrupted, SystemExit) as stop:  # Interrupted has saved; Lightning exits on Ctrl-C at other times
        raise KeyboardInterrupt from stop


def _overrides(settings: Mapping[str, Any], signal: Any, place: Path | None, progress: bool) -> list[str]:
    """The arguments of ``fit`` as overrides."""
    lines = _keywords(settings)
    if signal is not None and isinstance(signal, str | PathLike):
        lines.append(_line("dataset.path", str(signal)))
    lines.append(_line("run_dir", str(place or ".")))
    if not progress:
        lines.append("~callbacks.progress")
    if place is None:
        lines += ["logger=none", "~callbacks.checkpoints"]
    return lines


def _dataset(signal: Any, config_dirs: Sequence[str]) -> str | None:
    """The dataset for a signal, of a path as on the command line; None is the default."""
    from ffnet.cli.kinds import dataset_of

    if isinstance(signal, str | PathLike):
        return dataset_of([str(signal)], config_dirs)
    return "occupancy" if hasattr(signal, "faces") else None


def _keywords(settings: Mapping[str, Any]) -> list[str]:
    """Keyword arguments as overrides: first the options of groups, then the settings in them."""
    options, values = [], []
    for name, value in settings.items():
        option, inner = value if isinstance(value, tuple) else (None, value)
        if option is not None:
            options.append(f"{name}={option}")
        if isinstance(inner, Mapping):
            values += list(_flat(name, inner))
        elif option is None:
            options.append(_line(name, inner))
    return options + values


def _flat(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _flat(f"{key}.{name}", item)
    else:
        yield _line(key, value)


def _line(key: str, value: Any) -> str:
    """``key=value`` in Hydra's grammar: like JSON, except that only quotes are escaped in strings."""
    added = "++" if key.startswith(tuple(f"{name}." for name in OPEN)) else ""
    return f"{added}{key}={_text(value)}"


def _text(value: Any) -> str:
    from ffnet.cli.overrides import quoted

    if isinstance(value, str | PathLike):
        return quoted(str(value))
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(_text(item) for item in value) + "]"
    return json.dumps(value)


@contextmanager
def _nothing_left_behind() -> Iterator[None]:
    """Restores the random generators, the default dtype, the number of threads, and what ``trainer.deterministic`` and
    ``trainer.benchmark`` set."""
    import random

    import numpy as np
    import torch

    state, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002 (the global generator's)
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    strict, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark, workspace = torch.backends.cudnn.benchmark, os.environ.get("CUBLAS_WORKSPACE_CONFIG")
    devices = range(torch.cuda.device_count())
    torch.set_default_dtype(torch.float32)
    try:
        with torch.random.fork_rng(devices), torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        random.setstate(state)
        np.random.set_state(numbers)  # noqa: NPY002
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict, warn_only=warns)
        torch.backends.cudnn.benchmark = benchmark
        if workspace is None:  # which Lightning sets
            os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)
