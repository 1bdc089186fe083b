"""Volumes in the formats that single packages chose: raw numbers, zlib, InVesalius, JNIfTI.

All come out as (depth, rows, columns), from feet to head, front to back, the patient's right to left.
"""

from __future__ import annotations

import base64
import json
import plistlib
import tarfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from sciml.formats.image import ARBITRARY, HOUNSFIELD, Image, check_claim
from sciml.runtime.errors import FormatError

if TYPE_CHECKING:
    import numpy as np

PLIST_LIMIT_BYTES = 2**20
JSON_LIMIT_BYTES = 2**26


def inflate(packed: bytes, size: int, where: str, *, gzip: bool = False) -> bytes:
    """Return exactly `size` bytes of a zlib or gzip stream, never more in memory.

    Raises:
        FormatError: the stream is damaged or holds another number of bytes.
    """
    stream = zlib.decompressobj(zlib.MAX_WBITS | 16 if gzip else zlib.MAX_WBITS)
    try:
        content = stream.decompress(packed, size + 1)
    except zlib.error as error:
        raise FormatError(f"{where} is damaged: {error}") from error
    if len(content) != size:
        raise FormatError(f"{where} unpacks to {'more than' if len(content) > size else len(content)} of {size} declared bytes")
    return content


def raw_volume(
    path: Path,
    *,
    shape: tuple[int, int, int],
    dtype: str,
    voxel_size_mm: tuple[float, float, float],
    offset: int = 0,
    packed: bool = False,
    flip: tuple[int, ...] = (),
    scale: float = 1.0,
) -> Image:
    """Return a file of bare numbers as a volume.

    Args:
        path: the file.
        shape: (depth, rows, columns) as stored.
        dtype: NumPy's name with byte order.
        voxel_size_mm: along (depth, rows, columns).
        offset: added to the stored numbers.
        packed: whether the file is one zlib stream.
        flip: axes to turn round, to reach the order that this module promises.
        scale: the stored numbers are divided by it; 1 marks Hounsfield units.

    Raises:
        FormatError: the size does not fit the shape.
    """
    import numpy as np

    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    content = path.read_bytes()
    content = inflate(content, size, str(path)) if packed else content
    if len(content) != size:
        raise FormatError(f"{path} has {len(content)} bytes, {size} expected for {shape} of {dtype}")
    array = np.flip(np.frombuffer(content, dtype).reshape(shape), flip).astype(np.float32)
    array = (array + np.float32(offset)) / np.float32(scale)
    hounsfield = scale == 1.0
    value_range = (float(array.min()), float(array.max())) if hounsfield else (0.0, 1.0)
    return Image(array, "DHW", value_range, HOUNSFIELD if hounsfield else ARBITRARY, path.stem, voxel_size_mm)


def invesalius(path: Path) -> Image:
    """Return the CT volume of an InVesalius project (`.inv3`: tar.gz of a property list and raw numbers).

    Raises:
        FormatError: the project lacks its parts or contradicts itself.
    """
    import numpy as np

    project: dict = {}
    content = b""
    try:
        with tarfile.open(path, "r:gz") as archive:
            # the members are read in the order they lie in: a gzip stream has no way back but the start
            for member in archive:
                stream = archive.extractfile(member) if member.isreg() else None
                name = Path(member.name).name
                if stream is not None and name == "main.plist":
                    project = plistlib.loads(stream.read(PLIST_LIMIT_BYTES), fmt=plistlib.FMT_XML)
                    shape = tuple(int(size) for size in project["matrix"]["shape"])
                    check_claim(shape, str(path))
                elif stream is not None and name == "matrix.dat" and project:
                    content = stream.read(int(np.prod(shape)) * 2)
                    break
        column, row, depth = (float(size) for size in project["spacing"])
        array = np.frombuffer(content, "<i2").reshape(shape)
    except (tarfile.TarError, OSError, EOFError, zlib.error, KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path} is not a readable InVesalius project: {error}") from error
    # rows are stored from back to front
    array = np.ascontiguousarray(array[:, ::-1]).astype(np.float32)
    return Image(array, "DHW", (float(array.min()), float(array.max())), HOUNSFIELD, path.stem, (depth, row, column))


def jnifti(path: Path) -> Image:
    """Return a JNIfTI text volume (`.jnii`): JSON with the numbers packed under `NIFTIData`.

    Raises:
        FormatError: the text is not such a volume, or its parts contradict each other.
    """
    import numpy as np

    if path.stat().st_size > JSON_LIMIT_BYTES:
        raise FormatError(f"{path} is larger than {JSON_LIMIT_BYTES} bytes")
    try:
        # control characters stand in the text fields, which strict JSON forbids
        tree = json.loads(path.read_text(encoding="latin-1"), strict=False)
        header, data = tree["NIFTIHeader"], tree["NIFTIData"]
        shape = tuple(int(size) for size in data["_ArraySize_"])
        check_claim(shape, str(path))
        kind = np.dtype(data["_ArrayType_"])
        if kind.kind not in "uif" or len(shape) != 3:
            raise FormatError(f"{path} holds {kind} of shape {shape}: a volume of numbers is expected")
        packing = data["_ArrayZipType_"]
        if packing not in ("gzip", "zlib"):
            raise FormatError(f"{path} is packed with {packing!r}: gzip and zlib are read")
        packed = base64.b64decode(data["_ArrayZipData_"])
        content = inflate(packed, int(np.prod(shape)) * kind.itemsize, str(path), gzip=packing == "gzip")
        sizes = tuple(float(size) for size in header["VoxelSize"])
        scale, shift = float(header["ScaleSlope"]) or 1.0, float(header["ScaleOffset"])
        orientation = tuple(header["Orientation"][axis] for axis in "xyz")
        origin = [float(header["QuaternOffset"][axis]) for axis in "xyz"]
    except (json.JSONDecodeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"{path} is not a JNIfTI volume: {type(error).__name__} {error}") from error
    if orientation != ("r", "a", "s"):
        raise FormatError(f"{path} has axes {orientation}: right, anterior, superior are read")
    order = "F" if str(data.get("_ArrayOrder_", "r")).lower().startswith("c") else "C"
    stored = np.frombuffer(content, kind).reshape(shape, order=order)
    array = _to_lps(stored).astype(np.float32) * np.float32(scale) + np.float32(shift)
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = sizes[2], -sizes[1], -sizes[0], 1
    affine[:3, 3] = origin[0] + sizes[0] * (shape[0] - 1), origin[1] + sizes[1] * (shape[1] - 1), origin[2]
    return Image(array, "DHW", (0.0, 1.0), ARBITRARY, path.stem, sizes[::-1], affine, ("tissue probability",))


def _to_lps(array: np.ndarray) -> np.ndarray:
    """Turn (right, anterior, superior) axes to (superior, posterior, left)."""
    return array[::-1, ::-1, :].transpose(2, 1, 0)
