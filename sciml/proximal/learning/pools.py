"""The pictures that networks are trained and validated on, by domain, with the digests of their files.

* photo-grey, photo-colour: display values of the photographs, reduced in linear light, by default by 1, 2 and 3 with chances
  .25, .45 and .3: a photograph at full size is far smoother a pixel than the pictures that users restore;
* ct: axial slices, [-1000, 1000] HU as [0, 1], also reduced by whole factors towards 256 pixels;
* mri: slices of all three orientations, the volume's largest value as 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from sciml.datasets import load, load_photo, local_path, record, split, window_hu
from sciml.formats.image import HOUNSFIELD
from sciml.imaging.tasks.cases import CT_WINDOW_HU, reduced
from sciml.proximal.settings.models import EXPERIMENTS
from sciml.proximal.settings.structures import DOWNSCALE_PROBABILITIES
from sciml.runtime.errors import DataError
from sciml.runtime.seeds import Seeds

Domain = Literal["photo-grey", "photo-colour", "ct", "mri"]
SLICES = 120


@dataclass(frozen=True)
class Pool:
    """Pictures of one domain and role.

    Attributes:
        images: float32 (rows, columns) or (rows, columns, 3), in [0, 1].
        chances: relative chance of each in training.
        names: data id of each, with slice or reduction.
        inputs: data id to SHA-256 of every file.
    """

    images: list[Float[np.ndarray, " ..."]]
    chances: list[float]
    names: list[str]
    inputs: dict[str, str]


def pool(
    domain: Domain,
    role: str,
    data_tier: str,
    min_side: int,
    probabilities: Mapping[int, float] = DOWNSCALE_PROBABILITIES,
) -> Pool:
    """Return the pictures of a role that have at least `min_side` pixels a side, photographs by each reduction with its chance.

    Raises:
        DataError: the role is empty at this tier, no picture is large enough, or the data are not fetched.
    """
    entries = split(EXPERIMENTS[domain], role, data_tier)
    if not entries:
        raise DataError(f"experiment {EXPERIMENTS[domain]} has no {role} data at the data tier {data_tier}")
    images, chances, names = [], [], []
    for entry in entries:
        found = (
            _photos(entry, domain == "photo-grey", probabilities)
            if domain.startswith("photo")
            else _slices(entry, domain == "ct")
        )
        kept = [item for item in found if min(item[1].shape[:2]) >= min_side and np.ptp(item[1]) > 0]
        images += [image for _, image, _ in kept]
        names += [name for name, _, _ in kept]
        # volumes differ in their number of slices: each counts the same in all
        share = 1.0 if domain.startswith("photo") else 1.0 / max(1, len(kept))
        chances += [share * chance for _, _, chance in kept]
    if not images:
        raise DataError(f"no {role} picture of {domain} has {min_side} pixels a side; take smaller crops")
    return Pool(images, chances, names, {entry: record(entry).sha256 for entry in entries})


def validation_crops(
    domain: Domain,
    data_tier: str,
    size: int,
    count: int,
    seed: int,
    probabilities: Mapping[int, float] = DOWNSCALE_PROBABILITIES,
) -> Float[np.ndarray, "count channel size size"]:
    """Return fixed crops of the validation pictures: every picture in turn, corners at random, constant ones left out.

    Where the experiment has no validation data at a tier, as MR at the smallest one, training pictures stand in; the history of
    such a run says how well it fits, not how well it does elsewhere.
    """
    role = "validation" if split(EXPERIMENTS[domain], "validation", data_tier) else "train"
    source = pool(domain, role, data_tier, size, probabilities)
    random = np.random.default_rng(Seeds(seed)("validation crops", domain))
    crops: list[np.ndarray] = []
    order = random.permutation(len(source.images)) if not domain.startswith("photo") else np.arange(len(source.images))
    for attempt in range(50 * count):
        image = source.images[order[attempt % len(order)]]
        top, left = (int(random.integers(have - size + 1)) for have in image.shape[:2])
        crop = image[top : top + size, left : left + size]
        if crop.std() > 0.02:
            crops.append(np.moveaxis(crop, -1, 0) if crop.ndim == 3 else crop[None])
        if len(crops) == count:
            return np.ascontiguousarray(np.stack(crops), dtype=np.float32)
    raise DataError(f"the {role} pictures of {domain} are nearly constant: no {count} crops of {size} pixels were found")


def _photos(entry: str, grey: bool, probabilities: Mapping[int, float]) -> list[tuple[str, np.ndarray, float]]:
    base = 2 if local_path(entry).suffix.lower() in (".jpg", ".jpeg") else 1
    return [
        (f"{entry}/{factor}", _rgb(load_photo(entry, reduction=base * factor, grey=grey).array, grey), chance)
        for factor, chance in probabilities.items()
    ]


def _rgb(array: np.ndarray, grey: bool) -> np.ndarray:
    """Return colour pictures with three channels: a grey photograph is a colour one with equal channels."""
    return array if grey or array.ndim == 3 else np.repeat(array[..., None], 3, axis=-1)


def _slices(entry: str, ct: bool) -> list[tuple[str, np.ndarray, float]]:
    image = load(entry)
    volume = image.array if image.axes == "DHW" else image.array[None]
    if ct:
        volume = window_hu(volume, *CT_WINDOW_HU) if image.unit == HOUNSFIELD else (volume - volume.min()) / np.ptp(volume)
    else:
        volume = volume / volume.max()
    found = []
    for axis in range(1 if ct else 3):
        depth = volume.shape[axis]
        middle = np.unique(np.linspace(0.1 * depth, 0.9 * depth, SLICES).astype(int)) if depth > 1 else np.array([0])
        for index in middle:
            plane = np.ascontiguousarray(np.take(volume, index, axis=axis), dtype=np.float32)
            name = f"{entry}[{index}]" if axis == 0 else f"{entry}/{axis}[{index}]"
            found.append((name, plane, 1.0))
            if ct and min(plane.shape) >= 512:
                found.append((f"{name}/2", reduced(plane, (256, 256)), 1.0))
    return found
