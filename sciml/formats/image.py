"""Image files in and out: PNG, JPEG, TIFF, NPY, DICOM and NIfTI, with what their numbers mean.

Everything that reads here checks the size that a file claims before it allocates, never runs code
from a file, and answers bad input with one line.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciml.runtime.errors import DataError, FormatError, ShapeError
from sciml.runtime.files import atomic_path

if TYPE_CHECKING:
    import numpy as np

PIXEL_LIMIT = 2**28
"""Most pixels or voxels (all channels together) that a file may claim: 1 GiB as float32."""

EXIF_ORIENTATION = 274
SRGB, LINEAR, HOUNSFIELD, ARBITRARY = "sRGB", "linear", "HU", "arbitrary"
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy", ".dcm", ".nii", ".nii.gz")


@dataclass(frozen=True)
class Image:
    """A picture or volume together with its meaning.

    Attributes:
        array: float32 of shape (rows, columns), (rows, columns, 3) or (depth, rows, columns). Axial
            volumes run from feet to head, rows from front to back, columns from the patient's right
            to left, as a radiologist looks at them.
        axes: `HW`, `HWC` or `DHW`, naming the axes of `array`.
        value_range: (low, high) of the scale; the values of a photograph lie in (0, 1).
        unit: `sRGB` (display values), `linear` (proportional to light), `HU` or `arbitrary`.
        name: for titles and messages.
        voxel_size_mm: spacing along each spatial axis of `array`, in its order, or None.
        affine: 4 x 4, from (depth, row, column, 1) to millimetres right-anterior-superior, or None.
        notes: what was done to the stored values on the way, in words.
        bits: width of the stored unsigned integers that were divided by their largest value; None for other types.
    """

    array: np.ndarray
    axes: str
    value_range: tuple[float, float]
    unit: str
    name: str
    voxel_size_mm: tuple[float, ...] | None = None
    affine: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    bits: int | None = None

    def unit_interval(self) -> np.ndarray:
        """Return the array with `value_range` mapped to [0, 1] and clipped."""
        low, high = self.value_range
        return ((self.array - low) / (high - low)).clip(0, 1)


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
    if path.is_dir():
        raise DataError(f"{path} is a folder: give one file of it")
    if not path.exists():
        raise DataError(f"no such file: {path}")
    reader = _reader(path)
    try:
        if path.stat().st_size == 0:
            raise FormatError(f"{path} is empty (0 bytes)")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = reader(path)
    except (DataError, ShapeError):
        raise
    except OSError as error:
        if error.errno is not None:
            raise DataError(f"cannot read {path}: {error.strerror}") from error
        raise FormatError(f"{path} is damaged or cut short: {error}") from error
    except Exception as error:
        # decoders answer damage with errors of every kind; whatever comes, the file is not usable
        raise FormatError(f"{path} cannot be read as {path.suffix or 'DICOM'}: {_one_line(error)}") from error
    check_values(image.array, str(path))
    return image


def _reader(path: Path) -> Callable[[Path], Image]:
    from sciml.formats import dicom  # it imports this module

    suffix = ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix.lower()
    readers = {
        ".png": _read_picture,
        ".jpg": _read_picture,
        ".jpeg": _read_picture,
        ".npy": _read_npy,
        ".dcm": dicom.read_dicom,
    }
    readers |= dict.fromkeys((".tif", ".tiff"), _read_tiff) | dict.fromkeys((".nii", ".nii.gz"), dicom.read_nifti)
    if suffix in readers:
        return readers[suffix]
    if dicom.is_dicom(path):
        return dicom.read_dicom
    raise DataError(f"{path} has the unknown suffix {suffix!r}: known are {', '.join(SUFFIXES)}")


def _one_line(error: Exception) -> str:
    text = str(error).split("\n")[0].strip()
    return text or type(error).__name__


def check_claim(shape: tuple[int, ...], where: str) -> None:
    """Refuse a shape that is empty or claims more than `PIXEL_LIMIT` values (DataError)."""
    if not shape or min(shape) < 1:
        raise DataError(f"{where} holds no pixels: its shape is {tuple(shape)}")
    if math.prod(shape) > PIXEL_LIMIT:
        raise DataError(
            f"{where} claims {math.prod(shape)} pixels, {' x '.join(map(str, shape))}; at most {PIXEL_LIMIT} are read"
        )


def check_values(array: np.ndarray, where: str) -> None:
    """Refuse NaN, infinite and all-constant values (DataError)."""
    import numpy as np

    low, high = float(array.min()), float(array.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        bad = ~np.isfinite(array)
        first = tuple(int(index) for index in np.unravel_index(int(bad.argmax()), bad.shape))
        raise DataError(
            f"{where} holds {int(bad.sum())} NaN or infinite values, the first at index {first}: mask or replace them"
        )
    if low == high:
        raise DataError(f"{where} is constant: every value is {low:g}")


def plain_image(
    array: np.ndarray, path: Path, integer_unit: str, notes: tuple[str, ...] = (), *, volume: bool | None = None
) -> Image:
    """Give an array of stored values its axes, scale and meaning."""
    import numpy as np

    if array.dtype.kind not in "buif":
        raise FormatError(f"{path} holds values of type {array.dtype}: only whole and floating-point numbers are images")
    if volume is None:
        # nothing in an NPY file names its axes: a short last axis behind two longer ones is taken for channels
        volume = array.ndim == 3 and not array.shape[-1] <= 4 < min(array.shape[:2])
        if array.ndim == 3 and not volume and array.shape[-1] == 2:
            raise ShapeError(f"{path} has shape {array.shape}: two channels are neither grey nor colour; give one of them")
    if array.ndim not in (2, 3):
        raise ShapeError(
            f"{path} has shape {array.shape}: expected (rows, columns), (rows, columns, 3) or (depth, rows, columns)"
        )
    if array.ndim == 3 and not volume:
        if array.shape[-1] in (2, 4):
            array, notes = array[..., :-1], (*notes, "alpha channel dropped")
        array = array[..., 0] if array.shape[-1] == 1 else array
    kind, values = array.dtype, np.ascontiguousarray(array, dtype=np.float32)
    if kind.kind == "u":
        top = np.iinfo(kind).max
        values, value_range, unit = values / np.float32(top), (0.0, 1.0), integer_unit
        notes = (*notes, f"{kind} divided by {top}")
    else:
        low, high = float(values.min()), float(values.max())
        inside = kind.kind == "b" or (kind.kind == "f" and low >= 0 and high <= 1)
        value_range, unit = ((0.0, 1.0) if inside else (low, high)), ARBITRARY
    axes = "DHW" if volume else "HWC" if values.ndim == 3 else "HW"
    bits = 8 * kind.itemsize if kind.kind == "u" else None
    return Image(values, axes, value_range, unit, path.stem, notes=notes, bits=bits)


def _read_picture(path: Path) -> Image:
    import numpy as np
    import PIL.Image
    import PIL.ImageOps

    try:
        picture = PIL.Image.open(path)
    except PIL.Image.DecompressionBombError as error:
        raise DataError(f"{path} claims too many pixels: {_one_line(error)}") from error
    notes: tuple[str, ...] = ()
    with picture:
        check_claim((picture.height, picture.width, len(picture.getbands())), str(path))
        if picture.mode in ("P", "1", "CMYK", "YCbCr", "LAB", "HSV", "PA"):
            notes = (f"{picture.mode} converted to RGB",)
            picture = picture.convert("L" if picture.mode == "1" else "RGBA" if "transparency" in picture.info else "RGB")
        with path.open("rb") as file:
            if (head := file.read(26))[:4] == b"\x89PNG" and head[24] == 16 and head[25] != 0:
                notes = (*notes, "16-bit colour PNG read at 8 bits; TIFF keeps all 16")
        if picture.getexif().get(EXIF_ORIENTATION, 1) != 1:
            picture = PIL.ImageOps.exif_transpose(picture)
            notes = (*notes, "turned upright as its EXIF entry says")
        array = np.asarray(picture)
    if array.dtype == np.int32 and path.suffix.lower() == ".png":
        array = array.astype(np.uint16)  # Pillow's older mode for 16-bit grey
    return plain_image(array, path, SRGB, notes, volume=False)


def _read_tiff(path: Path) -> Image:
    import numpy as np
    import tifffile

    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        check_claim(tuple(series.shape), str(path))
        size = path.stat().st_size
        if any(
            offset + count > size
            for page in file.pages
            for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)
        ):
            raise FormatError(f"{path} is cut short: its header points behind the end of the file")
        axes = series.axes
        try:
            array = series.asarray()
        except (ValueError, KeyError) as error:
            if "imagecodecs" not in str(error):
                raise
            if len(file.pages) > 1:
                raise FormatError(
                    f"{path} has a compression that is not read for several frames; save it with zlib or none"
                ) from error
            return _read_picture(path)
    if "S" in axes:
        array, axes = np.moveaxis(array, axes.index("S"), -1), axes.replace("S", "")
    elif array.ndim == 3 and axes[0] in "C" and array.shape[0] in (3, 4):
        array, axes = np.moveaxis(array, 0, -1), axes[1:]
    if len(axes) > 2 and array.ndim > 3:
        raise ShapeError(f"{path} has axes {series.axes} of shape {series.shape}: a picture or one grey volume is expected")
    return plain_image(array, path, SRGB if array.dtype == np.uint8 else ARBITRARY, volume=len(axes) > 2)


def _read_npy(path: Path) -> Image:
    import numpy as np
    from numpy.lib import format as npy

    with path.open("rb") as file:
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, kind = read_header(file)
        if kind.hasobject or kind.kind not in "buif":
            raise FormatError(f"{path} holds values of type {kind}: only whole and floating-point numbers are images")
        check_claim(shape, str(path))
        left = path.stat().st_size - file.tell()
        if left < math.prod(shape) * kind.itemsize:
            raise FormatError(f"{path} is cut short: {left} bytes of {math.prod(shape) * kind.itemsize}")
    array = np.load(path, allow_pickle=False)
    return plain_image(array.astype(array.dtype.newbyteorder("=")), path, ARBITRARY)


def write_image(
    path: Path | str,
    array: np.ndarray,
    *,
    bits: int = 8,
    affine: np.ndarray | None = None,
    voxel_size_mm: tuple[float, ...] | None = None,
) -> None:
    """Write an image or volume, whole or not at all; the suffix chooses the format.

    Args:
        path: `.png` (values in [0, 1], clipped and rounded to `bits`), `.tif`/`.tiff` and `.npy`
            (float32 as they are), `.nii`/`.nii.gz` (float32 volume of shape (depth, rows, columns)).
        array: (rows, columns), (rows, columns, 3) or (depth, rows, columns).
        bits: 8 or 16, for PNG; 16 for grey only.
        affine: for NIfTI, as in `Image`.
        voxel_size_mm: for NIfTI without an affine, (depth, rows, columns).

    Raises:
        DataError: NaN or infinite values, or an unknown suffix.
        ShapeError: the format cannot hold such an array.
        ScimlError: the file cannot be written.
    """
    import numpy as np

    path, array = Path(path), np.asarray(array, dtype=np.float32)
    check_claim(array.shape, str(path))
    if not np.isfinite(array).all():
        raise DataError(f"{path} is not written: the array holds {int((~np.isfinite(array)).sum())} NaN or infinite values")
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        from sciml.formats.dicom import write_nifti

        write_nifti(path, array, affine, voxel_size_mm)
        return
    if path.suffix.lower() not in (".png", ".tif", ".tiff", ".npy"):
        raise DataError(f"{path}: images are written as .png, .tif, .npy, .nii or .nii.gz")
    with atomic_path(path) as temporary:
        if name.endswith(".png"):
            _write_png(temporary, array, bits, path)
        elif name.endswith(".npy"):
            np.save(temporary, array, allow_pickle=False)
        else:
            import tifffile

            colour = array.ndim == 3 and array.shape[-1] == 3
            tifffile.imwrite(temporary, array, photometric="rgb" if colour else "minisblack", compression="zlib")


def _write_png(temporary: Path, array: np.ndarray, bits: int, path: Path) -> None:
    import numpy as np
    import PIL.Image

    colour = array.ndim == 3 and array.shape[-1] == 3
    if not (array.ndim == 2 or colour) or bits not in (8, 16) or (bits == 16 and colour):
        raise ShapeError(
            f"{path}: PNG takes (rows, columns) at 8 or 16 bits or (rows, columns, 3) at 8, not {array.shape} at {bits}; use TIFF"
        )
    levels = np.round(array.clip(0, 1).astype(np.float64) * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    PIL.Image.fromarray(levels).save(temporary, format="PNG")


def srgb_to_linear(values: np.ndarray) -> np.ndarray:
    """Return light from display values in [0, 1], IEC 61966-2-1: V/12.92 up to 0.04045, else ((V + 0.055)/1.055)^2.4."""
    import numpy as np

    values = np.asarray(values)
    return np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0) + 0.055) / 1.055) ** 2.4).astype(values.dtype)


def linear_to_srgb(values: np.ndarray) -> np.ndarray:
    """Return display values from light in [0, 1], IEC 61966-2-1: 12.92 L up to 0.0031308, else 1.055 L^(1/2.4) - 0.055."""
    import numpy as np

    values = np.asarray(values)
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * np.maximum(values, 0) ** (1 / 2.4) - 0.055).astype(values.dtype)


def area_reduce(image: Image, factor: int) -> Image:
    """Return the image at 1/`factor` of its rows and columns by means over blocks, taken in linear light.

    Args:
        image: display values (`sRGB`) are made linear for the mean and encoded again afterwards. A
            remainder of rows and columns at the lower and right edge is cut off.
        factor: a whole number of at least 1; the depth of a volume stays.

    Raises:
        ShapeError: the factor is not a whole number of at least 1, or larger than the image.
    """
    if int(factor) != factor or factor < 1:
        raise ShapeError(f"a reduction by {factor} is not possible: a whole number of at least 1 is expected")
    if factor == 1:
        return image
    encoded = image.unit == SRGB
    reduced = block_mean(srgb_to_linear(image.array) if encoded else image.array, factor, rows_axis=image.axes.index("H"))
    size = image.voxel_size_mm and (*image.voxel_size_mm[:-2], *(step * factor for step in image.voxel_size_mm[-2:]))
    affine = image.affine
    if affine is not None:
        import numpy as np

        shift = np.diag([1.0, factor, factor, 1.0])
        shift[1:3, 3] = (factor - 1) / 2  # the centre of a block of voxels
        affine = affine @ shift
    array = linear_to_srgb(reduced) if encoded else reduced
    note = f"rows and columns reduced by {factor} in {'linear light' if encoded else 'stored values'}"
    return replace(image, array=array, voxel_size_mm=size, affine=affine, notes=(*image.notes, note))


def block_mean(array: np.ndarray, factor: int, rows_axis: int = 0) -> np.ndarray:
    """Return means over `factor` x `factor` blocks of two neighbouring axes (ShapeError if none fits)."""
    rows, columns = (array.shape[axis] // factor for axis in (rows_axis, rows_axis + 1))
    if min(rows, columns) < 1:
        raise ShapeError(f"an image of shape {array.shape} has no block of {factor} x {factor}")
    lead = (slice(None),) * rows_axis
    total: Any = 0
    for row in range(factor):
        for column in range(factor):
            total = total + array[(*lead, slice(row, rows * factor, factor), slice(column, columns * factor, factor))]
    return total / array.dtype.type(factor**2)
