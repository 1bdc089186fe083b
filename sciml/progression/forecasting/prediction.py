"""Latents and images of follow-ups: the sampler run on subjects, decoded in one of two ways.

    residual:  x^_B = x_A + D(z^_B) - D(z_A)        the autoencoder's blur cancels                               (1)
    direct:    x^_B = D(z^_B)                       as published

z_A = E(x_A), and z^_B is the mean over m chains (`diffusion.average`). Images are brains on the model's grid, values from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sciml.progression.forecasting.diffusion import Averaged, average, ddim
from sciml.progression.forecasting.training_pairs import followup_of
from sciml.progression.networks.denoiser import Denoiser, Latent, crop, pad
from sciml.progression.settings.models import Decoding, ForecastConfig

if TYPE_CHECKING:
    from sciml.progression.networks.autoencoder import Autoencoder, Volume

# images of the grid of 4.5 mm; of finer ones fewer, for the memory
DECODED_AT_ONCE = 8
SMALLEST_GRID = 40 * 48 * 40


@dataclass(frozen=True)
class Question:
    """What is asked of the sampler: a batch of follow-ups.

    Attributes:
        start: standardised latents of the starts, shape (batch, channel, x, y, z).
        start_age: age at the start / 100, shape (batch,).
        context: shape (batch, width), or (samples, batch, width) when each chain has covariates of its own.
        seeds: of the noise, one for each of the batch.
    """

    start: Latent
    start_age: Tensor
    context: Tensor
    seeds: Sequence[int]


def followup_latents(denoiser: Denoiser, question: Question, change_sd: float, config: ForecastConfig) -> Averaged:
    """Return the chains' standardised latents of the follow-ups, shape (m, batch, channel, x, y, z).

    Args:
        denoiser: complete.
        question: what to predict.
        change_sd: s of the autoencoder.
        config: chains and steps.
    """
    shape = tuple(question.start.shape[2:])
    shown = pad(question.start, denoiser.config.multiple)
    place, count = question.start.device, len(question.start)
    context = question.context.to(place)
    own = context.ndim == 3
    flat = context.flatten(0, 1) if own else context

    def network(noisy: Latent, times: Tensor, rows: Tensor) -> Latent:
        # rows count through the batch, chain after chain where each chain has covariates of its own
        cases = rows % count
        return denoiser(noisy, times, flat[rows if own else cases], shown[cases], question.start_age.to(place)[cases])

    chains = average(
        network, ddim(denoiser.form.prediction, config.steps), tuple(shown.shape[1:]), config.samples, list(question.seeds),
        device=place, clamp=config.clamp_sd,
    ).chains  # fmt: skip
    cropped = crop(chains.flatten(0, 1), shape).unflatten(0, (config.samples, count))
    return Averaged(followup_of(denoiser, question.start, cropped, change_sd))


def decode(
    autoencoder: Autoencoder,
    latents: Latent,
    start: Volume,
    start_latents: Latent,
    decoding: Decoding,
    start_images: Volume | None = None,
) -> Volume:
    """Return the images of latents, by (1) or directly; values below 0 become 0.

    Args:
        autoencoder: with its scale.
        latents: of the follow-ups, shape (batch, channel, x, y, z).
        start: images of the starts, shape (batch, 1, x, y, z), or of the one start of all, batch 1.
        start_latents: their latents.
        decoding: `residual` or `direct`.
        start_images: D of `start_latents`, where it is known.
    """
    images = images_of(autoencoder, latents)
    if decoding == "residual":
        images = start + images - (images_of(autoencoder, start_latents) if start_images is None else start_images)
    return images.clamp(min=0)


def images_of(autoencoder: Autoencoder, latents: Latent) -> Volume:
    """Return D(z), as many at a time as the memory holds."""
    voxels = math.prod(latents.shape[2:]) * autoencoder.config.factor**3
    return torch.cat([autoencoder.image(part) for part in latents.split(max(1, DECODED_AT_ONCE * SMALLEST_GRID // voxels))])
