"""Small pictures and models of the codec, made in a second: smooth textures, few planes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from sciml.compression.coding.model import CodecModel, StepSet
from sciml.compression.coding.network import Restorer
from sciml.compression.coding.tile_coding import tile_planes
from sciml.compression.coding.transform import Transform, fit_transform
from sciml.compression.entropy.context import Grid
from sciml.compression.fitting.groups import Structure, fit_groups, members_of, scalar_part
from sciml.compression.fitting.scalar import Fit

CENTRE, SPAN = 127.5, 255.0
STEPS = (0.5, 0.2)
# what is written into the files of models that nobody trained
FACTS = {"config": {}, "seed": 0, "inputs": {}, "source_digest": "", "cpu_minutes": 0.0}


def texture(rows: int, columns: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Return a picture in 0 to 255: smooth noise of several sizes, a few straight edges, channels that go together."""
    generator = np.random.default_rng(seed)
    size = (max(rows, 64), max(columns, 64))
    layers = []
    for sigma in (2.0, 4.0, 12.0):
        noise = gaussian_filter(generator.standard_normal(size), sigma, mode="wrap")
        layers.append(noise / noise.std() * sigma**0.5)
    row, column = np.mgrid[: size[0], : size[1]]
    for _ in range(3):
        angle = generator.uniform(0, 2 * np.pi)
        distance = np.cos(angle) * (row - size[0] / 2) + np.sin(angle) * (column - size[1] / 2)
        layers.append(3 * np.tanh(distance - generator.normal(0, 20)))
    mixing = generator.normal(0.2, 0.1, (len(layers), channels)) + generator.normal(1, 0.3, (len(layers), 1))
    picture = 127.5 + 10 * np.tensordot(np.stack(layers, -1), mixing, 1)
    return np.clip(picture, 0, 255)[:rows, :columns].astype(np.float32)


def planes_of(transform: Transform, pictures: list[np.ndarray], step: float) -> np.ndarray:
    """Return the planes of pictures of one size, in steps, all blocks in a row."""
    plain = CodecModel("plain", transform, CENTRE, SPAN, ())
    every = [tile_planes(plain, picture, 0, 0, *picture.shape[:2]) for picture in pictures]
    return np.concatenate([planes.reshape(len(planes), -1) for planes in every], 1) / np.float32(step)


def training(channels: int, count: int = 4, side: int = 128) -> list[np.ndarray]:
    """Return the pictures that tiny models learn from."""
    return [texture(side, side, channels, seed) for seed in range(100, 100 + count)]


def make_model(
    channels: int, steps: tuple[float, ...] = STEPS, count: int = 4, side: int = 128, name: str = "tiny"
) -> CodecModel:
    """Return a model fitted to `count` textures of `side` pixels."""
    pictures = training(channels, count, side)
    transform = fit_transform([(picture - CENTRE) / SPAN for picture in pictures])
    sets = []
    for step in steps:
        order = transform.order if channels > 1 else None
        fit = Fit(planes_of(transform, pictures, step), Grid(side // 16, side // 16, count), order=order)
        sets.append(StepSet(step, *fit.run()))
    return CodecModel(name, transform, CENTRE, SPAN, tuple(sets))


def with_groups(model: CodecModel, structure: Structure, name: str = "tiny-vector") -> CodecModel:
    """Return the model with the planes behind the scalar ones in groups, learned from the same pictures."""
    pictures = training(model.channels)
    grid = Grid(pictures[0].shape[0] // 16, pictures[0].shape[1] // 16, len(pictures))
    sets = []
    for item in model.sets:
        planes = planes_of(model.transform, pictures, item.step)
        members = members_of(structure, model.transform.order, item.rules.planes)
        rules = scalar_part(item.rules, min(structure.dimensions))
        generator = np.random.default_rng(0)
        groups, _ = fit_groups(planes, grid, rules, item.tables, model.transform.order, members, structure, generator)
        sets.append(StepSet(item.step, rules, item.tables, groups))
    return CodecModel(name, model.transform, model.centre, model.span, tuple(sets))


def random_network(channels: int, depth: int, seed: int = 0) -> Restorer:
    """Return a network whose addition is as large as the picture."""
    torch.manual_seed(seed)
    network = Restorer(channels, 8, depth)
    with torch.no_grad():
        for value in network.parameters():
            value.copy_(0.15 * torch.randn(value.shape))
    return network.eval()


def write_pictures(folder: Path, count: int) -> None:
    """Write a folder of small pictures of waves."""
    folder.mkdir()
    for number in range(count):
        waves = np.sin(np.arange(80)[:, None] / (2 + number) + np.arange(96) / (3 + number))
        pixels = np.stack([waves, waves[::-1], -waves], -1) * 90 + 128
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
