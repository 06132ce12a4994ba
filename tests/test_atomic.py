"""Files are whole or absent."""

import os
import subprocess
import sys

import pytest

from ffnet.atomic import discard_unfinished, remove_abandoned, replacing


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_text("half")
            assert path.read_text() == "old"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_directory_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.zarr"

    def write(text, fails=False):
        with replacing(path, directory=True) as temporary:
            (temporary / "c").mkdir(parents=True)
            (temporary / "c" / "0").write_text(text)
            if fails:
                raise RuntimeError

    write("old")
    with pytest.raises(RuntimeError):
        write("half", fails=True)
    assert (path / "c" / "0").read_text() == "old"
    write("new")
    assert (path / "c" / "0").read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]

    def nothing():
        with replacing(path, directory=True):
            pass

    with pytest.raises(FileNotFoundError):  # the old one is back
        nothing()
    assert (path / "c" / "0").read_text() == "new"
    (tmp_path / "a.txt").touch()
    with pytest.raises(OSError, match="is a file"), replacing(tmp_path / "a.txt", directory=True):
        pass


def test_what_killed_processes_left_is_removed_and_what_others_write_is_not(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        pass
    (tmp_path / "checkpoints").mkdir()
    names = [f".last.{number}.partial.ckpt" for number in (ended.pid, os.getppid(), os.getpid())]
    for name in (*names, ".mine.partial.ckpt", "last.ckpt"):
        (tmp_path / "checkpoints" / name).touch()
    (tmp_path / f".x.{ended.pid}.partial.zarr" / "c").mkdir(parents=True)
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        remove_abandoned(tmp_path)
    left = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert left == {names[1], ".mine.partial.ckpt", "last.ckpt"}
    assert (tmp_path / "a.txt").read_text() == "new"
    assert not list(tmp_path.glob(".x*"))


def test_a_process_that_ends_at_once_takes_its_temporary_files_with_it(tmp_path):
    def write():
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            discard_unfinished()
            assert list(tmp_path.iterdir()) == []

    with pytest.raises(FileNotFoundError):
        write()
