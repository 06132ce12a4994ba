"""16 bits per colour, floating-point values, colour profiles and EXIF: in, and out again."""

import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from ffnet.signals import ImageSignal
from ffnet.signals.deep_files import read_deep
from ffnet.signals.deep_saving import save_deep
from ffnet.signals.image_files import read_image
from ffnet.signals.metadata import NO_METADATA, Metadata, metadata_of, upright

OpenEXR = pytest.importorskip("OpenEXR")
imagecodecs = pytest.importorskip("imagecodecs")
tifffile = pytest.importorskip("tifffile")

SIXTEEN = np.random.default_rng(0).integers(0, 65536, (9, 7, 4), dtype=np.uint16)
BRIGHT = np.random.default_rng(0).lognormal(0, 3, (9, 7, 4)).astype(np.float32)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def plain_png(pixels: np.ndarray, kind: int) -> bytes:
    """A PNG of 16 bits whose rows have no filter, by the standard."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("channels", "kind"), [(2, 4), (3, 2), (4, 6)])
def test_all_sixteen_bits_of_a_png_are_read_and_written(tmp_path, channels, kind):
    pixels = SIXTEEN[..., :channels]
    (tmp_path / "in.png").write_bytes(plain_png(pixels, kind))
    found = read_deep(tmp_path / "in.png")
    np.testing.assert_array_equal(found.pixels, pixels)
    save_deep(found.pixels, tmp_path / "out.png", found.associated, found.metadata)
    np.testing.assert_array_equal(imagecodecs.png_decode((tmp_path / "out.png").read_bytes()), pixels)


@pytest.mark.parametrize("dtype", ["uint16", "float16", "float32"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", [".npy", ".tiff", ".exr"])
def test_what_is_written_is_read(tmp_path, suffix, channels, dtype):
    pixels = (SIXTEEN if dtype == "uint16" else BRIGHT)[..., :channels].astype(dtype)
    path = tmp_path / f"a{suffix}"
    if dtype == "uint16" and suffix == ".exr":
        with pytest.raises(ValueError, match=r"expected a name ending in \.png, \.tif, .* of 16 bits per colour"):
            save_deep(pixels, path, False, NO_METADATA)
        return
    save_deep(pixels, path, suffix == ".exr", NO_METADATA)
    found = read_deep(path)
    if found is None:  # one channel of 16 bits, which Pillow reads
        np.testing.assert_array_equal(np.asarray(read_image(path)), pixels[..., 0])
        return
    np.testing.assert_array_equal(found.pixels, pixels)
    assert (found.pixels.dtype, found.suffix) == (np.dtype(dtype), suffix)
    assert found.associated == (suffix == ".exr")


def test_radiance_keeps_a_mantissa_of_eight_bits(tmp_path):
    save_deep(BRIGHT[..., :3], tmp_path / "a.hdr", False, NO_METADATA)
    found = read_deep(tmp_path / "a.hdr").pixels
    assert (np.abs(found - BRIGHT[..., :3]) <= BRIGHT[..., :3].max(-1, keepdims=True) / 127).all()


@pytest.mark.parametrize("associated", [False, True])
def test_a_tiff_says_whether_colours_are_multiplied_by_alpha(tmp_path, associated):
    save_deep(BRIGHT, tmp_path / "a.tif", associated, NO_METADATA)
    assert read_deep(tmp_path / "a.tif").associated == associated
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].extrasamples == ((1,) if associated else (2,))


def test_planes_of_a_tiff_become_channels(tmp_path):
    planes = np.moveaxis(BRIGHT[..., :3], -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate", compression="lzw")
    np.testing.assert_array_equal(read_deep(tmp_path / "a.tif").pixels, BRIGHT[..., :3])


@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_turns_arrays_as_pillow_turns_images(tmp_path, turn):
    pixels = SIXTEEN[..., :3].astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(upright(pixels, turn), np.asarray(read_image(tmp_path / "a.png")))
    tifffile.imwrite(tmp_path / "a.tif", SIXTEEN[..., :3], photometric="rgb", extratags=[(274, 3, 1, turn, True)])
    np.testing.assert_array_equal(read_deep(tmp_path / "a.tif").pixels, upright(SIXTEEN[..., :3], turn))


def described() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0100] = 6, "Maker", 7
    exif.get_ifd(0x8769).update({0x829A: 0.02, 0xA002: 7})
    exif.get_ifd(0x8825).update({1: "N"})
    return exif


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_profile_and_exif_come_back_without_orientation_and_sizes(tmp_path, suffix):
    image = Image.fromarray(SIXTEEN[..., :3].astype(np.uint8))
    image.save(tmp_path / f"in{suffix}", exif=described().tobytes(), icc_profile=SRGB)
    signal = ImageSignal(tmp_path / f"in{suffix}")
    assert signal.record.size == (7, 9)  # turned
    path = signal.record.write(lambda x: x[:, [0, 1, 1]], tmp_path)
    with Image.open(path) as written:
        exif = written.getexif()
        assert written.info["icc_profile"] == SRGB
        assert (exif[0x010F], exif.get_ifd(0x8769)[0x829A], exif.get_ifd(0x8825)[1]) == ("Maker", 0.02, "N")
        assert 0xA002 not in exif.get_ifd(0x8769)
        assert 0x0112 not in exif
        assert written.size == (9, 7)
    assert ImageSignal(tmp_path / f"in{suffix}", metadata=False).record.metadata == NO_METADATA


def test_a_png_of_sixteen_bits_has_its_profile_and_exif(tmp_path):
    metadata = Metadata(SRGB, metadata_of_exif(described()))
    save_deep(SIXTEEN[..., :3], tmp_path / "a.png", False, metadata)
    found = read_deep(tmp_path / "a.png")
    assert found.metadata == metadata
    np.testing.assert_array_equal(found.pixels, SIXTEEN[..., :3])
    save_deep(SIXTEEN[..., :3], tmp_path / "a.tif", False, metadata)
    assert read_deep(tmp_path / "a.tif").metadata.icc == SRGB


def metadata_of_exif(exif: Image.Exif) -> bytes | None:
    image = Image.new("L", (1, 1))
    image.info["exif"] = exif.tobytes()
    return metadata_of(image).exif


@pytest.mark.parametrize(("library", "suffix"), [("OpenEXR", "exr"), ("imagecodecs", "png"), ("imagecodecs", "hdr")])
def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch, library, suffix):
    pixels = SIXTEEN[..., :3] if suffix == "png" else BRIGHT[..., :3]
    save_deep(pixels, tmp_path / f"a.{suffix}", False, NO_METADATA)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ValueError, match=rf"a\.{suffix}: .* needs {library}: pip install 'ffnet\[hdr\]'"):
        ImageSignal(tmp_path / f"a.{suffix}")
    with pytest.raises(ValueError, match=rf"output: \.{suffix} needs {library}"):
        save_deep(pixels, tmp_path / f"b.{suffix}", False, NO_METADATA)


def test_without_tifffile_eight_bits_are_read_and_more_are_refused(tmp_path, monkeypatch):
    Image.fromarray(SIXTEEN[..., :3].astype(np.uint8)).save(tmp_path / "eight.tif")
    tifffile.imwrite(tmp_path / "sixteen.tif", SIXTEEN[..., :3], photometric="rgb")
    tifffile.imwrite(tmp_path / "float.tif", BRIGHT[..., 0])
    monkeypatch.setitem(sys.modules, "tifffile", None)
    assert ImageSignal(tmp_path / "eight.tif").record.bits == 8
    for name in ("sixteen", "float"):
        with pytest.raises(ValueError, match=rf"{name}\.tif: .* needs tifffile: pip install 'ffnet\[hdr\]'"):
            ImageSignal(tmp_path / f"{name}.tif")


def arrays(folder) -> None:
    """Files of NumPy that are no images."""
    nothing = {
        "flat": np.zeros(5),
        "point": np.float32(1),
        "deep": np.zeros((2, 2, 2, 2)),
        "empty": np.zeros((0, 4, 3)),
    }
    kinds = {"many": np.zeros((2, 2, 5)), "wide": np.zeros((2, 2), np.int64), "complex": np.zeros((2, 2), complex)}
    values = {"nan": np.full((2, 2), np.nan), "infinite": np.full((2, 2), np.inf), "huge": np.full((2, 2), 1e300)}
    for name, array in (nothing | kinds | values).items():
        np.save(folder / f"{name}.npy", array)
    np.save(folder / "objects.npy", np.array([{}], object), allow_pickle=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("flat", r"expected shape \(height, width\) or \(height, width, 1 to 4\), got \(5,\)"),
        ("point", r"got \(\)"),
        ("deep", r"got \(2, 2, 2, 2\)"),
        ("empty", r"got \(0, 4, 3\)"),
        ("many", r"got \(2, 2, 5\)"),
        ("wide", "expected uint8, uint16 or floating-point values, got int64"),
        ("complex", "got complex128"),
        ("nan", "expected finite values, found NaN or infinity"),
        ("infinite", "found NaN or infinity"),
        ("huge", "found NaN or infinity"),
        ("objects", "damaged image"),
    ],
)
def test_arrays_that_are_no_images_are_refused(tmp_path, name, message):
    arrays(tmp_path)
    with pytest.raises(ValueError, match=rf"{name}\.npy: .*{message}"):
        ImageSignal(tmp_path / f"{name}.npy", transfer="auto")


@pytest.mark.parametrize("suffix", ["npy", "exr", "hdr", "tif", "png"])
def test_what_is_cut_off_is_refused(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    save_deep(SIXTEEN[..., :3] if suffix == "png" else BRIGHT[..., :3], path, False, NO_METADATA)
    contents = path.read_bytes()
    for kept in (len(contents) // 2, len(contents) - 40):
        path.write_bytes(contents[:kept])
        with pytest.raises(ValueError, match=rf"a\.{suffix}: .*(damaged image|Pillow)"):
            ImageSignal(path, transfer="auto")


@pytest.mark.parametrize("suffix", ["npy", "exr", "hdr", "tif", "png"])
def test_larger_images_than_the_limit_are_refused_before_they_are_read(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    save_deep(SIXTEEN[..., :3] if suffix == "png" else BRIGHT[..., :3], path, False, NO_METADATA)
    with pytest.raises(ValueError, match=r"has more than 62 pixels; raise dataset\.max_pixels"):
        ImageSignal(path, max_pixels=62, transfer="auto")


def test_a_sparse_file_of_two_terabytes_is_refused(tmp_path):
    header = (
        np.lib.format.magic(1, 0) + b"v\0" + b"{'descr': '|u1', 'fortran_order': False, 'shape': (800000, 900000, 3)}"
    )
    for name, start in {
        "zeros": b"",
        "array": header.ljust(127) + b"\n",
        "png": plain_png(SIXTEEN[..., :3], 2),
    }.items():
        path = tmp_path / f"{name}.npy"
        path.write_bytes(start)
        with path.open("r+b") as file:
            file.truncate(2**41)
        with pytest.raises(ValueError, match=r"has more than|is not an image|damaged image"):
            ImageSignal(path, transfer="auto")


def test_other_layers_and_inks_are_refused(tmp_path):
    with OpenEXR.File({"type": OpenEXR.scanlineimage}, {"Z": BRIGHT[..., 0].copy()}) as file:
        file.write(str(tmp_path / "depth.exr"))
    with pytest.raises(ValueError, match="expected channels R, G, B or Y, with A or without, got Z"):
        ImageSignal(tmp_path / "depth.exr")
    tifffile.imwrite(tmp_path / "inks.tif", SIXTEEN, photometric="separated")
    with pytest.raises(ValueError, match="has inks of 16 bits; convert it to RGB or to 8 bits first"):
        ImageSignal(tmp_path / "inks.tif")
