"""NIfTI and MGH volumes: as `Image`, turned to one order of axes, or as stored with their place in space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciml.formats.decoding import check_download, decoding
from sciml.formats.image import ARBITRARY, Image, check_claim
from sciml.runtime.errors import DataError, FormatError, ShapeError
from sciml.runtime.files import atomic_path

if TYPE_CHECKING:
    import numpy as np

HEADER_LIMIT_BYTES = 2**24
COARSEST_MM = 5.0
SCAN_SUFFIXES = (".nii", ".nii.gz", ".mgz", ".mgh")


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
        first, second, third = _spacing(self.affine)
        return first, second, third

    @property
    def voxel_ml(self) -> float:
        """Return the volume of a voxel in millilitres."""
        import numpy as np

        return abs(float(np.linalg.det(self.affine[:3, :3]))) / 1000


def read_nifti(path: Path) -> Image:
    """Read one NIfTI file, turned to the axes that `Image` describes. See `read_image`, which checks the values."""
    import nibabel
    import numpy as np

    file, shape = _opened(path)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) > 3:
        raise ShapeError(f"{path} has shape {shape}: a 4th dimension (time, direction) is not read; give one 3-D volume of it")
    check_claim(shape, str(path))
    shape += (1,) * (3 - len(shape))
    if not np.isfinite(file.affine).all() or np.linalg.det(file.affine[:3, :3]) == 0:
        raise FormatError(f"{path} is damaged: its affine does not place the voxels in space")
    # nibabel asks a .gz stream for exactly the bytes that the checked shape needs, so a bomb stays packed
    values = np.asanyarray(file.dataobj).astype(np.float32).reshape(shape)
    to_lps = nibabel.orientations.ornt_transform(
        nibabel.orientations.io_orientation(file.affine), nibabel.orientations.axcodes2ornt(("L", "P", "S"))
    )
    values = nibabel.orientations.apply_orientation(values, to_lps)
    stored_affine = file.affine @ nibabel.orientations.inv_ornt_aff(to_lps, shape)
    notes = [f"NIfTI {file.header.get_data_dtype()}"]
    if (codes := "".join(nibabel.orientations.aff2axcodes(file.affine))) != "LPS":
        notes.append(f"turned from {codes} to LPS")
    array = np.ascontiguousarray(values.transpose(2, 1, 0))
    affine = stored_affine[:, [2, 1, 0, 3]]
    name = path.name.removesuffix(".gz").removesuffix(".nii")
    low_high = (float(array.min()), float(array.max()))
    return Image(array, "DHW", low_high, ARBITRARY, name, _spacing(affine), affine, tuple(notes))


def read_scan(path: Path | str, volume: int | None = None, whole_numbers: bool = False) -> Scan:
    """Read a NIfTI or MGH volume as it is stored.

    Args:
        path: the file.
        volume: which of several volumes in the file.
        whole_numbers: keep integer codes as they are (labels).

    Raises:
        DataError: missing, no volume of numbers, no place in space, or values that are not finite.
        FormatError: the file is damaged or of another format.
    """
    import numpy as np

    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a folder: choose one series and turn it into NIfTI first, for example with dcm2niix")
    if not path.exists():
        raise DataError(f"no such file: {path}")
    if not path.name.endswith(SCAN_SUFFIXES):
        raise FormatError(f"{path} is not NIfTI: expected {', '.join(SCAN_SUFFIXES)}")
    with decoding(path, "a volume"):
        file, shape = _opened(path)
        header, which = file.header, ...
        if "sform_code" in header and int(header["qform_code"]) == 0 and int(header["sform_code"]) == 0:
            raise DataError(f"{path} has neither qform nor sform, so nobody knows where right and left are: set its affine first")
        if len(shape) == 4 and shape[3] == 1:
            which = 0
        elif len(shape) == 4 and volume is not None:
            if not 0 <= volume < shape[3]:
                raise DataError(f"{path} has volumes 0 to {shape[3] - 1}, {volume} was asked for")
            which = volume
        if len(shape) != 3 and which is ...:
            raise DataError(f"{path} has shape {shape}: expected one volume; choose one of several with --volume")
        check_claim(shape[:3], str(path))
        array = np.asarray(file.dataobj if which is ... else file.dataobj[..., which])
    if not np.isfinite(array).all():
        raise DataError(f"{path} holds values that are not finite: repair it first")
    affine = np.asarray(file.affine, np.float64)
    scan = Scan(array if whole_numbers else array.astype(np.float32), affine, path)
    if abs(np.linalg.det(affine[:3, :3])) < 1e-6:
        raise DataError(f"{path} has a degenerate affine: its voxels have no volume")
    if max(scan.spacing_mm) > COARSEST_MM:
        sizes = " x ".join(f"{size:.3g}" for size in scan.spacing_mm)
        raise DataError(f"{path} has voxels of {sizes} mm: at most {COARSEST_MM:g} mm are accepted")
    return scan


def _opened(path: Path) -> tuple[Any, tuple[int, ...]]:
    """Return a file whose header was read and whose values are numbers, and its shape."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    check_download(path)
    try:
        file: Any = nibabel.load(path)
    except ImageFileError as error:
        raise FormatError(f"{path} cannot be read: it is neither NIfTI nor MGH") from error
    kind = file.header.get_data_dtype()
    if kind.kind not in "buif":
        raise FormatError(f"{path} holds values of type {kind}: only whole and floating-point numbers are images")
    if file.dataobj.offset > HEADER_LIMIT_BYTES:
        raise FormatError(f"{path} claims that its data begin at byte {file.dataobj.offset}")
    return file, tuple(int(size) for size in file.shape)


def _spacing(affine: np.ndarray) -> tuple[float, ...]:
    import numpy as np

    return tuple(float(size) for size in np.sqrt((affine[:3, :3] ** 2).sum(axis=0)))


def write_nifti(path: Path, array: np.ndarray, affine: np.ndarray | None, voxel_size_mm: tuple[float, ...] | None) -> None:
    """Write a volume as float32 NIfTI, by `.gz` compressed without a time stamp; see `write_image`."""
    if array.ndim != 3:
        raise ShapeError(f"{path}: NIfTI takes a volume (depth, rows, columns), not shape {array.shape}")
    # compression goes by the suffix, of which `.nii.gz` has two parts
    with atomic_path(path) as temporary:
        temporary.write_bytes(nifti_bytes(array, affine, voxel_size_mm, packed=path.name.lower().endswith(".gz")))


def nifti_bytes(array: np.ndarray, affine: np.ndarray | None, voxel_size_mm: tuple[float, ...] | None, packed: bool) -> bytes:
    """Return the file of a volume (depth, rows, columns), compressed without a time stamp where it is `packed`."""
    import nibabel
    import numpy as np

    if affine is None:
        depth, row, column = voxel_size_mm or (1.0, 1.0, 1.0)
        # columns run to the patient's left and rows to the back: both are minus in right-anterior-superior
        affine = np.array([[0, 0, -column, 0], [0, -row, 0, 0], [depth, 0, 0, 0], [0, 0, 0, 1.0]])
    volume = nibabel.Nifti1Image(array.transpose(2, 1, 0), np.asarray(affine, dtype=np.float64)[:, [2, 1, 0, 3]])
    volume.header.set_xyzt_units("mm")
    content = volume.to_bytes()
    if not packed:
        return content
    import gzip

    return gzip.compress(content, compresslevel=6, mtime=0)
