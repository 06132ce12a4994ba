"""Files made to run code, to read or write elsewhere, to connect, or to start processes: none of it happens.

Each attack changes a run or a sweep and runs a command on it, in a fork that notices programs, connections and files.
"""

import itertools
import os
import pickle
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import torch
import yaml

from tests.attacks.case import Case, models, payloads, put
from tests.harness import audit, forked

pytestmark = pytest.mark.untraced

EVALUATE = ("evaluate", "checkpoint=run")
RENDER = ("render", "checkpoint=run", "output=out/a.png")
EXPORT = ("export", "checkpoint=run", "output=out/a.safetensors")
RESUME = ("fit", "resume=run", "trainer.max_steps=8", "logger=none")
REPORT = ("report", "run=run", "output=out/a.html")
AGAIN = ("fit", "resume=sweep", "trainer.max_steps=8")
TABLE = ("table", "run=sweep")


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    forked.preload()
    return models(tmp_path_factory.mktemp("attacks") / "models")


@pytest.fixture
def case(made, tmp_path, monkeypatch) -> Iterator[Case]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    case = Case(made, tmp_path)
    yield case
    case.server.close()


def check(case: Case, argv: tuple[str, ...]) -> forked.Outcome:
    """Runs the command; it may refuse the file in one line, or pass over what it does not use."""
    found, done = case.outcome(*argv)
    assert done == [], (found.code, found.err)
    assert not case.mark.exists()
    assert found.code in (0, 2), (found.code, found.err)
    if found.code == 2:
        assert len(found.err.splitlines()) == 1, found.err
    assert "Traceback" not in found.err
    return found


# Settings in a checkpoint, by the command that reads them.
PLACES = {
    "field": RENDER,
    "field.activation": EXPORT,
    "field.encoder": ("mesh", "checkpoint=run", "output=out/a.ply"),
    "signal.size": RENDER,
    "signal": REPORT,
    "settings.dataset.crop": EVALUATE,
    "settings.dataset.operator": EVALUATE,
    "settings.dataset.metrics.x": REPORT,
    "settings.dataset.path": RESUME,
    "settings.loss": RESUME,
    "settings.optimizer": RESUME,
    "settings.schedule": RESUME,
    "settings.engine": RESUME,
    "settings.regularizers.x": RESUME,
    "settings.callbacks.x": RESUME,
    "settings.trainer.plugins": RESUME,
    "settings.logger.x": RESUME,
    "settings.seed": RESUME,
    "overrides.x": RESUME,
}
PAYLOADS = (
    *("target", "system", "exec", "partial", "hydra", "method", "hub", "module"),
    *("create", "escaped", "twice", "decode", "environment", "nested", "loop", "deep"),
)


def some(cases: Iterable[tuple[str, ...]], of: int) -> list[object]:
    """One in ``of`` of the cases for every run of the tests, chosen evenly; the others are long."""
    every = list(cases)
    return [pytest.param(*case, marks=[] if i % of == 0 else pytest.mark.long) for i, case in enumerate(every)]


# Every payload at every place is long; along a diagonal, each place and each payload is there once.
PAIRS = [
    pytest.param(place, payload, marks=[] if j == i % len(PAYLOADS) else pytest.mark.long)
    for i, place in enumerate(PLACES)
    for j, payload in enumerate(PAYLOADS)
]


@pytest.mark.parametrize(("place", "payload"), PAIRS)
@pytest.mark.sampled(3)
def test_a_payload_in_the_settings_of_a_checkpoint_does_nothing(case, place, payload):
    case.change(lambda contents: put(contents["ffnet"], place, payloads(case)[payload]))
    check(case, PLACES[place])


# Known classes with arguments that lead elsewhere.


def _settings(place: str, value: object) -> Callable[[Case], None]:
    return lambda case: case.change(lambda contents: put(contents["ffnet"]["settings"], place, _filled(value, case)))


def _filled(value: object, case: Case) -> object:
    """``value`` with the addresses of this case."""
    if isinstance(value, dict):
        return {key: _filled(inner, case) for key, inner in value.items()}
    return value.replace("OUTSIDE", str(case.outside)).replace("URL", case.url) if isinstance(value, str) else value


LIGHTNING = "lightning.pytorch"
ELSEWHERE = {
    "a logger that writes elsewhere": (
        "logger.x",
        {"_target_": f"{LIGHTNING}.loggers.CSVLogger", "save_dir": "OUTSIDE"},
    ),
    "a logger that connects": (
        "logger.x",
        {"_target_": f"{LIGHTNING}.loggers.TensorBoardLogger", "save_dir": "URL/${oc.env:HOME}"},
    ),
    "a callback that writes elsewhere": (
        "callbacks.x",
        {"_target_": f"{LIGHTNING}.callbacks.ModelCheckpoint", "dirpath": "OUTSIDE"},
    ),
    "ffnet's own checkpoints elsewhere": (
        "callbacks.checkpoints",
        {"_target_": "ffnet.training.Checkpoints", "folder": "OUTSIDE/other/checkpoints"},
    ),
    "a device statistics monitor": ("callbacks.x", {"_target_": f"{LIGHTNING}.callbacks.OnExceptionCheckpoint"}),
    "a trainer in place of a loss": (
        "loss",
        {"_target_": f"{LIGHTNING}.Trainer", "default_root_dir": "OUTSIDE", "profiler": "advanced"},
    ),
    "a dataset in place of an optimizer": (
        "optimizer",
        {"_target_": "ffnet.datasets.ImageDataset", "path": "OUTSIDE/secret.png"},
    ),
    "the trainer's root": ("trainer.default_root_dir", "OUTSIDE"),
    "64 devices": ("trainer.devices", 64),
    "8 machines": ("trainer.num_nodes", 8),
    "another strategy": ("trainer.strategy", "ddp_spawn"),
    "a profiler": ("trainer.profiler", "advanced"),
    "the trainer's class": ("trainer._target_", "os.mkdir"),
    "a compiler": ("engine.compile", "default"),
    "the precision of a plugin": ("trainer.precision", "transformer-engine"),
    "the run directory": ("run_dir", "OUTSIDE/other"),
    "the resumed run": ("resume", "OUTSIDE/other"),
    "trust in classes": ("trust", ["os.system"]),
    "settings of Hydra": ("hydra", {"run": {"dir": "OUTSIDE"}, "launcher": {"_target_": "os.system"}}),
    "a metric that loads a network": (
        "dataset.metrics",
        {"x": {"_target_": "torchmetrics.image.LearnedPerceptualImagePatchSimilarity"}},
    ),
    "a steps setting that is code": ("trainer.max_steps", "__import__('os').system('true')"),
}


@pytest.mark.parametrize("name", ELSEWHERE)
@pytest.mark.sampled(3)
def test_a_known_class_or_setting_leads_nowhere_else(case, name):
    _settings(*ELSEWHERE[name])(case)
    check(case, RESUME)


def test_a_file_that_a_checkpoint_names_is_not_read_without_saying_so(case):
    _settings("dataset.path", "OUTSIDE/../photo.png")(case)
    found = check(case, EVALUATE)
    assert "photo.png" in found.err


KEYS = ("best_model_path", "kth_best_model_path", "last_model_path", "best_k_models")
PATHS = ("{run}/best/../../outside/other/metrics.json", "{outside}/secret.png", "{url}/a")


@pytest.mark.parametrize(("key", "path"), some(itertools.product(KEYS, PATHS), 2))
@pytest.mark.sampled(3)
def test_a_file_is_not_deleted_because_the_state_of_a_callback_names_it(case, key, path):
    path = path.format(run=case.run, outside=case.outside, url=case.url)
    state = {
        "monitor": "val/psnr",
        "best_model_score": torch.tensor(0.0),
        "best_model_path": "",
        "current_score": torch.tensor(0.0),
        "dirpath": str(case.run / "best"),
        "best_k_models": {path: torch.tensor(0.0)},
        "kth_best_model_path": path,
        "kth_value": torch.tensor(0.0),
        "last_model_path": "",
    } | ({key: path} if key != "best_k_models" else {})
    from lightning.pytorch.callbacks import ModelCheckpoint

    given = {"dirpath": str(case.run / "best"), "monitor": "val/psnr", "mode": "max", "every_n_train_steps": 1}
    name = ModelCheckpoint(**given).state_key
    case.change(lambda contents: contents["callbacks"].update({name: state}))
    added = [f"+callbacks.best._target_={LIGHTNING}.callbacks.ModelCheckpoint"]
    added += [f"+callbacks.best.{key}={value}" for key, value in given.items()]
    check(case, (*RESUME, *added, "callbacks.evaluation.every_n_steps=1"))


# What else a checkpoint may hold.


class Malicious:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (os.mkdir, (str(self.mark),))


def _pickled(case: Case) -> None:
    case.checkpoint.write_bytes(pickle.dumps(Malicious(case.mark)))


def _pickled_inside(case: Case) -> None:
    contents = torch.load(case.checkpoint, weights_only=True)
    torch.save(contents | {"x": Malicious(case.mark)}, case.checkpoint)


def _script(case: Case) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that these are deprecated
        torch.jit.save(torch.jit.script(torch.nn.ReLU()), case.checkpoint)


def _tar(case: Case) -> None:
    torch.save(torch.load(case.checkpoint, weights_only=True), case.checkpoint, _use_new_zipfile_serialization=False)


def _compressed(case: Case) -> None:
    """128 MiB of zeros in 128 KiB."""
    with zipfile.ZipFile(case.checkpoint) as whole:
        members = {member: whole.read(member) for member in whole.namelist()}
    with zipfile.ZipFile(case.checkpoint, "w", zipfile.ZIP_DEFLATED) as bomb:
        for name, content in members.items():
            bomb.writestr(name, bytes(2**27) if name.endswith("data/0") else content)


def _weights(change: Callable[[torch.Tensor], object]) -> Callable[[Case], None]:
    def apply(contents: dict) -> None:
        name = next(name for name in contents["state_dict"] if name.endswith("weight"))
        contents["state_dict"][name] = change(contents["state_dict"][name])

    return lambda case: case.change(apply)


CONTENTS = {
    "a pickle": _pickled,
    "a pickle in the archive": _pickled_inside,
    "a TorchScript program": _script,
    "the format before archives": _tar,
    "a compressed archive": _compressed,
    "weights without memory": _weights(lambda weight: weight.to("meta")),
    "sparse weights": _weights(lambda weight: weight.to_sparse()),
    "weights of a terabyte in four bytes": _weights(lambda weight: torch.zeros(1).expand(2**38)),
    "complex weights": _weights(lambda weight: weight.to(torch.complex64)),
    "weights that are a list": _weights(lambda weight: [1.0, 2.0]),
    "weights that are NaN": _weights(lambda weight: weight * float("nan")),
    "a sampler of tensors": lambda case: case.change(lambda c: put(c["ffnet"], "sampler.x", torch.zeros(2))),
    "a generator of another size": lambda case: case.change(lambda c: put(c["ffnet"], "generator", torch.zeros(2))),
    "an optimizer of another run": lambda case: case.change(lambda c: c.update(optimizer_states=[{"state": {}}])),
    "no optimizer": lambda case: case.change(lambda c: c.pop("optimizer_states") and None),
    "a schedule with other attributes": lambda case: case.change(
        lambda c: c["lr_schedulers"][0].update(step="x", optimizer="y", get_lr=3)
    ),
    "loops that are text": lambda case: case.change(lambda c: c.update(loops="x")),
    "a later version of Lightning": lambda case: case.change(lambda c: c.update({"pytorch-lightning_version": "x"})),
}


@pytest.mark.parametrize(("name", "command"), some(itertools.product(CONTENTS, ("render", "resume", "export")), 4))
@pytest.mark.sampled(3)
def test_what_a_checkpoint_holds_is_data_or_is_refused(case, name, command):
    CONTENTS[name](case)
    check(case, {"render": RENDER, "resume": RESUME, "export": EXPORT}[command])


# Directories.


@pytest.mark.parametrize("name", ["fit.log", "checkpoints", "checkpoints/last.ckpt", "metrics.json"])
def test_a_link_in_a_run_directory_does_not_lead_out_of_it(case, name):
    place = case.run / name
    shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    place.symlink_to(case.outside / "other" / name)
    found = check(case, RESUME)
    assert found.code == 2
    assert "symbolic link" in found.err


def test_a_link_in_a_sweep_does_not_lead_out_of_it(case):
    shutil.rmtree(case.sweep / "1")
    (case.sweep / "1").symlink_to(case.outside / "other")
    assert check(case, AGAIN).code == 2


def _record(case: Case, *overrides: str, **hydra: object) -> None:
    path = case.sweep / "multirun.yaml"
    record = yaml.safe_load(path.read_text())
    record["hydra"]["overrides"]["task"] += overrides
    for key, value in hydra.items():
        put(record["hydra"], key.replace("__", "."), value)
    path.write_text(yaml.safe_dump(record))


RECORDS = {
    "a class": "+callbacks.x={_target_: os.mkdir, path: MARK}",
    "a class in parts": "+callbacks.x._target_=os.mkdir",
    "a class in a list": "+callbacks.x=[{_target_: os.mkdir, path: MARK}]",
    "a class in place of a known one": "callbacks.progress._target_=os.mkdir",
    "a class in a sweep": "dataset.path={_target_: os.mkdir, path: MARK},photo.png",
    "arguments by position": "+encoder._args_=[MARK]",
    "an interpolation": "dataset.path=${oc.env:HOME}",
    "a created class": "dataset.crop='${oc.create:{_target_: os.mkdir, path: MARK}}'",
    "an escaped interpolation": "dataset.crop='\\${oc.create:{_target_: os.mkdir, path: MARK}}'",
    "a config outside of the shipped ones": "encoder=../../outside/evil",
    "a config in another package": "encoder@model=../../outside/evil",
    "a logger of another configuration": "logger=[none,wandb]",
    "a logger's directory": "logger.tensorboard.save_dir=MARK",
    "the run directory": "run_dir=MARK",
    "Hydra's directory": "hydra.sweep.dir=MARK",
    "Hydra's search path": "hydra.searchpath=[file://MARK]",
    "a launcher": "hydra.launcher.n_jobs=64",
    "devices": "trainer.devices=64",
    "a profiler": "+trainer.profiler=advanced",
    "trust": "trust=[os.mkdir]",
    "a compiler": "engine.compile=default",
}


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.sampled(3)
def test_the_record_of_a_sweep_decides_nothing_but_what_is_fitted(case, name):
    (case.outside / "evil.yaml").write_text(f"_target_: os.mkdir\npath: {case.mark}\n")
    _record(case, RECORDS[name].replace("MARK", str(case.mark)))
    shutil.rmtree(case.sweep / "1")  # which would start anew, from the record
    found = check(case, AGAIN)
    assert found.code == 2, "it was replayed"
    assert "repeat it in the command" in found.err


@pytest.mark.parametrize("command", [AGAIN, TABLE], ids=["resume", "table"])
def test_configs_that_a_record_names_are_not_used(case, command):
    (case.outside / "encoder").mkdir()
    (case.outside / "encoder" / "evil.yaml").write_text(f"_target_: os.mkdir\npath: {case.mark}\n")
    sources = [{"path": str(case.outside), "schema": "file", "provider": "command-line"}]
    _record(case, "encoder=glob(*)", runtime__config_sources=sources)
    found = check(case, command)
    if command == AGAIN:
        assert "--config-dir" in found.err


YAML = {
    "multirun.yaml": "!!python/object/apply:os.mkdir [MARK]",
    "0/.hydra/overrides.yaml": "!!python/object/apply:os.mkdir [MARK]",
    "0/.hydra/config.yaml": "a: !!python/object/apply:os.mkdir [MARK]",
    "1/.hydra/overrides.yaml": "- &a [*a]",
    "1/metrics.json": '{"psnr": 1, "higher_is_better": {"../../x": true, "</script><script>": true}}',
    "0/metrics.json": '{"psnr": "${oc.env:HOME}", "baselines": {"a": {"psnr": 1e999}}}',
    "1/failed.json": '{"reason": "\\u001b]0;x\\u0007", "exit_code": 7}',
}


@pytest.mark.parametrize("command", [TABLE, ("report", "run=sweep", "output=out/a.html")], ids=["table", "report"])
@pytest.mark.parametrize("name", YAML)
@pytest.mark.sampled(3)
def test_records_of_runs_are_data(case, name, command):
    (case.sweep / name).write_text(YAML[name].replace("MARK", str(case.mark)))
    found, done = case.outcome(*command)
    assert done == []
    assert not case.mark.exists()
    assert "Traceback" not in found.err
    assert "\x1b" not in found.out + found.err


def test_payloads_run_where_settings_are_resolved_and_instantiated(case):
    """They can do what they are made for."""
    from hydra.utils import call
    from omegaconf import OmegaConf

    for name in ("partial", "create", "decode", "nested"):
        value = payloads(case)[name]
        config = OmegaConf.create({"a": value})
        made = call(OmegaConf.to_container(config, resolve=True))
        if name == "partial":
            made["a"]()
        assert case.mark.exists(), name
        case.mark.rmdir() if case.mark.is_dir() else case.mark.unlink()


@pytest.mark.parametrize(
    ("deed", "event"),
    [
        (lambda case: os.system("true"), "os.system"),
        (lambda case: __import__("subprocess").run(["true"]), "subprocess.Popen"),
        (lambda case: __import__("urllib.request").request.urlopen(case.url, timeout=0.01), "socket.connect"),
        (lambda case: (case.outside / "new").write_text(""), "write"),
        (lambda case: case.secret.read_bytes(), "read"),
        (lambda case: case.secret.unlink(), "os.remove"),
        (lambda case: os.rename(case.secret, case.run / "a"), "os.rename"),
    ],
)
def test_the_watch_sees_what_a_command_does(case, deed, event):
    log = case.folder / "audit.log"
    install = audit.watching(log, [case.run], [case.outside])

    def setup() -> None:
        install()
        deed(case)

    forked.run(["--version"], case.folder, setup=setup)
    assert event in [entry[0] for entry in audit.seen(log)]
