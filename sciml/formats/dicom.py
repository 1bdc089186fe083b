"""DICOM and NIfTI files, for `sciml.formats.image`, which checks what comes out of here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciml.formats.image import ARBITRARY, HOUNSFIELD, SRGB, Image, check_claim, plain_image
from sciml.runtime.errors import DataError, FormatError, ShapeError
from sciml.runtime.files import atomic_path

if TYPE_CHECKING:
    import numpy as np

HEADER_LIMIT_BYTES = 2**24
DEFLATED_DICOM = "1.2.840.10008.1.2.1.99"


def is_dicom(path: Path) -> bool:
    """Say whether a file carries DICOM's mark behind its preamble, whatever its suffix."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def read_dicom(path: Path) -> Image:
    """Read one DICOM file; CT in Hounsfield units. See `read_image`, which calls this and checks the values."""
    import numpy as np
    import pydicom
    from pydicom.filereader import read_file_meta_info
    from pydicom.pixels import pixel_array

    if read_file_meta_info(path).get("TransferSyntaxUID") == DEFLATED_DICOM:
        raise FormatError(f"{path} is deflated DICOM, whose unpacked size is unknown: save it uncompressed")
    header = pydicom.dcmread(path)
    if "PixelData" not in header:
        raise DataError(f"{path} is DICOM without pixel data (modality {header.get('Modality', 'unknown')})")
    frames = int(header.get("NumberOfFrames", 1) or 1)
    shape = (frames, int(header.Rows), int(header.Columns), int(header.get("SamplesPerPixel", 1)))
    check_claim(shape, str(path))
    stored = pixel_array(header)
    notes = [f"DICOM modality {header.get('Modality', 'unknown')}"]
    spacing = tuple(float(size) for size in header.get("PixelSpacing", ()) or ())
    spacing = spacing if spacing and min(spacing) > 0 else None
    if shape[3] > 1:
        return replace(plain_image(stored, path, SRGB, tuple(notes), volume=False), voxel_size_mm=spacing)
    slope, intercept = float(header.get("RescaleSlope", 1) or 1), float(header.get("RescaleIntercept", 0) or 0)
    array = (stored * slope + intercept).astype(np.float32)
    notes.append(f"value = stored * {slope:g} + {intercept:g}")
    if header.get("PhotometricInterpretation") == "MONOCHROME1":
        array = array.min() + array.max() - array
        notes.append("inverted: larger is brighter")
    known = header.get("Modality") == "CT" and "RescaleIntercept" in header
    if array.ndim == 3:
        depth = float(header.get("SpacingBetweenSlices", 0) or header.get("SliceThickness", 0) or 0)
        spacing = (depth, *spacing) if spacing and depth else None
    low_high = (float(array.min()), float(array.max()))
    axes = "DHW" if array.ndim == 3 else "HW"
    return Image(array, axes, low_high, HOUNSFIELD if known else ARBITRARY, path.stem, spacing, notes=tuple(notes))


def read_nifti(path: Path) -> Image:
    """Read one NIfTI file, turned to the axes that `Image` describes. See `read_image`, which checks the values."""
    import nibabel
    import numpy as np

    file: Any = nibabel.load(path)
    header, shape = file.header, tuple(int(size) for size in file.shape)
    kind = header.get_data_dtype()
    if kind.kind not in "buif":
        raise FormatError(f"{path} holds values of type {kind}: only whole and floating-point numbers are images")
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) > 3:
        raise ShapeError(f"{path} has shape {shape}: a 4th dimension (time, direction) is not read; give one 3-D volume of it")
    check_claim(shape, str(path))
    if file.dataobj.offset > HEADER_LIMIT_BYTES:
        raise FormatError(f"{path} claims that its data begin at byte {file.dataobj.offset}")
    # nibabel asks a .gz stream for exactly the bytes that the checked shape needs, so a bomb stays packed
    values = np.asanyarray(file.dataobj).astype(np.float32).reshape(shape + (1,) * (3 - len(shape)))
    to_lps = nibabel.orientations.ornt_transform(
        nibabel.orientations.io_orientation(file.affine), nibabel.orientations.axcodes2ornt(("L", "P", "S"))
    )
    values = nibabel.orientations.apply_orientation(values, to_lps)
    stored_affine = file.affine @ nibabel.orientations.inv_ornt_aff(to_lps, shape + (1,) * (3 - len(shape)))
    notes = [f"NIfTI {kind}"]
    if (codes := "".join(nibabel.orientations.aff2axcodes(file.affine))) != "LPS":
        notes.append(f"turned from {codes} to LPS")
    array = np.ascontiguousarray(values.transpose(2, 1, 0))
    affine = stored_affine[:, [2, 1, 0, 3]]
    spacing = tuple(float(size) for size in np.sqrt((affine[:3, :3] ** 2).sum(axis=0)))
    name = path.name.removesuffix(".gz").removesuffix(".nii")
    return Image(array, "DHW", (float(array.min()), float(array.max())), ARBITRARY, name, spacing, affine, tuple(notes))


def write_nifti(path: Path, array: np.ndarray, affine: np.ndarray | None, voxel_size_mm: tuple[float, ...] | None) -> None:
    """Write a volume as float32 NIfTI, by `.gz` compressed without a time stamp; see `write_image`."""
    import nibabel
    import numpy as np

    if array.ndim != 3:
        raise ShapeError(f"{path}: NIfTI takes a volume (depth, rows, columns), not shape {array.shape}")
    if affine is None:
        depth, row, column = voxel_size_mm or (1.0, 1.0, 1.0)
        # columns run to the patient's left and rows to the back: both are minus in right-anterior-superior
        affine = np.array([[0, 0, -column, 0], [0, -row, 0, 0], [depth, 0, 0, 0], [0, 0, 0, 1.0]])
    volume = nibabel.Nifti1Image(array.transpose(2, 1, 0), np.asarray(affine, dtype=np.float64)[:, [2, 1, 0, 3]])
    volume.header.set_xyzt_units("mm")
    # nibabel chooses compression by the suffix, of which `.nii.gz` has two parts
    with atomic_path(path) as temporary:
        content = volume.to_bytes()
        if path.name.lower().endswith(".gz"):
            import gzip

            content = gzip.compress(content, compresslevel=6, mtime=0)
        temporary.write_bytes(content)
