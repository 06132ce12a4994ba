"""Typical mistakes and paths of the first hour, and what is answered."""

import pytest
from PIL import Image

from tests.conftest import SMALL

pytestmark = pytest.mark.untraced

X = "+callbacks.x._target_=lightning.pytorch.callbacks"
# What is typed after `ffnet`, in a directory with photo.jpg, `my photo (1).jpg`, bunny.obj, clip.mp4, moving.gif and
# the run `run`: the answer, or a part of it. Hydra's and Python's own words are nobody's answer.
MISTAKES = [
    ("fit missing.jpg", "missing.jpg: no such file; expected a signal to fit"),
    ("fit https://example.org/a.png", "is a URL; download it"),
    ("fit photo.jpg nosuch=1", "there is no setting nosuch"),
    ("fit max_steps=10", "there is no setting max_steps; did you mean trainer.max_steps?"),
    ("fit steps=10", "there is no setting steps; did you mean trainer.max_steps?"),
    ("fit epochs=10", "there is no setting epochs; did you mean trainer.max_steps?"),
    ("fit lr=0.1", "there is no setting lr; did you mean optimizer.lr?"),
    ("fit learning_rate=0.1", "did you mean optimizer.lr?"),
    ("fit optimizer.learning_rate=0.1", "did you mean optimizer.lr?"),
    ("fit sigma=10", "there is no setting sigma; encoder=gaussian or encoder=trainable has encoder.sigma"),
    (
        "fit encoder.sigm=10",
        "there is no setting encoder.sigm; encoder=gaussian or encoder=trainable has encoder.sigma",
    ),
    ("fit encoder.sigma=10", "there is no setting encoder.sigma; encoder=gaussian or encoder=trainable has it"),
    ("fit encoder=gaussian encoder.sigm=10", "there is no setting encoder.sigm; did you mean encoder.sigma?"),
    ("fit batch_size=10", "did you mean dataset.batch_size?"),
    ("fit hidden_features=10", "did you mean model.hidden_features?"),
    ("fit model.width=10", "did you mean model.hidden_features?"),
    ("fit model.layers=2", "did you mean model.hidden_layers?"),
    ("fit devices=2", "did you mean trainer.devices?"),
    ("fit gpus=1", "did you mean trainer.devices?"),
    ("fit image=photo.jpg", "did you mean dataset.path?"),
    ("fit size=64", "did you mean dataset.size?"),
    ("fit output_dir=x", "did you mean hydra.run.dir?"),
    ("fit run_dir=x", "run_dir: follows from hydra.run.dir=..."),
    ("fit encodr=gaussian", "there is no setting encodr; did you mean encoder?"),
    ("fit encoder=gausian", "there is no encoder 'gausian'; did you mean gaussian?"),
    ("fit recipe=quick", "there is no recipe 'quick'; expected one of enlarge, fast, paper, quality, shape"),
    ("fit model=relu", "there is no model 'relu'; expected one of"),
    ("fit logger=tensorbord", "there is no logger 'tensorbord'; did you mean tensorboard?"),
    ("fit encoder=gaussian encoder.sigma=ten", "sigma: expected a finite number above 0, got 'ten'"),
    ("fit encoder=gaussian encoder.sigma=-1", "sigma: expected a finite number above 0, got -1"),
    ("fit trainer.max_steps=1e3", "trainer.max_steps: expected an integer of at least 1, or auto, got 1000.0"),
    ("fit optimizer.lr=", "optimizer.lr: expected a number, got ''"),
    ("fit seed=0,1", "seed=0,1: several values are a sweep; say -m, or quote the value"),
    ("fit -m hydra.verbose=true,false", "hydra.verbose=true,false: Hydra's own settings cannot be swept over"),
    ("fit dataset.size=[64,", "cannot read 'dataset.size=[64,'"),
    ("fit name=a(b", "cannot read 'name=a(b': text with special characters needs quotes, 'name=\"a(b\"'"),
    ("fit dataset.path=bunny.obj", "bunny.obj: is a mesh, which dataset=image does not fit; say dataset=occupancy"),
    ("fit clip.mp4", "clip.mp4: expected a video"),
    ("fit run", "run: is a run directory; resume=run goes on with it"),
    ("fit hydra.run.dir=run", "holds a run; resume=run goes on with it, overwrite=true replaces it"),
    ("fit resume=photo.jpg", "resume: expected a run directory, got photo.jpg"),
    ("fit --epochs 10", "unrecognized arguments: --epochs; see ffnet fit --help"),
    # What users of Lightning type.
    ("fit trainer.max_steps=abc", "trainer.max_steps: expected an integer of at least 1, or auto, got abc"),
    ("fit trainer.max_epochs=3", "counted in optimizer steps; say trainer.max_steps="),
    ("fit trainer.min_epochs=2", "say trainer.min_steps="),
    ("fit trainer.fast_dev_run=true", "say trainer.max_steps=1"),
    ("fit trainer.accumulate_grad_batches=4", "raise dataset.batch_size="),
    ("fit trainer.max_time=10", "trainer.max_time: expected DD:HH:MM:SS, such as 00:00:10:00, or null, got 10"),
    ("fit trainer.profiler=foo", "trainer.profiler: expected simple, advanced, pytorch or null, got 'foo'"),
    ("fit trainer.enable_progress_bar=false", "say callbacks.progress=null for none"),
    ("fit trainer.logger=false", "say logger=tensorboard, csv, wandb, mlflow or none"),
    ("fit trainer.resume_from_checkpoint=run", "say resume=RUN"),
    ("fit trainer.deterministic=maybe", "trainer.deterministic: expected true, false, null, warn, got 'maybe'"),
    ("fit trainer.strategy=fsdp", "there is no setting trainer.strategy; to add it, say +trainer.strategy="),
    ("fit +trainer.nonsense=1", "trainer.nonsense: is no setting of Lightning's trainer"),
    ("fit trainer.devices=-1 trainer.accelerator=cpu", "trainer.devices: expected a number of processes of at least 1"),
    ("fit trainer.accelerator=mps", "expected cpu or auto, since torch finds no such device, got 'mps'"),
    ("fit trainer.accelerator=tpu", "trainer.accelerator: expected auto, cpu, cuda, gpu, mps, got 'tpu'"),
    ("fit precision=half", "precision: expected one of auto, 64-true, 32-true"),
    ("fit seed_everything=1", "did you mean seed?"),
    ("fit ckpt_path=run", "did you mean resume?"),
    ("fit callbacks=foo", "there is no callbacks 'foo'; expected one of default, ema, kernel, target"),
    ("fit callbacks.early_stopping.patience=3", "to add a callback, say +callbacks.early_stopping._target_="),
    (
        "fit +callbacks.x=early_stopping",
        "callbacks.x: expected settings with a _target_, or null, got 'early_stopping'",
    ),
    ("fit optimizer.weight_decay=0.1", "to add an argument of its class, say +optimizer.weight_decay="),
    (f"fit {X}.EarlyStoping", "there is no EarlyStoping in lightning.pytorch.callbacks; did you mean"),
    ("fit +callbacks.x._target_=EarlyStopping", "callbacks.x: there is no class EarlyStopping; expected module.Class"),
    (f"fit {X}.EarlyStopping", "callbacks.x: EarlyStopping needs a value for monitor"),
    (f"fit {X}.EarlyStopping +callbacks.x.monitr=val/psnr", "callbacks.x: EarlyStopping has no argument monitr"),
    (f"fit {X}.EarlyStopping +callbacks.x.monitor=val_loss", "expected monitor to be one of val/psnr, got 'val_loss'"),
    (f"fit {X}.EarlyStopping +callbacks.x.monitor=val/psnr", "EarlyStopping: expected mode=max for val/psnr, got min"),
    ("fit callbacks=ema callbacks.ema.decay=1.5", "callbacks.ema.decay: expected a number in (0, 1), got 1.5"),
    ("fit callbacks=target", "callbacks.target.score: expected a value, got none; say callbacks.target.score="),
    ("fit callbacks=target callbacks.target.score=ten", "callbacks.target.score: expected a finite number, got 'ten'"),
    ("render", "checkpoint: expected a value, got none; say checkpoint=..."),
    ("render checkpoint=nowhere", "nowhere"),
    ("render run sz=5", "there is no setting sz; did you mean size?"),
    ("render run output=a.xyz", "expected an image's name"),
    ("render run size=[10]", "size: expected [height, width]"),
    ("evaluate run dataset.path=missing.jpg", "missing.jpg"),
    ("evaluate photo.jpg", "photo.jpg"),
    ("mesh run", "expected the fit of a shape, got that of an image"),
    ("table nowhere", "run: expected a run or sweep directory, got nowhere"),
    ("fitt photo.jpg", "unknown command 'fitt'; did you mean fit?"),
    ("trian photo.jpg", "unknown command 'trian'; expected one of"),
]
RAW = ("object_type", "full_key", "not supported between", "unexpected keyword", "Traceback", "LexerNo", "instantiate")
RAW += ("MisconfigurationException", "ModuleNotFoundError", "__init__")


@pytest.fixture(scope="module")
def place(tmp_path_factory, small_run):
    folder = tmp_path_factory.mktemp("hour")
    Image.linear_gradient("L").resize((24, 20)).save(folder / "photo.jpg")
    Image.linear_gradient("L").resize((24, 20)).save(folder / "my photo (1).jpg")
    for name in ("bunny.obj", "clip.mp4"):
        (folder / name).touch()
    (folder / "run").symlink_to(small_run)
    return folder


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(("line", "answer"), MISTAKES)
@pytest.mark.sampled(2)
def test_a_mistake_is_answered_in_one_line(command, place, monkeypatch, line, answer):
    monkeypatch.chdir(place)
    before = sorted(place.iterdir())
    code, _, err = command(*line.split(" "))
    assert (code, len(err.splitlines())) == (2, 1), err
    assert answer in err
    assert not any(words in err for words in RAW), err
    assert sorted(place.iterdir()) == before


def test_paths_that_people_have_are_fitted(command, place, monkeypatch, tmp_path):
    monkeypatch.chdir(place)
    code, out, err = command("fit", "my photo (1).jpg", *SMALL, f"hydra.run.dir={tmp_path / 'run, [1]'}")
    assert (code, err) == (0, "")
    assert "my photo (1).jpg" in out


@pytest.mark.parametrize("case", ["gif", "png", "webp", "tif"])
@pytest.mark.few("gif")
def test_the_log_says_that_the_first_frame_of_an_animation_is_taken(command, tmp_path, case):
    frames = [Image.new("RGB", (24, 20), (value, 0, 0)) for value in (10, 99, 200)]
    frames[0].save(tmp_path / f"moving.{case}", save_all=True, append_images=frames[1:])
    small = [override for override in SMALL if "dataset.size" not in override]
    code, out, err = command("fit", f"moving.{case}", *small, "hydra.run.dir=run")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == f"image   moving.{case} has 3 frames, of which the first is taken"
