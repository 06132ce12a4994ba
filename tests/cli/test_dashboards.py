"""What TensorBoard and the report show, and the report in a browser."""

import json
import math
import re
import shutil
import subprocess

import numpy as np
import pytest
import yaml
from PIL import Image
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.plugins.hparams.backend_context import Context

from tests.conftest import SMALL, run_main
from tests.runs.folders import write_run


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Two runs of different seeds and rates and one that fails, and its report."""
    folder = tmp_path_factory.mktemp("dashboards")
    line = [*SMALL, "seed=0,1", "optimizer.lr=1e-2,-1", "callbacks.views.every_n_steps=10"]
    assert run_main("fit", "-m", *line, f"hydra.sweep.dir={folder / 'sweep'}") == 2
    assert run_main("report", f"run={folder / 'sweep'}", f"output={folder / 'report.html'}") == 0
    return folder / "sweep"


def metrics(run):
    return json.loads((run / "metrics.json").read_text())


def test_the_names_in_tensorboard_are_those_in_the_readme(sweep):
    (path,) = (sweep / "0").glob("events*")
    events = EventAccumulator(str(path)).Reload()
    assert set(events.Tags()["scalars"]) == {
        *("train/loss", "train/psnr", "val/psnr", "train/lr"),
        *("train/steps_per_second", "train/samples_per_second"),
        *(f"val/spectral_error/{octave:04d}" for octave in (1, 2, 4, 8)),
    }
    assert set(events.Tags()["images"]) == {"view/target", "view/reconstruction", "view/error"}
    assert events.Tags()["histograms"] == events.Tags()["distributions"] == []
    assert [event.step for event in events.Scalars("val/spectral_error/0004")] == [10, 20]
    text = events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "    num_frequencies: 4\n" in text
    assert "_target_: ffnet.encoders.PositionalEncoder" in text


def test_the_hparams_tab_has_the_overrides_and_the_final_score(sweep):
    found = {}
    for run in ("0", "2"):
        (path,) = (sweep / run).glob("events*")
        events = EventAccumulator(str(path)).Reload()
        content = events.summary_metadata
        start = metadata.parse_session_start_info_plugin_data(
            content[metadata.SESSION_START_INFO_TAG].plugin_data.content
        )
        end = metadata.parse_session_end_info_plugin_data(content[metadata.SESSION_END_INFO_TAG].plugin_data.content)
        assert events.Scalars("val/psnr")[-1].value == pytest.approx(metrics(sweep / run)["psnr"], abs=1e-4)
        assert end.status == api_pb2.STATUS_SUCCESS
        assert start.hparams["encoder"].string_value == "positional"
        found[run] = start.hparams["seed"].number_value
    assert found == {"0": 0.0, "2": 1.0}


def test_the_hparams_tab_has_the_columns_of_all_runs(sweep, small_run, tmp_path):
    shutil.copytree(small_run, tmp_path / "a")  # comes first, and sets neither the rate nor the seed
    shutil.copytree(sweep, tmp_path / "b")
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(tmp_path))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(tmp_path))
    tab = Context(TBContext(data_provider=provider))
    found = tab.experiment_from_metadata(RequestContext(), "", True, tab.hparams_metadata(RequestContext(), ""), [])
    assert {"encoder", "optimizer.lr", "seed"} <= {info.name for info in found.hparam_infos}
    assert "val/psnr" in {info.name.tag for info in found.metric_infos}


def test_the_settings_are_in_lightnings_file(small_run):
    settings = yaml.safe_load((small_run / "hparams.yaml").read_text())
    assert settings["model"]["hidden_features"] == 16
    assert settings["dataset"]["size"] == [24, 20]


def page_of(path):
    return json.loads(re.search(r'id="data">(.*?)</script>', path.read_text(), re.S)[1])


def test_the_report_holds_every_run_and_each_image_once(sweep):
    data = page_of(sweep.parent / "report.html")
    assert data["keys"] == ["seed", "optimizer.lr"]
    assert [run["state"] for run in data["runs"]] == ["complete", "failed", "complete", "failed"]
    assert data["runs"][0]["metrics"]["psnr"] == metrics(sweep / "0")["psnr"]
    assert data["higher_is_better"]["psnr"] is True
    assert [point[0] for point in data["runs"][2]["curves"]["train/loss"]] == [5, 10, 15, 20]
    assert len(data["images"]) == 3  # two reconstructions, one target
    assert data["runs"][0]["target"] == data["runs"][2]["target"]
    assert not re.search(r"(src|href)=|https?://|@import", (sweep.parent / "report.html").read_text())


def test_settings_cannot_end_the_reports_script(command, tmp_path):
    write_run(tmp_path / "runs" / "0", ["name=</script><b>"], {"psnr": 1.0})
    assert command("report", "run=runs")[0] == 0
    assert (tmp_path / "report.html").read_text().count("</script>") == 2
    assert page_of(tmp_path / "report.html")["shared"] == {"name": "</script><b>"}


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_images_of_every_mode_are_embedded(tmp_path, mode):
    from ffnet.runs.report import data_url, reconstruction

    array = np.full((6, 9), 51 * 257, np.uint16)
    image = Image.fromarray(array) if mode == "I;16" else Image.fromarray((array // 257).astype(np.uint8)).convert(mode)
    image.save(tmp_path / ("reconstruction.tif" if mode == "CMYK" else "reconstruction.png"))
    assert data_url(reconstruction(tmp_path), 5).startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run=nowhere"], "run: expected a run or sweep directory, got nowhere"),
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


@pytest.fixture
def odd_scores(command, tmp_path):
    """The report of runs with infinite, undefined and missing scores, by hand."""
    scores = [(30.0, 0.2), (math.inf, 0.3), (None, 0.1), (math.nan, math.inf), (-math.inf, None), ("inf", 0.1)]
    for index, (psnr, lpips) in enumerate(scores):
        found = {"psnr": psnr, "lpips": lpips, "higher_is_better": {"psnr": True, "lpips": False}}
        write_run(tmp_path / "runs" / str(index), [f"seed={index + 123456}"], found)
    write_run(tmp_path / "runs" / "6", ["seed=6"])
    assert command("report", "run=runs")[0] == 0
    return tmp_path / "report.html"


def test_the_reports_data_is_strict_json(odd_scores):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    data = json.loads(re.search(r'id="data">(.*?)</script>', odd_scores.read_text(), re.S)[1], parse_constant=refuse)
    assert [run["metrics"]["psnr"] for run in data["runs"]] == [30.0, "inf", None, "nan", "-inf", "inf", None]


def test_chromium_draws_infinite_undefined_and_missing_scores(odd_scores, tmp_path):
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no Chromium")
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    options = [*quiet, f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom"]
    page = subprocess.run(
        [program, *options, f"file://{odd_scores}"], capture_output=True, text=True, timeout=120
    ).stdout
    rows = re.findall(r"<tr.*?</tr>", page.partition("<tbody>")[2].partition("</tbody>")[0], re.S)
    scores = [re.findall(r"<td[^>]*>(.*?)</td>", row)[3:5] for row in rows]
    assert scores == [["30", "0.2"], ["∞", "0.3"], ["", "0.1"], ["NaN", "∞"], ["−∞", ""], ["∞", "0.1"], ["", ""]]


def test_a_damaged_image_or_log_does_not_stop_the_report(command, tmp_path):
    write_run(tmp_path / "runs" / "0", [], {"psnr": 1.0})
    (tmp_path / "runs" / "0" / "reconstruction.png").write_bytes(b"not an image")
    (tmp_path / "runs" / "0" / "events.out.tfevents.1").write_bytes(b"not a log")
    assert command("report", "run=runs")[0] == 0
    (run,) = page_of(tmp_path / "report.html")["runs"]
    assert (run["image"], run["curves"], run["metrics"]["psnr"]) == (None, {}, 1.0)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium: the system's or playwright's."""
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


def test_the_report_marks_the_best_and_sorts_it_first(browser, odd_scores):
    page, errors = browser.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"file://{odd_scores}")

    def column(number):
        return page.locator(f"#runs tbody tr td:nth-child({number})").all_inner_texts()

    assert page.locator("th").all_inner_texts() == ["", "run", "state", "psnr ↑", "lpips ↓", "seed", "reason"]
    assert column(6) == [*(str(index + 123456) for index in range(6)), "6"]
    assert column(4) == ["30", "∞", "", "NaN", "−∞", "∞", ""]
    assert [page.locator("tr.best td:nth-child(2)").all_inner_texts(), column(5)[1:4]] == [
        ["1", "5"],
        ["0.3", "0.1", "∞"],
    ]
    best = [page.locator(f"td.best:nth-child({number})").all_inner_texts() for number in (4, 5)]
    assert best == [["∞", "∞"], ["0.1", "0.1"]]
    page.locator("th", has_text="psnr").click()
    assert column(4) == ["∞", "∞", "30", "−∞", "", "NaN", ""]
    page.locator("th", has_text="psnr").click()
    assert column(4)[:4] == ["−∞", "30", "∞", "∞"]  # and those without a score stay last
    page.locator("th", has_text="lpips").click()
    assert column(5)[:5] == ["0.1", "0.1", "0.2", "0.3", "∞"]
    assert errors == []
    page.close()


def test_the_axes_of_curves_have_round_numbers(browser, sweep):
    page = browser.new_page()
    page.goto(f"file://{sweep.parent / 'report.html'}")
    for low, high in ((17.6, 55.5), (0.0, 1000.0), (-3.2e-5, 4.1e-5), (26.07, 26.597), (1.0, 2.0)):
        marks = page.evaluate(f"ticks({low}, {high})")
        steps = np.diff(marks)
        assert 2 <= len(marks) <= 7
        assert low - 1e-9 <= marks[0]
        assert marks[-1] <= high + 1e-9
        np.testing.assert_allclose(steps, steps[0], rtol=1e-6)
        assert f"{steps[0]:e}"[0] in "125"
    assert page.evaluate("ticks(40, 40)") == [40]
    page.close()


def test_a_run_that_was_scored_once_is_shown_with_the_curve_of_its_batches(browser, command, tmp_path):
    assert command("fit", *SMALL, "callbacks.evaluation.every_n_steps=1000", "hydra.run.dir=runs/0")[0] == 0
    assert command("report", "run=runs")[0] == 0
    page = browser.new_page()
    page.goto(f"file://{tmp_path / 'report.html'}")
    assert page.locator("#shared").inner_text().startswith("1 run;")
    assert page.locator("#tag").input_value() == "train/psnr"
    assert page.locator("#curves path.dot").count() == 0
    page.locator("#tag").select_option("val/psnr")  # a dot at its step
    assert page.locator("#curves path.dot").count() == 1
    assert page.locator("#curves text").all_text_contents()[:2] == ["step", "20"]
    page.close()
