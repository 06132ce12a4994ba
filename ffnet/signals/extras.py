"""Libraries that ffnet does not require."""

import importlib
from typing import Any


def library(name: str, setting: str, extra: str, files: str = "") -> Any:
    """The module ``name``.

    Raises:
        ValueError: if it is not installed; names the ``extra`` that installs what ``setting`` needs.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:  # OSError: a library that it loads is missing
        needed = f"{name} for {files} files" if files else name
        raise ValueError(f"{setting} needs {needed}: pip install 'ffnet[{extra}]' ({error})") from error
