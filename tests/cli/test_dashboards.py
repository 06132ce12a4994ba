"""What TensorBoard and the report show, and the report in a browser."""

import json
import re

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import api_pb2, metadata

from tests.conftest import SMALL
from tests.runs.folders import write_run


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Two runs of different seeds and rates and one that fails, and its report."""
    from ffnet.cli import main

    folder = tmp_path_factory.mktemp("dashboards")
    line = [*SMALL, "seed=0,1", "optimizer.lr=1e-2,-1", "callbacks.pictures.every_n_steps=10"]
    assert main(["fit", "-m", *line, f"hydra.sweep.dir={folder / 'sweep'}"]) == 2
    assert main(["report", f"run={folder / 'sweep'}", f"output={folder / 'report.html'}"]) == 0
    return folder / "sweep"


def metrics(run):
    return json.loads((run / "metrics.json").read_text())


def test_the_names_in_tensorboard_are_those_in_the_readme(sweep):
    (path,) = (sweep / "0").glob("events*")
    events = EventAccumulator(str(path)).Reload()
    assert set(events.Tags()["scalars"]) == {
        *("train/loss", "train/psnr", "val/psnr", "val/mse", "optimizer/rate"),
        *("speed/steps_per_second", "speed/samples_per_second"),
        *(f"missing/{octave:04d}" for octave in (1, 2, 4, 8)),
    }
    assert set(events.Tags()["images"]) == {"view/target", "view/reconstruction", "view/error"}
    assert events.Tags()["histograms"] == events.Tags()["distributions"] == []
    assert [event.step for event in events.Scalars("missing/0004")] == [10, 20]
    text = events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "    num_frequencies: 4\n" in text
    assert "_target_: ffnet.encoders.PositionalEncoder" in text


def test_the_hparams_tab_has_the_overrides_and_the_final_score(sweep):
    found = {}
    for run in ("0", "2"):
        (path,) = (sweep / run).glob("events*")
        events = EventAccumulator(str(path)).Reload()
        content = events.summary_metadata
        experiment = metadata.parse_experiment_plugin_data(content[metadata.EXPERIMENT_TAG].plugin_data.content)
        start = metadata.parse_session_start_info_plugin_data(
            content[metadata.SESSION_START_INFO_TAG].plugin_data.content
        )
        end = metadata.parse_session_end_info_plugin_data(content[metadata.SESSION_END_INFO_TAG].plugin_data.content)
        assert [info.name.tag for info in experiment.metric_infos] == ["val/psnr"]
        assert events.Scalars("val/psnr")[-1].value == pytest.approx(metrics(sweep / run)["psnr"], abs=1e-4)
        assert end.status == api_pb2.STATUS_SUCCESS
        assert {info.name for info in experiment.hparam_infos} == set(start.hparams)
        assert start.hparams["encoder"].string_value == "positional"
        found[run] = start.hparams["seed"].number_value
    assert found == {"0": 0.0, "2": 1.0}


def page_of(path):
    return json.loads(re.search(r'id="data">(.*?)</script>', path.read_text(), re.S)[1])


def test_the_report_holds_every_run_and_each_picture_once(sweep):
    data = page_of(sweep.parent / "report.html")
    assert data["keys"] == ["seed", "optimizer.lr"]
    assert [run["state"] for run in data["runs"]] == ["complete", "failed", "complete", "failed"]
    assert data["runs"][0]["metrics"]["psnr"] == metrics(sweep / "0")["psnr"]
    assert [point[0] for point in data["runs"][2]["curves"]["train/loss"]] == [5, 10, 15, 20]
    assert len(data["pictures"]) == 3  # two reconstructions, one target
    assert data["runs"][0]["target"] == data["runs"][2]["target"]
    assert not re.search(r"(src|href)=|https?://|@import", (sweep.parent / "report.html").read_text())


def test_settings_cannot_end_the_reports_script(command, tmp_path):
    write_run(tmp_path / "runs" / "0", ["name=</script><b>"], {"psnr": 1.0})
    assert command("report", "run=runs")[0] == 0
    assert (tmp_path / "report.html").read_text().count("</script>") == 2
    assert page_of(tmp_path / "report.html")["shared"] == {"name": "</script><b>"}


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_pictures_of_every_mode_are_embedded(tmp_path, mode):
    from ffnet.runs.report import data_url, reconstruction

    array = np.full((6, 9), 51 * 257, np.uint16)
    picture = (
        Image.fromarray(array) if mode == "I;16" else Image.fromarray((array // 257).astype(np.uint8)).convert(mode)
    )
    picture.save(tmp_path / ("reconstruction.tif" if mode == "CMYK" else "reconstruction.png"))
    assert data_url(reconstruction(tmp_path), 5).startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run=nowhere"], "run: expected the folder of a sweep or of runs, got nowhere"),
        (["run=runs", "output=nowhere/r.html"], "nowhere"),
        (["run=runs", "max_side=0"], "max_side: expected at least 1 pixel, got 0"),
    ],
)
def test_bad_input_is_one_line(command, tmp_path, arguments, message):
    write_run(tmp_path / "runs" / "0", [], {"psnr": 1.0})
    code, _, err = command("report", *arguments)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium: the system's or playwright's."""
    import shutil

    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=["--no-sandbox"]
            )
        except api.Error:
            pytest.skip("there is no Chromium")
        yield found
        found.close()


def test_the_report_sorts_slides_and_zooms_without_errors_or_network(browser, sweep):
    page, errors, requests = browser.new_page(), [], []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"file://{sweep.parent / 'report.html'}")

    def names():
        return page.locator("#runs tbody tr td:nth-child(2)").all_inner_texts()

    assert names() == ["0", "1", "2", "3"]
    scores = {str(run): metrics(sweep / str(run))["psnr"] for run in (0, 2)}
    page.locator("th", has_text="psnr").click()
    assert names()[:2] == sorted(scores, key=scores.get, reverse=True)
    page.locator("th", has_text="psnr").click()
    assert names()[:2] == sorted(scores, key=scores.get)  # and those without a score stay last
    assert page.locator("tr.failed").count() == 2
    assert page.locator("#curves path[data-run]").count() == 2

    width = "document.getElementById('over').style.clipPath"
    page.locator("#slider").fill("20")
    assert page.evaluate(width) == "inset(0px 80% 0px 0px)"
    page.locator("#stage").hover(position={"x": 100, "y": 100})
    before = page.evaluate("({...view})")
    page.mouse.wheel(0, -600)
    page.wait_for_function(f"view.scale > {before['scale']} * 2")
    after = page.evaluate("({...view})")
    still = [(100 - place["x"]) / place["scale"] for place in (before, after)]
    assert still[0] == pytest.approx(still[1], abs=0.1)  # the pixel under the pointer
    page.mouse.down()
    page.mouse.move(*[v + 30 for v in page.locator("#stage").bounding_box().values()][:2])
    page.mouse.up()
    assert page.evaluate("view.x") != after["x"]
    page.locator("#stage").dblclick()
    assert page.evaluate("view.scale") == pytest.approx(before["scale"])
    page.locator("#runs tbody tr", has_text="complete").last.click()
    assert page.evaluate("document.getElementById('top').naturalWidth") == 20
    assert errors == []
    assert all(url.startswith(("file:", "data:")) for url in requests)
    page.close()
