"""``ffnet ntk``: the kernel of the network that ``fit`` would train, and its predictions."""

import logging
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from ffnet.atomic import replacing
from ffnet.cli.app import reading_input, run
from ffnet.cli.errors import BadInput, explain

if TYPE_CHECKING:
    from ffnet.datasets import Dataset
    from ffnet.models import Field

log = logging.getLogger(__name__)

# Most rows of a kernel; with this number the command takes 91 s on one core and 2.4 GiB.
MOST_ROWS = 6144
# Most networks that are trained at once, and most known points.
MOST_NETWORKS = 1024

Report = dict[str, Any]
Draw = Callable[[str, Path], None]  # from a title and the file to write


def main(argv: Sequence[str]) -> int:
    return run("ntk", ntk, argv)


def ntk(config: DictConfig) -> None:
    from hydra.core.hydra_config import HydraConfig

    from ffnet.runs import strict_json

    studies = {"kernel": kernel, "regression": regression, "ensemble": ensemble, "bandwidth": bandwidth}
    if config.ntk.study not in studies:
        raise BadInput(f"ntk.study: expected one of {', '.join(studies)}, got {config.ntk.study!r}")
    report, draw = studies[config.ntk.study](config)
    folder = Path(HydraConfig.get().runtime.output_dir)
    with replacing(folder / "ntk.json") as temporary:
        temporary.write_text(strict_json(report, indent=2) + "\n")
    names = [config[group]._target_.rpartition(".")[2] for group in ("model", "encoder")]
    draw("{} after {}".format(*names), folder / "ntk.png")
    log.info("%s", report["statement"])
    log.info("wrote   %s", folder / "ntk.png")
    log.info("wrote   %s", folder / "ntk.json")


def kernel(config: DictConfig) -> tuple[Report, Draw]:
    """Spectrum, decay times and predicted training at the start."""
    from hydra.utils import instantiate

    from ffnet.analysis import as_real, curves, line_spectrum
    from ffnet.analysis.ntk_figure import draw

    with reading_input():
        dataset, field, resolved = built(config)
        few, operator = dataset.probe(2), dataset.operator.double()
        settings = checked(config.ntk, as_real(few.targets).shape[1])
        make = instantiate(resolved["optimizer"], _convert_="all")
        schedule = instantiate(resolved["schedule"], _convert_="all")
        try:
            curves(field, few.queries.double(), few.targets, 1, settings["lr"], make, schedule, operator)
        except Exception as error:  # of torch's transforms, and of classes of the user's
            raise ValueError(f"ntk: cannot be computed with these settings ({explain(error)})") from error
    log.info("kernel  on a line of %d points", settings["line"])
    report = line_spectrum(field, settings["line"], settings["lr"])
    batch = dataset.probe(settings["points"])
    x, y = batch.queries.double(), as_real(batch.targets).double()
    log.info("kernel  on %d training points with %d values each", *y.shape)
    report |= curves(field, x, y, settings["steps"], settings["lr"], make, schedule, operator)
    loss = config.loss._target_.rpartition(".")[2]
    if loss not in ("MSELoss", "HalfMSELoss"):
        report["statement"] += f" All three curves are of the squared error; the loss of fit is {loss}."
    return report, partial(draw, report)


def regression(config: DictConfig) -> tuple[Report, Draw]:
    """The whole image by the kernel and by the network, from a quarter of the pixels."""
    from ffnet.analysis import regression as studied
    from ffnet.analysis.image_regression import every_pixel, suited
    from ffnet.analysis.image_regression_figure import draw
    from ffnet.cli.parts import instantiated, make_parts
    from ffnet.fitting import Objective

    with reading_input():
        checked(config.ntk, 1)
        settings: Any = OmegaConf.to_container(config, resolve=True)
        if "split" in settings["dataset"]:
            settings["dataset"]["split"] = "half"
        parts = make_parts(settings, instantiated)
        field, dataset = suited(parts.field.double(), parts.dataset)
        objective = Objective(parts.loss, parts.regularizers)
    steps = settings["trainer"]["max_steps"]
    log.info("kernel  on %d of the pixels; %d steps of fit", dataset.fitted.size, steps)
    make = parts.optimizer, parts.schedule
    report, found = studied(field, dataset, objective, *make, steps, config.ntk.lr, settings["seed"])
    return report, partial(draw, report, every_pixel(dataset), found)


def ensemble(config: DictConfig) -> tuple[Report, Draw]:
    """The uncertainty of a line of the signal, and the spread of networks."""
    from ffnet.analysis import ensemble as studied
    from ffnet.analysis import infinite
    from ffnet.analysis.ensembles import known_points, line_of_grid
    from ffnet.analysis.ensembles_figure import draw
    from ffnet.analysis.milestones import milestones
    from ffnet.cli.parts import instantiated, make_dataset, make_field

    with reading_input():
        checked(config.ntk, 1)
        settings: Any = OmegaConf.to_container(config, resolve=True)
        for name, least in (("networks", 2), ("data", 2)):
            number = settings["ntk"][name]
            if type(number) is not int or not least <= number <= MOST_NETWORKS:
                raise ValueError(f"ntk.{name}: expected an integer, {least} to {MOST_NETWORKS}, got {number!r}")
        settings["model"] |= {key: None for key in ("output_activation", "output_init") if key in settings["model"]}
        dataset = make_dataset(settings, instantiated)
        x, y = line_of_grid(dataset, settings["ntk"]["line"])
        fields = []
        for number in range(settings["ntk"]["networks"]):
            settings["model"]["seed"] = settings["seed"] + number
            fields.append(make_field(settings, dataset, instantiated).double())
        limit = infinite(fields[0])
    known = known_points(len(x), settings["ntk"]["data"], settings["seed"])
    log.info("networks %d on %d of %d points", len(fields), len(known), len(x))
    networks = [field.get_submodule("network").float() for field in fields]
    steps = milestones(settings["ntk"]["steps"])
    report = studied(limit, networks, x, y, known, steps, settings["ntk"]["lr"])
    return report, partial(draw, report, x[:, 0].tolist())


def bandwidth(config: DictConfig) -> tuple[Report, Draw]:
    """Predicted PSNR over sigma, by which ``encoder.sigma=auto`` chooses."""
    from ffnet.analysis.bandwidth_figure import draw
    from ffnet.cli.automatic import bandwidth_of
    from ffnet.cli.parts import instantiated

    with reading_input():
        dataset, _, settings = built(config)
        if "sigma" not in settings["model"].get("encoder", {}):
            raise ValueError("encoder: expected one with a sigma, such as gaussian")
        found = bandwidth_of(settings["model"], dataset, instantiated)
    report = found._asdict() | {"statement": f"sigma {found.sigma:g}: {found.described()}"}
    return report, partial(draw, report)


def built(config: DictConfig) -> "tuple[Dataset, Field, dict[str, Any]]":
    """The dataset, the network in float64, and the resolved settings of ``fit``."""
    from ffnet.cli.parts import instantiated, make_dataset, make_field
    from ffnet.models import Field

    settings: Any = OmegaConf.to_container(config, resolve=True)
    dataset = make_dataset(settings, instantiated)
    field = make_field(settings, dataset, instantiated)
    if not isinstance(field, Field):
        raise ValueError("model: expected a network after an encoder, got a module alone")
    return dataset, field.double(), settings


def checked(settings: DictConfig, columns: int) -> dict[str, Any]:
    """The settings of the command.

    Raises:
        ValueError: if one is out of range for ``columns`` values per query.
    """
    most: dict[str, float] = {"points": MOST_ROWS // columns, "line": MOST_ROWS, "steps": math.inf}
    for name, least in {"points": 2, "line": 4, "steps": 1}.items():
        number = settings[name]
        if type(number) is not int or not least <= number <= most[name]:
            span = f"at least {least}" if name == "steps" else f"{least} to {most[name]}"
            raise ValueError(f"ntk.{name}: expected an integer, {span}, got {number!r}")
    if type(settings.lr) not in (int, float) or not 0 < settings.lr < 1:
        raise ValueError(f"ntk.lr: expected a share in (0, 1) of the largest stable learning rate, got {settings.lr!r}")
    return {str(name): settings[name] for name in ("points", "line", "steps", "lr")}
