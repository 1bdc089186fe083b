"""Pictures of a domain by role, and crops of them to learn from: at several scales, those with much structure first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from PIL import Image as PillowImage

from sciml.compression.config import SourceConfig
from sciml.compression.pictures import simulations, volumes
from sciml.datasets.crops import EXPERIMENT, first_crops, load_crops, photo_crops
from sciml.datasets.loaders import LUMA, load
from sciml.datasets.manifest import record
from sciml.datasets.splits import check_weight_inputs, experiments, parse_entry, split, test_entries
from sciml.formats.fields import fields_of
from sciml.formats.image import HOUNSFIELD
from sciml.runtime.errors import ConfigError, DataError
from sciml.runtime.files import digest_file
from sciml.runtime.seeds import Seeds
from sciml.training.weight_files import read_weights_metadata

# corners that are tried for every crop that is kept
TRIED = 1.5
COLOURS = 3
FOLDER = "folder:"
LEAST_PICTURES = 5
HELD_OUT = 6
# of volumes and simulated runs, which hold many pictures each: one to learn from, one to validate
LEAST_FILES = 2
SLICES = ("compression-mr", "compression-ct")


@dataclass(frozen=True)
class Crops:
    """Crops of one size, in the numbers of a model.

    Attributes:
        array: see `numbers`; grey levels of pictures are uint8, all else float32.
        inputs: data id to SHA-256 of what they were cut from.
    """

    array: Shaped[np.ndarray, "crops size size channels"]
    inputs: dict[str, str]


def pictures(
    experiment: str, role: str, data_tier: str, channels: int
) -> Iterator[tuple[str, UInt8[np.ndarray, "rows columns channels"]]]:
    """Yield the id and the grey levels of every picture of a role.

    Args:
        experiment: name in the splits, for instance `compression`, or `folder:PATH`: a user's own pictures, of which every
            sixth validates and none tests.
        role: `train`, `validation` or `test`.
        data_tier: tier of the data.
        channels: 3 for colour pictures; 1 for grey ones and the luma of declared colour pictures; others are left out.
    """
    if experiment.startswith(FOLDER):
        yield from _folder_pictures(Path(experiment.removeprefix(FOLDER)), role, channels)
        return
    for entry in split(experiment, role, data_tier):
        array = np.asarray(load(entry).array)
        name = parse_entry(entry)[0]
        if array.shape[-1] == COLOURS:
            yield name, levels(array if channels == COLOURS else (array @ np.array(LUMA, np.float32))[..., None])
        elif channels != COLOURS and array.ndim == 2:
            yield name, levels(array)[..., None]


def _folder_pictures(folder: Path, role: str, channels: int) -> Iterator[tuple[str, UInt8[np.ndarray, "rows columns channels"]]]:
    """Yield the pictures of a folder by the paths of their files.

    Raises:
        DataError: fewer than 5 pictures, one that cannot be read, or one that the test pictures hold too.
    """
    from sciml.compression.pictures.eight_bits import SUFFIXES, read_pixels

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


@dataclass(frozen=True)
class Sample:
    """One picture of a domain.

    Attributes:
        name: tells it apart from the others.
        array: uint8 pictures, uint16 slices or float32 fields in their own unit; channel last.
        source: data id, run or file that it comes from.
        digest: SHA-256 of that.
        unit: unit of floats.
    """

    name: str
    array: Shaped[np.ndarray, "rows columns channels"]
    source: str
    digest: str
    unit: str = ""


def samples(source: SourceConfig, role: str, data_tier: str, runs: Path | None = None) -> Iterator[Sample]:
    """Yield the pictures of a domain's role; of the experiment `photo-crops` the first crop of each photograph.

    Args:
        source: where they come from.
        role: `train`, `validation` or `test`.
        data_tier: tier of declared data.
        runs: folder of simulated runs, one subfolder a role, for fields that come from them.

    Raises:
        ConfigError: fields of runs were asked for, and no folder of them is given.
        DataError: there are none, or one cannot be read.
    """
    folder = Path(source.experiment.removeprefix(FOLDER)) if source.experiment.startswith(FOLDER) else None
    if source.experiment == EXPERIMENT:
        for crop in first_crops(photo_crops(role, data_tier)):
            yield Sample(crop.name, load_crops([crop])[crop.name], crop.photograph, record(crop.photograph).sha256)
    elif source.kind == "pictures":
        for name, array in pictures(source.experiment, role, data_tier, source.channels):
            if folder is not None:
                yield Sample(name, array, Path(name).name, digest_file(name))
                continue
            yield Sample(name, array, name, record(name).sha256)
    elif source.kind == "slices":
        yield from _slices(source, role, data_tier, folder)
    else:
        yield from _fields(source, role, folder, runs)


def _slices(source: SourceConfig, role: str, data_tier: str, folder: Path | None) -> Iterator[Sample]:
    if folder is None:
        for entry in split(source.experiment, role, data_tier):
            origin = parse_entry(entry)[0]
            image = load(entry)
            # volumes without Hounsfield units are scaled by their makers
            window = source.window if image.unit == HOUNSFIELD else None
            for number, bits in volumes.slices_of(image, window or image.value_range, volumes.EVERY[role], source.channels):
                yield Sample(f"{origin}-{number}", bits, origin, record(origin).sha256)
        return
    from sciml.formats.read import read_image

    tested = {record(parse_entry(entry)[0]).sha256: entry for name in SLICES for entry in test_entries(name)}
    for path in volumes.folder_files(folder, volumes.SUFFIXES, role, HELD_OUT, LEAST_FILES):
        if (digest := digest_file(path)) in tested:
            raise DataError(f"{path} is the test volume {tested[digest]}: take it out of the training data")
        for number, bits in volumes.slices_of(read_image(path), source.window, volumes.EVERY[role], source.channels):
            yield Sample(f"{path}-{number}", bits, str(path.relative_to(folder)), digest)


def _fields(source: SourceConfig, role: str, folder: Path | None, runs: Path | None) -> Iterator[Sample]:
    if folder is None and runs is None:
        raise ConfigError("these fields come from simulated runs: give their folder with --runs")
    if folder is not None:
        paths = volumes.folder_files(folder, simulations.SUFFIXES, role, HELD_OUT, LEAST_FILES)
    else:
        paths = sorted((runs / role).glob("*.zarr")) if runs is not None else []
    if not paths:
        raise DataError(f"{runs} holds no run in its folder {role}: expected Zarr stores")
    for path in paths:
        found = list(fields_of(path, source.variables, source.begin if folder is None else None))
        digest = simulations.values_digest(found)
        for picture in found:
            yield Sample(picture.name, picture.values[..., None], path.stem, digest, picture.unit)


def spread(found: Sequence[Sample], count: int | None) -> list[Sample]:
    """Return so many pictures, evenly spread over all; all where there are no more."""
    if count is None or len(found) <= count:
        return list(found)
    return [found[int(place)] for place in (np.arange(count) + 0.5) * len(found) / count]


def check_inputs(weights: Path, source: SourceConfig, tested: Sequence[Sample]) -> None:
    """Refuse a model that was trained on anything that it is tested with.

    Raises:
        DataError: one of the tested pictures' sources is among the training data, by name or by digest.
    """
    if source.experiment in experiments():
        check_weight_inputs(weights, source.experiment)
        return
    inputs: dict[str, str] = read_weights_metadata(weights)["inputs"]
    for sample in tested:
        if sample.source in inputs or sample.digest in inputs.values():
            raise DataError(f"{weights} was trained on {sample.source}, which is tested: train on other runs")


def numbers(kind: str, array: Shaped[np.ndarray, "rows columns channels"]) -> Shaped[np.ndarray, "rows columns channels"]:
    """Return a picture in the numbers of its domain's models: grey levels 0 to 255, of slices with fractions, or deviations.

    Raises:
        DataError: a constant field.
    """
    if kind == "slices":
        return array * np.float32(255 / volumes.DEPTH)
    return simulations.standardised(array) if kind == "fields" else array


def scale_of(kind: str) -> tuple[float, float]:
    """Return centre and span of the numbers of a domain's models."""
    return (0.0, 1.0) if kind == "fields" else (127.5, 255.0)


def training_crops(
    source: SourceConfig, role: str, data_tier: str, size: int, counts: dict[float, int], seed: int, runs: Path | None = None
) -> Crops:
    """Return crops of all pictures of a role.

    Args:
        source: see `samples`.
        role: see `samples`.
        data_tier: see `samples`.
        size: side, a multiple of 16; smaller pictures are left out.
        counts: crops of each picture by reduction: `{1.0: 4, 2.0: 1}` takes four at full size and one at half size. Of half
            as many corners again those with the largest gradients are kept; of fields all, at random places.
        seed: master seed.
        runs: see `samples`.

    Raises:
        DataError: no picture is as large as a crop, or a single slice is among neighbouring ones.
    """
    kept: list[np.ndarray] = []
    inputs: dict[str, str] = {}
    for sample in samples(source, role, data_tier, runs):
        if source.kind == "slices" and sample.array.shape[2] != source.channels:
            raise DataError(
                f"{sample.name} is one slice, {source.channels} neighbours go together: train single slices with --neighbours 1"
            )
        picture = numbers(source.kind, sample.array)
        generator = np.random.default_rng(Seeds(seed)("crops", sample.name))
        before = len(kept)
        for reduction, count in counts.items():
            smaller = reduced(picture, reduction)
            if source.kind != "fields":
                kept += _best_crops(smaller, size, count, generator)
            elif min(smaller.shape[:2]) >= size:
                plane = smaller[..., 0]
                kept += [simulations.field_crop(plane, size, source.periodic, generator)[..., None] for _ in range(count)]
        if len(kept) > before:
            inputs[sample.source] = sample.digest
    if not kept:
        raise DataError(f"no picture of {source.experiment} ({role}, data tier {data_tier}) has sides of {size} pixels and more")
    return Crops(np.stack(kept), inputs)


def reduced(picture: Shaped[np.ndarray, "rows columns channels"], factor: float) -> Shaped[np.ndarray, "rows2 columns2 channels"]:
    """Return the picture with its sides divided by a factor."""
    if factor == 1:
        return picture
    sides = round(picture.shape[1] / factor), round(picture.shape[0] / factor)
    images = [picture] if picture.shape[2] == COLOURS else np.moveaxis(picture, 2, 0)
    resized = [np.asarray(PillowImage.fromarray(one).resize(sides, PillowImage.Resampling.LANCZOS)) for one in images]
    return resized[0] if picture.shape[2] == COLOURS else np.stack(resized, -1)


def _best_crops(
    picture: Shaped[np.ndarray, "rows columns channels"], size: int, count: int, generator: np.random.Generator
) -> list[Shaped[np.ndarray, "size size channels"]]:
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
