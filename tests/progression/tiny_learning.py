"""Small networks and a small made-up cohort for the tests of the learned parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from sciml.progression.cohorts.cohort import Cohort, Visit, write_cohort, write_subject
from sciml.progression.cohorts.grids import GRIDS
from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.networks.autoencoder import Autoencoder
from sciml.progression.settings.models import TrainAutoencoderConfig, TrainControlConfig, TrainDiffusionConfig
from sciml.progression.settings.networks import AutoencoderConfig, FormConfig, UNetConfig

GRID = GRIDS["4.5mm"]
# latents of 5 x 6 x 5 voxels, which the UNet's halving pads to 6 x 6 x 6
AUTOENCODER = AutoencoderConfig(unshuffle=4, channels=(8, 8), groups=4)
UNET = UNetConfig(channels=(8, 16), attention=(False, True), head_channels=(0, 8), groups=4)
# of ln V a visit, for CN; half as much again for MCI, twice for AD
RATES = (0.1, -0.05, -0.04, -0.02, -0.01, -0.01, 0.02)
SPLITS = ("train",) * 3 + ("validation", "test")


def budget(steps: int = 3, **more: object) -> dict[str, object]:
    return {"steps": steps, "batch_size": 2, "learning_rate": 1e-3, "warmup_steps": 0, "ema_decay": 0.5} | more


def autoencoder_config(**more: object) -> TrainAutoencoderConfig:
    values = {"network": AUTOENCODER, "budget": budget(), "validation_images": 2} | more
    return TrainAutoencoderConfig.model_validate(values)


def diffusion_config(form: FormConfig, name: str, **more: object) -> TrainDiffusionConfig:
    return TrainDiffusionConfig.model_validate({"name": name, "form": form, "network": UNET, "budget": budget()} | more)


def control_config(name: str = "official") -> TrainControlConfig:
    return TrainControlConfig.model_validate({"name": name, "budget": budget()})


def measured_autoencoder(seed: int = 0) -> Autoencoder:
    """Return an untrained autoencoder whose scale was measured on noise."""
    torch.manual_seed(seed)
    network = Autoencoder(AUTOENCODER).eval()
    network.measure_scale([torch.rand(2, 1, 40, 48, 40, generator=torch.Generator().manual_seed(seed))])
    network.change_sd.fill_(0.5)
    return network


def write_tiny_cohort(folder: Path, change_of_test: float = 0.0, splits: Sequence[str] = SPLITS) -> Cohort:
    """Write five people of three visits, blobs whose dark middle grows; `change_of_test` alters the test person alone."""
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, side) for side in GRID.shape], indexing="ij"))
    radius = np.sqrt((grid**2).sum(0))
    mask = radius < 0.85
    # one region a shell
    edges = np.linspace(0, 0.85, len(REGIONS) + 1)
    shells = np.stack([(radius >= low) & (radius < high) for low, high in pairwise(edges)]).astype(float)
    visits: list[Visit] = []
    for number, split in enumerate(splits):
        random = np.random.default_rng(number)
        texture = ndimage.gaussian_filter(random.normal(size=GRID.shape), 2) * 2
        images = []
        for visit in range(3):
            growth = 0.25 + 0.02 * visit * (1 + number % 3)
            image = np.where(radius < growth, 0.1, 0.7 + texture).clip(0, 1) * mask
            if split == "test":
                image = image + change_of_test * mask
            images.append(image)
            volumes = 100 * (1 + 0.1 * number) * np.exp(np.array(RATES) * visit * (1 + 0.5 * (number % 3) + 0.05 * number))
            assert len(volumes) == len(REGIONS)
            age, diagnosis = 65 + 3 * number + 1.5 * visit, ("CN", "MCI", "AD")[number % 3]
            extra = change_of_test if split == "test" else 0.0
            visits.append(Visit(f"s{number}", visit, split, age, "MF"[number % 2], diagnosis, tuple((volumes + extra).tolist())))
        clean = np.stack(images)
        noise = 0.01 * random.normal(size=clean.shape) * mask
        arrays = {"image": (clean + noise).clip(0), "mask": np.stack([mask] * 3), "labels": np.stack([shells] * 3)}
        write_subject(folder, f"s{number}", arrays | {"clean": clean}, GRID)
    write_cohort(folder, GRID, visits, {"source": "made up"})
    return Cohort(folder)
