"""The location of the configs and the bundled data."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource(name: str) -> Path:
    """The directory ``conf`` or ``data``: inside the package in a wheel, next to it in a checkout.

    An editable install runs from the checkout, where ``importlib.resources`` finds neither directory. The package comes
    first, because another project's ``conf`` may be next to an installed package.
    """
    for parent in (_PACKAGE, _PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    raise FileNotFoundError(f"ffnet is installed without its directory '{name}'; reinstall it")
