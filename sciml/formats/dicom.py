"""DICOM files: one picture or volume each, or a folder of slices; `sciml.formats.read` checks the values of a single file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sciml.formats.image import ARBITRARY, HOUNSFIELD, SRGB, Image, check_claim, check_values, plain_image
from sciml.runtime.errors import DataError, FormatError

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

    if not is_dicom(path):
        raise FormatError(f"{path} cannot be read as DICOM: its mark DICM is missing")
    if read_file_meta_info(path).get("TransferSyntaxUID") == DEFLATED_DICOM:
        raise FormatError(f"{path} is deflated DICOM, whose unpacked size is unknown: save it uncompressed")
    header = pydicom.dcmread(path)
    if "PixelData" not in header:
        raise DataError(f"{path} is DICOM without pixel data (modality {header.get('Modality', 'unknown')})")
    if missing := [name for name in ("Rows", "Columns") if name not in header]:
        raise FormatError(f"{path} is damaged: DICOM pixels without {' and '.join(missing)}")
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


def dicom_series(folder: Path) -> Image:
    """Return the volume of a folder of DICOM files, one slice each, sorted by their place in the body.

    Raises:
        DataError: the folder holds no series of slices of one shape.
    """
    import numpy as np

    paths = sorted(item for item in folder.iterdir() if item.is_file() and not item.name.startswith("."))
    places = sorted((_slice_place(path), path) for path in paths)
    if len(places) < 2:
        raise DataError(f"{folder} holds {len(places)} DICOM slices: a series has at least 2")
    first = read_dicom(places[0][1])
    if first.axes != "HW":
        raise DataError(f"{places[0][1]} is not a grey slice but has shape {first.array.shape}")
    check_claim((len(places), *first.array.shape), str(folder))
    array = np.empty((len(places), *first.array.shape), dtype=np.float32)
    for index, (_, path) in enumerate(places):
        piece = read_dicom(path)
        if piece.array.shape != first.array.shape or piece.unit != first.unit:
            raise DataError(
                f"{path} has shape {piece.array.shape} in {piece.unit}, the series {first.array.shape} in {first.unit}"
            )
        array[index] = piece.array
    check_values(array, str(folder))
    steps = np.diff([place for place, _ in places])
    notes = first.notes
    if steps.min() <= 0 or steps.max() > 1.5 * steps.min():
        notes = (*notes, f"slices unevenly spaced: {steps.min():g} to {steps.max():g} mm")
    size = first.voxel_size_mm and (round(float(np.median(steps)), 6), *first.voxel_size_mm)
    return Image(array, "DHW", (float(array.min()), float(array.max())), first.unit, folder.name, size, notes=notes)


def _slice_place(path: Path) -> float:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SliceLocation", "ImagePositionPatient"])
        place = header.get("SliceLocation")
        return float(place if place is not None else header.ImagePositionPatient[2])
    except (InvalidDicomError, AttributeError, TypeError, ValueError, OSError) as error:
        raise DataError(f"{path} is not a DICOM slice with a place in the body: {error}") from error
