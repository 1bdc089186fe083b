"""Image and volume files as `Image`: PNG, JPEG, TIFF, NPY, DICOM and NIfTI.

Everything that reads here checks the size that a file claims before it allocates, never runs code
from a file, and answers bad input with one line.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sciml.formats.decoding import check_file, check_not_empty, decoding
from sciml.formats.dicom import is_dicom, read_dicom
from sciml.formats.image import ARBITRARY, SRGB, Image, check_claim, check_values, plain_image
from sciml.formats.nifti import read_nifti
from sciml.formats.npy import open_npy
from sciml.runtime.errors import DataError, FormatError, ShapeError

CONVERTED = ("P", "1", "CMYK", "YCbCr", "LAB", "HSV", "PA")


def read_image(path: Path | str) -> Image:
    """Read an image or volume file.

    Unsigned integers of PNG, JPEG, TIFF and NPY files are divided by their type's largest value, so
    that they lie in [0, 1]; signed integers and floats stay as they are. DICOM and NIfTI values are
    rescaled as their headers say (CT: Hounsfield units) and a NIfTI volume is turned to the axes that
    `Image` describes. An alpha channel is dropped. Each of these is recorded in `notes`.

    Args:
        path: a file whose suffix is one of `SUFFIXES`; a DICOM file may have none.

    Raises:
        DataError: missing, a folder, of unknown suffix, larger than `PIXEL_LIMIT`, empty, constant,
            or holding NaN or infinite values (count and first place in the message).
        FormatError: the content is damaged, cut short or not of a numeric type.
        ShapeError: the array is neither a picture nor a volume.

    Example:
        >>> image = read_image("scan.nii.gz")  # doctest: +SKIP
        >>> image.array.shape, image.voxel_size_mm  # doctest: +SKIP
        ((181, 217, 181), (1.0, 1.0, 1.0))
    """
    path = Path(path)
    check_file(path)
    reader = _reader(path)
    with decoding(path, ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix or "DICOM"):
        check_not_empty(path)
        image = reader(path)
    check_values(image.array, str(path))
    return image


def _reader(path: Path) -> Callable[[Path], Image]:
    suffix = ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix.lower()
    if suffix in _READERS:
        return _READERS[suffix]
    if is_dicom(path):
        return read_dicom
    raise DataError(f"{path} has the unknown suffix {suffix!r}: known are {', '.join(SUFFIXES)}")


def _read_picture(path: Path) -> Image:
    import numpy as np

    from sciml.formats.pillow import ORIENTATION, is_deep, opened, plain_mode, upright

    notes: tuple[str, ...] = ()
    with opened(path) as picture:
        check_claim((picture.height, picture.width, len(picture.getbands())), str(path))
        deep = is_deep(picture)
        picture.load()
        plain = picture
        if picture.mode in CONVERTED:
            notes = (f"{picture.mode} converted to RGB",)
            plain, _ = plain_mode(picture, None)
        if deep:
            notes = (*notes, "16-bit colour PNG read at 8 bits; TIFF keeps all 16")
        array, turned = upright(np.asarray(plain), picture.getexif().get(ORIENTATION, 1))
    if array.dtype == np.int32 and path.suffix.lower() == ".png":
        array = array.astype(np.uint16)  # Pillow's older mode for 16-bit grey
    return plain_image(array, path, SRGB, notes + turned, volume=False)


def _read_tiff(path: Path) -> Image:
    import numpy as np

    from sciml.formats.tiff import decoded, opened_tiff

    with opened_tiff(path) as file:
        series = file.series[0]
        check_claim(tuple(series.shape), str(path))
        axes, frames = series.axes, len(file.pages)
        array = decoded(series, file.pages, path)
    if array is None and frames > 1:
        raise FormatError(f"{path} has a compression that is not read for several frames; save it with zlib or none")
    if array is None:
        return _read_picture(path)
    if "S" in axes:
        array, axes = np.moveaxis(array, axes.index("S"), -1), axes.replace("S", "")
    elif array.ndim == 3 and axes[0] in "C" and array.shape[0] in (3, 4):
        array, axes = np.moveaxis(array, 0, -1), axes[1:]
    if len(axes) > 2 and array.ndim > 3:
        raise ShapeError(f"{path} has axes {series.axes} of shape {series.shape}: a picture or one grey volume is expected")
    return plain_image(array, path, SRGB if array.dtype == np.uint8 else ARBITRARY, volume=len(axes) > 2)


def _read_npy(path: Path) -> Image:
    array = open_npy(path, limited=True)
    return plain_image(array.astype(array.dtype.newbyteorder("=")), path, ARBITRARY)


_READERS: dict[str, Callable[[Path], Image]] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg"), _read_picture),
    **dict.fromkeys((".tif", ".tiff"), _read_tiff),
    ".npy": _read_npy,
    ".dcm": read_dicom,
    **dict.fromkeys((".nii", ".nii.gz"), read_nifti),
}
SUFFIXES = tuple(_READERS)
