"""Real pictures and slices for the tasks, cut to size, with their identity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from sciml.datasets.loaders import LUMA, load, load_photo, window_hu
from sciml.datasets.manifest import local_path, members, record
from sciml.datasets.splits import split
from sciml.formats.image import HOUNSFIELD, block_mean
from sciml.runtime.errors import DataError

PHOTO_REDUCTION = 4
CT_WINDOW_HU = (-1000.0, 1000.0)


@dataclass(frozen=True)
class Case:
    """One picture or slice.

    Attributes:
        name: data set id, with the slice number in brackets for a volume.
        array: float32 (height, width) in [0, 1].
        position_mm: place of a slice along the body axis, from the first slice of its volume; None for a photograph.
    """

    name: str
    array: Float[np.ndarray, "height width"]
    position_mm: float | None = None


@lru_cache(maxsize=8)
def cases(experiment: str, role: str, count: int, size: tuple[int, int], data_tier: str, own: tuple[str, ...] = ()) -> list[Case]:
    """Return up to `count` pictures of a role.

    Photographs: grey display values, sources kept as JPEG reduced by 4 in linear light. CT: slices spread evenly over the
    middle half of the volume, [-1000, 1000] HU as [0, 1]. MR: likewise, the volume's largest value as 1. Slices larger than
    `size` are first reduced by a whole factor; of what is larger the centre is taken, what is smaller is padded, slices with
    zeros, photographs by reflection.

    Args:
        experiment: name in the splits, such as `imaging-ct`.
        role: `validation` or `test`.
        count: how many at most.
        size: height and width of the result.
        data_tier: `pip`, `ci`, `default` or `full`.
        own: ids in place of those of the split; a user's folder stands for all that it holds. Colour becomes luma.

    Raises:
        DataError: the role is empty at this tier, or its data are not fetched.
    """
    names = [member for name in own for member in members(name)] or split(experiment, role, data_tier)
    if not names:
        raise DataError(f"experiment {experiment} has no {role} data at the data tier {data_tier}")
    if experiment == "imaging-photos":
        return [Case(name, centre(_picture(name), size, pad="reflect")) for name in names[:count]]
    found: list[Case] = []
    for name in names:
        found += _slices(name, -(-count // len(names)), size, ct=experiment == "imaging-ct")
    return found[:count]


def _picture(name: str) -> np.ndarray:
    if record(name).source == "user":
        image = load(name)
        array = image.unit_interval()
        if image.axes == "DHW":
            return array[len(array) // 2]
        return array @ np.asarray(LUMA, dtype=np.float32) if image.axes == "HWC" else array
    jpeg = local_path(name).suffix.lower() in (".jpg", ".jpeg")
    return load_photo(name, reduction=PHOTO_REDUCTION if jpeg else 1, grey=True).array


def _slices(name: str, count: int, size: tuple[int, int], ct: bool) -> list[Case]:
    image = load(name)
    volume = image.array if image.axes == "DHW" else image.array[None]
    # a user's CT may be scaled already: only Hounsfield units are windowed
    if ct:
        volume = window_hu(volume, *CT_WINDOW_HU) if image.unit == HOUNSFIELD else (volume - volume.min()) / np.ptp(volume)
    else:
        volume = volume / volume.max()
    depth = len(volume)
    indices = np.unique(np.linspace(depth * 0.25, depth * 0.75, count).astype(int)) if depth > 1 else np.array([0])
    step = image.voxel_size_mm[0] if image.voxel_size_mm is not None and image.axes == "DHW" else 0.0
    label = "{}[{}]" if depth > 1 else "{}"
    return [Case(label.format(name, index), centre(reduced(volume[index], size), size), float(index * step)) for index in indices]


def reduced(array: Float[np.ndarray, "rows columns"], size: tuple[int, int]) -> Float[np.ndarray, "rows columns"]:
    """Return means over blocks of the largest whole factor that leaves at least `size`."""
    factor = max(1, min(array.shape[0] // size[0], array.shape[1] // size[1]))
    return block_mean(array, factor) if factor > 1 else array


def centre(
    array: Float[np.ndarray, "rows columns"], size: tuple[int, int], pad: str = "constant"
) -> Float[np.ndarray, "height width"]:
    """Cut the centre of each axis that is longer than `size`; pad each shorter one with zeros, or `reflect`."""
    for axis, wanted in enumerate(size):
        missing = wanted - array.shape[axis]
        if missing > 0:
            widths = [(0, 0), (0, 0)]
            widths[axis] = (missing // 2, missing - missing // 2)
            array = np.pad(array, widths, mode="reflect" if pad == "reflect" else "constant")
        elif missing < 0:
            array = np.take(array, np.arange(-missing // 2, -missing // 2 + wanted), axis=axis)
    return np.ascontiguousarray(array, dtype=np.float32)
