"""Which dataset fits a file, by its suffix: the table ``signals.yaml`` of conf/ and of the user's configs."""

import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from ffnet.resources import resource

# A directory with one of these is a signal itself, for the dataset of its suffix.
SCENES = ("transforms.json", "transforms_train.json")
# Advice for signals that no dataset fits.
NEW = "docs/own/dataset.md shows how to write a dataset for it"


@dataclass(frozen=True)
class Kind:
    """An entry of the table.

    Attributes:
        noun: what files of these ``suffixes`` hold, with its article.
        datasets: options of ``dataset`` that fit them.
        ask: whether none of these is chosen unasked.
        arrays: by the name of an array in an ``.npz`` file, the dataset that is chosen for it.
    """

    noun: str
    suffixes: list[str]
    datasets: list[str]
    ask: bool = False
    arrays: dict[str, str] = field(default_factory=dict)

    def chosen(self, path: Path) -> str:
        """The dataset for a file of this kind unless the user chooses one.

        Raises:
            ValueError: if the file has none of the arrays, if there should be some.
        """
        if not (self.arrays and path.is_file()):
            return self.datasets[0] if self.datasets and not self.ask else "image"
        wanted = ", ".join(f"{array} (dataset={name})" for array, name in self.arrays.items())
        try:
            with zipfile.ZipFile(path) as archive:
                names = {name.removesuffix(".npy") for name in archive.namelist()}
        except Exception as error:  # of zipfile, for damaged files
            raise ValueError(f"{path}: expected an .npz file with one of {wanted} ({error})") from error
        found = [dataset for array, dataset in self.arrays.items() if array in names]
        if len(found) != 1:
            raise ValueError(f"{path}: expected one of the arrays {wanted}, or dataset=volume for a volume")
        return found[0]


def kinds(config_dirs: Sequence[str] = ()) -> list[Kind]:
    """The table.

    Raises:
        ValueError: if that of the user is none.
    """
    found = []
    for path in [*(Path(place) / "signals.yaml" for place in config_dirs), resource("conf") / "signals.yaml"]:
        try:
            found += [Kind(**entry) for entry in yaml.safe_load(path.read_text())] if path.is_file() else []
        except (TypeError, yaml.YAMLError) as error:
            raise ValueError(f"{path}: expected a list of noun, suffixes and datasets") from error
    return found


def kind_of(path: str, config_dirs: Sequence[str] = ()) -> Kind | None:
    """The entry of a file's suffix, or of the file with the cameras of a directory of posed views."""
    place = Path(os.path.expanduser(path))
    suffix = Path(scene(place) or place).suffix.lower()
    return next((kind for kind in kinds(config_dirs) if suffix in kind.suffixes), None)


def dataset_of(paths: Sequence[str], config_dirs: Sequence[str] = ()) -> str | None:
    """The dataset that is chosen for ``paths`` unless the user chooses one: None is the default, images.

    Raises:
        ValueError: if a file says itself what it is, and no dataset fits that.
    """
    found = [(kind_of(path, config_dirs), Path(os.path.expanduser(path))) for path in paths]
    chosen = {kind.chosen(place) if kind else "image" for kind, place in found}
    name = chosen.pop() if len(chosen) == 1 else "image"
    return None if name == "image" else name


def check_kind(dataset: str, path: str) -> None:
    """Raises ValueError if a file's suffix says that ``dataset``, an option of ffnet's, does not fit such signals."""
    kind = kind_of(path)
    if kind is None or dataset in kind.datasets or all(dataset not in other.datasets for other in kinds()):
        return
    names = kind.datasets if kind.ask else kind.datasets[:1]
    advice = f"say {' or '.join(f'dataset={name}' for name in names)}" if names else NEW
    raise ValueError(f"{path}: is {kind.noun}, which dataset={dataset} does not fit; {advice}")


def scene(place: Path) -> str | None:
    """The name of the file with the cameras of a directory of posed views; None if it is no such directory."""
    return next((name for name in SCENES if (place / name).is_file()), None)
