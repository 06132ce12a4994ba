"""The notebooks run from top to bottom."""

import re

import pytest

from tests.docs.gallery import DOCS

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")


@pytest.mark.long
@pytest.mark.untraced  # the notebook runs in another process
@pytest.mark.filterwarnings("ignore")  # of a notebook's own machinery
@pytest.mark.parametrize("path", sorted((DOCS / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_it_runs_and_shows_what_it_did(path, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # other tests run on the other cores
    book = nbformat.read(path, as_version=4)
    told = [cell.outputs for cell in book.cells if cell.cell_type == "code"]
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(book, timeout=300, coalesce_streams=True, resources=resources).execute()
    found = [cell.outputs for cell in book.cells if cell.cell_type == "code"]
    assert list(map(kinds, found)) == list(map(kinds, told))  # those that are stored
    assert not list(tmp_path.iterdir())  # a fit writes nothing unless asked
    if path.stem.startswith("theory"):
        # Numbers that are printed are those that are stored, up to rounding.
        assert list(map(numbers, found)) == [pytest.approx(some, rel=0.05, abs=1e-6) for some in map(numbers, told)]
        return
    shown = [output for outputs in found for output in outputs]
    assert any("<img src=" in output.get("data", {}).get("text/html", "") for output in shown)
    # The progress bar is one line, and all that is said.
    (bar,) = (output.text for output in shown if output.output_type == "stream")
    assert (bar.count("\n"), bar.split("|")[0]) == (1, "100%")


def kinds(outputs):
    return [(output.output_type, sorted(output.get("data", ()))) for output in outputs]


def numbers(outputs):
    """Of all text."""
    text = " ".join(
        o.get("text", "") + o.get("data", {}).get("text/plain", "") * ("image/png" not in o.get("data", {}))
        for o in outputs
    )
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e[-+]?\d+)?", text)]


def test_every_section_of_the_theory_has_one():
    sections = re.findall(r"^## (\d)\. ", (DOCS / "theory.md").read_text(), re.M)
    stems = [path.stem for path in sorted((DOCS / "notebooks").glob("theory_*.ipynb"))]
    assert [stem.split("_")[1] for stem in stems] == sections
    listed = (DOCS / "notebooks" / "README.md").read_text()
    for stem in stems:
        assert f"({stem}.ipynb)" in listed
        cells = nbformat.read(DOCS / "notebooks" / f"{stem}.ipynb", as_version=4).cells
        outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
        assert sum("image/png" in output.get("data", {}) for output in outputs) == 1  # executed, with one figure
        assert any("from ffnet." in cell.source for cell in cells)
