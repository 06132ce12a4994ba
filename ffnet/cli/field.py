"""The settings of the field that ``fit`` trains and ``ntk`` looks at."""

from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from ffnet.datasets import Dataset
    from ffnet.models import Field


def field_settings(config: DictConfig, dataset: "Dataset") -> dict[str, Any]:
    """``config.model`` as plain values, with the dataset's numbers of coordinates and values, and its mean to start at.

    Around other encoders an encoder says how many coordinates it takes; so the number goes to the innermost one. One
    made of several (``encoders``) has its numbers in its settings.
    """
    settings: dict[str, Any] = OmegaConf.to_container(config.model, resolve=True)  # type: ignore[assignment]
    innermost = settings["encoder"]
    while "encoder" in innermost:
        innermost = innermost["encoder"]
    if "encoders" not in innermost:
        innermost["in_features"] = dataset.in_features
    settings["out_features"] = dataset.out_features
    if settings.get("start") == "mean":
        settings["start"] = dataset.mean()
    return settings


def build_field(settings: dict[str, Any], dataset: "Dataset") -> "Field":
    """The field that ``settings`` describe.

    Raises:
        ValueError, TypeError, HydraException: what is wrong with them.
    """
    from hydra.utils import instantiate

    field: Field = instantiate(settings, _convert_="all")
    if field.in_features != dataset.in_features:
        raise ValueError(f"encoder: expected one of {dataset.in_features} coordinates, got one of {field.in_features}")
    return field
