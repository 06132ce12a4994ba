"""Which test holds which formula of the guide.

A formula is what stands between ``$$`` or, if it has a relation (in a table: an operation), between ``$``. A test of
section 4 is called ``test_section_4_...`` and decorated with parts of the formulas that it computes.
"""

import re
from collections import defaultdict

HELD = defaultdict(list)  # by section: parts of formulas
RELATIONS = r"=|\\le\b|\\ge\b|\\sim\b|\\to\b|\\propto\b|<|>"


def flat(text):
    """One space for each run of them."""
    return " ".join(text.split())


def sections(guide):
    """Text by section: the number of a heading such as ``## 4. Title``, or its first word in lower case."""
    parts = re.split(r"^## (.+)$", guide, flags=re.M)
    return {re.match(r"\w+", title)[0].lower(): text for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def formulas(text):
    """The formulas of a section, in order."""
    found = [flat(formula) for formula in re.findall(r"\$\$(.+?)\$\$", text, re.S)]
    rest = re.sub(r"\$\$.+?\$\$", "", text, flags=re.S)
    rows = "\n".join(line for line in rest.splitlines() if line.startswith("| "))
    cells = re.findall(r"\$(.+?)\$", rows)
    found += [flat(cell) for cell in cells if re.search(r"[-+^/]|\\cdot", cell)]
    prose = "\n".join(line for line in rest.splitlines() if not line.startswith("| "))
    found += [flat(formula) for formula in re.findall(r"\$([^$]+)\$", prose) if re.search(RELATIONS, formula)]
    return found


def holds(*parts):
    """The decorated test computes the formulas of its section that contain one of ``parts``."""

    def noted(test):
        section = re.match(r"test_section_([0-9a-z]+)_", test.__name__)[1]
        HELD[section] += [flat(part) for part in parts]
        return test

    return noted
