"""Small images as arrays and as files."""

from __future__ import annotations

import nibabel
import numpy as np
import PIL.Image
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

RAMP = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
LEVELS = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOUR = np.stack([LEVELS, LEVELS + 5, LEVELS + 10], axis=-1)
VOLUME = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def dicom(path, array=LEVELS, modality="CT", pixels=True, **changes):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage if modality == "CT" else MRImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    header = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    header.Modality, header.PhotometricInterpretation, header.SamplesPerPixel = modality, "MONOCHROME2", 1
    header.Rows, header.Columns = array.shape
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 0
    if modality == "CT":
        header.RescaleSlope, header.RescaleIntercept = 2, -1024
    header.PixelSpacing = [0.5, 0.25]
    if pixels:
        header.PixelData = array.astype("<u2").tobytes()
    for name, value in changes.items():
        setattr(header, name, value)
    pydicom.dcmwrite(path, header)
    return path


def nifti(path, array, affine=None):
    nibabel.save(nibabel.Nifti1Image(array, np.diag([2.0, 3.0, 4.0, 1.0]) if affine is None else affine), path)
    return path


def png(path, array=LEVELS):
    PIL.Image.fromarray(array).save(path)
