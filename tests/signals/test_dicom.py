"""DICOM slices, written here by pydicom."""

import numpy as np
import pytest

from ffnet.signals.dicom import read_slice

pydicom = pytest.importorskip("pydicom")

UNITS = np.array([[-1024, -1000, -500], [0, 200, 1000]], np.int16)  # Hounsfield's


def written(path, syntax=None, **fields):
    """A CT slice with the values of ``UNITS``, stored with another slope and intercept."""
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, "1.2.3"
    meta.TransferSyntaxUID = syntax or ExplicitVRLittleEndian
    data = FileDataset(str(path), Dataset(), file_meta=meta, preamble=b"\0" * 128)
    data.Rows, data.Columns, data.SamplesPerPixel = *UNITS.shape, 1
    data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 0
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.RescaleSlope, data.RescaleIntercept = 15, 2, -1024
    data.PixelData = ((UNITS.astype(int) + 1024) // 2).astype("<u2").tobytes()
    for name, value in fields.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


def test_air_is_0_and_the_largest_value_1(tmp_path):
    found = read_slice(written(tmp_path / "a.dcm"))
    np.testing.assert_allclose(found[..., 0], (UNITS + 1000.0).clip(0) / 2000, atol=1e-6)


def test_what_cannot_be_decoded_is_refused_in_one_line(tmp_path):
    whole = written(tmp_path / "a.dcm").read_bytes()
    (tmp_path / "cut.dcm").write_bytes(whole[:-4])
    (tmp_path / "text.dcm").write_bytes(b"no DICOM at all" * 20)
    for name in ("cut.dcm", "text.dcm"):
        with pytest.raises(ValueError, match="expected a DICOM slice that pydicom can decode") as error:
            read_slice(tmp_path / name)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="expected one slice of one channel, got 2 frames"):
        read_slice(written(tmp_path / "two.dcm", NumberOfFrames=2))
    with pytest.raises(FileNotFoundError):
        read_slice(tmp_path / "missing.dcm")


def test_compressed_pixels_without_a_decoder_are_refused(tmp_path):
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEG2000

    path = written(tmp_path / "a.dcm")
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = JPEG2000
    data.PixelData = encapsulate([b"no codestream   "])
    data["PixelData"].VR = "OB"
    data.save_as(path, enforce_file_format=True)
    with pytest.raises(ValueError, match="expected a DICOM slice that pydicom can decode"):
        read_slice(path)
