"""Reads checkpoint files: zip archives of torch, verified before anything in them is used."""

import pickle
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch

_NOT_ALLOWED = "Weights only load failed"


def read_contents(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """The contents of a checkpoint file, including Lightning's entries; tensors and plain values only.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is damaged or contains anything but tensors and plain values.
    """
    check_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the file is about to be refused
            contents = torch.load(path, map_location=map_location, weights_only=True)
    except OSError:
        raise
    except pickle.UnpicklingError as error:
        if _NOT_ALLOWED in str(error):
            raise ValueError(
                f"{path}: refused, since it holds more than tensors and plain values, or is no checkpoint"
            ) from error
        raise ValueError(f"{path}: damaged checkpoint ({error})") from error
    except Exception as error:  # the unpickler raises whatever a damaged stack of values leads to
        raise ValueError(f"{path}: damaged, or no checkpoint") from error
    if not isinstance(contents, dict):
        raise ValueError(f"{path}: is not a checkpoint of ffnet")
    return contents


def check_archive(path: str | Path) -> None:
    """Compares the checksums of an archive with its bytes, which ``torch.load`` does not.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no archive, a checksum differs, or it is compressed: what is read then takes no more memory
            than the file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            compressed = any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist())
            broken = None if compressed else archive.testzip()
    except OSError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
        raise ValueError(f"{path}: damaged, or no checkpoint") from error
    if compressed:
        raise ValueError(f"{path}: is compressed; expected a checkpoint as torch.save writes it")
    if broken is not None:
        raise ValueError(f"{path}: damaged checkpoint (the checksum of {broken!r} differs)")
