"""What is said of a class that settings name and that cannot be built."""

import contextlib
import difflib
import importlib
import re
import sys

_LOADING = re.compile(r"Error loading '([\w.]+)'")
_MISSING = re.compile(r"([\w.]+)\(\) missing \d+ required \S+ arguments?: (.+)")
_UNEXPECTED = re.compile(r"([\w.]+)\(\) got an unexpected keyword argument '(\w+)'(?:\. Did you mean '(\w+)'\?)?")


def unbuilt(text: str, made: str | None = None) -> str:
    """``text``, the message of the error, in the words of the settings if it is of a class or its arguments; ``made``
    is the path of the class that was built."""
    if found := _LOADING.match(text):
        return _no_class(found[1])
    if found := _MISSING.fullmatch(text):
        names = " and ".join(re.findall(r"'(\w+)'", found[2]))
        return f"{_class(found[1], made)} needs a value for {names}"
    if found := _UNEXPECTED.fullmatch(text):
        meant = f"; did you mean {found[3]}?" if found[3] else ""
        return f"{_class(found[1], made)} has no argument {found[2]}{meant}"
    return text


def _class(constructor: str, made: str | None) -> str:
    """The name of the class that was built, also if it inherits its constructor."""
    name = constructor.removesuffix(".__init__")
    module, _, own = (made or "").rpartition(".")
    built = getattr(sys.modules.get(module), own, None)
    inherited = isinstance(built, type) and name in [base.__qualname__ for base in built.__mro__]
    return own if inherited else name


def _no_class(target: str) -> str:
    module, _, name = target.rpartition(".")
    with contextlib.suppress(Exception):  # a module of the user's may raise anything
        names = dir(importlib.import_module(module))
        close = [other for other in names if other.lower() == name.lower()] or difflib.get_close_matches(name, names)
        return f"there is no {name} in {module}" + (f"; did you mean {module}.{close[0]}?" if close else "")
    return f"there is no class {target}; expected module.Class, which can be imported"
