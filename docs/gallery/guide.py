"""The guide's tables, which hold the gallery's numbers."""

import re
from pathlib import Path

GUIDE = Path(__file__).resolve().parents[1] / "theory.md"


def filled(text: str, name: str, table: str) -> str:
    """The guide with ``table`` between the marks of the script ``name``."""
    marks = rf"(<!-- numbers: {name} -->\n).*?(<!-- end -->)"
    return re.sub(marks, lambda found: f"{found[1]}{table}\n{found[2]}", text, flags=re.S)
