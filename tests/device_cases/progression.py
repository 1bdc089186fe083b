"""Autoencoder, discriminator, denoisers of both forms, and the chains that they drive."""

from __future__ import annotations

import copy
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tiny_learning import UNET, measured_autoencoder, write_tiny_cohort
from torch import Tensor

from device_cases import Device, Results, case, draws, gradients, numbers
from sciml.progression.cohorts.covariates import CovariateScale
from sciml.progression.courses.fit import course_of, fit_courses
from sciml.progression.forecasting.diffusion import CHAINS_AT_ONCE, noise_levels
from sciml.progression.forecasting.forecast import Forecaster, ImagedVisit
from sciml.progression.forecasting.pair_predictions import pairs_of, predict_pairs
from sciml.progression.forecasting.prediction import Question, decode, followup_latents
from sciml.progression.forecasting.training_pairs import DenoisingStep
from sciml.progression.networks.adversary import AdversarialPair, autoencoder_step
from sciml.progression.networks.denoiser import Denoiser
from sciml.progression.networks.model_files import ForecastModel, load_model
from sciml.progression.settings.models import ForecastConfig, VariantConfig
from sciml.progression.settings.networks import FORMS, UNetConfig

load = cache(load_model)
CHAINS_AT_ONCE["meta"] = CHAINS_AT_ONCE["cpu"]
MODEL, CONTEXT = "mni-4p5mm", "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight"


def width_of(denoiser: Denoiser) -> int:
    """Return how many covariates a denoiser is told."""
    return denoiser.unet.get_parameter(CONTEXT).shape[1]


def small_control() -> Denoiser:
    """Return a small network of the official form."""
    torch.manual_seed(0)
    network = Denoiser(FORMS["official"], UNetConfig(channels=(8, 16), groups=4, head_channels=(0, 8)))
    network.start_control()
    return network


@case
def autoencoder_against_a_discriminator(device: Device) -> Results:
    torch.manual_seed(0)
    changes = {"adversarial_weight": 0.1, "discriminator_layers": 1, "discriminator_channels": 8, "gradient_weight": 0.5}
    pair = AdversarialPair(load(MODEL).autoencoder.config.model_copy(update=changes)).to(device)
    volumes = numbers(2, 1, 16, 16, 16, seed=5).to(device)
    found = gradients(pair, autoencoder_step(pair, volumes, draws(device))[0])
    with torch.no_grad():
        pair.autoencoder.measure_scale([volumes])
    return found, pair.autoencoder.latent(volumes)


def step_of(network: Denoiser, device: Device) -> Tensor:
    """Return the gradients of a step of the diffusion model."""
    start = numbers(3, 3, 4, 4, 4, seed=6).to(device)
    context = numbers(3, width_of(network), seed=7).to(device)
    batch: dict[str, Any] = {"start": start, "followup": start.flip(0), "context": context, "start_age": start[:, 0, 0, 0, 0]}
    step = DenoisingStep(noise_levels(network.form.prediction), 1.0)
    return gradients(network, step(network, batch, draws(device))[0])


@case
def denoiser_of_changes(device: Device) -> Tensor:
    return step_of(copy.deepcopy(load(MODEL).denoiser).to(device).requires_grad_(), device)


@case
def denoiser_with_a_control_network(device: Device) -> Tensor:
    return step_of(small_control().to(device), device)


def forecast_of(network: Denoiser, device: Device) -> Results:
    """Return the latents and images of two follow-ups after two chains each."""
    autoencoder = copy.deepcopy(load(MODEL).autoencoder).to(device)
    images = numbers(2, 1, 16, 16, 16, seed=8).to(device)
    start = autoencoder.latent(images)
    question = Question(start, torch.tensor([0.7, 0.8]), numbers(2, width_of(network), seed=9), [0, 1])
    chains = followup_latents(network.to(device), question, 1.0, ForecastConfig(samples=2, steps=2, clamp_sd=2.0))
    return chains.chains, decode(autoencoder, chains.mean, images, start, "residual")


@case
def chains_of_changes(device: Device) -> Results:
    return forecast_of(copy.deepcopy(load(MODEL).denoiser), device)


@case
def chains_with_a_control_network(device: Device) -> Results:
    return forecast_of(small_control(), device)


@case
def forecasts_of_people(device: Device) -> Results:
    with tempfile.TemporaryDirectory() as folder:
        cohort = write_tiny_cohort(Path(folder) / "cohort")
        torch.manual_seed(0)
        people = cohort.subjects()
        model = ForecastModel(
            "tiny", cohort.grid, measured_autoencoder().to(device), Denoiser(FORMS["residual"], UNET).to(device),
            CovariateScale.measured(cohort.volumes(cohort.visits)),
            fit_courses([course_of(visits) for visits in people.values()], ("no_change", "linear_population")),
        )  # fmt: skip
        how = ForecastConfig(samples=2, steps=2, course="linear_population")
        scans = [ImagedVisit(visit, cohort.image(visit)[0]) for visit in people["s4"][:2]]
        asked = [scans[-1].visit.age_years + 2]
        forecast = Forecaster(model, how, str(device)).forecast(scans, asked)
        pairs = predict_pairs(model, cohort, pairs_of(cohort, "test")[:2], VariantConfig(how=how), 0, str(device))
    return torch.from_numpy(forecast.images).to(device), pairs.images.to(device)
