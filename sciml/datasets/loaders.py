"""Declared data as arrays with their meaning: photographs, CT, MR, tissue maps, labels, digits.

`load` takes any id. The packed formats of single packages (a zlib stream, an InVesalius project, a
JSON volume) are unpacked in `sciml.formats.packed`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sciml.datasets.manifest import Record, local_path, record
from sciml.datasets.splits import parse_entry
from sciml.formats.decoding import decoding
from sciml.formats.dicom import dicom_series
from sciml.formats.image import (
    ARBITRARY,
    LINEAR,
    SRGB,
    Image,
    block_mean,
    check_claim,
    linear_to_srgb,
    srgb_to_linear,
)
from sciml.formats.packed import invesalius, jnifti, raw_volume
from sciml.formats.read import read_image
from sciml.runtime.errors import ConfigError, ShapeError

if TYPE_CHECKING:
    import numpy as np

JPEG_REDUCTION = 2
LUMA = (0.2126, 0.7152, 0.0722)

# The flips: FullHead's own header says left-anterior-superior. The T2 volume's header says nothing; with both
# in-plane axes turned its mutual information with the T1 volume of the same subject is largest, at no shift.
PACKED: dict[str, Callable[[Path], Image]] = {
    "ct_amos0336": partial(raw_volume, shape=(157, 256, 256), dtype="<i2", voxel_size_mm=(4.0, 1.58594, 1.58594), packed=True),
    "ct_fullhead": partial(
        raw_volume, shape=(94, 256, 256), dtype="<i2", voxel_size_mm=(1.5, 0.9375, 0.9375), offset=-1024, flip=(0, 2)
    ),
    "mr_colin27_t2": partial(
        raw_volume, shape=(181, 217, 181), dtype="u1", voxel_size_mm=(1.0, 1.0, 1.0), scale=255.0, flip=(1, 2)
    ),
    "ct_cranium": invesalius,
    "ct_sinus": dicom_series,
}
"""Readers by id for what no general format describes."""


def load(entry: str) -> Image:
    """Return a data set, or a range of its first axis, as an image.

    * photographs: sRGB values in [0, 1]; JPEG sources reduced by 2 in linear light;
    * CT: Hounsfield units (`ct_headct` is scaled to [0, 1] by its makers: unit `arbitrary`);
    * MR: divided by the volume's largest value, [0, 1], with affine;
    * tissue maps: probability in [0, 1]; label maps: whole numbers;
    * digits: (count, rows, columns) in [0, 1], the count standing as depth;
    * a user's own file: as `sciml.formats.read.read_image` reads it; a folder of DICOM: a series.

    Args:
        entry: an id, or a range such as `ct_cranium[40:60]`.

    Raises:
        ConfigError: unknown id, or a range outside the data.
        DataError: not fetched, or of another size than declared.
    """
    name, rows = parse_entry(entry)
    row = record(name)
    image = replace(_load(row, local_path(name)), name=name)
    if rows is None:
        return image
    if rows.stop > len(image.array):
        raise ConfigError(f"{entry}: the first axis has {len(image.array)} entries")
    affine = image.affine
    if affine is not None:
        affine = affine.copy()
        affine[:, 3] += affine[:, 0] * rows.start
    return replace(image, array=image.array[rows.start : rows.stop], affine=affine)


def _load(row: Record, path: Path) -> Image:

    if row.source == "user":
        return load_user(path)
    if row.id in PACKED:
        return PACKED[row.id](path)
    if row.id.startswith("digits"):
        return _digits_image(*_digits(row.id, path), row.id)
    if path.suffix == ".jnii":
        return jnifti(path)
    if path.name.endswith((".nii", ".nii.gz")):
        return _as_declared(row, read_image(path))
    if path.suffix == ".dcm":
        return read_image(path)
    return load_photo(row.id, reduction=JPEG_REDUCTION if _is_jpeg(path) else 1)


def load_user(path: Path) -> Image:
    """Return a user's file as `read_image` reads it, or a folder of DICOM slices as a volume."""

    return dicom_series(path) if path.is_dir() else read_image(path)


def _as_declared(row: Record, image: Image) -> Image:
    """Scale MR and tissue maps to [0, 1] by their largest value; labels stay whole numbers."""
    if row.split == "labels":
        return image
    top = float(image.array.max())
    notes = (*image.notes, f"divided by the largest value, {top:g}")
    return replace(image, array=(image.array / top).clip(0, 1), value_range=(0.0, 1.0), notes=notes)


def load_photo(name: str, reduction: int = JPEG_REDUCTION, grey: bool = False, linear: bool = False) -> Image:
    """Return a photograph, reduced by means over blocks in linear light.

    JPEG sources carry block artefacts and halved colour, which a reduction by at least 2 averages
    away; without it they are refused, for a restoration method would learn the artefacts.

    Args:
        name: id of a photograph.
        reduction: whole factor on rows and columns, at least 2 for JPEG; 1 is allowed for PNG.
        grey: return (rows, columns): luminance if `linear`, else luma of the display values (Rec. 709 weights).
        linear: return values proportional to light instead of display values.

    Raises:
        ConfigError: the id is unknown or not a photograph, or the reduction too small.
        DataError: not fetched.
    """
    import numpy as np

    from sciml.formats.pillow import opened

    path = local_path(name)
    if path.suffix.lower() not in (".jpg", ".jpeg", ".png"):
        raise ConfigError(f"{name} is not a photograph but {path.name}: use `load`")
    if int(reduction) != reduction or reduction < (JPEG_REDUCTION if _is_jpeg(path) else 1):
        raise ConfigError(
            f"{name} cannot be reduced by {reduction}: {'JPEG needs at least 2' if _is_jpeg(path) else 'give a whole number'}"
        )
    with decoding(path, "a photograph"), opened(path) as picture:
        check_claim((picture.height, picture.width, len(picture.getbands())), str(path))
        stored = np.asarray(picture if picture.mode in ("L", "RGB") else picture.convert("RGB"))
    # 256 display values have 256 amounts of light: a table instead of a power a pixel
    display = (np.arange(256, dtype=np.float64) / 255).astype(np.float32)
    if reduction == 1 and not linear:
        values = display[stored]
    else:
        light = block_mean(srgb_to_linear(display)[stored], int(reduction))
        values = light if linear else linear_to_srgb(light)
    if grey and values.ndim == 3:
        values = values @ np.array(LUMA, dtype=np.float32)
    notes = () if reduction == 1 else (f"reduced by {reduction} in linear light",)
    axes = "HWC" if values.ndim == 3 else "HW"
    return Image(values, axes, (0.0, 1.0), LINEAR if linear else SRGB, name, notes=notes)


def _is_jpeg(path: Path) -> bool:
    return path.suffix.lower() in (".jpg", ".jpeg")


def window_hu(array: np.ndarray, low: float = -1000.0, high: float = 1000.0) -> np.ndarray:
    """Return Hounsfield units mapped linearly to [0, 1], clipped at both ends.

    Raises:
        ShapeError: `low` is not below `high`.

    Example:
        >>> import numpy as np
        >>> window_hu(np.array([-1024.0, 0.0, 3000.0])).tolist()
        [0.0, 0.5, 1.0]
    """
    if not low < high:
        raise ShapeError(f"the window [{low}, {high}] is empty: low must be below high")
    return ((array - low) / (high - low)).clip(0, 1)


def digit_labels(entry: str) -> np.ndarray:
    """Return the class 0..9 of each digit of an entry such as `digits8[0:1400]`, in the order of `load`.

    Raises:
        ConfigError: the id is not a set of digits.
    """
    name, rows = parse_entry(entry)
    if not name.startswith("digits"):
        raise ConfigError(f"{name} has no labels: digits8 and digits20 have")
    labels = _digits(name, local_path(name))[1]
    return labels if rows is None else labels[rows.start : rows.stop]


def _digits(name: str, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return (digits in [0, 1] of shape (count, rows, columns), labels)."""
    import numpy as np

    if name == "digits8":
        import gzip

        with gzip.open(path, "rt") as file:
            table = np.loadtxt(file, delimiter=",", max_rows=1797)
        return (table[:, :-1].reshape(-1, 8, 8) / 16).astype(np.float32), table[:, -1].astype(np.int64)
    from sciml.formats.pillow import opened

    with opened(path) as picture:
        sheet = np.asarray(picture.convert("L"), dtype=np.float32) / 255
    # 50 rows and 100 columns of 20 x 20, five rows a class; ordered column by column, so that any ten
    # columns hold 50 digits of each class
    tiles = sheet.reshape(50, 20, 100, 20).transpose(2, 0, 1, 3).reshape(5000, 20, 20)
    return np.ascontiguousarray(tiles), np.tile(np.arange(50) // 5, 100)


def _digits_image(digits: np.ndarray, labels: np.ndarray, name: str) -> Image:

    return Image(digits, "DHW", (0.0, 1.0), ARBITRARY, name, notes=(f"{len(labels)} handwritten digits along the first axis",))
