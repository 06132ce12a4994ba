"""The gallery's scripts, as modules."""

import sys
from importlib import import_module
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def script(name):
    """A module of ``docs/gallery``, whose files import each other by their plain names."""
    folder = str(DOCS / "gallery")
    sys.path.insert(0, folder)
    try:
        return import_module(name)
    finally:
        sys.path.remove(folder)


frame = script("frame")
