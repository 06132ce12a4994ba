"""Where the configs and the default data lie."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource(name: str) -> Path:
    """The folder ``conf`` or ``data``: inside the package in a wheel, beside it in a checkout.

    An editable install runs from the checkout, where ``importlib.resources`` finds neither folder; a wheel has
    no ``..`` to look into. Hence both places, the wheel's first, since a stranger's ``conf`` may stand beside
    an installed package.
    """
    for parent in (_PACKAGE, _PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    raise FileNotFoundError(f"ffnet is installed without its folder '{name}'; reinstall it")
