"""DICOM files that several tests write."""

from __future__ import annotations

import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


def slice_file(path, place, array, location=True):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    header = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    header.Modality, header.RescaleSlope, header.RescaleIntercept = "CT", 1, -1024
    header.Rows, header.Columns = array.shape
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit, header.PixelRepresentation, header.SamplesPerPixel = 15, 0, 1
    header.PhotometricInterpretation, header.PixelSpacing = "MONOCHROME2", [0.5, 0.5]
    header.ImagePositionPatient = [0, 0, place]
    if location:
        header.SliceLocation = place
    header.PixelData = array.astype("<u2").tobytes()
    pydicom.dcmwrite(path, header)
