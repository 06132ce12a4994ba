"""Damaged recordings, videos, volumes, and images beyond 8 bits or on disk."""

import random
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from tests.fuzz.case import Case, mutated
from tests.fuzz.material import NETWORK, npz

SAMPLES = [*NETWORK, "dataset.batch_size=16", "encoder=positional"]
# The shape of an array in its header, and others that are as long.
HEADERS = (
    b"(4, 5, 6)",
    b"(-4,5, 6)",
    b"(4, 5,  )",
    b"(0, 5, 6)",
    b"(9**9,5,)",
    b"(       )",
    b"(4, 5.,6)",
    b"(4,5,6,7)",
)


@cache
def recordings() -> dict[str, bytes]:
    """A small file of every format, by dataset and suffix."""
    import av
    import h5py
    import nibabel
    import OpenEXR
    import soundfile
    import tifffile

    draw = np.random.default_rng(0)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    for suffix in ("wav", "flac", "ogg"):
        soundfile.write(folder / f"audio.{suffix}", draw.uniform(-0.5, 0.5, (200, 2)), 8000)
    for suffix, codec, pixels in (("mp4", "libx264", "yuv420p"), ("avi", "mpeg4", "yuv420p"), ("gif", "gif", "rgb8")):
        with av.open(str(folder / f"video.{suffix}"), "w") as file:
            stream = file.add_stream(codec, rate=5, width=16, height=16, pix_fmt=pixels)
            for _ in range(3):
                frame = av.VideoFrame.from_ndarray(draw.integers(0, 255, (16, 16, 3), np.uint8), format="rgb24")
                file.mux(stream.encode(frame))
            file.mux(stream.encode())
    volume, image = draw.random((4, 5, 6), np.float32), draw.random((12, 10, 3), np.float32)
    for suffix in ("nii", "nii.gz"):
        nibabel.Nifti1Image(volume, np.eye(4)).to_filename(folder / f"volume.{suffix}")
    np.save(folder / "volume.npy", volume)
    (folder / "volume.npz").write_bytes(npz({"a": volume}))
    with h5py.File(folder / "volume.h5", "w") as file:
        file.create_dataset("a", data=volume, compression="gzip")
    tifffile.imwrite(folder / "volume.tif", volume, compression="zlib", photometric="minisblack")
    np.save(folder / "image.npy", image)
    tifffile.imwrite(folder / "image.tif", image, photometric="rgb")
    tifffile.imwrite(folder / "image.tiff", (image * 65535).astype(np.uint16), compression="zlib", photometric="rgb")
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"RGB": image}).write(str(folder / "image.exr"))
    np.save(folder / "mapped.npy", image)
    pixels = draw.integers(0, 255, (70, 50, 3), np.uint8)
    tifffile.imwrite(folder / "mapped.tif", pixels, tile=(32, 32), compression="zlib", photometric="rgb")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def recording(rng: random.Random) -> Case:
    name = rng.choice(list(recordings()))
    dataset, _, suffix = name.partition(".")
    data = recordings()[name]
    if suffix == "npy" and rng.random() < 0.3:
        header = rng.choice(HEADERS)
        data = data.replace(HEADERS[0], header).replace(b"<f4", rng.choice((b"|O ", b"<f4", b">c8", b"<U9", b"|V8")))
    elif rng.random() < 0.05:
        data = rng.choice((b"", data[:1], np.full(400, np.nan, np.float32).tobytes()))
    else:
        data = mutated(data, rng)
    return Case(["fit", *SAMPLES, f"dataset={dataset}", f"dataset.path=in.{suffix}"], {f"in.{suffix}": data})
