"""Volumes: what is read, refused, scored, shown, meshed, written back and rendered."""

import json
import math
import os
import re
import shutil
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import ffnet.geometry
from ffnet.datasets import VolumeDataset
from ffnet.fitting import evaluate
from ffnet.signals import VolumeSignal
from ffnet.signals.slices import slices

nibabel = pytest.importorskip("nibabel")
tifffile = pytest.importorskip("tifffile")
h5py = pytest.importorskip("h5py")
zarr = pytest.importorskip("zarr")

# Oblique, mirrored, with voxels of 1.5 x 2 x 3 mm.
AFFINE = np.array([[-1.5, 0.2, 0.0, 30.0], [0.1, 1.9, -0.4, -20.0], [0.0, 0.6, 3.0, 10.0], [0.0, 0.0, 0.0, 1.0]])
SIZE = (9, 7, 5)  # x, y, z
SHAPE = {"settings": None, "rate": None, "longest": None, "crop": None, "size": None, "scale": None}


def of_place(place: np.ndarray) -> np.ndarray:
    """A value for every place (..., 3) in mm; no axis can be turned or exchanged without a difference."""
    x, y, z = np.moveaxis(place, -1, 0)
    return 500.123 + 7 * x + 3 * y - 5 * z + 0.1 * x * z


def places(affine: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The places (i, j, k, 3) of voxels."""
    index = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), -1)
    return index @ affine[:3, :3].T + affine[:3, 3]


@pytest.fixture
def path(tmp_path):
    image = nibabel.Nifti1Image(np.rint(of_place(places(AFFINE, SIZE))).astype(np.int16), AFFINE)
    image.header.set_xyzt_units("mm")
    image.header.set_sform(AFFINE, 4)
    image.to_filename(tmp_path / "head.nii.gz")
    return tmp_path / "head.nii.gz"


def known(record):
    """The field that has ``of_place`` at every place of the volume."""

    def field(x):
        voxel = x.double().numpy() * SIZE - 0.5
        values = of_place(voxel @ AFFINE[:3, :3].T + AFFINE[:3, 3])
        return torch.from_numpy((values - record.low) / (record.high - record.low)).float()[:, None]

    return field


def test_a_nifti_is_written_back_with_its_affine_orientation_and_type(path, tmp_path):
    dataset = VolumeDataset(path)
    field = known(dataset.record)
    assert evaluate(field, dataset)["psnr"] > 55  # integers are rounded
    written = dataset.record.write(field, tmp_path)
    assert written == tmp_path / "reconstruction.nii.gz"
    one, two = nibabel.load(path), nibabel.load(written)
    np.testing.assert_array_equal(one.affine, two.affine)
    assert nibabel.aff2axcodes(one.affine) == nibabel.aff2axcodes(two.affine)
    assert (two.get_data_dtype(), two.header.get_xyzt_units()[0], two.header["sform_code"]) == (np.int16, "mm", 4)
    np.testing.assert_array_equal(np.asarray(one.dataobj), np.asarray(two.dataobj))


def test_a_rendered_volume_has_other_voxels_in_the_same_place(path, tmp_path):
    record = VolumeDataset(path).record
    for settings, name, size in (({"scale": 2}, "a.nii", (18, 14, 10)), ({"size": [4, 3, 2]}, "b.nii.gz", (2, 3, 4))):
        said = record.rendering({**SHAPE, **settings}, tmp_path / name)(known(record), "cpu", lambda items: items)
        assert said == " x ".join(map(str, size)) + " voxels"
        image = nibabel.load(tmp_path / name)
        expected = of_place(places(image.affine, size))
        within = expected.clip(record.low, record.high)  # integers do not leave the range
        np.testing.assert_allclose(np.asarray(image.dataobj), within, atol=0.6)
        corners = np.array([[-0.5] * 3, np.array(size) - 0.5])
        own = np.array([[-0.5] * 3, np.array(SIZE) - 0.5])
        ends = [ends @ a[:3, :3].T + a[:3, 3] for ends, a in ((corners, image.affine), (own, AFFINE))]
        np.testing.assert_allclose(*ends, atol=1e-5)


def test_scaled_integers_are_read_as_what_they_stand_for(path, tmp_path):
    data = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    image = nibabel.Nifti1Image(data, np.eye(4))
    image.header.set_slope_inter(0.5, -7)
    image.to_filename(tmp_path / "scaled.nii")
    signal = VolumeSignal(tmp_path / "scaled.nii")
    np.testing.assert_array_equal(signal.voxels[..., 0].numpy(), nibabel.load(tmp_path / "scaled.nii").get_fdata().T)
    assert signal.record.dtype == "float32"


def save_npz(path, array):
    np.savez(path, other=np.arange(3), volume=array)


def save_hdf5(path, array):
    with h5py.File(path, "w") as file:
        file["a/volume"] = array


def save_zarr(path, array):
    zarr.create_array(str(path), data=array, chunks=(2, *array.shape[1:]))


FILES = {
    ".npy": (np.save, np.load),
    ".npz": (save_npz, lambda path: np.load(path)["volume"]),
    ".h5": (save_hdf5, lambda path: h5py.File(path)["a/volume"][()]),
    ".tif": (lambda path, array: tifffile.imwrite(path, array, photometric="minisblack"), tifffile.imread),
}
EVERY = FILES | {".zarr": (save_zarr, lambda path: zarr.open_array(path, mode="r")[...])}


@pytest.mark.parametrize("suffix", EVERY)
@pytest.mark.parametrize("dtype", ["uint8", ">u2", "int16", "float64"])
def test_arrays_are_written_back_as_they_were(tmp_path, suffix, dtype):
    save, load = EVERY[suffix]
    array = np.arange(2, 62).reshape(3, 4, 5).astype(dtype)
    save(tmp_path / f"a{suffix}", array)
    dataset = VolumeDataset(tmp_path / f"a{suffix}")
    assert dataset.source.grid == (3, 4, 5)
    values = (torch.from_numpy(array.astype(np.float32)).flatten() - 2) / 59

    def field(x):
        i, j, k = (x[:, axis].mul(n).long() for axis, n in ((2, 3), (1, 4), (0, 5)))
        return values[(i * 4 + j) * 5 + k, None]

    assert evaluate(field, dataset)["psnr"] > 100
    (tmp_path / "run").mkdir()
    written = dataset.record.write(field, tmp_path / "run")
    assert written.suffix == {".tif": ".tiff"}.get(suffix, suffix)
    np.testing.assert_allclose(load(written), array, atol=1e-5)
    assert load(written).dtype == array.dtype.newbyteorder("=")


@pytest.mark.parametrize("suffix", [".nii", *EVERY])
def test_channels_are_fitted_and_written(tmp_path, suffix):
    array = np.arange(2 * 3 * 4 * 2, dtype=np.float32).reshape(2, 3, 4, 2)
    record = VolumeSignal(array).record
    field = known_numbers(record, array)
    assert record.rendering(SHAPE, tmp_path / f"a{suffix}")(field, "cpu", lambda items: items)
    again = VolumeSignal(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(again.voxels.numpy(), array, atol=1e-5)
    assert again.record.noun == "a volume of several channels"


def known_numbers(record, array):
    values = torch.from_numpy((array - record.low) / (record.high - record.low)).view(-1, array.shape[-1])
    depth, height, width = record.size

    def field(x):
        i, j, k = (x[:, axis].mul(n).long() for axis, n in ((2, depth), (1, height), (0, width)))
        return values[(i * height + j) * width + k]

    return field


def test_imagej_spacing_is_read_and_written(tmp_path):
    array = np.random.default_rng(0).integers(0, 9, (3, 4, 5)).astype(np.uint8)
    metadata = {"spacing": 3.0, "unit": "um", "axes": "ZYX"}
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=True, resolution=(1 / 0.5, 1 / 2), metadata=metadata)
    record = VolumeSignal(tmp_path / "a.tif").record
    np.testing.assert_allclose(record.spacing, (0.5, 2, 3))
    record.rendering(SHAPE, tmp_path / "b.tif")(known_numbers(record, array[..., None]), "cpu", lambda items: items)
    again = VolumeSignal(tmp_path / "b.tif").record
    np.testing.assert_allclose(again.spacing, (0.5, 2, 3))
    assert again.unit == "um"


def test_the_surface_of_a_ball_is_a_sphere_in_millimetres_that_faces_outwards(tmp_path):
    centre, radius = np.array([4.0, 5.0, 14.0]), 6.0
    affine = np.array([[-1.0, 0, 0, 16], [0, 0, 1.5, -7], [0, 2.0, 0, 1], [0, 0, 0, 1]])
    data = 100 - np.linalg.norm(places(affine, (24, 13, 16)) - centre, axis=-1)
    nibabel.Nifti1Image(data, affine).to_filename(tmp_path / "ball.nii")
    signal = VolumeSignal(tmp_path / "ball.nii", level=100 - radius)
    record = signal.record

    def field(x):
        place = (x.double().numpy() * (24, 13, 16) - 0.5) @ affine[:3, :3].T + affine[:3, 3]
        value = 100 - np.linalg.norm(place - centre, axis=-1, keepdims=True)
        return torch.from_numpy((value - record.low) / (record.high - record.low)).float()

    mesh = record.mesh(field, 40)
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices - centre, axis=1), radius, atol=0.05)
    corners = mesh.vertices[mesh.faces] - centre
    volume = np.linalg.det(corners).sum() / 6  # positive if faces look outwards
    assert volume == pytest.approx(4 / 3 * math.pi * radius**3, rel=0.02)


def test_slices_have_the_proportions_of_space_and_the_values_of_the_nearest_voxel():
    depth, height, width = 4, 6, 5
    values = torch.rand(depth, height, width, generator=torch.Generator().manual_seed(0))
    picture = slices(lambda index: values.flatten()[index, None], (depth, height, width), (1.0, 1.0, 2.0), 100)
    assert picture.shape == (8, 5 + 5 + 6, 3)  # z has 2 pixels a voxel
    np.testing.assert_array_equal(picture[1:7, :5, 0], values[2])
    np.testing.assert_array_equal(picture[::2, 5:10, 0], values[:, 3])
    np.testing.assert_array_equal(picture[1::2, 10:, 0], values[:, :, 2])
    up = slices(lambda index: values.flatten()[index, None], (depth, height, width), (1.0, 1.0, 2.0), 100, upward=True)
    np.testing.assert_array_equal(up[1:7, :5, 0], values[2].flip(0))
    assert slices(lambda index: values.flatten()[index, None], (depth, height, width), (1, 1, 2), 8).shape[1] <= 8


def sparse(path, head=b""):
    """A file of 2 TB that begins with ``head``."""
    path.write_bytes(head)
    os.truncate(path, 2 << 40)


@pytest.fixture
def refused(tmp_path, path):
    """Files that are no volume, or not whole, by name, in a folder."""
    good = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    for suffix, (save, _) in FILES.items():
        save(tmp_path / f"whole{suffix}", good)
    nibabel.Nifti1Image(good, np.eye(4)).to_filename(tmp_path / "whole.nii")
    (tmp_path / "whole.nii.gz").write_bytes(path.read_bytes())
    for whole in list(tmp_path.glob("whole.*")):
        data = whole.read_bytes()
        end = len(data) // 2 if whole.suffix == ".tif" else -20
        (tmp_path / whole.name.replace("whole", "cut")).write_bytes(data[:end])
        (tmp_path / whole.name.replace("whole", "empty")).touch()
        (tmp_path / whole.name.replace("whole", "text")).write_text("no volume at all" * 40)
        sparse(tmp_path / whole.name.replace("whole", "sparse"))
    arrays = {
        "flat": good[0],
        "deep": good[None, None],
        "scalar": np.float32(3),
        "none": good[:0],
        "same": good * 0,
        "nan": np.where(good > 7, np.nan, 1.0),
        "complex": good * 1j,
        "words": good.astype(str),
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    np.save(tmp_path / "pickle.npy", np.array([[[{}]]], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "two.npz", a=good, b=good)
    tifffile.imwrite(tmp_path / "page.tif", good[0])
    head = (tmp_path / "whole.npy").read_bytes()[:128]
    sparse(tmp_path / "vast.npy", head.replace(b"(3, 4, 5), }        ", b"(9999, 9999, 9999), }"))
    header = nibabel.Nifti1Header()
    header.set_data_shape((30000, 30000, 1000))
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    sparse(tmp_path / "vast.nii", header.binaryblock)
    (tmp_path / "volume.xyz").write_text("no volume")
    with h5py.File(tmp_path / "linked.h5", "w") as file:
        file["a"] = h5py.ExternalLink("whole.h5", "a/volume")
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((3, 4, 5), "i2")
        layout[:] = h5py.VirtualSource("whole.h5", "a/volume", (3, 4, 5))
        file.create_virtual_dataset("a", layout)
    save_zarr(tmp_path / "whole.zarr", good)
    for name in ("cut", "linked", "pickle", "huge", "vast", "told"):
        shutil.copytree(tmp_path / "whole.zarr", tmp_path / f"{name}.zarr")
    chunk = Path("c") / "0" / "0" / "0"
    (tmp_path / "cut.zarr" / chunk).write_bytes((tmp_path / "whole.zarr" / chunk).read_bytes()[:-5])
    (tmp_path / "linked.zarr" / chunk).unlink()
    (tmp_path / "linked.zarr" / chunk).symlink_to(tmp_path / "whole.npy")
    os.truncate(tmp_path / "vast.zarr" / chunk, 2 << 40)
    os.truncate(tmp_path / "told.zarr" / "zarr.json", 2 << 40)
    settings = json.loads((tmp_path / "whole.zarr" / "zarr.json").read_text())
    for name, change in (
        ("pickle", {"codecs": [{"name": "numcodecs.pickle", "configuration": {}}]}),
        ("huge", {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2**20, 2**20, 2**20]}}}),
    ):
        (tmp_path / f"{name}.zarr" / "zarr.json").write_text(json.dumps(settings | change))
    (tmp_path / "empty.zarr").mkdir()
    (tmp_path / "text.zarr").write_text("no volume at all")
    sparse(tmp_path / "sparse.zarr")
    group = zarr.open_group(tmp_path / "group.zarr", mode="w")
    for name in ("a", "b"):
        group.create_array(name, data=good)
    save_zarr(tmp_path / "nan.zarr", np.where(good > 7, np.nan, 1.0))
    return tmp_path


REFUSED = {
    "nowhere.nii": "expected a volume, found nothing",
    ".": "expected a volume, found no file",
    **{f"empty{suffix}": "expected a volume, is empty" for suffix in (".nii", ".nii.gz", *FILES)},
    **{f"text{suffix}": f"text{suffix}: " for suffix in (".nii", ".nii.gz", *FILES)},
    **{f"sparse{suffix}": f"sparse{suffix}: " for suffix in (".nii", ".nii.gz", *FILES)},
    **{f"cut{suffix}": f"cut{suffix}: " for suffix in (".nii.gz", ".npz", ".h5", ".tif")},
    "cut.nii": "is truncated, expected 120 bytes of values, got",
    "cut.npy": "is truncated, expected 120 bytes of values, got",
    "flat.npy": "expected the array with 3 axes, or 4 with channels last, got shape (4, 5)",
    "deep.npy": "expected the array with 3 axes, or 4 with channels last, got shape (1, 1, 3, 4, 5)",
    "scalar.npy": "expected the array with 3 axes, or 4 with channels last, got shape ()",
    "none.npy": "expected the array with at least one voxel, got shape (0, 4, 5)",
    "same.npy": "expected values that differ, all are 0",
    "nan.npy": "expected finite values, found NaN or infinity",
    "complex.npy": "expected the array of real numbers of at most 64 bits, got complex128",
    "words.npy": "expected the array of real numbers of at most 64 bits, got <U",
    "pickle.npy": "expected the array of real numbers of at most 64 bits, got object",
    "two.npz": "expected one array with 3 or 4 axes, found a (3, 4, 5), b (3, 4, 5); say dataset.key=NAME",
    "page.tif": "expected a stack of pages of one size, got axes YX of (4, 5)",
    "vast.npy": "expected at most 268435456 pixels, got 999700029999",
    "vast.nii": "expected at most 268435456 pixels, got 900000000000",
    "volume.xyz": "expected a volume, a file that ends in .nii, .nii.gz, .tif, .npy, .npz, .h5, .zarr",
    "linked.h5": "expected one array with 3 or 4 axes, found none",
    "virtual.h5": "expected the values of a in the file, they are in others",
    "empty.zarr": "expected a directory of zarr, with zarr.json, .zarray or .zgroup",
    "text.zarr": "text.zarr: ",
    "sparse.zarr": "sparse.zarr: ",
    "cut.zarr": "expected a volume as .zarr (",
    "linked.zarr": "expected files and directories, found a link or a device, 0",
    "pickle.zarr": "pickle.zarr: ",
    "vast.zarr": "bytes a chunk, 0 has 2199023255552",
    "told.zarr": "expected at most 16777216 bytes of metadata, zarr.json has more",
    "huge.zarr": "a chunk, of values: expected at most 268435456 pixels",
    "group.zarr": "expected one array with 3 or 4 axes, found a (3, 4, 5), b (3, 4, 5); say dataset.key=NAME",
    "nan.zarr": "expected finite values, found NaN or infinity",
}


def test_an_array_of_a_zarr_group_is_chosen_and_written_as_an_array(refused):
    record = VolumeDataset(refused / "group.zarr", key="b").record
    good = np.load(refused / "whole.npy")[..., None]
    for _ in range(2):  # the second replaces the first
        record.rendering(SHAPE, refused / "new.zarr")(known_numbers(record, good), "cpu", lambda items: items)
    np.testing.assert_array_equal(zarr.open_array(refused / "new.zarr", mode="r")[...], good[..., 0])
    assert not list(refused.glob(".*"))
    (refused / "mine.zarr").mkdir()
    (refused / "mine.zarr" / "letter.txt").touch()
    with pytest.raises(OSError, match="is a directory of other files"):
        record.rendering(SHAPE, refused / "mine.zarr")


def test_what_is_no_volume_is_refused_without_being_read(refused, capfd):
    tracemalloc.start()
    for name, words in REFUSED.items():
        with pytest.raises((ValueError, OSError), match=re.escape(words)) as found:
            VolumeDataset(refused / name)
        assert str(found.value).count("\n") == 0
        assert str(refused / name) in str(found.value)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"spacing": [1, 0, 1]}, "spacing: expected [x, y, z] above 0, got [1, 0, 1]"),
        ({"spacing": 2}, "spacing: expected [x, y, z] above 0, got 2"),
        ({"spacing": [1e99, 1, 1]}, "spacing: expected sides of voxels from 1e-30 to 1e+30, got (1e+99, 1.0, 1.0)"),
        ({"level": 9999}, "level: expected a value from "),
        ({"level": math.nan}, "level: expected a value from "),
        ({"batch_size": 0}, "batch_size: expected an integer of at least 1, or null, got 0"),
        ({"batch_size": 2**40}, "batch_size: expected at most 67108864 points"),
    ],
)
def test_arguments_out_of_range_are_refused(path, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        VolumeDataset(path, **arguments)


@pytest.mark.parametrize(
    ("library", "suffix"), [("nibabel", ".nii"), ("tifffile", ".tif"), ("h5py", ".h5"), ("zarr", ".zarr")]
)
def test_a_missing_library_is_named_with_its_extra(refused, monkeypatch, library, suffix):
    record = VolumeDataset(refused / "whole.npy").record
    monkeypatch.setitem(sys.modules, library, None)
    words = re.escape(f"dataset=volume needs {library} for {suffix} files: pip install 'ffnet[volume]'")
    with pytest.raises(ValueError, match=words):
        VolumeDataset(refused / f"whole{suffix}")
    with pytest.raises(ValueError, match=words):
        record.rendering(SHAPE, refused / f"new{suffix}")
    assert not (refused / f"new{suffix}").exists()


@pytest.mark.parametrize(
    ("settings", "name", "message"),
    [
        ({"rate": 3}, "a.npy", "rate: expected null for a volume, got 3"),
        ({"scale": 2, "size": [1, 2, 3]}, "a.npy", "scale: expected null together with size, got 2"),
        ({"scale": -1}, "a.npy", "scale: expected a number above 0, got -1"),
        ({"scale": 1e4}, "a.npy", "scale: expected at most 268435456 pixels"),
        ({"size": [1, 2]}, "a.npy", "size: expected [depth, height, width] in voxels, got [1, 2]"),
        ({}, "a.png", "expected a volume, a file that ends in .nii, .nii.gz"),
        ({}, "nowhere/a.npy", "nowhere is not a directory"),
    ],
)
def test_sizes_and_files_that_cannot_be_are_refused(path, tmp_path, settings, name, message):
    with pytest.raises((ValueError, OSError), match=re.escape(message)):
        VolumeDataset(path).record.rendering({**SHAPE, **settings}, tmp_path / name)
    assert not (tmp_path / name).exists()


SMALL = ("dataset.batch_size=512", "encoder.levels=3", "encoder.max_resolution=24", "model.hidden_features=16")
SMALL += ("trainer.max_steps=40", "optimizer.lr=2e-2", "hydra.run.dir=run")


def test_a_run_is_scored_shown_meshed_rendered_and_exported(command, path, tmp_path):
    code, _, err = command("fit", str(path), *SMALL)
    assert (code, err) == (0, "")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["psnr"] > 20
    np.testing.assert_array_equal(nibabel.load("run/reconstruction.nii.gz").affine, nibabel.load(path).affine)
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    assert {"view/target", "view/reconstruction", "view/error"} <= set(events.Tags()["images"])
    code, out, _ = command("evaluate", "run")
    assert code == 0
    assert json.loads(out)["psnr"] == pytest.approx(metrics["psnr"], abs=1e-9)
    assert command("export", "run", "output=a.safetensors")[0] == 0
    assert command("render", "run", "scale=2", "output=a.npy")[0] == 0
    assert np.load("a.npy").shape == (10, 14, 18)
    code, _, err = command("render", "run", "rate=4", "output=b.npy")
    assert (code, err.count("\n")) == (2, 1)
    assert command("mesh", "run", "resolution=16", "output=a.ply")[0] == 0
    found = ffnet.geometry.read_mesh(Path("a.ply"))[0].vertices
    inside = places(AFFINE, SIZE).reshape(-1, 3)
    assert (found >= inside.min(0) - 3).all()
    assert (found <= inside.max(0) + 3).all()
    assert command("report", "run", "output=a.html")[0] == 0
    assert len(re.findall("data:image/png", (tmp_path / "a.html").read_text())) == 2  # target and reconstruction


def test_a_refused_file_leaves_nothing(command, refused):
    before = set(refused.iterdir())
    for name in ("sparse.nii", "nan.npy"):
        code, _, err = command("fit", "dataset=volume", name)
        assert (code, len(err.strip().splitlines())) == (2, 1)
    assert set(refused.iterdir()) == before


@pytest.mark.long
def test_the_default_fits_a_head(command, shared):
    path = next((shared / "data" / "mri").glob("*.nii.gz"))
    assert command("fit", str(path), "hydra.run.dir=run")[0] == 0
    assert json.loads(Path("run/metrics.json").read_text())["psnr"] > 38
    one, two = nibabel.load(path), nibabel.load("run/reconstruction.nii.gz")
    np.testing.assert_array_equal(one.affine, two.affine)
    values = (np.asarray(image.dataobj).astype(float) for image in (one, two))
    assert np.corrcoef(*(array.ravel() for array in values))[0, 1] > 0.99
