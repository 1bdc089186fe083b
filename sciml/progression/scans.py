"""A user's image: read with its place in space, and put on a grid whatever its orientation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from sciml.progression.grids import Grid
from sciml.runtime.errors import DataError, FormatError

SAMPLE_MM = 1.5
COARSEST_MM = 5.0
SUFFIXES = (".nii", ".nii.gz", ".mgz", ".mgh")


@dataclass(frozen=True)
class Scan:
    """A volume with its place in the world.

    Attributes:
        array: (D, H, W), as stored.
        affine: (4, 4), voxel indices to millimetres (right, front, head).
        path: where it came from.
    """

    array: np.ndarray
    affine: np.ndarray
    path: Path

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Return the edges of a voxel."""
        first, second, third = np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0)).tolist()
        return first, second, third

    @property
    def voxel_ml(self) -> float:
        """Return the volume of a voxel in millilitres."""
        return abs(float(np.linalg.det(self.affine[:3, :3]))) / 1000


def read_scan(path: Path | str, volume: int | None = None, whole_numbers: bool = False) -> Scan:
    """Read a NIfTI or MGH volume.

    Args:
        path: the file.
        volume: which of several volumes in the file.
        whole_numbers: keep integer codes as they are (labels).

    Raises:
        DataError: missing, no volume of numbers, no place in space, or values that are not finite.
        FormatError: the file is damaged or of another format.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a folder: give a NIfTI file; for DICOM convert it first, for instance with dcm2niix")
    if not path.is_file():
        raise DataError(f"no such file: {path}")
    if not path.name.endswith(SUFFIXES):
        raise FormatError(f"{path} is not NIfTI: expected {', '.join(SUFFIXES)}")
    try:
        image: Any = nibabel.load(path)
        array = np.asarray(image.dataobj)
    except (ImageFileError, OSError, EOFError, ValueError) as error:
        raise FormatError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    header = image.header
    if "sform_code" in header and int(header["qform_code"]) == 0 and int(header["sform_code"]) == 0:
        raise DataError(f"{path} has neither qform nor sform, so nobody knows where right and left are: set its affine first")
    if array.dtype.kind not in "iufb":
        raise DataError(f"{path} holds {array.dtype}: expected a volume of real numbers")
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    elif array.ndim == 4 and volume is not None:
        if not 0 <= volume < array.shape[3]:
            raise DataError(f"{path} has volumes 0 to {array.shape[3] - 1}, {volume} was asked for")
        array = array[..., volume]
    if array.ndim != 3:
        raise DataError(f"{path} has shape {array.shape}: expected one volume; choose one of several with --volume")
    if not np.isfinite(array).all():
        raise DataError(f"{path} holds values that are not finite: repair it first")
    affine = np.asarray(image.affine, np.float64)
    scan = Scan(array if whole_numbers else array.astype(np.float32), affine, path)
    if abs(np.linalg.det(affine[:3, :3])) < 1e-6:
        raise DataError(f"{path} has a degenerate affine: its voxels have no volume")
    if max(scan.spacing_mm) > COARSEST_MM:
        raise DataError(f"{path} has voxels of {_sizes(scan)} mm: at most {COARSEST_MM:g} mm are accepted")
    return scan


def _sizes(scan: Scan) -> str:
    return " x ".join(f"{size:.3g}" for size in scan.spacing_mm)


def on_grid(scan: Scan, grid: Grid, to_scan: np.ndarray | None = None) -> np.ndarray:
    """Return the mean of a scan over each voxel of a grid, whatever its orientation, (*grid), float32.

    Args:
        scan: to be resampled; 0 beyond its edges.
        grid: where to.
        to_scan: (4, 4), places of the template to places of the scan in mm; the identity by default.
    """
    total = np.zeros(grid.shape)
    count = 0
    for points in _sub_points(grid, to_scan):
        indices = _indices(scan.affine, points)
        total += ndimage.map_coordinates(scan.array, indices, order=1, mode="grid-constant", cval=0.0).reshape(grid.shape)
        count += 1
    return (total / count).astype(np.float32)


def labels_on_grid(scan: Scan, codes: list[tuple[int, ...]], grid: Grid, to_scan: np.ndarray | None = None) -> np.ndarray:
    """Return the share of each voxel of a grid that has one of some codes, (len(codes), *grid), float32.

    Args:
        scan: whole numbers.
        codes: for each label the codes that belong to it.
        grid: where to.
        to_scan: as in `on_grid`.
    """
    shares = np.zeros((len(codes), *grid.shape), np.float32)
    count = 0
    for points in _sub_points(grid, to_scan):
        indices = _indices(scan.affine, points)
        # nearest neighbour: codes have no values between them
        here = ndimage.map_coordinates(scan.array, indices, order=0, mode="grid-constant", cval=0).reshape(grid.shape)
        for index, wanted in enumerate(codes):
            shares[index] += np.isin(here, wanted)
        count += 1
    return shares / count


def _sub_points(grid: Grid, to_scan: np.ndarray | None) -> Iterator[np.ndarray]:
    """Yield the places in mm of one point after another of each voxel, (3, voxels): together they fill it evenly."""
    per_axis = max(1, round(grid.spacing_mm / SAMPLE_MM))
    offsets = (np.arange(per_axis) + 0.5) / per_axis - 0.5
    voxels = np.indices(grid.shape, dtype=np.float64).reshape(3, -1)
    for shift in np.stack(np.meshgrid(offsets, offsets, offsets, indexing="ij"), -1).reshape(-1, 3):
        places = grid.spacing_mm * (voxels + shift[:, None]) + grid.affine[:3, 3:]
        if to_scan is not None:
            places = to_scan[:3, :3] @ places + to_scan[:3, 3:]
        yield places


def _indices(affine: np.ndarray, places_mm: np.ndarray) -> np.ndarray:
    inverse = np.linalg.inv(affine)
    return inverse[:3, :3] @ places_mm + inverse[:3, 3:]
