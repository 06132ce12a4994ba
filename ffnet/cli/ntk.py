"""``ffnet ntk``: the kernel of the network that ``fit`` would train, and its predictions."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from ffnet.atomic import replacing
from ffnet.cli.app import reading_input, run
from ffnet.cli.errors import explain

if TYPE_CHECKING:
    from ffnet.datasets import Dataset
    from ffnet.models import Field

log = logging.getLogger(__name__)

# Most rows of a kernel; with this number the command takes 91 s on one core and 2.4 GiB.
MOST_ROWS = 6144


def main(argv: Sequence[str]) -> int:
    return run("ntk", ntk, argv)


def ntk(config: DictConfig) -> None:
    from hydra.core.hydra_config import HydraConfig
    from hydra.utils import instantiate

    from ffnet.analysis import as_real, curves, line_spectrum
    from ffnet.analysis.ntk_figure import draw
    from ffnet.runs import strict_json

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
    folder = Path(HydraConfig.get().runtime.output_dir)
    with replacing(folder / "ntk.json") as temporary:
        temporary.write_text(strict_json(report, indent=2) + "\n")
    names = [config[group]._target_.rpartition(".")[2] for group in ("model", "encoder")]
    draw(report, "{} after {}".format(*names), folder / "ntk.png")
    log.info("%s", report["statement"])
    log.info("wrote   %s", folder / "ntk.png")
    log.info("wrote   %s", folder / "ntk.json")


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
