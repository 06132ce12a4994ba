"""The notebooks run from top to bottom."""

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
    shown = [output for outputs in found for output in outputs]
    assert any("<img src=" in output.get("data", {}).get("text/html", "") for output in shown)
    # The progress bar is one line, and all that is said.
    (bar,) = (output.text for output in shown if output.output_type == "stream")
    assert (bar.count("\n"), bar.split("|")[0]) == (1, "100%")


def kinds(outputs):
    return [(output.output_type, sorted(output.get("data", ()))) for output in outputs]
