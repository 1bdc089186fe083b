"""Handwritten digits: the published network at the size that a processor learns in minutes, and what its prior knows.

The schedule is the published one, absolute error first and then proximal matching at falling gamma, with batches that depend on
the step alone, averaged weights and a cosine in every stage.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sciml.datasets import load, record, split
from sciml.proximal.config import DIGITS, DigitsConfig
from sciml.proximal.learning.curriculum import Curriculum, run_schedule
from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.network import Images
from sciml.proximal.settings.structures import MatchingStage, PublishedPotential
from sciml.proximal.study.prior_results import DenoisingErrors, MatchingWeights
from sciml.runtime.errors import DataError
from sciml.runtime.files import write_text
from sciml.runtime.seeds import Seeds
from sciml.training.processes import drawn

# of the network, the batches and the noise
SEED = 0
# standard deviation of the noise in training
SIGMA = 0.1
# how weights are kept non-negative; projection, as published, learns more slowly at this size
SIGNS = "square"


def digit_images(name: str, role: str, data_tier: str, pad: int = 0) -> tuple[Images, dict[str, str]]:
    """Return the digits of a role and the digests of their files.

    Args:
        name: `digits8` (8 x 8) or `digits20` (20 x 20, at the data tier `full`).
        role: `train`, `validation` or `test`.
        data_tier: data tier.
        pad: zeros on each side.

    Returns:
        float32 (digit, 1, rows, columns) in [0, 1], and data entry to SHA-256.

    Raises:
        DataError: no digits at this tier, or not fetched.
    """
    entries = split(DIGITS[name], role, data_tier)
    if not entries:
        raise DataError(f"experiment {DIGITS[name]} has no {role} data at the data tier {data_tier}; take digits8, or full")
    arrays = np.concatenate([load(entry).array for entry in entries])
    images = F.pad(torch.from_numpy(np.ascontiguousarray(arrays, dtype=np.float32))[:, None], (pad,) * 4)
    return images, {entry: record(entry.partition("[")[0]).sha256 for entry in entries}


class DigitBatches:
    """Batches of digits: each pass over the data in a new order, as a function of the step.

    Args:
        images: all digits.
        batch_size: digits a batch.
        seed: master seed.
    """

    def __init__(self, images: Images, batch_size: int, seed: int) -> None:
        if len(images) < batch_size:
            raise DataError(f"{len(images)} digits do not fill a batch of {batch_size}; take a smaller one")
        self.images, self.size, self.seeds = images, batch_size, Seeds(seed)
        self._pass, self._order = -1, np.empty(0, dtype=np.int64)

    def batch(self, step: int) -> Images:
        """Return the clean digits of a step."""
        number, position = divmod(step, len(self.images) // self.size)
        if number != self._pass:
            self._order = np.random.default_rng(self.seeds("digits", number)).permutation(len(self.images))
            self._pass = number
        return self.images[torch.from_numpy(self._order[position * self.size : (position + 1) * self.size])]


def build_network(config: DigitsConfig, size: int) -> ExplicitNetwork:
    """Return the untrained network for digits of `size` pixels a side."""
    potential = PublishedPotential(size=(size, size), width=config.width, head=config.head, signs=SIGNS)
    return ExplicitNetwork(potential, (SIGMA, SIGMA), SIGMA, Seeds(SEED)("digits", "network") % 2**31)


def learn(
    network: ExplicitNetwork,
    train_images: Images,
    config: DigitsConfig,
    folder: Path,
    after_stage: Callable[[int, nn.Module], None] | None = None,
    identity: dict[str, Any] | None = None,
) -> Curriculum:
    """Train the network in place; a run that was stopped goes on. See `sciml.proximal.learning.curriculum.run_schedule`."""

    def pairs(clean: Images, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return clean + SIGMA * drawn(torch.randn, clean.shape, generator=generator), clean

    def denoise(model: nn.Module, y: Tensor) -> Tensor:
        assert isinstance(model, ExplicitNetwork)
        return model.training_forward(y)

    def project(model: nn.Module) -> None:
        assert isinstance(model, ExplicitNetwork)
        model.project_()

    seed = Seeds(SEED)("digits", "training")
    return run_schedule(
        network,
        config.schedule,
        DigitBatches(train_images, config.batch_size, seed),
        denoise,
        folder=folder,
        seed=seed,
        pairs=pairs,
        scaling="residual",
        settings={"ema_decay": config.ema_decay, "checkpoint_every_steps": 500, "log_every_steps": 50},
        after_step=project,
        after_stage=after_stage,
        identity=identity,
    )


def denoising_errors(network: ExplicitNetwork, clean: Images, sigma: float, seed: int) -> DenoisingErrors:
    """Return root mean square errors per pixel and PSNR (dB, from the mean error) of noisy and of denoised digits."""
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    y = clean + sigma * noise
    errors = {"noisy": (y - clean).square().mean(), "denoised": (network(y) - clean).square().mean()}
    rmse = {f"{name}_rmse": float(error.sqrt()) for name, error in errors.items()}
    return DenoisingErrors(**rmse, **{f"{name}_psnr": float(-10 * error.log10()) for name, error in errors.items()})


def weights_at(network: ExplicitNetwork, clean: Images, gamma: float, sigma: float, seed: int) -> MatchingWeights:
    """Return how many digits count in the matching loss: mean of w = exp(-mse / gamma^2) and (sum w)^2 / (n sum w^2)."""
    y = clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    w = torch.exp(-(network(y) - clean).square().flatten(1).mean(1) / gamma**2).double()
    return MatchingWeights(mean_weight=float(w.mean()), effective_share=float(w.sum().square() / (len(w) * w.square().sum())))


def partners(count: int) -> Float[Tensor, " count"]:
    """Return the index that each digit is mixed with: i with count - 1 - i, as in the published study."""
    return torch.arange(count - 1, -1, -1)


def joined_history(stages: Sequence[MatchingStage], histories: Sequence[Path], target: Path) -> None:
    """Write the histories of all stages as one CSV with `stage`, `loss_kind` and `gamma`, steps counted through."""
    rows, columns, first = [], ["stage", "loss_kind", "gamma"], 0
    for index, (stage, path) in enumerate(zip(stages, histories, strict=False)):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                columns += [name for name in row if name not in columns]
                kind = {"stage": index, "loss_kind": stage.loss, "gamma": "" if stage.gamma is None else stage.gamma}
                rows.append({**kind, **row, "step": first + int(row["step"])})
        first += stage.steps
    lines = [columns, *[[str(row.get(name, "")) for name in columns] for row in rows]]
    write_text(target, "".join(",".join(map(str, line)) + "\n" for line in lines))
