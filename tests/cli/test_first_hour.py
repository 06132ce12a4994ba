"""Typical mistakes and paths of the first hour, and what is answered."""

import pytest
from PIL import Image

from tests.conftest import SMALL

pytestmark = pytest.mark.untraced

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
    ("fit sigma=10", "there is no setting sigma; did you mean encoder.sigma?"),
    ("fit encoder.sigm=10", "there is no setting encoder.sigm; did you mean encoder.sigma?"),
    ("fit batch_size=10", "did you mean dataset.batch_size?"),
    ("fit hidden_features=10", "did you mean model.hidden_features?"),
    ("fit model.width=10", "did you mean model.hidden_features?"),
    ("fit model.layers=2", "did you mean model.hidden_layers?"),
    ("fit devices=2", "did you mean trainer.devices?"),
    ("fit gpus=1", "did you mean trainer.devices?"),
    ("fit image=photo.jpg", "did you mean dataset.path?"),
    ("fit size=64", "did you mean dataset.size?"),
    ("fit output_dir=x", "did you mean hydra.run.dir?"),
    ("fit encodr=gaussian", "there is no setting encodr; did you mean encoder?"),
    ("fit encoder=gausian", "there is no encoder 'gausian'; did you mean gaussian?"),
    ("fit recipe=quick", "there is no recipe 'quick'; expected one of fast, quality, shape"),
    ("fit model=relu", "there is no model 'relu'; expected one of"),
    ("fit logger=tensorbord", "there is no logger 'tensorbord'; did you mean tensorboard?"),
    ("fit encoder.sigma=ten", "sigma: expected a finite number above 0, got 'ten'"),
    ("fit encoder.sigma=-1", "sigma: expected a finite number above 0, got -1"),
    ("fit trainer.max_steps=1e3", "trainer.max_steps: expected an integer of at least 1, got 1000.0"),
    ("fit optimizer.lr=", "optimizer.lr: expected a number, got ''"),
    ("fit seed=0,1", "seed=0,1: several values are a sweep; say -m, or quote the value"),
    ("fit -m hydra.verbose=true,false", "hydra.verbose=true,false: Hydra's own settings cannot be swept over"),
    ("fit dataset.size=[64,", "cannot read 'dataset.size=[64,'"),
    ("fit name=a(b", "cannot read 'name=a(b': text with special characters needs quotes, 'name=\"a(b\"'"),
    ("fit dataset.path=bunny.obj", "bunny.obj: is a mesh, which dataset=image does not fit; say dataset=occupancy"),
    ("fit clip.mp4", "clip.mp4: is a film"),
    ("fit run", "run: is a run directory; resume=run goes on with it"),
    ("fit hydra.run.dir=run", "holds a run; resume=run goes on with it, overwrite=true replaces it"),
    ("fit resume=photo.jpg", "resume: expected a run directory, got photo.jpg"),
    ("fit --epochs 10", "unrecognized arguments: --epochs; see ffnet fit --help"),
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
