"""Colour profiles and EXIF of image files, which a reconstruction gets back."""

import base64
import struct
import zlib
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

# EXIF's tags that describe the photograph: description, maker, model, software, date, artist, copyright; and its
# directories of exposure and place. Orientation is applied to the pixels, sizes and thumbnails would be out of date.
_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
_DIRECTORIES = (0x8769, 0x8825)
_SIZES = (0xA002, 0xA003, 0xA005)
_ORIENTATION = 0x0112
# Bytes; more are left out. JPEG holds 64 KiB of EXIF.
MOST_EXIF, MOST_ICC = 60_000, 2**22
# Formats of Pillow's that hold both.
HOLDING = ("AVIF", "JPEG", "PNG", "TIFF", "WEBP")


class Metadata(NamedTuple):
    """An ICC profile and EXIF without orientation; None if there is none."""

    icc: bytes | None = None
    exif: bytes | None = None

    def plain(self) -> dict[str, str]:
        """Those that there are, as text for checkpoints."""
        return {name: base64.b64encode(value).decode() for name, value in self._asdict().items() if value}

    @classmethod
    def of_plain(cls, icc: Any, exif: Any) -> "Metadata":
        """The inverse of ``plain``.

        Raises:
            ValueError: if one is neither None nor such text, or too long.
        """
        return cls(_bytes("icc", icc, MOST_ICC), _bytes("exif", exif, MOST_EXIF))

    def options(self, kind: str | None) -> dict[str, Any]:
        """Arguments for Pillow's ``save`` in a format."""
        held = {"icc_profile": self.icc, "exif": self.exif} if kind in HOLDING else {}
        return {name: value for name, value in held.items() if value}


NO_METADATA = Metadata()


def _bytes(name: str, text: Any, most: int) -> bytes | None:
    if text is None:
        return None
    if not isinstance(text, str) or len(text) > 4 * most // 3 + 4:
        raise ValueError(f"{name}: expected at most {most} bytes as base64")
    return base64.b64decode(text, validate=True)


def metadata_of(image: Image.Image) -> Metadata:
    """The metadata of an image as Pillow opened it; what is damaged is left out."""
    icc = image.info.get("icc_profile")
    try:
        exif = _described(image.getexif())
    except Exception:  # of Pillow's readers of many formats
        exif = None
    return Metadata(icc if isinstance(icc, bytes) and 0 < len(icc) <= MOST_ICC else None, exif)


def _described(found: Image.Exif) -> bytes | None:
    kept = Image.Exif()
    for tag in _TAGS:
        if tag in found:
            kept[tag] = found[tag]
    for tag in _DIRECTORIES:
        inner = {key: value for key, value in found.get_ifd(tag).items() if key not in _SIZES}
        if inner:
            kept.get_ifd(tag).update(inner)
    if not len(kept) and not any(kept.get_ifd(tag) for tag in _DIRECTORIES):
        return None
    written = kept.tobytes()
    return written if len(written) <= MOST_EXIF else None


def orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 is upright."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # of Pillow's readers of many formats
        return 1
    return value if value in range(1, 9) else 1


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels (height, width, ...) of an image with an EXIF orientation, as they are to be seen."""
    if orientation > 4:  # 5: mirrored about the diagonal; 6 and 8: turned; 7: both
        pixels = pixels.swapaxes(0, 1)
    rows = slice(None, None, -1) if orientation in (3, 4, 7, 8) else slice(None)
    columns = slice(None, None, -1) if orientation in (2, 3, 6, 7) else slice(None)
    return pixels[rows, columns]


def with_chunks(png: bytes, metadata: Metadata) -> bytes:
    """A PNG file with chunks of metadata after its header (W3C, PNG third edition, 11.3)."""
    end = 8 + 25  # the signature, and IHDR
    parts = []
    if metadata.icc:
        parts.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)))
    if metadata.exif:
        parts.append(_chunk(b"eXIf", metadata.exif.removeprefix(b"Exif\0\0")))
    return b"".join([png[:end], *parts, png[end:]])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
