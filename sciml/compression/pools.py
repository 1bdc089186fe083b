"""Training data: crops of the pictures of a split, at several scales, those with much structure first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image as PillowImage

from sciml.datasets.loaders import load
from sciml.datasets.manifest import record
from sciml.datasets.splits import parse_entry, split, test_entries
from sciml.runtime.errors import DataError
from sciml.runtime.files import digest_file
from sciml.runtime.seeds import Seeds

# corners that are tried for every crop that is kept
TRIED = 1.5
COLOURS = 3
FOLDER = "folder:"
LEAST_PICTURES = 5
HELD_OUT = 6


@dataclass(frozen=True)
class Crops:
    """Crops of one size, in the numbers of a model.

    Attributes:
        array: grey levels 0 to 255.
        inputs: data id to SHA-256 of what they were cut from.
    """

    array: UInt8[np.ndarray, "crops size size channels"]
    inputs: dict[str, str]


def pictures(
    experiment: str, role: str, data_tier: str, channels: int
) -> Iterator[tuple[str, UInt8[np.ndarray, "rows columns channels"]]]:
    """Yield the id and the grey levels of every picture of a role; every third inner slice of a volume.

    Args:
        experiment: name in the splits, for instance `compression`, or `folder:PATH`: a user's own pictures, of which every
            sixth validates and none tests.
        role: `train`, `validation` or `test`.
        data_tier: of the data.
        channels: 3 for colour pictures, 1 for grey ones and slices; others are left out.
    """
    if experiment.startswith(FOLDER):
        yield from _folder_pictures(Path(experiment.removeprefix(FOLDER)), role, channels)
        return
    for entry in split(experiment, role, data_tier):
        array = np.asarray(load(entry).array)
        name = parse_entry(entry)[0]
        if channels == COLOURS:
            if array.shape[-1] == COLOURS:
                yield name, levels(array)
            continue
        slices = array if array.ndim == 3 else array[None]
        inner = slices[len(slices) // 8 : -(len(slices) // 8) or None : 3]
        for number, plane in enumerate(inner):
            if plane.any():
                yield f"{name}-{number}", levels(plane)[..., None]


def _folder_pictures(folder: Path, role: str, channels: int) -> Iterator[tuple[str, UInt8[np.ndarray, "rows columns channels"]]]:
    """Yield the pictures of a folder by the paths of their files.

    Raises:
        DataError: fewer than 5 pictures, one that cannot be read, or one that the test pictures hold too.
    """
    from sciml.compression.bench import read_pixels
    from sciml.compression.bench_cli import SUFFIXES

    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if len(paths) < LEAST_PICTURES:
        raise DataError(
            f"{folder} holds {len(paths)} pictures ({', '.join(SUFFIXES)}): at least {LEAST_PICTURES} are learned from"
        )
    tested = {record(parse_entry(entry)[0]).sha256: entry for entry in test_entries("compression")}
    for number, path in enumerate(paths):
        if (number % HELD_OUT == HELD_OUT - 1) != (role == "validation"):
            continue
        if (digest := digest_file(path)) in tested:
            raise DataError(f"{path} is the test picture {tested[digest]}: take it out of the training pictures")
        pixels = read_pixels(path)[0]
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        if pixels.shape[2] == channels:
            yield str(path), pixels


def levels(array: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Return values from 0 to 1 as grey levels."""
    return np.clip(np.rint(array * 255), 0, 255).astype(np.uint8)


def training_crops(
    experiment: str, role: str, data_tier: str, channels: int, size: int, counts: dict[float, int], seed: int
) -> Crops:
    """Return crops of all pictures of a role.

    Args:
        experiment: see `pictures`.
        role: see `pictures`.
        data_tier: see `pictures`.
        channels: see `pictures`.
        size: side, a multiple of 16; smaller pictures are left out.
        counts: crops of each picture by reduction: `{1.0: 4, 2.0: 1}` takes four at full size and one at half size. Of half
            as many corners again those with the largest gradients are kept.
        seed: master seed.

    Raises:
        DataError: no picture is as large as a crop.
    """
    kept: list[np.ndarray] = []
    inputs: dict[str, str] = {}
    for name, picture in pictures(experiment, role, data_tier, channels):
        generator = np.random.default_rng(Seeds(seed)("crops", name))
        before = len(kept)
        for reduction, count in counts.items():
            kept += _best_crops(reduced(picture, reduction), size, count, generator)
        if len(kept) > before:
            if experiment.startswith(FOLDER):
                inputs[Path(name).name] = digest_file(name)
                continue
            source = name if channels == COLOURS else name.rpartition("-")[0]
            inputs[source] = record(source).sha256
    if not kept:
        raise DataError(f"no picture of {experiment} ({role}, data tier {data_tier}) has sides of {size} pixels and more")
    return Crops(np.stack(kept), inputs)


def reduced(picture: UInt8[np.ndarray, "rows columns channels"], factor: float) -> UInt8[np.ndarray, "rows2 columns2 channels"]:
    """Return the picture with its sides divided by a factor."""
    if factor == 1:
        return picture
    image = PillowImage.fromarray(picture if picture.shape[2] == COLOURS else picture[..., 0])
    sides = round(image.width / factor), round(image.height / factor)
    return np.asarray(image.resize(sides, PillowImage.Resampling.LANCZOS)).reshape(sides[1], sides[0], -1)


def _best_crops(
    picture: UInt8[np.ndarray, "rows columns channels"], size: int, count: int, generator: np.random.Generator
) -> list[UInt8[np.ndarray, "size size channels"]]:
    """Return the crops with the largest mean gradients of some random ones."""
    room = np.array(picture.shape[:2]) - size
    if (room < 0).any():
        return []
    tried = []
    for _ in range(round(TRIED * count)):
        top, left = generator.integers(room + 1)
        crop = picture[top : top + size, left : left + size]
        middle = crop[..., crop.shape[2] // 2].astype(np.float32)
        gradient = np.abs(np.diff(middle, axis=0)).mean() + np.abs(np.diff(middle, axis=1)).mean()
        tried.append((float(gradient), crop))
    return [crop for _, crop in sorted(tried, key=lambda item: -item[0])[:count]]
