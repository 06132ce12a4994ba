"""The guide's tables, which hold the gallery's numbers."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
GUIDE = DOCS / "theory.md"
PAPER = DOCS / "paper_figures.md"


def filled(text: str, name: str, table: str) -> str:
    """The guide with ``table`` between the marks of the script ``name``."""
    marks = rf"(<!-- numbers: {name} -->\n).*?(<!-- end -->)"
    return re.sub(marks, lambda found: f"{found[1]}{table}\n{found[2]}", text, flags=re.S)


def fill(name: str, table: str) -> None:
    """Writes ``table`` into the page that shows the script ``name``."""
    for page in (GUIDE, PAPER):
        text = page.read_text()
        if (new := filled(text, name, table)) != text:
            page.write_text(new)
