"""Encoders for videos: PSNR and seconds of fits.

    python benchmarks/video.py FILM... --all "dataset.duration=4 dataset.size=320" --rows "" "encoder.levels=8"

A row is overrides of the default.
"""

from volume import table

if __name__ == "__main__":
    table("video", __doc__)
