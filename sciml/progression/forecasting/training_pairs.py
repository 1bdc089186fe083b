"""What the diffusion model learns from: pairs of latents of one subject with their covariates, and the loss of a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sciml.progression.cohorts.cohort import Cohort, Split, Visit
from sciml.progression.cohorts.covariates import CovariateScale, context_of
from sciml.progression.forecasting.diffusion import TIMES, target_of
from sciml.progression.networks.autoencoder import Autoencoder
from sciml.progression.networks.denoiser import Denoiser, crop, pad
from sciml.progression.settings.networks import FormConfig
from sciml.runtime.errors import DataError
from sciml.runtime.seeds import Seeds
from sciml.training.processes import drawn

ENCODED_AT_ONCE = 4


@dataclass(frozen=True)
class LatentTable:
    """Latents and covariates of the visits of a split.

    Attributes:
        visits: in the order of the cohort.
        latents: standardised, shape (views, visits, channel, x, y, z); the second view is mirrored.
        covariates: shape (visits, covariates).
        pairs: rows of (start, follow-up), shape (pairs, 2).
    """

    visits: tuple[Visit, ...]
    latents: Tensor
    covariates: np.ndarray
    pairs: np.ndarray


def encode_split(
    autoencoder: Autoencoder, cohort: Cohort, split: Split, scale: CovariateScale, device: str, flip: bool
) -> LatentTable:
    """Encode all visits of a split.

    Raises:
        DataError: nobody in the split has two visits.
    """
    visits = cohort.select(split)
    views = []
    for mirrored in (False, True)[: 2 if flip else 1]:
        parts = []
        for first in range(0, len(visits), ENCODED_AT_ONCE):
            images = torch.from_numpy(cohort.images(visits[first : first + ENCODED_AT_ONCE]))
            parts.append(autoencoder.latent((images.flip(2) if mirrored else images).to(device)).cpu())
        views.append(torch.cat(parts))
    rows = {(visit.subject, visit.number): row for row, visit in enumerate(visits)}
    pairs = np.array([(rows[a.subject, a.number], rows[b.subject, b.number]) for a, b in cohort.pairs(split)], dtype=int)
    if len(pairs) == 0:
        raise DataError(f"nobody in the split {split} of {cohort.folder} has two visits")
    covariates = np.stack([scale.covariates(v.age_years, v.sex, v.diagnosis, v.volumes_ml) for v in visits])
    return LatentTable(visits, torch.stack(views), covariates, pairs)


def measured_change_sd(table: LatentTable) -> float:
    """Return s, the standard deviation of z_B - z_A over all pairs, channels and voxels."""
    start, followup = table.latents[0, table.pairs[:, 0]], table.latents[0, table.pairs[:, 1]]
    return float((followup - start).square().mean().sqrt())


class PairBatches:
    """Gives the pairs of each step, a function of seed and step alone.

    Args:
        table: of the training subjects.
        form: of the model.
        batch_size: pairs a step.
        seed: of the choice.
        zero_gap_share: share of visits paired with themselves.
        any_visit: take every visit alone instead of pairs, as the first phase of the official form does.
    """

    def __init__(
        self,
        table: LatentTable,
        form: FormConfig,
        batch_size: int,
        seed: int,
        zero_gap_share: float = 0.0,
        any_visit: bool = False,
    ) -> None:
        self.table, self.form, self.batch_size, self.seeds = table, form, batch_size, Seeds(seed)
        self.zero_gap_share, self.any_visit = zero_gap_share, any_visit

    def batch(self, step: int) -> dict[str, Any]:
        """Return start, follow-up, context and the start's age / 100 of the pairs of a step."""
        random = np.random.default_rng(self.seeds("pairs", step))
        views = random.integers(len(self.table.latents), size=self.batch_size)
        visits = random.integers(len(self.table.visits), size=self.batch_size)
        pairs = self.table.pairs[random.integers(len(self.table.pairs), size=self.batch_size)]
        alone = np.full(self.batch_size, True) if self.any_visit else random.random(self.batch_size) < self.zero_gap_share
        pairs = np.where(alone[:, None], visits[:, None], pairs)
        return pair_tensors(self.table, self.form, pairs, views)


def pair_tensors(table: LatentTable, form: FormConfig, pairs: np.ndarray, views: np.ndarray | None = None) -> dict[str, Any]:
    """Return the tensors of some pairs.

    Args:
        table: of a split.
        form: of the model.
        pairs: rows of (start, follow-up), shape (pairs, 2).
        views: which view of each pair, the plain one by default.
    """
    views = np.zeros(len(pairs), dtype=int) if views is None else views
    start, followup = pairs[:, 0], pairs[:, 1]
    return {
        "start": table.latents[views, start],
        "followup": table.latents[views, followup],
        "context": torch.from_numpy(context_of(form, table.covariates[start], table.covariates[followup])),
        "start_age": torch.from_numpy(table.covariates[start, 0]),
    }


class DenoisingStep:
    """The loss of a batch of pairs, |network(z_t) - target|^2 averaged over the latent without its padding.

    Times are uniform over 0..999, one from each of as many equal parts as the batch has pairs.

    Args:
        levels: of `diffusion.noise_levels`.
        change_sd: s.
    """

    def __init__(self, levels: Any, change_sd: float) -> None:
        self.levels, self.change_sd = levels, change_sd

    def __call__(self, model: Any, batch: dict[str, Tensor], generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Return loss and, for batches of three and more, its parts at little, middle and much noise."""
        start, followup = batch["start"], batch["followup"]
        count, place = len(start), start.device
        clean = clean_of(model, start, followup, self.change_sd)
        padded = pad(clean, model.config.multiple)
        noise = drawn(torch.randn, padded.shape, generator=generator, device=place)
        times = drawn(even_times, (count,), generator=generator, device=place)
        noisy = self.levels.add_noise(padded, noise, times)
        shown = pad(start, model.config.multiple)
        output = model(noisy, times, batch["context"], shown, batch["start_age"])
        error = crop(output - target_of(self.levels, padded, noise, times), tuple(clean.shape[2:])).square().mean((1, 2, 3, 4))
        scalars = {}
        if count >= 3:
            low, high = count // 3, count - count // 3
            parts = {"little_noise": error[:low], "middle_noise": error[low:high], "much_noise": error[high:]}
            scalars = {name: part.detach().mean() for name, part in parts.items()}
        return error.mean(), scalars


def even_times(count: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Return a time from each of as many equal parts of 0..999 as a batch has pairs."""
    places = torch.arange(count, device=device) + torch.rand(count, generator=generator, device=device)
    return (places * (TIMES / count)).long().clamp(max=TIMES - 1)


def clean_of(model: Denoiser, start: Tensor, followup: Tensor, change_sd: float) -> Tensor:
    """Return z_0 of the model's form: the follow-up's latent, or its standardised change."""
    return followup if model.form.target == "followup" else (followup - start) / change_sd


def followup_of(model: Denoiser, start: Tensor, clean: Tensor, change_sd: float) -> Tensor:
    """Return the follow-up's latent from z_0; undoes `clean_of`."""
    return clean if model.form.target == "followup" else start + change_sd * clean
